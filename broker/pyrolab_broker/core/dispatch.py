"""Handing calls to workers against credit, and ending them, whatever becomes of them: each once.

A call is WAITING (provably not started), RUNNING (may have started; nobody ever sends it again) or ANSWERED.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgpack

from pyrolab.protocol.envelope import MAX_BUDGET_MS, MAX_STAMP, NO_DEADLINE, Flag, Kind, pack
from pyrolab_broker.core.events import make_send
from pyrolab_broker.core.peers import Call, CallState, Host, Peer, Service
from pyrolab_broker.core.state import State, wants_answer


class Dispatch:
    """What happens to calls that have been let in."""

    def __init__(self, state: State) -> None:
        self._state = state
        #: Called when a service that a transaction waits for is idle.
        self.on_idle: Callable[[], None] = lambda: None

    def is_next(self, client: Peer, number: int) -> bool:
        """Whether a client's number is above all before it; it is told if not, and then nothing is done."""
        if number <= client.newest_call:
            self.refuse(client, number, "protocol", _OUT_OF_ORDER.format(number, client.newest_call))
            return False
        client.newest_call = number
        return True

    def dispatch(self, call: Call, host: Host) -> None:
        """Hand a call to a worker against its credit."""
        host.running += 1
        if call.service.is_sticky:
            call.service.pinned.setdefault(call.client.session, host)
        self.hand_over(call, host, host.worker)

    def hand_over(self, call: Call, host: Host, via: Peer) -> None:
        """Send a call; from now on it may have started."""
        service = call.service
        if via.id not in call.client.touched:
            self._introduce(call.client, via)
        call.state = CallState.RUNNING
        call.host = host
        call.via = via.id
        call.started = self._state.now
        service.statistics.calls += 1
        host.worker.running[call.client.session, call.number] = call
        header = pack(
            Kind.CALL,
            call.flags,
            call.buffers,
            call.client.session,
            call.number,
            self._clock_of(host.worker),
            NO_DEADLINE if call.expires == math.inf else self._remaining_ms(call),
            0,
            service.fence,
            service.object_id,
        )
        self._state.actions.append(make_send((via.id, [header, *call.frames])))
        call.frames = ()

    def _introduce(self, client: Peer, worker: Peer) -> None:
        """Tell a worker whose calls these are, before the first of them."""
        client.touched.add(worker.id)
        self._state.send(worker.id, Kind.BEGUN, [msgpack.packb(client.about)], session=client.session)

    def _clock_of(self, worker: Peer) -> int:
        """A worker's own clock in ms, as far as it is known here: never later than it is."""
        return min(worker.stamp + int((self._state.now - worker.stamped) * 1000), MAX_STAMP)

    def _remaining_ms(self, call: Call) -> int:
        return min(max(int((call.expires - self._state.now) * 1000), 0), MAX_BUDGET_MS)

    def feed(self, service: Service) -> None:
        """Hand out waiting calls for which there is credit."""
        if service.awaited and not service.running:
            self.on_idle()
        while service.queue and not service.awaited:
            try:
                call = service.queue.pop(_Ready(service))
            except IndexError:
                return
            self._state.queued_bytes -= call.size
            host = service.free_host(call.client.session)
            assert host is not None
            if call.expires <= self._state.now:
                self.end_expired(call)
            else:
                self.dispatch(call, host)

    def returned(self, call: Call) -> None:
        """A worker is done with a call."""
        service = call.service
        if call.flags & Flag.URGENT:
            service.urgent -= 1
        else:
            assert call.host is not None
            call.host.running -= 1
            service.statistics.durations.append(self._state.now - call.started)

    def unqueue(self, call: Call) -> None:
        """It waits no longer."""
        call.service.queue.remove(call.client.session, call)
        self._state.queued_bytes -= call.size

    def end_expired(self, call: Call) -> None:
        """Its deadline has passed."""
        call.service.statistics.expired += 1
        if call.state is CallState.WAITING:
            text = "the deadline passed while the call waited for its turn; it did not run"
            self.settle(call, "expired", text)
        else:
            self.tell_worker(call)
            text = "the deadline passed while the call was running; it may still finish"
            self.settle(call, "timed-out", text)

    def tell_worker(self, call: Call) -> None:
        """Nobody waits for it any more."""
        self._state.send(
            call.via,
            Kind.CANCEL,
            session=call.client.session,
            call=call.number,
            target=call.service.object_id,
        )

    def settle(self, call: Call, code: str, text: str, **numbers: float | str) -> None:
        """End a call with an error."""
        call.state = CallState.ANSWERED
        call.client.calls.pop(call.number, None)
        if wants_answer(call.flags):
            self.refuse(call.client, call.number, code, text, **numbers)

    def refuse(self, peer: Peer, number: int, code: str, text: str, **numbers: float | str) -> None:
        """Tell a client that one of its calls is not carried out."""
        self._state.refuse(peer.id, code, text, peer.session, number, **numbers)


class _Ready:
    """The clients of a service whose next call could run now."""

    __slots__ = ("_service",)

    def __init__(self, service: Service) -> None:
        self._service = service

    def __contains__(self, session: object) -> bool:
        service = self._service
        transaction = service.transaction
        if transaction is not None and session not in transaction.sessions:
            return False
        return isinstance(session, int) and service.free_host(session) is not None


_OUT_OF_ORDER = "call number {} came after {}; a client numbers its calls upwards and never repeats one"
