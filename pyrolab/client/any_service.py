"""What can be done with every service, whatever its class: watch, reserve, lock, ask, stop.

Each is a method under Pyro's kind of name (`_pyroReserve`), and under its own (`reserve`) as long as the
service has no member of that name.
"""

from __future__ import annotations

from typing import Any

from pyrolab.client.attachment import Attachment
from pyrolab.client.claim import Terms
from pyrolab.client.reached import Reached
from pyrolab.client.reservation import Reservation, is_locked, lock, reserve, reserved, unlock
from pyrolab.client.status import FLAGS, parse_call_id

#: Under which names proxies offer what every service can do, and the methods that do it.
FALLBACKS = {
    "watch": "_watch",
    "reserve": "_pyroReserve",
    "transaction": "_pyroTransaction",
    "lock": "_pyroLock",
    "unlock": "_pyroUnlock",
    "islocked": "_pyroIsLocked",
    "status": "_pyroStatus",
    "emergency_stop": "_pyroEmergencyStop",
}


class AnyService:
    """Mixed into proxies and sub-objects; what is done with a sub-object is done with its whole service."""

    _attachment: Attachment

    @property
    def _pyroWritable(self) -> bool:
        """Whether arrays that calls and properties bring from now on may be changed; at first, they may not.

        Large ones stay the memory that was received, which is nobody else's; nothing is copied for this.
        """
        return self._attachment.writable

    @_pyroWritable.setter
    def _pyroWritable(self, writable: bool) -> None:
        self._attachment.writable = writable

    def _pyroReserve(
        self: Reached,
        user: str = "",
        wait: float | None = None,
        force: bool = False,
        for_s: float | None = None,
    ) -> Reservation:
        """Have this service for yourself: `with stage.reserve(): ...`, or until `.release()`.

        Others can read meanwhile; what they try to change is refused with `LockedError`, which says who has
        it. Waits in a fair queue for `wait` s; 0: not at all; None: as long as a call may take here, or 10 s
        if there is no deadline. `force` takes it from whoever has it, which is logged. `for_s` ends it after
        so many s in any case. Raises `LockedError`, a `ConnectionRefusedError`, if somebody else has it.
        """
        return reserve(self, user=user, wait=wait, force=force, for_s=for_s)

    def _pyroTransaction(self, wait: float | None = None) -> Reservation:
        """Nobody else's calls in between: `with stage.transaction(): ...`. They wait meanwhile.

        Starts when what runs has ended; waits for that for `wait` s, as `reserve` does.
        """
        return reserved([self._attachment], Terms(wait_s=wait, mode="transaction"))

    def _pyroLock(self, user: str = "") -> bool:
        """Have this service for yourself until `unlock()`, or until the proxy is released.

        Raises `LockedError`, a `ConnectionRefusedError`, if somebody else has it. Locking twice is locking
        once.
        """
        return lock(self._attachment, user)

    def _pyroUnlock(self) -> bool:
        """Let others use this service again. Raises `LockedError` if somebody else has it."""
        return unlock(self._attachment)

    def _pyroIsLocked(self) -> bool:
        """Whether anybody has this service for themselves."""
        return is_locked(self._attachment)

    def _pyroStatus(self, call: Any) -> str:
        """What became of a call whose outcome is unknown: give the error, or its `call_id`.

        "running", "done", "raised", "refused", or "never seen" by the process that hosts the service now.
        Raises `ValueError` for what is no id of a call.
        """
        return str(self._attachment.invoke((), "status", parse_call_id(call), flags=FLAGS))

    def _pyroEmergencyStop(self, reason: str = "", user: str = "") -> Any:
        """Stop everything at this service's broker: all stop hooks run, and no call does until it is reset.

        Returns what the broker says of each service. Raises `NoBroker` if it could not be told: then use the
        hardware switch.
        """
        from pyrolab.client.emergency import emergency_stop

        location = self._attachment.uri.location
        assert location is not None
        return emergency_stop(location, reason, user)
