"""Digilent's Analog Discovery and its relatives, through the library of the program WaveForms and `pydwf`.

Written from the signatures of pydwf 1.1 and its documentation; no device has been at hand.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from pyrolab_drivers.analog_io import AnalogInput, AnalogIO, AnalogOutput
from pyrolab_drivers.digital_io import DigitalIO, Pin, PinMode
from pyrolab_drivers.instrument import Identity, wait_until
from pyrolab_drivers.quantities import OutOfRange, Range, SamplesPerSecond, Seconds, Volts
from pyrolab_drivers.waveform import Waveform

_GET_WAVEFORMS = (
    "the library of WaveForms (libdwf.so, dwf.dll) is not installed: get WaveForms from "
    "https://digilent.com/shop/software/digilent-waveforms/download, on Linux with the Adept 2 Runtime"
)
#: A waveform that was asked for has come by its length and so many s.
_TRANSFER_S: Seconds = 5.0


class DiscoveryPin(Pin):
    """One digital line: an input, or an output that stays as it is set."""

    def __init__(self, board: AnalogDiscovery, number: int, can_drive: bool) -> None:
        super().__init__(board, number)
        self._board = board
        self._can_drive = can_drive
        self._bit = 1 << number

    @property
    def modes(self) -> tuple[PinMode, ...]:
        """Input, and output where the line can be one."""
        return (PinMode.INPUT, PinMode.OUTPUT) if self._can_drive else (PinMode.INPUT,)

    def _read_mode(self) -> PinMode:
        with self._board._device() as device:
            return PinMode.OUTPUT if device.digitalIO.outputEnableGet() & self._bit else PinMode.INPUT

    def _write_mode(self, mode: PinMode) -> None:
        with self._board._device() as device:
            enabled = device.digitalIO.outputEnableGet()
            device.digitalIO.outputEnableSet(_with(enabled, self._bit, mode is PinMode.OUTPUT))

    def _read_value(self) -> bool:
        with self._board._device() as device:
            device.digitalIO.status()
            return bool(device.digitalIO.inputStatus() & self._bit)

    def _write_value(self, value: bool) -> None:
        with self._board._device() as device:
            device.digitalIO.outputSet(_with(device.digitalIO.outputGet(), self._bit, value))


class DiscoveryInput(AnalogInput):
    """One channel of the oscilloscope; 1 is the first, as it is printed on the device."""

    def __init__(self, board: AnalogDiscovery, number: int, full_scale: Volts) -> None:
        super().__init__(board, number)
        self._board = board
        self._full_scale = full_scale

    @property
    def voltage_limits(self) -> tuple[Volts, Volts]:
        """Half the widest range to both sides of 0 V."""
        return (-self._full_scale / 2, self._full_scale / 2)

    def _read_voltage(self) -> Volts:
        with self._board._device() as device:
            device.analogIn.status(False)
            return float(device.analogIn.statusSample(self.number - 1))


class DiscoveryOutput(AnalogOutput):
    """One channel of the generator, which puts out a constant voltage; 1 is the first."""

    def __init__(self, board: AnalogDiscovery, number: int, limits: tuple[Volts, Volts]) -> None:
        super().__init__(board, number)
        self._board = board
        self._limits = limits
        self._voltage: Volts = 0.0

    @property
    def voltage_limits(self) -> tuple[Volts, Volts]:
        """What the device says that it can put out."""
        return self._limits

    def _read_voltage(self) -> Volts:
        return self._voltage

    def _write_voltage(self, voltage: Volts) -> None:
        import pydwf

        index, carrier = self.number - 1, pydwf.DwfAnalogOutNode.Carrier
        with self._board._device() as device:
            device.analogOut.nodeEnableSet(index, carrier, 1)
            device.analogOut.nodeFunctionSet(index, carrier, pydwf.DwfAnalogOutFunction.DC)
            device.analogOut.nodeOffsetSet(index, carrier, voltage)
            device.analogOut.configure(index, 1)
        self._voltage = voltage


class AnalogDiscovery(DigitalIO, AnalogIO):
    """A device with a `serial` number, or the only one. Its outputs are switched off on closing."""

    def __init__(self, serial: str | None = None) -> None:
        super().__init__()
        self._serial = serial
        self._identity = Identity("Digilent", "Analog Discovery", serial or "")
        self._opened: Any = None
        self._errors: tuple[type[Exception], ...] = ()
        self._pins: dict[int, DiscoveryPin] = {}
        self._inputs: dict[int, DiscoveryInput] = {}
        self._outputs: dict[int, DiscoveryOutput] = {}
        #: The library keeps one state for each device: one thread at a time.
        self._lock = threading.RLock()

    @property
    def identity(self) -> Identity:
        """The name and the serial number that the device tells; after `connect()`."""
        return self._identity

    @property
    def pins(self) -> Mapping[int, Pin]:
        """The digital lines; 0 is DIO0."""
        self._require_connection()
        return self._pins

    @property
    def inputs(self) -> Mapping[int, AnalogInput]:
        """The channels of the oscilloscope."""
        self._require_connection()
        return self._inputs

    @property
    def outputs(self) -> Mapping[int, AnalogOutput]:
        """The channels of the generator."""
        self._require_connection()
        return self._outputs

    def waveform(self, number: int, sample_rate: SamplesPerSecond, samples: int) -> Waveform:
        """Record one input, beginning now. Raises `OutOfRange` for what its memory or clock can't do."""
        if number not in self.inputs:
            raise LookupError(f"there is no input {number}; the inputs are {sorted(self._inputs)}")
        with self._device() as device:
            scope = device.analogIn
            lowest, highest = scope.frequencyInfo()
            rate = Range(lowest, highest, "Sa/s").check("sample rate", sample_rate)
            least, most = scope.bufferSizeInfo()
            if not least <= samples <= most:
                raise OutOfRange(
                    f"a waveform has {least} to {most} samples, not {samples}", quantity="samples"
                )
            scope.frequencySet(rate)
            scope.bufferSizeSet(samples)
            scope.configure(False, True)
            self._wait_for_samples(scope, samples / rate + _TRANSFER_S)
            volts = np.array(scope.statusData(number - 1, samples), np.float64)
            return Waveform(0.0, 1 / scope.frequencyGet(), volts)

    def _wait_for_samples(self, scope: Any, timeout_s: Seconds) -> None:
        import pydwf

        wait_until(
            lambda: scope.status(True) is pydwf.DwfState.Done, timeout_s, f"a waveform of {self.identity}"
        )

    # -- the connection ----------------------------------------------------------------------------------

    def _open(self) -> None:
        library, pydwf = _library()
        self._errors = (pydwf.PyDwfError,)
        from pydwf.utilities import openDwfDevice

        try:
            device = openDwfDevice(library, serial_number_filter=self._serial)
        except self._errors as error:
            which = f"with the serial number {self._serial}" if self._serial else "or more than one"
            raise ConnectionError(
                f"no device {which} could be opened ({error}); check its cable, close WaveForms, and give a "
                "serial number if there are several"
            ) from error
        try:
            self._describe(device, pydwf)
        except BaseException:
            device.close()
            raise
        self._opened = device

    def _describe(self, device: Any, pydwf: Any) -> None:
        drives = device.digitalIO.outputEnableInfo()
        lines = range((device.digitalIO.inputInfo() | drives).bit_length())
        self._pins = {line: DiscoveryPin(self, line, bool(drives >> line & 1)) for line in lines}
        full_scale = device.analogIn.channelRangeInfo()[1]
        channels = range(device.analogIn.channelCount())
        self._inputs = {index + 1: DiscoveryInput(self, index + 1, full_scale) for index in channels}
        for index in channels:
            device.analogIn.channelEnableSet(index, True)
            device.analogIn.channelRangeSet(index, full_scale)
        device.analogIn.configure(True, False)
        carrier = pydwf.DwfAnalogOutNode.Carrier
        self._outputs = {
            index + 1: DiscoveryOutput(self, index + 1, device.analogOut.nodeOffsetInfo(index, carrier))
            for index in range(device.analogOut.count())
        }

    def _close(self) -> None:
        device, self._opened = self._opened, None
        if device is None:
            return
        with self._lock:
            try:
                device.analogOut.reset(-1)
                device.digitalIO.reset()
            finally:
                device.close()

    @contextmanager
    def _device(self) -> Iterator[Any]:
        self._require_connection()
        with self._lock:
            try:
                yield self._opened
            except self._errors as error:
                raise ConnectionError(
                    f"{self.identity}: {error}; check its cable, then close() and connect() again"
                ) from error


def _with(bits: int, bit: int, is_set: bool) -> int:
    return bits | bit if is_set else bits & ~bit


def _library() -> tuple[Any, Any]:
    try:
        import pydwf
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "an Analog Discovery needs pydwf: pip install pyrolab[waveforms]", name="pydwf"
        ) from error
    try:
        return pydwf.DwfLibrary(), pydwf
    except pydwf.PyDwfError as error:
        raise FileNotFoundError(f"{_GET_WAVEFORMS} ({error})") from error
