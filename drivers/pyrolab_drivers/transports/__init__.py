"""Connections to instruments: serial ports, sockets, VISA, and recordings.

Neither pyserial nor pyvisa is imported before a connection is opened.
"""

from __future__ import annotations

from pyrolab_drivers.transports.errors import (
    BadReply,
    PortBusy,
    PortDenied,
    PortNotFound,
    ReplayMismatch,
    ReplyTimeout,
    TransportClosed,
    TransportError,
    WriteTimeout,
)
from pyrolab_drivers.transports.opening import open_transport
from pyrolab_drivers.transports.replay import ReplayTransport
from pyrolab_drivers.transports.scpi import InstrumentErrors, Scpi
from pyrolab_drivers.transports.serial_port import SerialTransport
from pyrolab_drivers.transports.transport import Transport
from pyrolab_drivers.transports.visa import VisaTransport
from pyrolab_drivers.transports.wire_log import Entry, Tapped, WireLog, recording

__all__ = [
    "BadReply",
    "Entry",
    "InstrumentErrors",
    "PortBusy",
    "PortDenied",
    "PortNotFound",
    "ReplayMismatch",
    "ReplayTransport",
    "ReplyTimeout",
    "Scpi",
    "SerialTransport",
    "Tapped",
    "Transport",
    "TransportClosed",
    "TransportError",
    "VisaTransport",
    "WireLog",
    "WriteTimeout",
    "open_transport",
    "recording",
]
