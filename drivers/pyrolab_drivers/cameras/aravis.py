"""GenICam cameras on Ethernet or USB 3 through Aravis, without a producer of their maker. For Linux.

Aravis is written in C; PyGObject makes it Python. Both come with the distribution, not with pip.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.cameras.pixels import PixelFormat
from pyrolab_drivers.cameras.sfnc import SfncCamera, Value
from pyrolab_drivers.cameras.streaming import Arrival
from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.quantities import Micrometres, NotSupported, OutOfRange, Seconds, WrongMode

_REPEAT = "Check its power and its cable, then close() and connect() again"


class AravisCamera(SfncCamera):
    """A GenICam camera by its Aravis id ("Vendor-Model-Serial"), or its network address; None: the first one.

    `buffers` is how many images can wait before the camera loses some. `simulated` finds Aravis' own camera
    in this process. `packet_size` in bytes sets that of GigE cameras (1500, or up to 9000 where all of the
    network has jumbo frames). See `SfncCamera` for the rest.
    """

    def __init__(
        self,
        id: str | None = None,
        *,
        buffers: int = 8,
        packet_size: int | None = None,
        timeout: Seconds = 5.0,
        pixel_size: Micrometres | None = None,
        simulated: bool = False,
    ) -> None:
        super().__init__(timeout, pixel_size)
        self._id = id
        self._buffers = buffers
        self._packet_size = packet_size
        self._simulated = simulated
        self._identity = Identity("Aravis", "camera", id or "")
        self._aravis: Any = None
        self._glib_error: Any = ()
        self._camera: Any = None
        self._device: Any = None
        self._stream: Any = None
        self._memory: dict[Any, NDArray[np.uint8]] = {}
        self._format = PixelFormat.named("Mono8")
        self._is_gone = False

    @property
    def identity(self) -> Identity:
        """Vendor, model and serial number, as the camera tells them; after `connect()`."""
        return self._identity

    @classmethod
    def detect(cls) -> list[str]:
        """Ids of the cameras that Aravis finds."""
        aravis = _library()
        aravis.update_device_list()
        return [str(aravis.get_device_id(index)) for index in range(aravis.get_n_devices())]

    # -- the connection ----------------------------------------------------------------------------------

    def _open(self) -> None:
        self._aravis = _library()
        self._glib_error = import_module("gi.repository.GLib").Error
        if self._simulated:
            self._aravis.enable_interface("Fake")
        self._is_gone = False
        with self._errors(f"open {self._id or 'a camera'}"):
            camera = self._aravis.Camera.new(self._id)
        if camera is None:
            raise ConnectionError(f"Aravis finds no camera {self._id or ''}. {_REPEAT}")
        self._camera, self._device = camera, camera.get_device()
        self._device.connect("control-lost", self._note_loss)
        self._device.set_range_check_policy(self._aravis.RangeCheckPolicy.ENABLE)
        with self._errors("be asked what it is"):
            self._identity = Identity(
                camera.get_vendor_name() or "",
                camera.get_model_name() or "",
                camera.get_device_serial_number() or "",
                str(self._get("DeviceVersion")) if self._has("DeviceVersion") else "",
            )
            if self._packet_size is not None and camera.is_gv_device():
                camera.gv_set_packet_size(self._packet_size)

    def _shut(self) -> None:
        self._device = self._camera = None

    def _note_loss(self, _device: Any) -> None:
        """Called by Aravis' own thread when the camera answers no longer, or another program has taken it."""
        self._is_gone = True

    def _require_presence(self) -> None:
        if self._is_gone:
            raise ConnectionError(f"{self.identity} has gone, or another program controls it now. {_REPEAT}")

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Turn the errors of the library into Python's, with what to do."""
        aravis = self._aravis
        self._require_presence()
        try:
            yield
        except self._glib_error as error:
            message = f"{self.identity}: cannot {what}: {error.message}"
            if error.matches(aravis.DeviceError.quark(), aravis.DeviceError.FEATURE_NOT_FOUND):
                raise NotSupported(message) from error
            if error.domain == "arv-gc-error-quark":
                kind = OutOfRange if error.code in self._range_codes() else WrongMode
                raise kind(message) from error
            raise ConnectionError(f"{message}. {_REPEAT}") from error

    def _range_codes(self) -> set[int]:
        codes = self._aravis.GcError
        return {int(codes.OUT_OF_RANGE), int(codes.ENUM_ENTRY_NOT_FOUND)}

    # -- nodes -------------------------------------------------------------------------------------------

    def _has(self, name: str) -> bool:
        with self._errors(f"look for {name}"):
            return bool(self._device.is_feature_available(name))

    def _kind(self, name: str) -> str:
        """Enumeration, boolean, float, integer or string; an enumeration counts as an integer as well."""
        node, aravis = self._device.get_feature(name), self._aravis
        for kind in ("enumeration", "boolean", "float", "integer"):
            if isinstance(node, getattr(aravis, f"Gc{kind.capitalize()}")):
                return kind
        return "string"

    def _get(self, name: str) -> Value:
        kind = self._kind(name)
        read = "string" if kind == "enumeration" else kind
        with self._errors(f"read {name}"):
            value: Value = getattr(self._device, f"get_{read}_feature_value")(name)
            return value

    def _set(self, name: str, value: Value) -> None:
        kind = self._kind(name)
        write = "string" if kind == "enumeration" else kind
        checked = {"string": str, "boolean": bool, "float": float, "integer": int}[write](value)
        with self._errors(f"set {name} to {value}"):
            getattr(self._device, f"set_{write}_feature_value")(name, checked)

    def _limits(self, name: str) -> tuple[float, float, float]:
        kind = self._kind(name)
        with self._errors(f"read the limits of {name}"):
            least, most = getattr(self._device, f"get_{kind}_feature_bounds")(name)
            step = getattr(self._device, f"get_{kind}_feature_increment")(name) if kind == "integer" else 0
        return (least, most, step)

    def _entries(self, name: str) -> tuple[str, ...]:
        with self._errors(f"read what {name} can be"):
            return tuple(self._device.dup_available_enumeration_feature_values_as_strings(name))

    def _execute(self, name: str) -> None:
        with self._errors(f"execute {name}"):
            self._device.execute_command(name)

    # -- images ------------------------------------------------------------------------------------------

    def _check(self) -> None:
        self._get("Width")

    def _begin(self) -> None:
        self._format = PixelFormat.named(self._read_pixel_format())
        with self._errors("begin to stream"):
            size = self._camera.get_payload()
            self._stream = self._camera.create_stream(None, None)
            for _ in range(self._buffers):
                memory = np.empty(size, np.uint8)
                buffer = self._aravis.Buffer.new(size, memory.ctypes.data)
                self._memory[buffer] = memory
                self._stream.push_buffer(buffer)
            self._camera.start_acquisition()

    def _end(self) -> None:
        try:
            with self._errors("end the stream"):
                self._camera.stop_acquisition()
        finally:
            self._stream = None  # ends the thread that writes into the memory
            self._memory.clear()

    @contextmanager
    def _take(self) -> Iterator[Arrival | None]:
        self._require_presence()
        buffer = self._stream.try_pop_buffer()
        if buffer is None:
            yield None
            return
        try:
            is_whole = buffer.get_status() == self._aravis.BufferStatus.SUCCESS
            yield self._arrival(buffer) if is_whole else None  # its number will be missing
        finally:
            self._stream.push_buffer(buffer)

    def _arrival(self, buffer: Any) -> Arrival:
        if buffer.get_payload_type() not in self._image_payloads():
            raise NotSupported(
                f"{self.identity} sends {buffer.get_payload_type().value_nick}; let it send images alone"
            )
        form, data = self._format, self._memory[buffer]
        region, padding = buffer.get_image_region(), buffer.get_image_padding()[0]

        def fill(out: NDArray[Any]) -> None:
            form.decode(data, out, padding)

        return Arrival(
            form.name,
            form.shape(region.width, region.height),
            form.dtype,
            fill,
            buffer.get_frame_id(),
            buffer.get_timestamp(),
        )

    def _image_payloads(self) -> tuple[Any, ...]:
        kinds = self._aravis.BufferPayloadType
        return (kinds.IMAGE, kinds.EXTENDED_CHUNK_DATA)


def _library() -> Any:
    try:
        import_module("gi").require_version("Aravis", "0.8")
        return import_module("gi.repository.Aravis")
    except (ImportError, ValueError) as error:
        raise ModuleNotFoundError(
            "Aravis is missing: apt install gir1.2-aravis-0.8 python3-gi (or what your distribution calls "
            "them), and let this Python see them: PYTHONPATH=/usr/lib/python3/dist-packages, or a virtual "
            "environment with --system-site-packages",
            name="gi",
        ) from error
