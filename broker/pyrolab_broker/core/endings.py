"""What ends calls although nobody answers them: time, a purge, and peers that leave."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pyrolab.protocol.envelope import Kind
from pyrolab_broker.core.dispatch import Dispatch
from pyrolab_broker.core.gate import Refusal
from pyrolab_broker.core.peers import Call, CallState, Peer, Service
from pyrolab_broker.core.state import State


class Endings:
    """Ends calls, and says why."""

    def __init__(self, state: State, dispatch: Dispatch) -> None:
        self._state = state
        self._dispatch = dispatch

    def expire(self) -> None:
        """End the calls whose deadline has passed, and say when the next one will."""
        state = self._state
        for client in list(state.clients.values()):
            for call in list(client.calls.values()):
                if call.expires <= state.now:
                    if call.state is CallState.WAITING:
                        self._dispatch.unqueue(call)
                    self._dispatch.end_expired(call)
                elif call.expires < state.wake_at:
                    state.wake_by(call.expires)

    def purge(self, service: Service, unwanted: Callable[[Call], bool], refused: Refusal) -> int:
        """Refuse those calls of a queue that must not run any more; returns how many."""
        purged = [call for call in service.queue if unwanted(call)]
        for call in purged:
            self._dispatch.unqueue(call)
            service.statistics.refused += 1
            self._dispatch.settle(call, refused.code, refused.text, **refused.numbers)
        return len(purged)

    def client_left(self, client: Peer) -> None:
        """Nothing of this client's waits any longer; its running calls see a cancel."""
        for service in self._state.services.values():
            service.pinned.pop(client.session, None)
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
        self._lose(worker.running.values(), f"its worker {worker} {why}")
        worker.running.clear()
        self.connection_left(worker)

    def connection_left(self, peer: Peer) -> None:
        """Another session may come through the same connection: it knows of no client."""
        for client in self._state.clients.values():
            client.touched.discard(peer.id)

    def line_left(self, line: Peer) -> None:
        """What a worker got through its line, it answers there or not at all."""
        self.connection_left(line)
        worker = line.main
        if worker is None:
            return
        lost = [key for key, call in worker.running.items() if call.via == line.id]
        calls = [worker.running.pop(key) for key in lost]
        for call in calls:
            self._dispatch.returned(call)
        self._lose(calls, f"the line of its worker {worker} was lost")

    def host_left(self, service: Service, worker: Peer, why: str) -> bool:
        """A worker hosts this no longer; if none is left, what waits for it ends. Returns whether one is."""
        service.hosts = [host for host in service.hosts if host.worker is not worker]
        for session, host in list(service.pinned.items()):
            if host.worker is worker:
                del service.pinned[session]
        if service.hosts:
            self._dispatch.feed(service)
            return True
        self._state.services.pop(service.object_id, None)
        for call in service.queue.clear():
            self._state.queued_bytes -= call.size
            name = self._state.called(service.object_id)
            self._dispatch.settle(call, "gone", f"{name} {why} while the call waited; it did not run")
        return False

    def _lose(self, calls: Iterable[Call], what_happened: str) -> None:
        for call in calls:
            if call.state is CallState.RUNNING:
                text = f"the answer is lost: {what_happened} while the call was running; it may have run"
                self._dispatch.settle(call, "unknown-outcome", text)

    def undelivered(self, worker: Peer, session: int, number: int) -> None:
        """A call never left the broker: it has not run."""
        call = worker.running.pop((session, number), None)
        if call is not None:
            self._dispatch.returned(call)
        if call is not None and call.state is CallState.RUNNING:
            self._dispatch.settle(call, "gone", "its worker could not be reached; the call did not run")

    def unintroduced(self, worker: Peer, session: int) -> None:
        """A BEGUN never left the broker: the next call brings another one."""
        client = self._state.clients.get(session)
        if client is not None:
            client.touched.discard(worker.id)
