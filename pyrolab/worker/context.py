"""What a service can know about the call that it is carrying out."""

from __future__ import annotations

import contextvars
import time
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class CurrentCall:
    """The call that is being carried out in this thread.

    `session` and `number` name it; `deadline` is a `time.monotonic()` value, or None.
    """

    session: int
    number: int
    deadline: float | None = None
    #: Whether the caller has gone or no longer wants the answer. Long methods look at it now and then.
    cancelled: bool = False
    started: float = field(default_factory=time.monotonic)

    @property
    def remaining_s(self) -> float | None:
        """Seconds until the deadline, or None if there is none."""
        return None if self.deadline is None else self.deadline - time.monotonic()


_current: contextvars.ContextVar[CurrentCall] = contextvars.ContextVar("pyrolab_current_call")


def current_call() -> CurrentCall:
    """The call that is being carried out here. Raises `LookupError` outside of a call."""
    return _current.get()


def enter_call(call: CurrentCall) -> None:
    """From now on, this is the current call of this thread."""
    _current.set(call)
