"""Every error of the bus, in one tree. Each is also the built-in that a caller would expect.

An error says what happened, carries its numbers as attributes (`error.limit`), and its text says what
to do next. This module imports nothing of ours, except `pyrolab.tracebacks` when it is first asked for it.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyrolab.tracebacks import excepthook as excepthook
    from pyrolab.tracebacks import format_traceback as format_traceback
    from pyrolab.tracebacks import get_pyro_traceback as get_pyro_traceback


class PyroError(Exception):
    """Base of all errors that PyroLab itself raises; `fields` become attributes and travel with it."""

    def __init__(self, message: str = "", /, **fields: Any) -> None:
        super().__init__(message)
        self.__dict__.update(fields)


class CommunicationError(PyroError, ConnectionError):
    """Something went wrong between this process and the service."""


class ConnectionClosedError(CommunicationError):
    """The connection was closed, by this side or the other."""


class ProtocolError(CommunicationError):
    """A peer sent something that the protocol does not allow."""


class MessageTooLargeError(ProtocolError):
    """A message has more bytes than one may have (`size`, `limit`); send the data in parts, or as arrays."""


class VersionMismatch(ProtocolError):
    """The two peers speak different versions of the protocol."""


class TimeoutError(CommunicationError, builtins.TimeoutError):
    """The deadline passed."""


class NotExecuted(CommunicationError):
    """The call was refused before it reached the service; it may be sent again."""


class BusyError(NotExecuted):
    """A limit is reached; `limit`, `current` and `retry_after_s` are its numbers."""

    limit: int
    current: int
    retry_after_s: float


class PoolFull(BusyError):
    """The broker serves as many clients as it may (`limit`); try again when one has left."""


class NoBroker(NotExecuted):
    """No broker answers where one is looked for."""


class NotSent(NotExecuted, ConnectionClosedError):
    """The connection was lost before the call could be sent."""


class ServiceOffline(NotExecuted):
    """The service is there, its instrument is not; it is tried again within `retry_after_s`."""


class ServiceGone(NotExecuted):
    """No live worker offers this service now."""


class ReferenceGone(NotExecuted, LookupError):
    """The worker no longer holds this object or iterator for this client; get it again."""


class WouldDeadlock(NotExecuted, RuntimeError):
    """The service waits for what is running here, so it could never answer; return first, then call it."""


class CallExpired(NotExecuted, TimeoutError):
    """The deadline passed while the call was still waiting; it did not run."""


class CallCancelled(NotExecuted):
    """The call was cancelled while it was still waiting; it did not run."""


class StaleCall(NotExecuted):
    """The call was older than it may be when it arrived, so it was not run."""


class OutcomeUnknown(CommunicationError):
    """The call may have run, but its answer is lost; look at the instrument before you repeat it.

    `proxy._pyroStatus(error)` asks the service what became of the call, which is named by `call_id`.
    """

    call_id: str = ""


class CallTimedOut(OutcomeUnknown, TimeoutError):
    """The deadline passed while the call was running; it may still finish."""


class GarbledAnswer(OutcomeUnknown, ProtocolError):
    """What came back is no answer, so nobody knows whether the call ran; look at the instrument."""


class NamingError(PyroError, LookupError):
    """The name service knows no such name, or the name is taken."""


class NameInUse(NamingError):
    """A live service of another worker has this name; end it first, or say that both are a pool."""


class DaemonError(PyroError):
    """A daemon was asked for something that it cannot do."""


class SecurityError(PyroError, PermissionError):
    """Refused because it is not allowed."""


class SerializeError(PyroError, TypeError):
    """A value cannot travel; the text and `path` say which one."""

    path: str = "value"


class LockedError(NotExecuted, SecurityError, ConnectionRefusedError):
    """Somebody else has the service for themselves: `user`, `since` and `until` (Unix time in s).

    `until` is when their lease ends unless it is renewed, which their connection does while it lives.
    """

    user: str
    since: float
    until: float


class ReservationLost(NotExecuted, SecurityError):
    """The call relied on a reservation that has ended, so it was not run; reserve again."""


class EmergencyStopped(NotExecuted, SecurityError):
    """There was an emergency stop (`reason`, `user`, `since`): only reading is possible until it is reset."""

    reason: str
    user: str
    since: float


class NotRecorded(NotExecuted, OSError):
    """The audit log cannot be written, so the call was not run; free the disk it is on."""


class RemoteError(PyroError):
    """The service raised what cannot be raised here as it was (`remote_type`); the text says what it said."""


class FramesLost(PyroError):
    """A lossless subscription has lost frames: `first` to `last` (sequence numbers) of a stream.

    Subscribe again to go on; if the publisher cannot wait, give it a larger buffer, or take "queue".
    """

    first: int
    last: int


class ConfigurationError(PyroError, ValueError):
    """A configuration is wrong; the text names the file, the key and the nearest valid one."""


#: What a REFUSED message's code becomes at the caller. Codes are part of the protocol.
REFUSALS: dict[str, type[PyroError]] = {
    "busy": BusyError,
    "pool-full": PoolFull,
    "gone": ServiceGone,
    "expired": CallExpired,
    "cancelled": CallCancelled,
    "stale": StaleCall,
    "unknown-outcome": OutcomeUnknown,
    "timed-out": CallTimedOut,
    "version": VersionMismatch,
    "protocol": ProtocolError,
    "denied": SecurityError,
    "naming": NamingError,
    "in-use": NameInUse,
    "reserved": LockedError,
    "fenced": ReservationLost,
    "stopped": EmergencyStopped,
    "not-recorded": NotRecorded,
    "frames-lost": FramesLost,
    "failed": RemoteError,
    "offline": ServiceOffline,
}


def from_refusal(code: str, text: str, fields: dict[str, Any]) -> PyroError:
    """The error that a refusal stands for; an unknown code becomes a plain `CommunicationError`."""
    kind = REFUSALS.get(code, CommunicationError)
    return kind(text, **{name: value for name, value in fields.items() if _may_be_field(name)})


def _may_be_field(name: Any) -> bool:
    """Whether an attribute of this name, which a peer chose, hides nothing of the error's own."""
    return isinstance(name, str) and not name.startswith("_") and not hasattr(BaseException, name)


_OF_TRACEBACKS = frozenset({"excepthook", "format_traceback", "get_pyro_traceback"})


def __getattr__(name: str) -> Any:
    if name not in _OF_TRACEBACKS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pyrolab import tracebacks

    return getattr(tracebacks, name)
