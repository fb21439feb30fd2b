"""GenICam cameras (GigE Vision, USB3 Vision, CoaXPress, Camera Link) through their maker's GenTL producer.

Uses harvesters. Its wait for an image holds Python's lock, so it is only asked whether one is there, and
waited for without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.cameras.pixels import PixelFormat
from pyrolab_drivers.cameras.producers import Producers, files_of
from pyrolab_drivers.cameras.sfnc import SfncCamera, Value
from pyrolab_drivers.cameras.streaming import Arrival
from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.quantities import Micrometres, NotSupported, OutOfRange, Seconds, WrongMode

#: Less than what harvesters waits for once, in s: it looks once and returns.
_ONE_LOOK_S = 1e-4
#: GenTL's numbers of payloads that are one image: unknown, image, image with chunks.
_IMAGE_PAYLOADS = (0, 1, 4)
_BIG_ENDIAN = 2


class GenICamCamera(SfncCamera):
    """A GenICam camera.

    `cti` are the GenTL producers (files) to look in, None for all that are announced in GENICAM_GENTL64_PATH.
    The camera is the one with this `id`, `serial`, `model`, or `user_name`; without any, the only one that
    there is. `buffers` is how many images can wait before the camera loses some. See `SfncCamera` for the
    rest.
    """

    def __init__(
        self,
        cti: str | Path | Sequence[str | Path] | None = None,
        *,
        id: str | None = None,
        serial: str | None = None,
        model: str | None = None,
        user_name: str | None = None,
        buffers: int = 8,
        timeout: Seconds = 5.0,
        pixel_size: Micrometres | None = None,
    ) -> None:
        super().__init__(timeout, pixel_size)
        self._cti = cti
        named = {"id_": id, "serial_number": serial, "model": model, "user_defined_name": user_name}
        self._wanted = {key: value for key, value in named.items() if value is not None}
        self._buffers = buffers
        self._identity = Identity("GenICam", model or "camera", serial or id or user_name or "")
        self._producers: Producers | None = None
        self._acquirer: Any = None
        self._format = PixelFormat.named("Mono8")

    @property
    def identity(self) -> Identity:
        """Vendor, model and serial number, as the producer tells them; after `connect()`."""
        return self._identity

    @classmethod
    def detect(cls) -> list[str]:
        """Ids of the cameras that the announced producers find."""
        producers = _load(None)
        try:
            return [str(each["id_"]) for each in producers.found]
        finally:
            producers.release()

    # -- the connection ----------------------------------------------------------------------------------

    def _open(self) -> None:
        producers = _load(self._cti)
        try:
            index = self._find(producers.found)
            found = producers.found[index]
            fields = (found.get(name) or "" for name in ("vendor", "model", "serial_number", "version"))
            self._identity = Identity(*map(str, fields))
            with self._errors("open"):
                self._acquirer = producers.open(index)
                self._acquirer.num_buffers = self._buffers
        except BaseException:
            producers.release()
            raise
        self._producers = producers

    def _find(self, found: list[dict[str, Any]]) -> int:
        fits = [
            place
            for place, each in enumerate(found)
            if all(each.get(key) == value for key, value in self._wanted.items())
        ]
        if len(fits) == 1:
            return fits[0]
        which = ", ".join(f"{key.strip('_')} {value!r}" for key, value in self._wanted.items())
        there = (
            ", ".join(f"{each['id_']} (serial {each['serial_number']})" for each in found) or "none at all"
        )
        if fits:
            raise LookupError(f"{len(fits)} cameras fit ({which}); say which by id or serial: {there}")
        raise ConnectionError(
            f"no camera with {which}; found: {there}. Check its power and its cable; a camera that was "
            "plugged in while others were in use is found after those are closed"
        )

    def _shut(self) -> None:
        acquirer, self._acquirer = self._acquirer, None
        producers, self._producers = self._producers, None
        if producers is None:
            return
        try:
            if acquirer is not None:
                producers.close(acquirer)
        finally:
            producers.release()

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Turn the errors of the library into Python's, with what to do."""
        from genicam import genapi, gentl

        try:
            yield
        except genapi.OutOfRangeException as error:
            raise OutOfRange(f"{self.identity}: cannot {what}: {error}", quantity=what) from error
        except genapi.AccessException as error:
            raise WrongMode(
                f"{self.identity}: cannot {what} now ({error}); the camera locks some nodes while it streams"
            ) from error
        except (gentl.AccessDeniedException, gentl.ResourceInUseException) as error:
            raise ConnectionError(
                f"{self.identity} is in use by another program ({error}); close that, and connect() again"
            ) from error
        except (gentl.GenericException, genapi.GenericException) as error:
            raise ConnectionError(
                f"{self.identity}: cannot {what}: {error}. Check its power and its cable, then close() and "
                "connect() again"
            ) from error

    # -- nodes -------------------------------------------------------------------------------------------

    @property
    def node_names(self) -> tuple[str, ...]:
        """Names of all nodes of the camera that can be used now."""
        self._require_connection()
        return tuple(sorted(name for name in dir(self._nodes) if name[0].isupper() and self._has(name)))

    @property
    def _nodes(self) -> Any:
        return self._acquirer.remote_device.node_map

    def _has(self, name: str) -> bool:
        from genicam import genapi

        with self._errors(f"look for {name}"):
            return bool(self._nodes.has_node(name)) and bool(genapi.is_available(self._nodes.get_node(name)))

    def _get(self, name: str) -> Value:
        with self._errors(f"read {name}"):
            value: Value = self._nodes.get_node(name).value
            return value

    def _set(self, name: str, value: Value) -> None:
        try:
            with self._errors(f"set {name} to {value}"):
                self._nodes.get_node(name).value = value
        except TypeError as error:
            raise TypeError(
                f"{name} of {self.identity} cannot be the {type(value).__name__} {value!r}"
            ) from error

    def _limits(self, name: str) -> tuple[float, float, float]:
        with self._errors(f"read the limits of {name}"):
            node = self._nodes.get_node(name)
            has_step = not hasattr(node, "has_inc") or node.has_inc()
            return (node.min, node.max, node.inc if has_step else 0)

    def _entries(self, name: str) -> tuple[str, ...]:
        with self._errors(f"read what {name} can be"):
            return tuple(self._nodes.get_node(name).symbolics)

    def _execute(self, name: str) -> None:
        with self._errors(f"execute {name}"):
            self._nodes.get_node(name).execute()

    # -- images ------------------------------------------------------------------------------------------

    def _check(self) -> None:
        with self._errors("be asked anything"):
            self._nodes.get_node("Width").get_value(False, True)  # not from the cache

    def _begin(self) -> None:
        self._format = PixelFormat.named(self._read_pixel_format())
        with self._errors("begin to stream"):
            self._acquirer.start()
            streams = len(self._acquirer.data_streams)
        if streams != 1:
            self._acquirer.stop()
            raise NotSupported(f"{self.identity} sends {streams} streams at once; one can be taken here")

    def _end(self) -> None:
        with self._errors("end the stream"):
            self._acquirer.stop()

    @contextmanager
    def _take(self) -> Iterator[Arrival | None]:
        with self._errors("take an image"):
            buffer = self._acquirer.try_fetch(timeout=_ONE_LOOK_S, is_raw=True)
        if buffer is None:
            yield None
            return
        try:
            with self._errors("read an image"):
                arrival = self._arrival(buffer)
            yield arrival
        finally:
            with self._errors("give an image back"):
                buffer.parent.queue_buffer(buffer)

    def _arrival(self, buffer: Any) -> Arrival:
        if int(buffer.payload_type) not in _IMAGE_PAYLOADS:
            raise NotSupported(
                f"{self.identity} sends payloads of type {buffer.payload_type}; switch off what is not an "
                "image (multi-part, GenDC, compression)"
            )
        form = self._format
        data = np.frombuffer(buffer.raw_buffer, np.uint8, offset=_told(buffer, "image_offset", 0))
        padding = _told(buffer, "padding_x", 0)
        big_endian = _told(buffer, "pixel_endianness", 0) == _BIG_ENDIAN

        def fill(out: NDArray[Any]) -> None:
            form.decode(data, out, padding, big_endian=big_endian)

        return Arrival(
            form.name,
            form.shape(buffer.width, buffer.height),
            form.dtype,
            fill,
            _told(buffer, "frame_id", 0),
            _told(buffer, "timestamp_ns", None),
        )


def _told(buffer: Any, name: str, otherwise: Any) -> Any:
    """What a producer says about a buffer; many don't say everything."""
    from genicam import gentl

    try:
        return getattr(buffer, name)
    except gentl.GenericException:
        return otherwise


def _load(cti: str | Path | Sequence[str | Path] | None) -> Producers:
    files = files_of(cti)
    try:
        return Producers.used(files)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "GenICam cameras need harvesters: pip install pyrolab[genicam]", name="harvesters"
        ) from error
