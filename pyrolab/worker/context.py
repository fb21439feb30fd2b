"""What a service can know about the call that it is carrying out."""

from __future__ import annotations

import contextvars
import logging
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger("pyrolab.worker")


@dataclass(frozen=True, slots=True)
class Client:
    """Who calls, as its own process says: nobody has checked it yet.

    `session` is the broker's number for the connection; the others are empty or 0 where nothing is known.
    """

    session: int
    user: str = ""
    host: str = ""
    pid: int = 0
    software: str = ""
    #: What the service wants to have closed when this client goes: objects with a `close` method.
    tracked_resources: weakref.WeakSet[Any] = field(
        default_factory=weakref.WeakSet, compare=False, repr=False
    )

    def __str__(self) -> str:
        return f"{self.user or 'somebody'}@{self.host or 'somewhere'} (process {self.pid})"


@dataclass(slots=True, eq=False)
class CurrentCall:
    """The call that is being carried out in this thread.

    `session` and `number` name it; `deadline` is a `time.monotonic()` value, or None.
    """

    session: int
    number: int
    deadline: float | None = None
    client: Client = Client(0)
    #: Whether the caller has gone or no longer wants the answer. Long methods look at it now and then.
    cancelled: bool = False
    started: float = field(default_factory=time.monotonic)
    _hooks: list[Callable[[], object]] = field(default_factory=list, repr=False)

    @property
    def id(self) -> str:
        """What names this call in logs: its session and number."""
        return f"{self.session:016x}/{self.number}"

    @property
    def user(self) -> str:
        """The name of the user at the client, as the client says."""
        return self.client.user

    @property
    def remaining_s(self) -> float | None:
        """Seconds until the deadline, or None if there is none."""
        return None if self.deadline is None else self.deadline - time.monotonic()

    def on_cancel(self, hook: Callable[[], object]) -> None:
        """Have `hook()` called when the caller gives up: at once, in another thread, while this call runs.

        It should only make the running method end soon: set an event, send the instrument an abort.
        """
        self._hooks.append(hook)
        if self.cancelled:
            self._run_hooks()

    def cancel(self) -> None:
        """The caller has given up: say so, and run the hooks, each once."""
        self.cancelled = True
        self._run_hooks()

    def _run_hooks(self) -> None:
        while self._hooks:
            hook = self._hooks.pop(0)
            try:
                hook()
            except Exception:
                log.exception("the cancel hook %r failed", hook)


_current: contextvars.ContextVar[CurrentCall] = contextvars.ContextVar("pyrolab_current_call")


def current_call() -> CurrentCall:
    """The call that is being carried out here. Raises `LookupError` outside of a call."""
    return _current.get()


def enter_call(call: CurrentCall) -> None:
    """From now on, this is the current call of this thread."""
    _current.set(call)
