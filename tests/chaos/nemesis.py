"""Kills, stops and cuts, at random but by a seed; afterwards everything is healed and has to work."""

from __future__ import annotations

import heapq
import itertools
import random
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from chaos.history import OK, RAISED, Interval
from chaos.journal import Tail, now_ns
from chaos.lab import Lab, Place
from chaos.relay import Way
from chaos.worker import TAKEN
from pyrolab.api import locate_ns, timeout
from pyrolab.errors import PyroError

#: How long everything may take to work again after everything has been healed.
PATIENCE_S = 60.0
KILL, TERM, STOP, CUT, CUT_UP, CUT_DOWN, RESET, HALF, SLOW, ESTOP = (
    "SIGKILL",
    "SIGTERM",
    "SIGSTOP",
    "cut",
    "cut up",
    "cut down",
    "reset",
    "half-close",
    "slow line",
    "emergency stop",
)
#: What counts as a kill, and what is only a nuisance.
KILLS = (KILL, STOP, CUT, CUT_UP, CUT_DOWN, RESET, HALF)
_LINE = ((CUT, 3), (CUT_UP, 1), (CUT_DOWN, 1), (RESET, 4), (HALF, 1), (SLOW, 1))
_MEMBERS = {
    "broker": ((KILL, 3), (STOP, 3)),
    "worker": ((KILL, 6), (TERM, 2), (STOP, 4), *_LINE),
    "client": ((KILL, 6), (STOP, 4), *_LINE),
}
_WHO = (("broker", 2), ("worker", 5), ("client", 7))
_STOP_EVERY = 20
_YOUNG_S = 3.0
_SLOW_BYTES_PER_S = 50_000


class Broken(Exception):
    """Something did not come back, or ended by itself; the text is for the report."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to whom, for how long; for a SIGKILL, until the next process is started."""

    kind: str
    target: str
    lasts_s: float

    @property
    def is_of_a_process(self) -> bool:
        return self.kind in (KILL, TERM, STOP)

    def excludes(self, other: Fault) -> bool:
        """Whether both cannot be at the same time: two of one process, or an unconfirmed emergency stop."""
        if self.kind == ESTOP:
            return other.kind == ESTOP or other.target == "broker"
        return self.target == other.target and self.is_of_a_process == other.is_of_a_process


def plan(seed: int, workers: list[str], clients: list[str], longest_s: float) -> Iterator[Fault]:
    """An endless plan of faults; the same for the same arguments."""
    chance = random.Random(seed)
    names = {"broker": ["broker"], "worker": workers, "client": clients}
    for number in itertools.count(1):
        if number % _STOP_EVERY == 0:
            yield Fault(ESTOP, "all", chance.uniform(0.1, 0.5))
        who = _pick(chance, _WHO)
        target = chance.choice(names[who])
        kind = _pick(chance, _MEMBERS[who])
        yield Fault(kind, target, _duration_s(chance, kind, longest_s))


def _pick(chance: random.Random, weighted: tuple[tuple[str, int], ...]) -> str:
    return chance.choices([each for each, _ in weighted], [weight for _, weight in weighted])[0]


def _duration_s(chance: random.Random, kind: str, longest_s: float) -> float:
    """Short most of the time; now and then so long that silence is noticed."""
    if kind in (RESET, HALF):
        return 0.0
    if kind == KILL:
        return chance.uniform(0.0, 0.8)
    return chance.uniform(0.1, 1.0) if chance.random() < 0.7 else chance.uniform(1.0, longest_s)


@dataclass(slots=True)
class Done:
    """A fault that was brought about."""

    fault: Fault
    from_ns: int
    healed_ns: int = 0


class Nemesis:
    """Carries out a plan, and sees that everything comes back."""

    def __init__(self, lab: Lab, seed: int, say: Callable[[str], None], at_once: int = 3) -> None:
        self._lab = lab
        self._say = say
        self._at_once = at_once
        self._chance = random.Random(seed)
        self._places: dict[str, Place] = {place.name: place for place in lab.places}
        #: What is to be healed: when, whom, and what was done.
        self._ailing: list[tuple[float, int, Done]] = []
        self._order = itertools.count()
        self._progress = Progress(lab)
        self.done: list[Done] = []
        self.restarts: Counter[str] = Counter()

    @property
    def kills(self) -> int:
        return sum(each.fault.kind in KILLS for each in self.done)

    def run(self, faults: Iterator[Fault], kills: int, until: float, rest_every: int) -> None:
        """Do harm until there are so many kills or the time has come. Raises `Broken`."""
        rest_at = rest_every
        while self.kills < kills and time.monotonic() < until:
            self._heal_due()
            if self.kills >= rest_at:
                rest_at = self.kills + rest_every
                self.heal_all()
                self.wait_until_all_work()
                self._say(f"{self.kills} kills, everything works")
            if len(self._ailing) < self._at_once:
                fault = next(faults)
                if self._is_possible(fault):
                    self._begin(fault)
            self._check_children()
            time.sleep(self._chance.uniform(0.02, 0.4))

    def _is_possible(self, fault: Fault) -> bool:
        """Whether it makes sense just now; a process that has just begun cannot be asked to end yet."""
        if any(fault.excludes(done.fault) for _, _, done in self._ailing):
            return False
        if fault.kind != TERM:
            return True
        place = self._places[fault.target]
        return bool(place.process.first_line) and time.monotonic() - place.started > _YOUNG_S

    # -- harm ----------------------------------------------------------------------------------------

    def _begin(self, fault: Fault) -> None:
        done = Done(fault, now_ns())
        self.done.append(done)
        self._harm(fault)
        heapq.heappush(self._ailing, (time.monotonic() + fault.lasts_s, next(self._order), done))

    def _harm(self, fault: Fault) -> None:
        if fault.kind == ESTOP:
            self._stop_everything()
            return
        place = self._places[fault.target]
        match fault.kind:
            case "SIGKILL" if place is self._lab.broker:
                self._lab.kill_broker()
            case "SIGKILL":
                place.process.kill()
            case "SIGTERM":
                place.process.popen.terminate()
            case "SIGSTOP":
                place.process.stop()
            case _:
                _harm_line(place, fault.kind, self._chance)

    def _heal_due(self) -> None:
        while self._ailing and self._ailing[0][0] <= time.monotonic():
            self._heal(heapq.heappop(self._ailing)[2])

    def heal_all(self) -> None:
        """End everything that was begun."""
        while self._ailing:
            self._heal(heapq.heappop(self._ailing)[2])

    def _heal(self, done: Done) -> None:
        fault = done.fault
        if fault.kind == ESTOP:
            self._reset_the_stop()
        else:
            self._heal_place(fault, self._places[fault.target], done)
        done.healed_ns = now_ns()

    def _heal_place(self, fault: Fault, place: Place, done: Done) -> None:
        match fault.kind:
            case "SIGKILL" if place is self._lab.broker:
                self._lab.restart_broker()
            case "SIGKILL":
                place.start()
            case "SIGTERM":
                self._await_drained(place)
                place.start()
            case "SIGSTOP":
                place.process.go_on()
                self._lab.pauses[f"{place.name}.{place.generation}"].append(Interval(done.from_ns, now_ns()))
            case _:
                assert place.relay is not None
                place.relay.let_pass()

    @staticmethod
    def _await_drained(place: Place) -> None:
        """A worker that has been asked to end does, in good order, and soon."""
        try:
            code = place.process.popen.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise Broken(f"{place.process.name} does not end when it is asked to") from None
        if code:
            raise Broken(f"{place.process.name} was asked to end and did so with {code}")

    # -- the emergency stop --------------------------------------------------------------------------

    def _stop_everything(self) -> None:
        """Stop; only if that is confirmed is anything expected of it."""
        asked_ns = now_ns()
        with timeout(5.0):
            try:
                with locate_ns(f"localhost:{self._lab.port}") as names:
                    names.emergency_stop("chaos")
            except (PyroError, OSError) as error:
                self._say(f"  the emergency stop was not confirmed: {error}")
                return
        self._lab.stops.append(Interval(now_ns(), 0))
        self._say(f"  stopped in {(now_ns() - asked_ns) / 1e6:.0f} ms")

    def _reset_the_stop(self) -> None:
        """Reset, however long it takes; the first attempt ends what was expected."""
        stops = self._lab.stops
        if stops and not stops[-1].to_ns:
            stops[-1] = Interval(stops[-1].from_ns, now_ns())
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with timeout(2.0), locate_ns(f"localhost:{self._lab.port}") as names:
                    names.reset_emergency_stop()
                    return
            except (PyroError, OSError) as error:
                self._heal_due_broker()
                if time.monotonic() > deadline:
                    raise Broken(f"the emergency stop cannot be reset: {error!r}") from error

    def _heal_due_broker(self) -> None:
        """A broker that is away or stopped can be told nothing: bring it back first."""
        for entry in list(self._ailing):
            if entry[2].fault.target == "broker":
                self._ailing.remove(entry)
                heapq.heapify(self._ailing)
                self._heal(entry[2])

    # -- seeing that it comes back -------------------------------------------------------------------

    def _check_children(self) -> None:
        """Fails if a process has ended that nobody has killed."""
        killed = {done.fault.target for _, _, done in self._ailing if done.fault.kind in (KILL, TERM)}
        for place in self._places.values():
            if place.name in killed or place.process.is_alive:
                continue
            if place.process.popen.returncode != TAKEN:
                code = place.process.popen.returncode
                raise Broken(f"{place.process.name} ended by itself ({code}):\n{place.process.errors()}")
            self.restarts[place.name] += 1
            place.start()

    def wait_until_all_work(self) -> None:
        """Every client there is has an answer from each of its axes. Raises `Broken`."""
        healed_ns, deadline = now_ns(), time.monotonic() + PATIENCE_S
        while waiting := self._progress.lacking(healed_ns):
            self._check_children()
            if time.monotonic() > deadline:
                raise Broken(f"after {PATIENCE_S:g} s without faults these do not work: {sorted(waiting)}")
            time.sleep(0.05)

    def finish(self) -> None:
        """Heal, and let each client show each of its proxies, however old, working. Raises `Broken`."""
        self.heal_all()
        self._lab.finish.touch()
        deadline = time.monotonic() + PATIENCE_S
        while waiting := [place for place in self._lab.clients.values() if place.process.is_alive]:
            if time.monotonic() > deadline:
                raise Broken(f"these do not finish: {', '.join(place.process.name for place in waiting)}")
            time.sleep(0.05)
        for place in self._lab.clients.values():
            if place.process.popen.returncode:
                code = place.process.popen.returncode
                raise Broken(f"{place.process.name} failed ({code}):\n{place.process.errors()}")


def _harm_line(place: Place, kind: str, chance: random.Random) -> None:
    relay = place.relay
    assert relay is not None
    match kind:
        case "cut":
            relay.hold()
        case "cut up":
            relay.hold(Way.UP)
        case "cut down":
            relay.hold(Way.DOWN)
        case "reset":
            relay.reset()
        case "half-close":
            relay.half_close(chance.choice(list(Way)))
        case "slow line":
            relay.throttle(_SLOW_BYTES_PER_S)


class Progress:
    """What the clients have achieved lately, from their logs."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._tails: dict[str, Tail] = {}
        #: The service of each call that is out, by its number.
        self._services: dict[int, str] = {}
        #: By client process and service: when a call was last answered.
        self.answered_ns: dict[tuple[str, str], int] = defaultdict(int)

    def read(self) -> None:
        """Take in what has been written since the last time."""
        for place in self._lab.clients.values():
            name = place.process.name
            tail = self._tails.setdefault(name, Tail(self._lab.client_log(name)))
            for line in tail.read():
                self._take(name, line)

    def _take(self, name: str, line: dict[str, Any]) -> None:
        if line["at"] == "begin":
            self._services[line["number"]] = line["service"]
        elif line["at"] == "end":
            service = self._services.pop(line["number"])
            if line["outcome"] in (OK, RAISED):
                self.answered_ns[name, service] = line["end_ns"]

    def lacking(self, since_ns: int) -> set[tuple[str, str]]:
        """Which client processes have had no answer from which axis since then."""
        self.read()
        now = {place.process.name for place in self._lab.clients.values()}
        wanted = {(name, axis) for name in now for axis in self._lab.axes}
        return {each for each in wanted if self.answered_ns[each] <= since_ns}
