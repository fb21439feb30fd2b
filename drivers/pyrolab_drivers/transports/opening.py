"""From the address in a configuration to a connection."""

from __future__ import annotations

import re
from typing import Any

from pyrolab_drivers.quantities import Seconds
from pyrolab_drivers.transports.replay import ReplayTransport
from pyrolab_drivers.transports.serial_port import SerialTransport
from pyrolab_drivers.transports.transport import Transport
from pyrolab_drivers.transports.visa import VisaTransport

_VISA = re.compile(r"(ASRL|GPIB|TCPIP|USB|VXI|PXI|PRLGX-[A-Z]+|GPIB-VXI)[^:]*::", re.IGNORECASE)
_REPLAY = "replay:"


def open_transport(
    address: str | Transport, *, timeout_s: Seconds = 2.0, gap_s: Seconds = 0.0, **settings: Any
) -> Transport:
    """Open what `address` names, and return the connection.

    "/dev/ttyUSB0", "COM3", "socket://host:port", "rfc2217://host:port": a `SerialTransport`; `settings` are
    its own (`baudrate`, `rtscts`, `rts`, …). "GPIB0::1::INSTR", "TCPIP::…", "USB0::…", "ASRL…", or any other
    name if `visa_library` is given: a `VisaTransport`. "replay:FILE": a `ReplayTransport`, which needs no
    settings and ignores them. `gap_s` is for instruments that answer twice, see `Transport`. A `Transport` is
    returned as it is, so that two drivers can share a connection.
    """
    if isinstance(address, Transport):
        return address
    transport = _opened(address, timeout_s, settings)
    transport.gap_s = gap_s
    return transport


def _opened(address: str, timeout_s: Seconds, settings: dict[str, Any]) -> Transport:
    if address.startswith(_REPLAY):
        return ReplayTransport(address[len(_REPLAY) :], timeout_s)
    if _VISA.match(address) or "visa_library" in settings:
        return VisaTransport(address, timeout_s, **settings)
    return SerialTransport(address, timeout_s, **settings)
