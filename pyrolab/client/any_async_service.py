"""What can be done with every service, whatever its class, in asyncio programs; see `any_service`."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

from pyrolab.client import reservation
from pyrolab.client.any_service import FALLBACKS
from pyrolab.client.async_reservation import AsyncReservation, Reserving, reserve
from pyrolab.client.async_side import AsyncSide
from pyrolab.client.claim import Terms
from pyrolab.client.emergency import emergency_stop
from pyrolab.client.status import FLAGS, parse_call_id
from pyrolab.protocol.names import Location

#: Under which names asyncio proxies offer what every service can do; `watch` is a method of their own.
ASYNC_FALLBACKS = {name: method for name, method in FALLBACKS.items() if name != "watch"}


class AnyAsyncService:
    """Mixed into asyncio proxies; all of this is awaited, or entered with `async with`."""

    _side: AsyncSide

    @property
    def _pyroWritable(self) -> bool:
        """Whether arrays that calls and properties bring may be changed; see `Proxy._pyroWritable`."""
        return self._side.attachment.writable

    @_pyroWritable.setter
    def _pyroWritable(self, writable: bool) -> None:
        self._side.attachment.writable = writable

    def _pyroReserve(
        self, user: str = "", wait: float | None = None, force: bool = False, for_s: float | None = None
    ) -> Reserving:
        """Have this service for yourself: `async with stage.reserve(): ...`; see `Proxy._pyroReserve`."""
        return Reserving([self._side], Terms(user, wait, force, for_s))

    def _pyroTransaction(self, wait: float | None = None) -> Reserving:
        """Nobody else's calls in between: `async with stage.transaction(): ...`. They wait meanwhile."""
        return Reserving([self._side], Terms(wait_s=wait, mode="transaction"))

    async def _pyroLock(self, user: str = "") -> bool:
        """Have this service for yourself until `unlock()`; see `Proxy._pyroLock`."""
        held = self._side.attachment.locked
        if held is None or not held.in_force:
            taken = await reserve([self._side], Terms(user, wait_s=0))
            self._side.attachment.locked = taken.plain.of_its_proxy()
        return True

    async def _pyroUnlock(self) -> bool:
        """Let others use this service again. Raises `LockedError` if somebody else has it."""
        attachment = self._side.attachment
        held = attachment.locked
        if held is None:
            return await asyncio.to_thread(reservation.unlock, attachment)
        attachment.locked = None
        await AsyncReservation(held, [self._side]).release()
        return True

    async def _pyroIsLocked(self) -> bool:
        """Whether anybody has this service for themselves."""
        return await asyncio.to_thread(reservation.is_locked, self._side.attachment)

    async def _pyroStatus(self, call: Any) -> str:
        """What became of a call whose outcome is unknown; see `Proxy._pyroStatus`."""
        return str(await self._side.invoke((), "status", parse_call_id(call), flags=FLAGS))

    async def _pyroEmergencyStop(self, reason: str = "", user: str = "") -> Any:
        """Stop everything at this service's broker; see `Proxy._pyroEmergencyStop`."""
        location = self._side.attachment.uri.location
        assert location is not None
        return await _stopped(location, reason, user)


async def _stopped(location: Location, reason: str, user: str) -> Any:
    """Stop, in a thread of its own: those that the loop has may all be busy."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[Any] = loop.create_future()

    def tell(value: Any, error: Exception | None) -> None:
        if stopped.done():
            return
        if error is not None:
            stopped.set_exception(error)
        else:
            stopped.set_result(value)

    def stop() -> None:
        value = error = None
        try:
            value = emergency_stop(location, reason, user)
        except Exception as raised:  # noqa: BLE001 - it belongs to whoever awaits this
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, value, error)

    threading.Thread(target=stop, name="pyrolab-emergency-stop", daemon=True).start()
    return await stopped
