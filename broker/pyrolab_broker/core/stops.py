"""The emergency stop: everybody is told first, then all that waits is refused, and nothing new is let in.

It stays on, also over a restart of the broker, until somebody resets it. Software over a network is no safety
function: what protects people has a switch of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack

from pyrolab.protocol.emergency import Stop
from pyrolab.protocol.envelope import Envelope, Kind
from pyrolab_broker.core.bodies import as_text, read_map
from pyrolab_broker.core.endings import Endings
from pyrolab_broker.core.events import Frame, Store
from pyrolab_broker.core.gate import Gate
from pyrolab_broker.core.news import News
from pyrolab_broker.core.peers import Peer
from pyrolab_broker.core.state import State

#: How long whoever stops everything waits for the word of all workers.
PATIENCE_S = 1.0
_NO_ANSWER = "no answer"
#: What a worker may say of a stop hook.
_STATES = frozenset({"begun", "ended", "failed", "no hook"})
_KEY = "stop"

#: Given what has become of a stop: the state of each service.
Tell = Callable[[dict[str, Any]], None]


@dataclass(slots=True, eq=False)
class _Roll:
    """Who has answered one stop, until whoever asked for it is told."""

    until: float
    tell: Tell
    services: dict[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return _NO_ANSWER not in self.services.values()


class Stops:
    """Stops everything, and lets it run again."""

    def __init__(self, state: State, gate: Gate, endings: Endings, news: News) -> None:
        self._state = state
        self._gate = gate
        self._endings = endings
        self._news = news
        self._rolls: dict[int, _Roll] = {}
        self._newest = 0

    def load(self) -> None:
        """A stop outlives the broker."""
        kept = self._state.stored.get("facts", {}).get(_KEY)
        self._newest = int(self._state.wall * 1000)
        if kept:
            self._newest = max(self._newest, int(kept[0]))
            self._state.stop = Stop(*kept)

    def stop(self, client: Peer, reason: str, user: str, tell: Tell) -> None:
        """Stop everything; `tell` is given what became of it when all workers have answered, or soon."""
        state = self._state
        self._newest += 1
        user = user or str(client.about.get("user", ""))
        host = str(client.about.get("host", ""))
        state.stop = stop = Stop(self._newest, reason[:1000], user[:200], host, state.wall)
        roll = self._rolls[stop.number] = _Roll(state.now + PATIENCE_S, tell)
        for peer in [*state.lines.values(), *state.watches.values()]:
            self._send_stop(peer, stop)
        for object_id in state.services:
            roll.services[as_text(object_id)] = _NO_ANSWER
        for worker in state.workers.values():
            if worker.line is None:
                self._send_stop(worker, stop)
        state.actions.append(Store("facts", _KEY, list(stop)))
        purged = self._purge()
        text = "EMERGENCY STOP by %s@%s: %s; %d waiting calls will not run"
        state.note(logging.CRITICAL, text, stop.user, stop.host, stop.reason or "no reason given", purged)
        state.record("emergency stop", user=stop.user, host=stop.host, reason=stop.reason, purged=purged)
        self._news.tell("emergency", True, stop.reason, stop.user)
        state.wake_by(roll.until)
        self._tell_if_complete(stop.number)

    def _purge(self) -> int:
        refused = self._gate.stopped()
        services = list(self._state.services.values())
        return sum(self._endings.purge(each, lambda call: not call.reads, refused) for each in services)

    def _send_stop(self, peer: Peer, stop: Stop) -> None:
        self._state.send(
            peer.id, Kind.STOP, [msgpack.packb(stop.facts)], session=peer.session, number=_number(stop.number)
        )

    def reset(self, client: Peer, user: str) -> bool:
        """Let everything run again. Returns whether there was a stop."""
        state, stop = self._state, self._state.stop
        if stop is None:
            return False
        state.stop = None
        state.actions.append(Store("facts", _KEY, None))
        # To workers by both ways: what follows by either must find it done.
        for peer in [*state.workers.values(), *state.lines.values(), *state.watches.values()]:
            state.send(peer.id, Kind.RESET, session=peer.session, number=_number(stop.number))
        user = user or str(client.about.get("user", ""))
        state.note(logging.WARNING, "the emergency stop was reset by %s", user)
        state.record("emergency stop reset", user=user, host=str(client.about.get("host", "")))
        self._news.tell("emergency", False, "", user)
        return True

    def has_come(self, peer: Peer) -> None:
        """A line or a watch that was away learns how things are."""
        stop = self._state.stop
        if stop is not None:
            self._send_stop(peer, stop)
        else:
            self._state.send(peer.id, Kind.RESET, session=peer.session)

    def stopped(self, worker: Peer, envelope: Envelope, frames: list[Frame]) -> None:
        """A worker says what its stop hook does."""
        service = worker.services.get(envelope.target)
        try:
            said = read_map(frames[0])
        except ValueError:
            said = {}
        state = said.get("state")
        if service is None or not isinstance(state, str) or state not in _STATES:
            return
        name = as_text(envelope.target)
        called = self._state.called(envelope.target)
        text = str(said.get("text", ""))[:1000]
        level = logging.ERROR if state in ("failed", "no hook") else logging.INFO
        self._state.note(level, "emergency stop of %s: %s %s", called, state, text)
        hook = str(said.get("hook", ""))
        self._state.record("stop hook", service=called, state=state, hook=hook, text=text)
        for number, roll in list(self._rolls.items()):
            if _number(number) == envelope.number and name in roll.services:
                roll.services[name] = state
                self._tell_if_complete(number)

    def check(self) -> None:
        """Nobody waits longer for a worker that does not answer."""
        for number, roll in list(self._rolls.items()):
            if roll.until <= self._state.now:
                self._tell(number)
            else:
                self._state.wake_by(roll.until)

    def _tell_if_complete(self, number: int) -> None:
        if self._rolls[number].complete:
            self._tell(number)

    def _tell(self, number: int) -> None:
        roll = self._rolls.pop(number)
        silent = [name for name, state in roll.services.items() if state == _NO_ANSWER]
        if silent:
            text = "emergency stop: no answer from %s; look at the instruments"
            self._state.note(logging.CRITICAL, text, ", ".join(silent))
            self._state.record("emergency stop unanswered", services=", ".join(silent))
        roll.tell({"number": number, "services": roll.services})

    def shown(self) -> dict[str, Any] | None:
        """The stop that is on, for people."""
        return None if self._state.stop is None else self._state.stop._asdict()


def _number(number: int) -> int:
    """As it fits into the envelope."""
    return number & 0xFFFF_FFFF
