"""VISA resources: GPIB, USB, VXI-11, HiSLIP, serial ports and sockets, with any library that pyvisa knows."""

from __future__ import annotations

import importlib.util
import math
from typing import Any

from pyrolab_drivers.quantities import Seconds
from pyrolab_drivers.transports.errors import TransportClosed, TransportError, WriteTimeout
from pyrolab_drivers.transports.transport import Transport, send_at_once

_CHUNK = 1 << 16
#: How long one look waits at most where a look can be repeated, so that `close()` gets in.
_LOOK_S = 0.2
#: The same for serial ports: pyvisa-py waits that long again for each byte.
_SERIAL_LOOK_S = 0.02


class VisaTransport(Transport):
    """A message-based VISA resource: "GPIB0::1::INSTR", "TCPIP::host::5025::SOCKET", "ASRL3::INSTR".

    `visa_library` is handed on to pyvisa: "" for the vendor's, "@py" for pyvisa-py, "@sim" or "file.yaml@sim"
    for a simulated one. `settings` are attributes of the resource (`chunk_size`, …), or those of
    `SerialTransport` (`baudrate`, …): these are translated for serial ports, and have no meaning for the
    rest. Terminators are the reader's matter; here bytes go as they are. The end of a message (EOI) ends a
    read. Raises `TransportError` if the resource cannot be opened.
    """

    def __init__(
        self, resource: str, timeout_s: Seconds = 2.0, *, visa_library: str = "", **settings: Any
    ) -> None:
        super().__init__(resource, timeout_s)
        self._pyvisa = _pyvisa()
        self._constants = self._pyvisa.constants
        self._resource = self._opened(resource, visa_library, settings)
        self._serial = self._interface == self._constants.InterfaceType.asrl
        #: Bytes that come one after the other, without messages.
        self._stream = self._serial or self._resource.resource_class == "SOCKET"
        self._timeout_ms = -1
        self._last: bytes | None = None
        # pyvisa's own read drops what came before a timeout; sessions of pyvisa-py and pyvisa-sim return it.
        session = getattr(self._resource.visalib, "sessions", {}).get(self._resource.session)
        self._session = session if hasattr(session, "read") else None
        send_at_once(getattr(session, "interface", None))  # pyvisa-py does not take the attribute for it

    def _opened(self, resource: str, library: str, settings: dict[str, Any]) -> Any:
        """Open `resource`. pyvisa's back ends raise all sorts of errors, plain `Exception` too."""
        _check_back_end(library)
        try:
            attributes = _translated(resource, settings, self._constants)
            opened = self._pyvisa.ResourceManager(library).open_resource(resource, **attributes)
            self._interface = opened.interface_type  # pyvisa-sim opens what does not exist, and says so here
        except Exception as error:
            which = library or "the vendor's"
            raise TransportError(
                f"{resource} cannot be opened through VISA (library: {which}): {error}"
            ) from error
        if not hasattr(opened, "write_raw"):
            opened.close()
            raise TransportError(
                f"{resource} is not message-based: it has registers, which no transport here reads"
            )
        return opened

    def _send(self, data: bytes) -> None:
        self._wait(self.timeout_s)
        try:
            self._resource.write_raw(data)
        except (OSError, self._pyvisa.VisaIOError, self._pyvisa.InvalidSession) as error:
            if not self._late(error):
                raise self._gone(error) from error
            raise WriteTimeout(
                f"{self.name} did not take {len(data)} bytes within {self.timeout_s:g} s; is it on?"
            ) from error

    def _receive(self, timeout_s: float, want: int | None, last: bytes) -> bytes | None:
        try:
            return self._from_stream(timeout_s, want, last) if self._stream else self._message(timeout_s)
        except (OSError, self._pyvisa.VisaIOError, self._pyvisa.InvalidSession) as error:
            if self._late(error):
                return b""
            raise self._gone(error) from error

    def _message(self, timeout_s: float) -> bytes:
        """Return a message, or the next part of it.

        Reading an instrument that was asked nothing is an error on these buses, so no time is no read.
        """
        if timeout_s <= 0:
            return b""
        self._wait(timeout_s)
        data, status = self._read(_CHUNK)
        codes = self._constants.StatusCode
        self._ended = status in (codes.success, codes.success_termination_character_read)
        return data

    def _from_stream(self, timeout_s: float, want: int | None, last: bytes) -> bytes:
        self._wait(min(timeout_s, _SERIAL_LOOK_S if self._serial else _LOOK_S))
        if self._session is None:
            return self._read(self._waiting())[0]
        if want is not None:
            self._end_reads_at(b"")
            return self._read(want)[0]
        if last:
            self._end_reads_at(last)
            return self._read(_CHUNK)[0]
        self._end_reads_at(b"")
        first = self._read(1)[0]
        if first:
            self._wait(0.0)
            first += self._read(_CHUNK)[0]
        return first

    def _waiting(self) -> int:
        """Return how many bytes can be read at once: those that are there, or the first one to come."""
        if not self._serial:
            return 1
        return max(1, int(self._resource.bytes_in_buffer))

    def _read(self, count: int) -> tuple[bytes, Any]:
        codes = self._constants.StatusCode
        if self._session is not None:
            data, status = self._session.read(count)
            if status < 0 and status != codes.error_timeout:
                raise self._pyvisa.VisaIOError(status)
            return bytes(data), status
        library, session = self._resource.visalib, self._resource.session
        with self._resource.ignore_warning(codes.success_max_count_read, codes.success_device_not_present):
            data, status = library.read(session, count)
        return bytes(data), status

    def _late(self, error: BaseException) -> bool:
        code = getattr(error, "error_code", None)
        return isinstance(error, TimeoutError) or code == self._constants.StatusCode.error_timeout

    def _wait(self, timeout_s: float) -> None:
        timeout_ms = max(1, math.ceil(timeout_s * 1000))
        if timeout_ms != self._timeout_ms:
            self._resource.timeout = timeout_ms
            self._timeout_ms = timeout_ms

    def _end_reads_at(self, last: bytes) -> None:
        """Let a read of a stream end with the byte `last`, or only with count and time if that is empty."""
        if last == self._last:
            return
        attributes, ends = self._constants.ResourceAttribute, self._constants.SerialTermination
        if last:
            self._resource.set_visa_attribute(attributes.termchar, last[0])
        if self._serial:
            self._resource.end_input = ends.termination_char if last else ends.none
        else:
            self._resource.set_visa_attribute(attributes.termchar_enabled, bool(last))
        self._last = last

    def _clear(self) -> bool:
        if self._stream:
            return False
        try:
            self._resource.clear()
        except (self._pyvisa.VisaIOError, NotImplementedError):
            return False
        return True

    def _gone(self, error: BaseException) -> TransportClosed:
        return TransportClosed(
            f"{self.name} cannot be reached any more ({error}); check it, then connect again"
        )

    def _shut(self) -> None:
        self._resource.close()


#: What pyserial has for a serial port, and VISA has under other names.
_RENAMED = {"baudrate": "baud_rate", "bytesize": "data_bits"}
_PARITIES = {"N": "none", "E": "even", "O": "odd", "M": "mark", "S": "space"}
_STOP_BITS = {1: "one", 1.5: "one_and_a_half", 2: "two"}
_FLOWS = {"xonxoff": "xon_xoff", "rtscts": "rts_cts", "dsrdtr": "dtr_dsr"}
_LINES = ("rts", "dtr")
_WITHOUT_MEANING = ("exclusive", "modem_lines_optional")


def _translated(resource: str, settings: dict[str, Any], constants: Any) -> dict[str, Any]:
    """Return `settings` as VISA has them, without those of serial ports if `resource` is none."""
    lines = {name for name in _LINES if settings.get(name) is not None}
    of_serial = {*_RENAMED, *_FLOWS, *_LINES, *_WITHOUT_MEANING, "parity", "stopbits"}
    others = {name: value for name, value in settings.items() if name not in of_serial}
    if not resource.upper().startswith("ASRL"):
        return others
    if lines and not settings.get("modem_lines_optional"):
        raise ValueError(f"{' and '.join(sorted(lines))} cannot be set through VISA; open the port itself")
    renamed = {_RENAMED[name]: value for name, value in settings.items() if name in _RENAMED}
    if "parity" in settings:
        renamed["parity"] = constants.Parity[_PARITIES[settings["parity"]]]
    if "stopbits" in settings:
        renamed["stop_bits"] = constants.StopBits[_STOP_BITS[settings["stopbits"]]]
    flows = [constants.ControlFlow[visa] for name, visa in _FLOWS.items() if settings.get(name)]
    if flows:
        renamed["flow_control"] = constants.ControlFlow(sum(flows))
    return {**renamed, **others}


def _check_back_end(library: str) -> None:
    """Raise `ModuleNotFoundError` if `library` ends with the name of a back end that is not installed."""
    _, at, name = library.rpartition("@")
    module = f"pyvisa_{name}"
    if at and name != "ivi" and importlib.util.find_spec(module) is None:
        extra = "pip install 'pyrolab[visa]'" if name == "py" else f"pip install pyvisa-{name}"
        raise ModuleNotFoundError(f"the VISA library {library} needs {module}: {extra}", name=module)


def _pyvisa() -> Any:
    try:
        import pyvisa
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "VISA resources need pyvisa and a library: pip install 'pyrolab[visa]'", name="pyvisa"
        ) from error
    return pyvisa
