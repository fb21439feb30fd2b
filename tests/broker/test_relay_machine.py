"""The relay under random histories: who hears what is known at any time from what was said before."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from core_table import Table
from pyrolab.protocol.envelope import WITH_BODY, Envelope, Kind, pack, parse
from pyrolab_broker.core.events import Event, Received, Send, Tick, Unreachable

VIEWERS, WORKERS = ("ana", "ben", "cleo"), ("camera", "scope")
SOURCES = tuple(f"{each}'s" for each in WORKERS)
viewers, workers, sources = st.sampled_from(VIEWERS), st.sampled_from(WORKERS), st.sampled_from(SOURCES)
ways = st.sampled_from(["bye", "lost", "slow"])
Heard = tuple[str, Envelope]


class Watching(RuleBasedStateMachine):
    """Two sources, three viewers, and who has come to whom."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Table()
        #: The sessions of those that are connected, and that they have had.
        self.here: dict[str, int] = {}
        #: Viewer and source, by session.
        self.came: set[tuple[int, int]] = set()

    def happens(self, event: Event) -> list[Heard]:
        sent = [each for each in self.table.raw(event) if isinstance(each, Send)]
        return [(each.peer.decode(), parse(each.frames[0])) for each in sent]

    def says(self, peer: str, kind: Kind, **fields: Any) -> list[Heard]:
        frames = [b"\xc1"] if kind in WITH_BODY else []
        return self.happens(Received(peer.encode(), pack(kind, **fields), frames))

    @initialize()
    def opening(self) -> None:
        for peer in (*WORKERS, *SOURCES, *VIEWERS):
            self.comes(peer)

    @rule(peer=st.sampled_from([*WORKERS, *SOURCES, *VIEWERS]))
    def comes(self, peer: str) -> None:
        if peer in self.here:
            return
        about: dict[str, Any] = {"role": "viewer" if peer in VIEWERS else "worker"}
        if peer in WORKERS:
            about["key"] = peer.encode() * 4
        if peer in SOURCES:
            worker = peer.removesuffix("'s")
            about = {"role": "source", "worker": self.table.sessions[worker], "key": worker.encode() * 4}
        sent = self.happens(Received(peer.encode(), pack(Kind.HELLO), [msgpack.packb(about)]))
        if peer in SOURCES and peer.removesuffix("'s") not in self.here:
            assert [(to, envelope.kind) for to, envelope in sent] == [(peer, Kind.REFUSED)]
            return
        ((_, welcome),) = sent
        self.here[peer] = self.table.sessions[peer] = welcome.session

    @rule(peer=st.sampled_from([*SOURCES, *VIEWERS]), how=ways)
    def leaves(self, peer: str, how: str) -> None:
        if peer in self.here:
            sent = self._ends(peer, how)
            self._are_told(sent, self._forgotten(peer))

    @rule(worker=workers, how=ways)
    def a_worker_leaves(self, worker: str, how: str) -> None:
        if worker not in self.here or how == "slow":  # a slow worker keeps its place
            return
        source = f"{worker}'s"
        sent = self._ends(worker, how)
        if source in self.here:
            self._are_told(sent, self._forgotten(source))
            assert (source, Kind.BYE) in [(to, envelope.kind) for to, envelope in sent]
            del self.here[source]

    def _ends(self, peer: str, how: str) -> list[Heard]:
        session = self.here.pop(peer)
        if how == "bye":
            return self.says(peer, Kind.BYE, session=session)
        return self.happens(Unreachable(peer.encode(), pack(Kind.FRAME), how == "slow"))

    def _forgotten(self, peer: str) -> list[tuple[str, int, bytes]]:
        """Who is to be told that a source or a viewer has gone: session and target."""
        session = self.table.sessions[peer]
        gone = {pair for pair in self.came if session in pair}
        self.came -= gone
        if peer in SOURCES:
            return [(self._name(viewer), viewer, b"%016x" % session) for viewer, _ in gone]
        return [(self._name(source), session, b"") for _, source in gone]

    def _are_told(self, sent: list[Heard], expected: list[tuple[str, int, bytes]]) -> None:
        ended = [(to, e.session, e.target) for to, e in sent if e.kind == Kind.ENDED]
        assert sorted(ended) == sorted(expected)

    def _name(self, session: int) -> str:
        return next(peer for peer, its in self.here.items() if its == session)

    @rule(viewer=viewers, source=sources, kind=st.sampled_from([Kind.ATTACH, Kind.CREDIT, Kind.DETACH]))
    def a_viewer_says(self, viewer: str, source: str, kind: Kind) -> None:
        """To a source that is here, or to one that was."""
        if viewer not in self.here or source not in self.table.sessions:
            return
        mine, its = self.here[viewer], self.table.sessions[source]
        ((to, envelope),) = self.says(viewer, kind, target=b"%016x" % its)
        if source in self.here:
            assert (to, envelope.kind, envelope.session) == (source, kind, mine)
            self.came.add((mine, its))
        else:
            assert (to, envelope.kind) == (viewer, Kind.REFUSED)

    @rule(
        source=sources,
        named=st.lists(viewers, min_size=1, max_size=4),
        kind=st.sampled_from([Kind.FRAME, Kind.TALLY, Kind.DETACH, Kind.REFUSED]),
    )
    def a_source_says(self, source: str, named: list[str], kind: Kind) -> None:
        """To viewers of its own, to others, and to some that have left."""
        if source not in self.here:
            return
        its, named = self.here[source], list(dict.fromkeys(named))
        sessions = [self.table.sessions[each] for each in named]
        sent = self.says(source, kind, target=b"".join(b"%016x" % each for each in sessions))
        expected = []
        for viewer, session in zip(named, sessions, strict=True):
            if (session, its) in self.came:
                expected.append((viewer, kind, session))
            elif kind != Kind.REFUSED:
                expected.append((source, Kind.REFUSED, session))
        assert [(to, envelope.kind, envelope.session) for to, envelope in sent] == expected

    @rule()
    def time_passes(self) -> None:
        self.table.now += 1.0
        assert all(envelope.kind == Kind.PONG for _, envelope in self.happens(Tick()))

    @invariant()
    def all_is_well(self) -> None:
        self.table.check()
        state = self.table.core.state
        assert {peer.decode() for peer in state.peers} == set(self.here)
        assert {(v, s) for s, source in state.sources.items() for v in source.attached} == self.came


Watching.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestWatching = pytest.mark.timeout(300)(Watching.TestCase)  # to make a failing example short takes its time
