"""Serial ports, and whatever else pyserial opens by a URL: sockets, port servers, loop-backs."""

from __future__ import annotations

import errno
import select
import time
from typing import Any

from pyrolab_drivers.quantities import Seconds
from pyrolab_drivers.transports.errors import (
    PortBusy,
    PortDenied,
    PortNotFound,
    TransportClosed,
    TransportError,
    WriteTimeout,
)
from pyrolab_drivers.transports.transport import Transport, send_at_once

#: How long one look waits at most, so that `close()` gets in.
_LOOK_S = 0.2
#: The same for ports that cannot be waited for but by reading (Windows, rfc2217://).
_POLL_S = 0.01
_CHUNK = 1 << 16
#: Where pyserial cannot limit how long writing takes (its socket does, after 5 s).
_NO_WRITE_TIMEOUT = "rfc2217://"
#: What a pseudo-terminal answers when it is asked for modem lines, which it does not have.
_NO_LINES = (errno.ENOTTY, errno.EINVAL)


class SerialTransport(Transport):
    """A port that pyserial opens: "/dev/ttyUSB0", "COM3", "socket://host:port", "rfc2217://host:port", "loop://".

    `settings` go to pyserial as they are: `baudrate`, `bytesize`, `parity`, `stopbits`, `xonxoff`, `rtscts`,
    `dsrdtr`. Local ports are opened for this process alone (`exclusive`). `rts` and `dtr` set the modem lines
    after opening; if the port has none (a pseudo-terminal), that raises `TransportError`, unless
    `modem_lines_optional`. Raises `PortNotFound`, `PortDenied`, `PortBusy`, or another `TransportError`.
    """

    def __init__(
        self,
        port: str,
        timeout_s: Seconds = 2.0,
        *,
        rts: bool | None = None,
        dtr: bool | None = None,
        modem_lines_optional: bool = False,
        exclusive: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(port, timeout_s)
        self._serial = serial = _pyserial()
        self._port = _opened(serial, port, timeout_s, exclusive, settings)
        self._fd = self._descriptor()
        self._modem_lines_optional = modem_lines_optional
        try:
            if self._fd is not None:
                self._port.timeout = 0
            self.set_modem_lines(rts=rts, dtr=dtr)
        except BaseException:
            self._port.close()
            raise

    def set_modem_lines(self, rts: bool | None = None, dtr: bool | None = None) -> None:
        """Set the lines that are given. Raises `TransportError` if the port has none (see `__init__`)."""
        try:
            if rts is not None:
                self._port.rts = rts
            if dtr is not None:
                self._port.dtr = dtr
        except OSError as error:
            if error.errno in _NO_LINES and self._modem_lines_optional:
                return
            raise TransportError(
                f"{self.name}: cannot set RTS or DTR ({error}); a pseudo-terminal has no such lines: "
                "modem_lines_optional=True lets that pass"
            ) from error

    def _descriptor(self) -> int | None:
        """Return what `select` can wait for, if the port has it."""
        try:
            descriptor = int(self._port.fileno())
            select.select([descriptor], [], [], 0)
        except (OSError, ValueError, AttributeError):  # io.UnsupportedOperation is an OSError
            return None
        return descriptor

    def _send(self, data: bytes) -> None:
        try:
            if self._port.write_timeout not in (None, self.timeout_s):
                self._port.write_timeout = self.timeout_s
            self._port.write(data)
        except self._serial.SerialTimeoutException as error:
            raise WriteTimeout(
                f"{self.name} did not take {len(data)} bytes within {self.timeout_s:g} s; "
                "check flow control and cable"
            ) from error
        except (OSError, TypeError) as error:
            raise self._gone(error) from error

    def _receive(self, timeout_s: float, want: int | None, last: bytes) -> bytes | None:
        try:
            if self._fd is None:
                return self._polled(timeout_s)
            ready, _, _ = select.select([self._fd], [], [], min(timeout_s, _LOOK_S))
            return bytes(self._port.read(_CHUNK)) if ready else b""
        except (OSError, TypeError, ValueError) as error:
            raise self._gone(error) from error

    def _polled(self, timeout_s: float) -> bytes:
        until = time.monotonic() + min(timeout_s, _LOOK_S)
        while True:
            waiting = self._port.in_waiting
            if waiting or time.monotonic() < until:
                data = bytes(self._port.read(waiting or 1))
                if data:
                    return data
            else:
                return b""

    def _gone(self, error: BaseException) -> TransportClosed:
        if self._closed:
            return TransportClosed(f"the connection to {self.name} was closed while it was used")
        return TransportClosed(f"{self.name} has gone ({error}); check cable and power, then connect again")

    def _shut(self) -> None:
        self._port.close()


def _pyserial() -> Any:
    try:
        import serial
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "serial ports need pyserial: pip install 'pyrolab[serial]'", name="serial"
        ) from error
    return serial


def _opened(serial: Any, port: str, timeout_s: float, exclusive: bool, settings: dict[str, Any]) -> Any:
    if exclusive and "://" not in port:
        settings = {"exclusive": True, **settings}
    if not port.startswith(_NO_WRITE_TIMEOUT):
        settings = {"write_timeout": timeout_s, **settings}
    try:
        opened = serial.serial_for_url(port, timeout=_POLL_S, **settings)
    except serial.SerialException as error:
        raise _not_opened(port, error) from error
    send_at_once(getattr(opened, "_socket", None))
    return opened


def _not_opened(port: str, error: OSError) -> TransportError:
    """Return an error that says what to do about `error`, which came from opening `port`."""
    number = error.errno
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV) or "FileNotFoundError" in str(error):
        return PortNotFound(f"there is no port {port}; there {_existing()}")
    if number in (errno.EAGAIN, errno.EBUSY):
        return PortBusy(
            f"{port} is in use by another program, or by another connection of this one; close that first"
        )
    if number in (errno.EACCES, errno.EPERM):
        return PortDenied(
            f"this user may not open {port}; on Linux, add the user to the group dialout and log in again: "
            "sudo usermod -aG dialout $USER"
        )
    if "PermissionError" in str(error):  # Windows says the same of both
        return PortBusy(
            f"{port} cannot be opened ({error}); another program probably has it: close that first"
        )
    return TransportError(f"{port} cannot be opened: {error}")


def _existing() -> str:
    from serial.tools.list_ports import comports

    ports = sorted(f"{each.device} ({each.description})" for each in comports())
    return f"are {', '.join(ports)}" if ports else "are none at all: is the instrument plugged in?"
