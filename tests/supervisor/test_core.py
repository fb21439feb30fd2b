"""The supervisor's core: given these events, exactly these actions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab.supervisor.core import ALIVE, Core, Policy, Process, Service
from pyrolab.supervisor.events import (
    Action,
    AskToEnd,
    Begin,
    Condition,
    Ended,
    Event,
    Key,
    Kill,
    Kind,
    Leave,
    Pulse,
    Refused,
    ResetHeard,
    Running,
    ServiceReported,
    ServiceState,
    Spawn,
    State,
    StopAsked,
    StopHeard,
    Tell,
    Tick,
)
from pyrolab.supervisor.vigil import PULSE_S, TICK_S, WhenStuck

BROKER = Key(Kind.NAMESERVER, "production")
DAEMON = Key(Kind.DAEMON, "bench")
OTHER = Key(Kind.DAEMON, "far")
POLICY = Policy(
    first_delay_s=1, longest_delay_s=4, crash_limit=4, first_limit=2, crash_window_s=60, grace_s=10
)


def bench() -> Core:
    """A broker, a daemon that needs it and hosts a laser, and a daemon that needs nothing here."""
    return bench_of_the(WhenStuck())


def bench_of_the(when_stuck: WhenStuck) -> Core:
    daemon = Process(DAEMON, (BROKER,), {"laser": Service()}, when_stuck, home=BROKER.name)
    return Core([Process(BROKER), daemon, Process(OTHER, home="far")], policy=POLICY)


def running_bench(when_stuck: WhenStuck | None = None) -> Core:
    core = bench_of_the(when_stuck or WhenStuck())
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
        self.core = bench_of_the(WhenStuck(hung_after_s=2, restart=True, kill_at_stop=True))
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
            case Tell(key, condition):
                assert (condition is Condition.ENDED) == (key not in self.alive)
            case Leave():
                self.left = True


WHAT = ["run", "refuse", "end", "stop", "tick", "pulse", "emergency", "reset"]
KEYS = st.sampled_from([BROKER, DAEMON, OTHER])
STEPS = st.lists(st.tuples(st.sampled_from(WHAT), KEYS, st.floats(0, 30)), max_size=40)


@given(STEPS)
def test_whatever_happens_nothing_is_started_twice_or_forgotten(steps: list[tuple[str, Key, float]]) -> None:
    world = World()
    for what, key, passed in steps:
        world.now += passed
        if what == "tick":
            world.tell(Tick())
        elif what in ("emergency", "reset") and not world.left:
            world.tell(StopHeard(BROKER.name) if what == "emergency" else ResetHeard(BROKER.name))
        elif what == "stop" and not world.left:
            world.tell(StopAsked())
        elif key in world.alive and not world.left:
            if what == "end":
                world.alive.discard(key)
            events: dict[str, Event] = {
                "run": Running(key),
                "pulse": Pulse(key),
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


# -- pulses ------------------------------------------------------------------------------------------


def pass_time(core: Core, since: float, until: float, *pulsing: Key) -> list[Action]:
    """What the core does while only these processes give their pulses."""
    actions: list[Action] = []
    for tick in range(round((until - since) / TICK_S)):
        now = since + (tick + 1) * TICK_S
        actions += core.handle(Tick(), now)
        if tick % round(PULSE_S / TICK_S) == 1:
            for key in pulsing:
                actions += core.handle(Pulse(key), now)
    return actions


def test_who_gives_a_pulse_is_responsive_and_stays_so() -> None:
    core = running_bench()
    assert core.handle(Pulse(DAEMON), 10) == [Tell(DAEMON, Condition.RESPONSIVE)]
    assert pass_time(core, 10, 100, DAEMON) == []
    assert core.processes[DAEMON].state is State.RUNNING


def test_who_has_never_given_a_pulse_is_not_expected_to() -> None:
    core = running_bench()
    assert pass_time(core, 10, 100) == []
    assert core.processes[BROKER].state is State.RUNNING


def test_silence_is_hung_and_its_broker_is_told_now_and_then() -> None:
    core = running_bench()
    core.handle(Pulse(DAEMON), 10)
    assert pass_time(core, 10, 14.75) == []
    assert pass_time(core, 14.75, 19) == [
        Tell(DAEMON, Condition.HUNG, 5.0),
        Tell(DAEMON, Condition.HUNG, 7.0),
        Tell(DAEMON, Condition.HUNG, 9.0),
    ]
    assert core.processes[DAEMON].state is State.HUNG
    assert "for 9 s" in core.reason(DAEMON)
    assert core.processes[DAEMON].services["laser"].state is ServiceState.RUNNING
    assert core.settled
    assert core.processes[OTHER].state is State.RUNNING


def test_whose_pulse_comes_back_runs_again() -> None:
    core = running_bench()
    core.handle(Pulse(DAEMON), 10)
    pass_time(core, 10, 16)
    assert core.handle(Pulse(DAEMON), 16) == [Tell(DAEMON, Condition.RESPONSIVE)]
    assert core.processes[DAEMON].state is State.RUNNING
    assert core.reason(DAEMON) == ""
    assert core.processes[DAEMON].restarts == 0


def test_who_hangs_while_starting_goes_on_starting() -> None:
    core = bench()
    core.handle(Begin(), 0)
    core.handle(Pulse(OTHER), 1)
    pass_time(core, 1, 7)
    assert core.processes[OTHER].state is State.HUNG
    assert not core.settled
    core.handle(Pulse(OTHER), 7)
    assert core.processes[OTHER].state is State.STARTING
    pass_time(core, 7, 13)
    core.handle(Running(OTHER), 13)
    core.handle(Pulse(OTHER), 13)
    assert core.processes[OTHER].state is State.RUNNING


def test_a_hung_process_is_restarted_where_the_policy_says_so() -> None:
    core = running_bench(WhenStuck(hung_after_s=3, restart=True))
    core.handle(Pulse(DAEMON), 10)
    why = "hung: its Python did not run for 3 s, so it was ended"
    assert pass_time(core, 10, 20) == [Tell(DAEMON, Condition.HUNG, 3.0), Kill(DAEMON, why)]
    assert core.handle(Pulse(DAEMON), 20) == []  # too late
    assert core.handle(Ended(DAEMON, -9), 20) == [Tell(DAEMON, Condition.ENDED)]
    assert (core.processes[DAEMON].state, core.reason(DAEMON)) == (State.RESTARTING, why)
    assert core.handle(Tick(), 20 + POLICY.first_delay_s) == [Spawn(DAEMON)]
    assert core.handle(Running(DAEMON), 22) == []
    assert core.handle(Pulse(DAEMON), 22) == [Tell(DAEMON, Condition.RESPONSIVE)]
    assert pass_time(core, 22, 30, DAEMON) == []


def test_hanging_again_and_again_is_a_crash_loop() -> None:
    core = running_bench(WhenStuck(hung_after_s=2, restart=True))
    now = 1000.0
    while core.processes[DAEMON].state is not State.FAILED:
        core.handle(Pulse(DAEMON), now)
        assert pass_time(core, now, now + 2)[-1].__class__ is Kill
        core.handle(Ended(DAEMON, -9), now + 2)
        now = core.wake_at or now
        core.handle(Tick(), now)
    assert core.reason(DAEMON).startswith("hung: its Python did not run for 2 s")
    assert core.reason(DAEMON).endswith("times within 60 s")


def test_while_the_supervisor_itself_does_not_run_nobody_hangs() -> None:
    core = running_bench(WhenStuck(hung_after_s=2, restart=True, kill_at_stop=True))
    core.handle(Pulse(DAEMON), 10)
    core.handle(StopHeard(BROKER.name), 10)
    assert core.handle(Tick(), 3610) == []  # the computer has slept for an hour
    assert pass_time(core, 3610, 3680, DAEMON) == []


def test_a_supervisor_that_is_often_late_still_notices() -> None:
    core = running_bench()
    core.handle(Pulse(DAEMON), 10)
    told = [core.handle(Tick(), 10.0 + late) for late in range(1, 21)]
    assert told == [[]] * 19 + [[Tell(DAEMON, Condition.HUNG, 5.0)]]


def test_a_hung_process_that_is_to_end_has_the_time_that_all_have() -> None:
    core = running_bench(WhenStuck(restart=True))
    core.handle(Pulse(DAEMON), 10)
    pass_time(core, 10, 14)
    assert core.handle(StopAsked(), 14) == [AskToEnd(DAEMON), AskToEnd(OTHER)]
    assert pass_time(core, 14, 23) == []
    assert core.handle(Tick(), 24) == [Kill(DAEMON), Kill(OTHER)]
    assert core.handle(Ended(DAEMON, -9), 24) == [Tell(DAEMON, Condition.ENDED)]


AT_STOP = WhenStuck(kill_at_stop=True, stop_patience_s=1.0)
STUCK = "hung at the emergency stop (fire): its Python did not run for 1 s, so it was ended"


def test_who_is_stuck_at_an_emergency_stop_is_killed_and_started_again() -> None:
    core = running_bench(AT_STOP)
    core.handle(Pulse(DAEMON), 10)
    assert core.handle(StopHeard(BROKER.name, "fire"), 10.25) == []
    assert pass_time(core, 10.25, 12) == [Tell(DAEMON, Condition.HUNG, 1.25), Kill(DAEMON, STUCK)]
    core.handle(Ended(DAEMON, -9), 12)
    assert core.processes[DAEMON].state is State.RESTARTING
    assert core.reason(DAEMON) == STUCK


def test_a_pulse_from_before_the_stop_does_not_count() -> None:
    core = running_bench(AT_STOP)
    core.handle(Pulse(DAEMON), 10)
    core.handle(StopHeard(BROKER.name, "fire"), 10.4)
    core.handle(Pulse(DAEMON), 10.42)  # it was on its way
    assert pass_time(core, 10.42, 12)[-1] == Kill(DAEMON, STUCK)


def test_who_hangs_already_has_the_same_patience() -> None:
    core = running_bench(AT_STOP)
    core.handle(Pulse(DAEMON), 10)
    pass_time(core, 10, 17)
    assert core.handle(StopHeard(BROKER.name, "fire"), 17) == []
    assert pass_time(core, 17, 17.75) == []
    (killed,) = pass_time(core, 17.75, 18)
    assert isinstance(killed, Kill)


@pytest.mark.parametrize(
    ("when_stuck", "home", "pulse"),
    [
        (AT_STOP, "production", True),  # it is not stuck
        (AT_STOP, "far", False),  # another broker's stop
        (WhenStuck(), "production", False),  # the policy leaves it alone
    ],
)
def test_who_is_not_killed_at_an_emergency_stop(when_stuck: WhenStuck, home: str, pulse: bool) -> None:
    core = running_bench(when_stuck)
    core.handle(Pulse(DAEMON), 10)
    core.handle(StopHeard(home, "fire"), 10.25)
    assert pass_time(core, 10.25, 14.75, *([DAEMON] if pulse else [])) == []
    assert pass_time(core, 14.75, 16, DAEMON)[-1:] != [Kill(DAEMON, STUCK)]


def test_a_reset_ends_the_hurry() -> None:
    core = running_bench(AT_STOP)
    core.handle(Pulse(DAEMON), 10)
    core.handle(StopHeard(BROKER.name, "fire"), 10)
    core.handle(ResetHeard(BROKER.name), 10.5)
    assert pass_time(core, 10.5, 14.75) == []


def test_what_is_started_after_a_stop_may_be_slow() -> None:
    core = running_bench(AT_STOP)
    core.handle(Ended(DAEMON, -9), 10)
    core.handle(StopHeard(BROKER.name, "fire"), 10.5)
    core.handle(Tick(), 11)
    core.handle(Pulse(DAEMON), 11.25)
    assert pass_time(core, 11.25, 16) == []
