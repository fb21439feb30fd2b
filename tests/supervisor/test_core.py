"""The supervisor's core: given these events, exactly these actions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab.supervisor.core import (
    ALIVE,
    Action,
    AskToEnd,
    Begin,
    Core,
    Ended,
    Event,
    Key,
    Kill,
    Kind,
    Leave,
    Policy,
    Process,
    Refused,
    Running,
    Service,
    ServiceReported,
    ServiceState,
    Spawn,
    State,
    StopAsked,
    Tick,
)

BROKER = Key(Kind.NAMESERVER, "production")
DAEMON = Key(Kind.DAEMON, "bench")
OTHER = Key(Kind.DAEMON, "far")
POLICY = Policy(
    first_delay_s=1, longest_delay_s=4, crash_limit=4, first_limit=2, crash_window_s=60, grace_s=10
)


def bench() -> Core:
    """A broker, a daemon that needs it and hosts a laser, and a daemon that needs nothing here."""
    return Core(
        [Process(BROKER), Process(DAEMON, (BROKER,), {"laser": Service()}), Process(OTHER)], policy=POLICY
    )


def running_bench() -> Core:
    core = bench()
    core.handle(Begin(), 0)
    for key in (BROKER, OTHER, DAEMON):
        core.handle(Running(key, "localhost:1"), 1)
    core.handle(ServiceReported(DAEMON, "laser", ServiceState.RUNNING, "PYRO:obj@localhost:1"), 1)
    return core


def test_a_daemon_starts_after_the_broker_that_it_needs() -> None:
    core = bench()
    assert core.handle(Begin(), 0) == [Spawn(BROKER), Spawn(OTHER)]
    assert core.handle(Running(OTHER, ""), 1) == []
    assert core.handle(Running(BROKER, "localhost:1"), 2) == [Spawn(DAEMON)]
    assert core.processes[BROKER].address == "localhost:1"


def test_settled_means_that_all_services_are_up_or_have_failed() -> None:
    core = bench()
    core.handle(Begin(), 0)
    for key in (BROKER, OTHER, DAEMON):
        assert not core.settled
        core.handle(Running(key), 1)
    assert not core.settled
    core.handle(ServiceReported(DAEMON, "laser", ServiceState.STARTING, reason="no broker"), 2)
    assert not core.settled
    core.handle(ServiceReported(DAEMON, "laser", ServiceState.FAILED, reason="no such class"), 3)
    assert core.settled


def test_who_says_that_it_cannot_is_not_tried_again_and_takes_its_dependants_along() -> None:
    core = bench()
    core.handle(Begin(), 0)
    core.handle(Refused(BROKER, "port 9090 is in use"), 1)
    assert core.handle(Ended(BROKER, 1), 1) == []
    assert core.processes[BROKER].state is State.FAILED
    assert core.processes[BROKER].reason == "port 9090 is in use"
    assert core.processes[DAEMON].state is State.FAILED
    assert "'production', which has failed" in core.processes[DAEMON].reason
    assert core.processes[DAEMON].services["laser"].state is ServiceState.FAILED
    assert core.processes[OTHER].state is State.STARTING


def test_a_crash_is_followed_by_a_start_after_a_growing_pause() -> None:
    core = running_bench()
    assert core.handle(Ended(DAEMON, -11), 100) == []
    assert core.processes[DAEMON].state is State.RESTARTING
    assert core.processes[DAEMON].services["laser"].state is ServiceState.STOPPED
    assert core.wake_at == 101
    assert core.handle(Tick(), 100.9) == []
    assert core.handle(Tick(), 101) == [Spawn(DAEMON)]
    core.handle(Running(DAEMON), 101.5)
    core.handle(Ended(DAEMON, -11), 102)
    assert core.wake_at == 103
    assert core.processes[DAEMON].restarts == 2


def test_a_crash_loop_is_ended_and_explained() -> None:
    core = running_bench()
    now = 1000.0
    for _ in range(POLICY.crash_limit):
        core.handle(Ended(DAEMON, -9), now)
        now = core.wake_at or now
        core.handle(Tick(), now)
    core.handle(Ended(DAEMON, -9), now)
    assert core.processes[DAEMON].state is State.FAILED
    assert core.processes[DAEMON].reason == "it was ended by signal 9, 4 times within 60 s"
    assert core.wake_at is None


def test_rare_crashes_are_no_loop_and_the_pause_has_a_limit() -> None:
    core = running_bench()
    for day in range(1, 20):
        core.handle(Ended(DAEMON, 1), day * 86_400.0)
        again = day * 86_400.0 + POLICY.first_delay_s
        assert core.wake_at == again
        core.handle(Tick(), again)
    assert core.processes[DAEMON].state is State.STARTING


def test_a_process_that_never_came_up_is_tried_twice() -> None:
    core = bench()
    core.handle(Begin(), 0)
    core.handle(Ended(BROKER, 1), 1)
    assert core.handle(Tick(), 2) == [Spawn(BROKER)]
    core.handle(Ended(BROKER, 1), 3)
    assert core.processes[BROKER].state is State.FAILED


def test_what_once_ran_is_tried_again_even_if_it_says_that_it_cannot() -> None:
    core = running_bench()
    core.handle(Ended(BROKER, -9), 10)
    core.handle(Tick(), 11)
    core.handle(Refused(BROKER, "port 9090 is in use"), 12)
    core.handle(Ended(BROKER, 1), 12)
    assert core.processes[BROKER].state is State.RESTARTING
    assert core.processes[DAEMON].state is State.RUNNING


def test_daemons_end_before_brokers() -> None:
    core = running_bench()
    assert core.handle(StopAsked(), 5) == [AskToEnd(DAEMON), AskToEnd(OTHER)]
    assert core.handle(StopAsked(), 6) == []
    assert core.handle(Ended(DAEMON, 0), 7) == []
    assert core.handle(Ended(OTHER, 0), 7) == [AskToEnd(BROKER)]
    assert core.handle(Ended(BROKER, 0), 8) == [Leave()]
    assert {process.state for process in core.processes.values()} == {State.STOPPED}


def test_who_does_not_finish_is_killed() -> None:
    core = running_bench()
    core.handle(StopAsked(), 5)
    assert core.wake_at == 15
    assert core.handle(Tick(), 15) == [Kill(DAEMON), Kill(OTHER)]
    assert core.handle(Tick(), 16) == []


def test_stopping_forgets_what_waits() -> None:
    core = running_bench()
    core.handle(Ended(DAEMON, 1), 5)
    core.handle(StopAsked(), 5)
    assert core.processes[DAEMON].state is State.STOPPED
    assert core.handle(Tick(), 100) == [Kill(OTHER)]


def test_stopping_while_starting_starts_nothing_more() -> None:
    core = bench()
    core.handle(Begin(), 0)
    assert core.handle(StopAsked(), 1) == [AskToEnd(OTHER)]
    assert core.handle(Running(BROKER), 2) == []
    assert core.handle(Ended(OTHER, 0), 3) == [AskToEnd(BROKER)]
    assert core.handle(Ended(BROKER, 0), 4) == [Leave()]


def test_with_nothing_to_do_it_may_leave() -> None:
    assert Core([]).handle(StopAsked(), 0) == [Leave()]


class World:
    """Obeys the core as processes would, and checks what must hold after each event."""

    def __init__(self) -> None:
        self.core = bench()
        self.now = 0.0
        self.alive: set[Key] = set()
        self.left = False
        self.tell(Begin())

    def tell(self, event: Event) -> None:
        for action in self.core.handle(event, self.now):
            self.obey(action)
        states = {key for key, process in self.core.processes.items() if process.state in ALIVE}
        assert states == self.alive
        if self.left:
            assert not self.alive

    def obey(self, action: Action) -> None:
        assert not self.left
        match action:
            case Spawn(key):
                assert key not in self.alive
                assert not self.core.stopping
                self.alive.add(key)
            case AskToEnd(key) | Kill(key):
                assert key in self.alive
            case Leave():
                self.left = True


KEYS = st.sampled_from([BROKER, DAEMON, OTHER])
STEPS = st.lists(
    st.tuples(st.sampled_from(["run", "refuse", "end", "stop", "tick"]), KEYS, st.floats(0, 30)), max_size=40
)


@given(STEPS)
def test_whatever_happens_nothing_is_started_twice_or_forgotten(steps: list[tuple[str, Key, float]]) -> None:
    world = World()
    for what, key, passed in steps:
        world.now += passed
        if what == "tick":
            world.tell(Tick())
        elif what == "stop" and not world.left:
            world.tell(StopAsked())
        elif key in world.alive and not world.left:
            if what == "end":
                world.alive.discard(key)
            events: dict[str, Event] = {
                "run": Running(key),
                "refuse": Refused(key, "no"),
                "end": Ended(key, 1),
            }
            world.tell(events[what])
    if not world.left:
        world.tell(StopAsked())
    while world.alive:
        key = min(key for key in world.alive if world.core.processes[key].state is State.STOPPING)
        world.alive.discard(key)
        world.tell(Ended(key, 0))
    assert world.left


@pytest.mark.parametrize(("code", "words"), [(-9, "signal 9"), (1, "exit code 1"), (0, "exit code 0")])
def test_every_unasked_end_has_its_reason(code: int, words: str) -> None:
    core = running_bench()
    core.handle(Ended(OTHER, code), 10)
    assert words in core.processes[OTHER].reason
