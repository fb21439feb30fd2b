"""Cameras that speak GenICam: what they are set by, whichever library talks to them.

Source of names and units: EMVA GenICam Standard Features Naming Convention 2.7. Exposure times are in µs
there, and turned into s here and nowhere else; regions are in pixels of the image there, of the sensor here.
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import suppress

from pyrolab_drivers.camera import Region, TriggerSource
from pyrolab_drivers.cameras.pixels import PixelFormat, UnknownPixelFormat
from pyrolab_drivers.cameras.streaming import StreamingCamera
from pyrolab_drivers.quantities import (
    Decibels,
    DegreesCelsius,
    Hertz,
    Micrometres,
    NotSupported,
    OutOfRange,
    Seconds,
)

#: What a node of a camera can be.
Value = str | int | float | bool

_EXPOSURE = ("ExposureTime", "ExposureTimeAbs")
_FRAME_RATE = ("AcquisitionFrameRate", "AcquisitionFrameRateAbs")
_US_PER_S = 1e6
_SOURCES = {
    TriggerSource.SOFTWARE: "Software",
    TriggerSource.LINE_0: "Line0",
    TriggerSource.LINE_1: "Line1",
    TriggerSource.LINE_2: "Line2",
    TriggerSource.LINE_3: "Line3",
}
#: No camera bins more pixels than that in one direction.
_MOST_BINNED = 8


class SfncCamera(StreamingCamera):
    """A GenICam camera. A driver supplies how its nodes are read and written.

    A node that the camera lacks is told when it is asked for, as `NotSupported`. Whatever has no property
    here is reached by `node` and `set_node`. `pixel_size` in µm is asked of the camera unless it is given.
    """

    def __init__(self, timeout: Seconds = 5.0, pixel_size: Micrometres | None = None) -> None:
        super().__init__(timeout)
        self._pixel_size = pixel_size

    # -- what a driver supplies --------------------------------------------------------------------------

    @abstractmethod
    def _has(self, name: str) -> bool:
        """Whether the camera has this node, and lets it be used."""

    @abstractmethod
    def _get(self, name: str) -> Value: ...

    @abstractmethod
    def _set(self, name: str, value: Value) -> None: ...

    @abstractmethod
    def _limits(self, name: str) -> tuple[float, float, float]:
        """Least and greatest value, and the increment (0: none)."""

    @abstractmethod
    def _entries(self, name: str) -> tuple[str, ...]:
        """What an enumeration can be now."""

    @abstractmethod
    def _execute(self, name: str) -> None: ...

    # -- any node ----------------------------------------------------------------------------------------

    def node(self, name: str) -> Value:
        """Value of a node by its name in the camera's manual. Raises `NotSupported` if it is lacking."""
        self._require_connection()
        return self._get(self._required(name))

    def set_node(self, name: str, value: Value) -> None:
        """Set a node, in its own unit. Raises `NotSupported`, `OutOfRange`, or `WrongMode` if locked."""
        self._require_connection()
        with self._sensor:
            self._set(self._required(name), value)
            self._forget_settings()

    def trigger(self) -> None:
        """Take one image now, with the trigger source `SOFTWARE`."""
        self._require_connection()
        with self._sensor:
            self._trigger()

    def _trigger(self) -> None:
        self._execute(self._required("TriggerSoftware"))

    def _required(self, *names: str) -> str:
        """The first of these nodes that the camera has."""
        for name in names:
            if self._has(name):
                return name
        raise NotSupported(
            f"{self.identity} has no node {' or '.join(names)}, or does not let it be used now"
        )

    def _has_any(self, *names: str) -> bool:
        return any(self._has(name) for name in names)

    def _number(self, *names: str) -> float:
        return float(self._get(self._required(*names)))

    def _change(self, name: str, value: Value) -> None:
        self._set(name, value)
        self._forget_settings()

    # -- the image ---------------------------------------------------------------------------------------

    @property
    def sensor_shape(self) -> tuple[int, int]:
        """Width and height of the sensor, in pixels."""
        self._require_connection()
        across, down = self._read_binning()
        return (self._sensor_edge("Width", across), self._sensor_edge("Height", down))

    def _sensor_edge(self, axis: str, binned: int) -> int:
        if self._has(f"Sensor{axis}"):
            return int(self._number(f"Sensor{axis}"))
        if self._has(f"{axis}Max"):
            return int(self._number(f"{axis}Max")) * binned
        return int(self._limits(self._required(axis))[1]) * binned

    @property
    def pixel_size(self) -> Micrometres:
        """Edge of one pixel of the sensor, in µm. Raises `NotSupported` if nobody has told it."""
        if self._pixel_size is not None:
            return self._pixel_size
        self._require_connection()
        return self._number("SensorPixelWidth")

    @property
    def pixel_formats(self) -> tuple[str, ...]:
        """The formats that the camera has and that can be turned into an array here."""
        self._require_connection()
        return tuple(name for name in self._entries(self._required("PixelFormat")) if _is_known(name))

    def _read_pixel_format(self) -> str:
        self._require_connection()
        return str(self._get(self._required("PixelFormat")))

    def _write_pixel_format(self, pixel_format: str) -> None:
        with self._paused():
            self._change("PixelFormat", pixel_format)

    def _read_roi(self) -> Region:
        across, down = self._read_binning()
        left, top = (int(self._get(name)) if self._has(name) else 0 for name in ("OffsetX", "OffsetY"))
        width, height = (int(self._get(self._required(name))) for name in ("Width", "Height"))
        return (left * across, top * down, width * across, height * down)

    def _write_roi(self, roi: Region) -> None:
        across, down = self._read_binning()
        left, top, width, height = (
            _divided(edge, by) for edge, by in zip(roi, (across, down) * 2, strict=True)
        )
        with self._paused():
            self._check_edge("Width", width)
            self._check_edge("Height", height)
            before = self._read_roi()
            for name in ("OffsetX", "OffsetY"):
                if self._has(name):
                    self._change(name, 0)  # else the old offset limits the new width
            self._change("Width", width)
            self._change("Height", height)
            try:
                self._write_offset("OffsetX", left)
                self._write_offset("OffsetY", top)
            except (OutOfRange, NotSupported):
                self._restore_roi(before)
                raise

    def _restore_roi(self, roi: Region) -> None:
        across, down = self._read_binning()
        names = ("Width", "Height", "OffsetX", "OffsetY")
        edges = (roi[2] // across, roi[3] // down, roi[0] // across, roi[1] // down)
        for name, edge in zip(names, edges, strict=True):
            if self._has(name):
                self._change(name, edge)

    def _check_edge(self, name: str, pixels: int) -> None:
        least, _, step = self._limits(self._required(name))
        if pixels < least or (step > 1 and (pixels - least) % step):
            raise OutOfRange(
                f"{name} of {self.identity} is {least:g} pixels and more, in steps of {step:g}, not {pixels}",
                quantity="roi",
                unit="px",
            )

    def _write_offset(self, name: str, pixels: int) -> None:
        if pixels or self._has(name):
            least, most, step = self._limits(self._required(name))
            if not least <= pixels <= most or (step > 1 and (pixels - least) % step):
                raise OutOfRange(
                    f"{name} of {self.identity} is {least:g} to {most:g} pixels, in steps of {step:g}, "
                    f"not {pixels}",
                    quantity="roi",
                    unit="px",
                )
            self._change(name, pixels)

    @property
    def binnings(self) -> tuple[tuple[int, int], ...]:
        """What `binning` can be."""
        self._require_connection()
        across, down = self._factors("BinningHorizontal"), self._factors("BinningVertical")
        return tuple((x, y) for x in across for y in down)

    def _factors(self, name: str) -> tuple[int, ...]:
        if not self._has(name):
            return (1,)
        least, most, step = self._limits(name)
        return tuple(range(int(least), min(int(most), _MOST_BINNED) + 1, max(int(step), 1)))

    def _read_binning(self) -> tuple[int, int]:
        across, down = (
            int(self._get(name)) if self._has(name) else 1
            for name in ("BinningHorizontal", "BinningVertical")
        )
        return (across, down)

    def _write_binning(self, binning: tuple[int, int]) -> None:
        with self._paused():
            for name, factor in zip(("BinningHorizontal", "BinningVertical"), binning, strict=True):
                if self._has(name):
                    self._change(name, factor)

    # -- time, gain, trigger -----------------------------------------------------------------------------

    @property
    def exposure_limits(self) -> tuple[Seconds, Seconds]:
        """Shortest and longest exposure time, in s."""
        self._require_connection()
        shortest, longest, _ = self._limits(self._required(*_EXPOSURE))
        return (shortest / _US_PER_S, longest / _US_PER_S)

    def _read_exposure_time(self) -> Seconds:
        return self._number(*_EXPOSURE) / _US_PER_S

    def _write_exposure_time(self, exposure_time: Seconds) -> None:
        self._turn_off("ExposureAuto")
        self._change(self._required(*_EXPOSURE), exposure_time * _US_PER_S)

    @property
    def frame_rate_limits(self) -> tuple[Hertz, Hertz]:
        """Lowest and highest frame rate, in Hz."""
        self._require_connection()
        return self._limits(self._required(*_FRAME_RATE))[:2]

    def _read_frame_rate(self) -> Hertz:
        return self._number(*_FRAME_RATE)

    def _write_frame_rate(self, frame_rate: Hertz) -> None:
        if self._has("AcquisitionFrameRateEnable"):
            self._change("AcquisitionFrameRateEnable", True)
        self._change(self._required(*_FRAME_RATE), frame_rate)

    @property
    def gain_limits(self) -> tuple[Decibels, Decibels]:
        """Lowest and highest gain, in dB."""
        self._require_connection()
        return self._limits(self._required("Gain"))[:2]

    def _read_gain(self) -> Decibels:
        return self._number("Gain")

    def _write_gain(self, gain: Decibels) -> None:
        self._turn_off("GainAuto")
        self._change(self._required("Gain"), gain)

    def _turn_off(self, automatic: str) -> None:
        """What is set by hand shall stay as it was set."""
        if self._has(automatic) and self._get(automatic) != "Off":
            self._change(automatic, "Off")

    @property
    def trigger_sources(self) -> tuple[TriggerSource, ...]:
        """What `trigger_source` can be."""
        self._require_connection()
        if not (self._has_any("TriggerMode") and self._has_any("TriggerSource")):
            return (TriggerSource.FREE_RUN,)
        entries = self._entries("TriggerSource")
        return (TriggerSource.FREE_RUN, *(each for each, name in _SOURCES.items() if name in entries))

    def _read_trigger_source(self) -> TriggerSource:
        if not self._has("TriggerMode"):
            return TriggerSource.FREE_RUN
        self._select_frame_trigger()
        if self._get("TriggerMode") == "Off":
            return TriggerSource.FREE_RUN
        source = self._get("TriggerSource")
        for each, name in _SOURCES.items():
            if name == source:
                return each
        raise NotSupported(f"{self.identity} is triggered by {source}, which has no name here; use node()")

    def _write_trigger_source(self, source: TriggerSource) -> None:
        if not self._has("TriggerMode"):
            return
        with self._paused():
            self._select_frame_trigger()
            if source is not TriggerSource.FREE_RUN:
                self._change("TriggerSource", _SOURCES[source])
            self._change("TriggerMode", "Off" if source is TriggerSource.FREE_RUN else "On")

    def _select_frame_trigger(self) -> None:
        """Triggers that start something else than a frame are another matter."""
        if self._has("TriggerSelector") and self._get("TriggerSelector") != "FrameStart":
            with suppress(NotSupported, OutOfRange):
                self._set("TriggerSelector", "FrameStart")

    def _read_temperature(self) -> DegreesCelsius:
        return self._number("DeviceTemperature")


def _is_known(pixel_format: str) -> bool:
    try:
        PixelFormat.named(pixel_format)
    except UnknownPixelFormat:
        return False
    return True


def _divided(edge: int, by: int) -> int:
    if edge % by:
        raise OutOfRange(
            f"with binning, an edge of the roi is a multiple of {by}, not {edge}", quantity="roi"
        )
    return edge // by
