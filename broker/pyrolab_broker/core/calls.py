"""Calls as clients send them, let in or refused, and queued; answers as workers send them, passed on."""

from __future__ import annotations

import math
from collections.abc import Callable

from pyrolab.protocol.envelope import (
    NO_DEADLINE,
    Envelope,
    Flag,
    pack,
)
from pyrolab.protocol.names import NAME_SERVICE
from pyrolab_broker.core.directory import nobody_offers
from pyrolab_broker.core.dispatch import Dispatch
from pyrolab_broker.core.events import Frame, make_send
from pyrolab_broker.core.gate import STALE_MS, Gate, Refusal
from pyrolab_broker.core.peers import Call, CallState, Peer, Role, Service
from pyrolab_broker.core.state import State, wants_answer

_NAME_SERVICE = NAME_SERVICE.encode()
#: Urgent calls that may run at once in one service, beside what else runs.
URGENT_PER_SERVICE = 8


class Calls:
    """All that clients ask of services."""

    def __init__(self, state: State, dispatch: Dispatch) -> None:
        self._state = state
        self._dispatch = dispatch
        self.gate = Gate(state)
        #: Answers a call to the name service.
        self.ask_names: Callable[[Peer, Envelope, list[Frame]], None] = lambda peer, envelope, frames: None

    def call(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A client calls."""
        if peer.role is not Role.CLIENT:
            text = "only a client may call; a worker that wants to call opens a session as a client too"
            self._dispatch.refuse(peer, envelope.call, "denied", text)
            return
        if not self._dispatch.is_next(peer, envelope.call):
            return
        service = self._state.services.get(envelope.target)
        if service is None:
            self._without_service(peer, envelope, frames)
            return
        refused = self.gate.refusal(peer, envelope, service)
        if refused is not None:
            self._turn_away(peer, envelope.call, envelope.flags, service, refused)
            return
        expires = math.inf if envelope.budget_ms == NO_DEADLINE else self._expiry(envelope)
        call = Call(
            peer,
            envelope.call,
            service,
            envelope.flags,
            envelope.token,
            envelope.buffers,
            frames,
            expires,
        )
        if peer.bucket is not None and not self._has_token(call):
            return
        if len(peer.calls) >= peer.max_calls:
            self._busy(call, "calls_per_client", len(peer.calls), peer.max_calls)
        elif envelope.flags & Flag.URGENT:
            self._urgent(call)
        else:
            self._take(call)

    def _take(self, call: Call) -> None:
        service = call.service
        is_first = not (service.queue or service.awaited) and service.transaction is None
        host = service.free_host(call.client.session) if is_first or self._may_overtake(call) else None
        if host is None:
            self._enqueue(call)
        else:
            self._admit(call)
            self._dispatch.dispatch(call, host)

    def _may_overtake(self, call: Call) -> bool:
        """Whether a call may run now although others wait: for a transaction's end, or for another worker."""
        service, session = call.service, call.client.session
        if service.awaited or service.queue.length_of(session):
            return False
        return service.transaction is None or session in service.transaction.sessions

    def _without_service(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A call to an object that no worker hosts: the name service's own, or an error."""
        if envelope.target == _NAME_SERVICE:
            self.ask_names(peer, envelope, frames)
        else:
            self._dispatch.refuse(peer, envelope.call, "gone", nobody_offers(self._state, envelope.target))

    def _expiry(self, envelope: Envelope) -> float:
        """When its time is over: what it spent on the way counts."""
        age_ms = min(max(self._state.clock - envelope.stamp, 0), STALE_MS)
        expires = self._state.now + (envelope.budget_ms - age_ms) / 1000
        self._state.wake_by(expires)
        return expires

    def _turn_away(self, peer: Peer, number: int, flags: int, service: Service, refused: Refusal) -> None:
        service.statistics.refused += 1
        if wants_answer(flags):
            self._dispatch.refuse(peer, number, refused.code, refused.text, **refused.numbers)

    def _has_token(self, call: Call) -> bool:
        """Whether its client may call just now; it is told if not."""
        assert call.client.bucket is not None
        wait_s = call.client.bucket.take(self._state.now)
        if not wait_s:
            return True
        per_minute = call.client.bucket.per_minute
        text = f"not executed: this client may make {per_minute} calls a minute; try again in {wait_s:.3f} s"
        numbers = {"limit": per_minute, "current": per_minute, "retry_after_s": wait_s}
        self._turn_away(call.client, call.number, call.flags, call.service, Refusal("busy", text, numbers))
        return False

    def _urgent(self, call: Call) -> None:
        """It runs beside everything else, and waits for nothing."""
        service = call.service
        if service.urgent >= URGENT_PER_SERVICE:
            self._busy(call, "urgent_per_service", service.urgent, URGENT_PER_SERVICE)
            return
        host = service.pinned.get(call.client.session) or service.hosts[0]
        self._admit(call)
        service.urgent += 1
        line = host.worker.line
        self._dispatch.hand_over(call, host, host.worker if line is None else line)

    def _admit(self, call: Call) -> None:
        if not call.flags & Flag.ONEWAY:
            call.client.calls[call.number] = call

    def _enqueue(self, call: Call) -> None:
        settings, service = self._state.settings, call.service
        limit = service.max_queue
        call.size = sum(memoryview(frame).nbytes for frame in call.frames)
        if self._state.queued_bytes + call.size > settings.queued_bytes:
            self._busy(call, "queued_bytes", self._state.queued_bytes, settings.queued_bytes)
        elif len(service.queue) >= limit and not self._make_room(call):
            self._busy(call, "queue_per_service", len(service.queue), limit)
        else:
            self._state.queued_bytes += call.size
            self._admit(call)
            service.queue.push(call.client.session, call)

    def _make_room(self, call: Call) -> bool:
        """Let a client with a shorter line have the place of the longest line's newest call."""
        queue = call.service.queue
        longest = queue.longest()
        if queue.length_of(call.client.session) + 1 >= queue.length_of(longest):
            return False
        displaced = queue.pop_newest(longest)
        self._state.queued_bytes -= displaced.size
        displaced.state = CallState.ANSWERED
        displaced.client.calls.pop(displaced.number, None)
        self._busy(displaced, "queue_per_service", call.service.max_queue, call.service.max_queue)
        return True

    def _busy(self, call: Call, limit_name: str, current: int, limit: int) -> None:
        text = f"not executed: {limit_name} is {limit} and {current} are there; try again shortly"
        numbers = {"limit": limit, "current": current, "retry_after_s": self._hint_s(call.service)}
        self._turn_away(call.client, call.number, call.flags, call.service, Refusal("busy", text, numbers))

    def _hint_s(self, service: Service) -> float:
        """When to try again: about when the next call of this service ends."""
        latest = service.statistics.durations
        return min(max(latest[-1] if latest else 0.1, 0.01), 10.0)

    def answer(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A worker answers; the frames go on untouched."""
        call = peer.running.pop((envelope.session, envelope.call), None)
        if call is None:
            text = "there is no such unanswered call at this worker"
            self._dispatch.refuse(peer, envelope.call, "protocol", text)
            return
        service = call.service
        self._dispatch.returned(call)
        if envelope.flags & Flag.HELD and service.is_pool and call.host is not None:
            service.pinned[envelope.session] = call.host
        if call.state is CallState.RUNNING and not call.flags & Flag.ONEWAY:
            call.client.calls.pop(call.number, None)
            header = pack(
                envelope.kind,
                envelope.flags,
                envelope.buffers,
                envelope.session,
                envelope.call,
                self._state.clock,
                NO_DEADLINE,
                envelope.number,
                0,
                service.object_id,
            )
            self._state.actions.append(make_send((call.client.id, [header, *frames])))
        call.state = CallState.ANSWERED
        if service.queue or service.awaited:
            self._dispatch.feed(service)

    def spoilt(self, worker: Peer, envelope: Envelope, why: str) -> None:
        """A worker's answer cannot be passed on; its call must end all the same."""
        call = worker.running.pop((envelope.session, envelope.call), None)
        if call is not None:
            self._dispatch.returned(call)
            if call.state is CallState.RUNNING:
                self._dispatch.settle(
                    call, "unknown-outcome", f"the call has run, but its answer is lost: {why}"
                )
            self._dispatch.feed(call.service)

    def cancel(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A client no longer wants an answer."""
        call = peer.calls.get(envelope.call)
        if call is None:
            return  # answered already: the answer is on its way
        if call.state is CallState.WAITING:
            self._dispatch.unqueue(call)
            self._dispatch.settle(call, "cancelled", "cancelled while it waited; it did not run")
        else:
            self._dispatch.tell_worker(call)
