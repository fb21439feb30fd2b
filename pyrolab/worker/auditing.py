"""What is written down of the calls that may change something: before they run, and after."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from pyrolab.protocol.call_body import CallBody, path_text
from pyrolab.worker.context import CurrentCall
from pyrolab.worker.refusing import NotRun

log = logging.getLogger("pyrolab.worker")


class Trail(Protocol):
    """Where it is written; `pyrolab.audit.AuditLog` is one."""

    def begun(
        self,
        *,
        call: str,
        user: str,
        host: str,
        pid: int,
        service: str,
        action: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> None:
        """A call is about to run. Raises `OSError` if that cannot be written down."""

    def ended(self, *, call: str, outcome: str, seconds: float, text: str = "") -> None:
        """It has ended."""

    def note(self, what: str, **facts: Any) -> None:
        """Something else has happened."""


class Recorder:
    """Writes into a daemon's `trail`, if it has one."""

    def __init__(self) -> None:
        self.trail: Trail | None = None

    def carry_out(
        self,
        current: CurrentCall,
        part: str,
        service: str,
        action: str,
        call: CallBody,
        act: Callable[[], Any],
    ) -> Any:
        """Do it between two lines. Raises `NotRun`, and does nothing, if the first cannot be written."""
        trail = self.trail
        if trail is None:
            return act()
        name, client = current.id + part, current.client
        try:
            trail.begun(
                call=name,
                user=client.user,
                host=client.host,
                pid=client.pid,
                service=service,
                action=action,
                args=call.args,
                kwargs=call.kwargs,
            )
        except OSError as error:
            text = f"the audit log of the daemon cannot be written ({error}); {action} was not run"
            raise NotRun("not-recorded", text) from None
        return _until_its_end(trail, name, act)

    def note(self, what: str, **facts: Any) -> None:
        """Write down what is no call; what cannot be written must not keep it from happening."""
        if self.trail is not None:
            try:
                self.trail.note(what, **facts)
            except OSError as error:
                log.error("the audit log cannot be written (%s): %s %r", error, what, facts)


def _until_its_end(trail: Trail, name: str, act: Callable[[], Any]) -> Any:
    start = time.monotonic()
    outcome, text = "done", ""
    try:
        return act()
    except BaseException as error:
        outcome, text = "raised", f"{type(error).__name__}: {error}"
        raise
    finally:
        try:
            trail.ended(call=name, outcome=outcome, seconds=time.monotonic() - start, text=text)
        except OSError as error:
            log.error("the audit log cannot be written (%s): %s %s", error, name, outcome)


def action_of(call: CallBody, origin: str = "") -> str:
    """What a call does, as a person would write it; `origin`: where the held object came from, if any."""
    steps = [origin, *call.steps[1:]] if origin else call.steps
    path = path_text(steps)
    match call.verb:
        case "call":
            return f"{path}()"
        case "set":
            return f"{path} ="
        case verb:
            return f"{verb} {path}"
