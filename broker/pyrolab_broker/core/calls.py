"""Calls: admitted or refused, queued, handed to workers against credit, answered once.

A call is WAITING (provably not started), RUNNING (may have started; nobody ever sends it again) or ANSWERED.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgpack

from pyrolab.protocol.envelope import (
    MAX_BUDGET_MS,
    NO_DEADLINE,
    Envelope,
    Flag,
    Kind,
    pack,
)
from pyrolab.protocol.names import NAME_SERVICE
from pyrolab_broker.core.events import Frame, make_send
from pyrolab_broker.core.peers import Call, CallState, Peer, Role, Service
from pyrolab_broker.core.state import State, wants_answer

_NAME_SERVICE = NAME_SERVICE.encode()


class Calls:
    """All unanswered calls, and the queues in front of the services."""

    def __init__(self, state: State) -> None:
        self._state = state

    def call(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A client calls."""
        if peer.role is not Role.CLIENT:
            text = "only a client may call; a worker that wants to call opens a session as a client too"
            self._refuse(peer, envelope.call, "denied", text)
            return
        if envelope.call <= peer.newest_call:
            self._refuse(
                peer, envelope.call, "protocol", _OUT_OF_ORDER.format(envelope.call, peer.newest_call)
            )
            return
        peer.newest_call = envelope.call
        service = self._state.services.get(envelope.target)
        if service is None:
            self._without_service(peer, envelope, frames)
            return
        expires = math.inf if envelope.budget_ms == NO_DEADLINE else self._expiry(envelope.budget_ms)
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
        if len(peer.calls) >= self._state.settings.calls_per_client:
            self._busy(call, "calls_per_client", len(peer.calls), self._state.settings.calls_per_client)
        elif service.running < service.credit:  # then nobody waits: `feed` has seen to that
            self._admit(call)
            self._dispatch(call)
        else:
            self._enqueue(call)

    def _without_service(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A call to an object that no worker hosts: the name service's own, or an error."""
        if envelope.target != _NAME_SERVICE:
            self._refuse(peer, envelope.call, "gone", self.nobody_offers(envelope.target))
            return
        kind, body, buffers = self._state.name_service.answer(frames[0], frames[1:])
        if wants_answer(envelope.flags):
            self._state.send(
                peer.id,
                kind,
                [body, *buffers],
                buffers=len(buffers),
                session=peer.session,
                call=envelope.call,
                target=envelope.target,
            )

    def nobody_offers(self, object_id: bytes) -> str:
        """The text for a call to an object that is not there."""
        shown = object_id.decode("utf-8", "backslashreplace")
        names = [n for n, entry in self._state.names.list().items() if entry.uri == f"PYRO:{shown}"]
        known_as = f", registered as {', '.join(names)}," if names else ""
        return (
            f"no worker offers {shown}{known_as} now; its process may have ended or been restarted "
            "under a new id: look the name up again, or see `pyrolab ps`"
        )

    def _expiry(self, budget_ms: int) -> float:
        expires = self._state.now + budget_ms / 1000
        self._state.wake_by(expires)
        return expires

    def _admit(self, call: Call) -> None:
        if not call.flags & Flag.ONEWAY:
            call.client.calls[call.number] = call

    def _enqueue(self, call: Call) -> None:
        settings, service = self._state.settings, call.service
        call.size = sum(memoryview(frame).nbytes for frame in call.frames)
        if self._state.queued_bytes + call.size > settings.queued_bytes:
            self._busy(call, "queued_bytes", self._state.queued_bytes, settings.queued_bytes)
        elif len(service.queue) >= settings.queue_per_service and not self._make_room(call):
            self._busy(call, "queue_per_service", len(service.queue), settings.queue_per_service)
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
        limit = self._state.settings.queue_per_service
        self._busy(displaced, "queue_per_service", limit, limit)
        return True

    def _busy(self, call: Call, limit_name: str, current: int, limit: int) -> None:
        text = f"not executed: {limit_name} is {limit} and {current} are there; try again shortly"
        if wants_answer(call.flags):
            numbers = {"limit": limit, "current": current, "retry_after_s": 0.1}
            self._refuse(call.client, call.number, "busy", text, **numbers)

    def _dispatch(self, call: Call) -> None:
        """Hand a call to its worker; from now on it may have started."""
        service = call.service
        worker = service.worker
        if worker.id not in call.client.touched:
            self._introduce(call.client, worker)
        call.state = CallState.RUNNING
        service.running += 1
        worker.running[call.client.session, call.number] = call
        header = pack(
            Kind.CALL,
            call.flags,
            call.buffers,
            call.client.session,
            call.number,
            worker.stamp,
            NO_DEADLINE if call.expires == math.inf else self._remaining_ms(call),
            0,
            call.token,
            service.object_id,
        )
        self._state.actions.append(make_send((worker.id, [header, *call.frames])))
        call.frames = ()

    def _introduce(self, client: Peer, worker: Peer) -> None:
        """Tell a worker whose calls these are, before the first of them."""
        client.touched.add(worker.id)
        self._state.send(worker.id, Kind.BEGUN, [msgpack.packb(client.about)], session=client.session)

    def _remaining_ms(self, call: Call) -> int:
        return min(max(int((call.expires - self._state.now) * 1000), 0), MAX_BUDGET_MS)

    def feed(self, service: Service) -> None:
        """Hand out waiting calls for which there is credit."""
        while service.queue and service.running < service.credit:
            call = service.queue.pop()
            self._state.queued_bytes -= call.size
            if call.expires <= self._state.now:
                self._expire(call)
            else:
                self._dispatch(call)

    def answer(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A worker answers; the frames go on untouched."""
        call = peer.running.pop((envelope.session, envelope.call), None)
        if call is None:
            text = "there is no such unanswered call at this worker"
            self._refuse(peer, envelope.call, "protocol", text)
            return
        service = call.service
        service.running -= 1
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
        if service.queue:
            self.feed(service)

    def spoilt(self, worker: Peer, envelope: Envelope, why: str) -> None:
        """A worker's answer cannot be passed on; its call must end all the same."""
        call = worker.running.pop((envelope.session, envelope.call), None)
        if call is not None:
            call.service.running -= 1
            if call.state is CallState.RUNNING:
                self._settle(call, "unknown-outcome", f"the call has run, but its answer is lost: {why}")
            self.feed(call.service)

    def cancel(self, peer: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A client no longer wants an answer."""
        call = peer.calls.get(envelope.call)
        if call is None:
            return  # answered already: the answer is on its way
        if call.state is CallState.WAITING:
            self._unqueue(call)
            self._settle(call, "cancelled", "cancelled while it waited; it did not run")
        else:
            self._tell_worker(call)

    def _tell_worker(self, call: Call) -> None:
        self._state.send(
            call.service.worker.id,
            Kind.CANCEL,
            session=call.client.session,
            call=call.number,
            target=call.service.object_id,
        )

    def _unqueue(self, call: Call) -> None:
        call.service.queue.remove(call.client.session, call)
        self._state.queued_bytes -= call.size

    def expire(self) -> None:
        """End the calls whose deadline has passed, and say when the next one will."""
        state = self._state
        for client in list(state.clients.values()):
            for call in list(client.calls.values()):
                if call.expires <= state.now:
                    if call.state is CallState.WAITING:
                        self._unqueue(call)
                    self._expire(call)
                elif call.expires < state.wake_at:
                    state.wake_by(call.expires)

    def _expire(self, call: Call) -> None:
        if call.state is CallState.WAITING:
            text = "the deadline passed while the call waited for its turn; it did not run"
            self._settle(call, "expired", text)
        else:
            self._tell_worker(call)
            text = "the deadline passed while the call was running; it may still finish"
            self._settle(call, "timed-out", text)

    def _settle(self, call: Call, code: str, text: str) -> None:
        """End a call with an error."""
        call.state = CallState.ANSWERED
        call.client.calls.pop(call.number, None)
        if wants_answer(call.flags):
            self._refuse(call.client, call.number, code, text)

    def client_left(self, client: Peer) -> None:
        """Nothing of this client's waits any longer; its running calls see a cancel."""
        for service in self._state.services.values():
            if service.queue:
                for call in service.queue.drop_owner(client.session):  # those that nobody waits for, too
                    self._state.queued_bytes -= call.size
        for call in client.calls.values():
            call.state = CallState.ANSWERED
        client.calls.clear()
        for worker_id in client.touched:
            self._state.send(worker_id, Kind.ENDED, session=client.session)

    def worker_left(self, worker: Peer, why: str) -> None:
        """The calls that this worker had may have run; those still waiting have not."""
        for service in list(worker.services.values()):
            self.service_left(service, why)
        self._lose(worker.running.values(), f"its worker {worker} {why}")
        worker.running.clear()
        for client in self._state.clients.values():  # another session may come through the same connection
            client.touched.discard(worker.id)

    def service_left(self, service: Service, why: str) -> None:
        """A service is no longer offered: end what waits for it."""
        self._state.services.pop(service.object_id, None)
        for call in service.queue.clear():
            self._state.queued_bytes -= call.size
            name = service.object_id.decode()
            self._settle(call, "gone", f"{name} {why} while the call waited; it did not run")

    def _lose(self, calls: Iterable[Call], what_happened: str) -> None:
        for call in calls:
            if call.state is CallState.RUNNING:
                text = f"the answer is lost: {what_happened} while the call was running; it may have run"
                self._settle(call, "unknown-outcome", text)

    def undelivered(self, worker: Peer, session: int, number: int) -> None:
        """A call never left the broker: it has not run."""
        call = worker.running.pop((session, number), None)
        if call is not None and call.state is CallState.RUNNING:
            call.service.running -= 1
            self._settle(call, "gone", "its worker could not be reached; the call did not run")

    def unintroduced(self, worker: Peer, session: int) -> None:
        """A BEGUN never left the broker: the next call brings another one."""
        client = self._state.clients.get(session)
        if client is not None:
            client.touched.discard(worker.id)

    def _refuse(self, peer: Peer, number: int, code: str, text: str, **numbers: float) -> None:
        self._state.refuse(peer.id, code, text, peer.session, number, **numbers)


_OUT_OF_ORDER = "call number {} came after {}; a client numbers its calls upwards and never repeats one"
