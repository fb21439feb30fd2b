"""A driver reads an instrument that answers garbage, half a line, nothing, late, or twice.

    python -m perf.bad_instrument --rounds 1000 [--timeout 0.1] [--seed 1]

Each round is a command that is answered badly, and one that is answered well; answers carry the number that
was asked for. Printed: how often a bad answer was an error or the right answer all the same, how long after
its timeout the error came at most, and how often the next command was right.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

from pyrolab_drivers.simulators.pty_server import PtyServer
from pyrolab_drivers.transports import BadReply, ReplyTimeout, Scpi, Transport, open_transport

IDENTITY = b"PyroLab,Bad instrument,1,0"
FAULTS = ("garbage", "noise", "half", "nothing", "twice", "late")
TWICE_LATE = "twice, 2nd late"
#: How much later a second answer comes, and how long a driver has to listen for it, as nothing else tells it.
LATER_S, GAP_S = 0.02, 0.03
#: What is asked more than an error costs: the issue's 0.1 s.
ALLOWED_S = 0.1

#: Asks for a number, and returns the one that was answered.
Ask = Callable[[int], int]


class BadInstrument:
    """Answers `ECHO? 17` with `17`, in order; the next answer suffers the fault of `spoil`."""

    def __init__(self, timeout_s: float, seed: int) -> None:
        self._timeout_s = timeout_s
        self._random = random.Random(seed)
        self._fault = ""
        self._rest = b""
        self._due: deque[tuple[float, bytes]] = deque()

    def spoil(self, fault: str) -> None:
        self._fault = fault

    def receive(self, data: bytes) -> bytes:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._obey(line)
        return self.due()

    def due(self) -> bytes:
        said = b""
        while self._due and self._due[0][0] <= time.monotonic():
            said += self._due.popleft()[1]
        return said

    def _obey(self, line: bytes) -> None:
        if line == b"*IDN?":
            self._say(IDENTITY + b"\n")
        elif line == b"*ESE?":
            self._say(b"0\n")
        elif line.startswith(b"ECHO? "):
            fault, self._fault = self._fault, ""
            self._answer(line[6:] + b"\n", fault)

    def _answer(self, answer: bytes, fault: str) -> None:
        match fault:
            case "garbage":
                self._say(self._noise() + b"\n")
            case "noise":  # until shortly before the end of the timeout, and never a line
                for _ in range(8):
                    self._say(self._noise(), self._timeout_s / 10)
            case "half":
                self._say(answer[: len(answer) // 2])
            case "nothing":
                pass
            case "twice":
                self._say(answer + answer)
            case "twice, 2nd late":
                self._say(answer)
                self._say(answer, self._random.uniform(0.0, LATER_S))
            case "late":
                self._say(answer, self._timeout_s * self._random.uniform(1.1, 1.5))
            case _:
                self._say(answer)

    def _say(self, data: bytes, after_s: float = 0.0) -> None:
        """Say `data` after all that is still to be said: an instrument does one thing after the other."""
        before = self._due[-1][0] if self._due else 0.0
        self._due.append((max(before, time.monotonic()) + after_s, data))

    def _noise(self) -> bytes:
        return self._random.randbytes(self._random.randrange(1, 40)).replace(b"\n", b"?")


def ask_scpi(scpi: Scpi, number: int) -> int:
    """Trust in SCPI's way back into step: the number is not looked at."""
    return scpi.query_int(f"ECHO? {number}")


def ask_line(transport: Transport, number: int) -> int:
    """Tell the answer by the number that it carries."""
    wanted = b"%d" % number
    return int(transport.exchange(b"ECHO? " + wanted + b"\n", b"\n", accept=wanted.__eq__))


SCPI, SCPI_GAP, LINE = "SCPI", f"SCPI, gap {GAP_S:g} s", "lines that carry a number"
DRIVERS: dict[str, tuple[Callable[[Transport], Ask], float]] = {
    SCPI: (lambda transport: partial(ask_scpi, Scpi(transport)), 0.0),
    SCPI_GAP: (lambda transport: partial(ask_scpi, Scpi(transport)), GAP_S),
    LINE: (lambda transport: partial(ask_line, transport), 0.0),
}


@dataclass
class Outcome:
    """What became of the rounds of one fault."""

    rounds: int = 0
    errors: int = 0
    right: int = 0
    wrong: int = 0
    next_right: int = 0
    overruns: list[float] = field(default_factory=list)

    def bad(self, ask: Ask, number: int, timeout_s: float) -> None:
        self.rounds += 1
        begun = time.monotonic()
        try:
            answer = ask(number)
        except (ReplyTimeout, BadReply):
            self.errors += 1
        else:
            self.right += answer == number
            self.wrong += answer != number
        self.overruns.append(time.monotonic() - begun - timeout_s)

    def good(self, ask: Ask, number: int) -> None:
        try:
            answer = ask(number)
            self.next_right += answer == number
            self.wrong += answer != number
        except (ReplyTimeout, BadReply):
            pass


def run(
    instrument: BadInstrument, ask: Ask, faults: Sequence[str], rounds: int, timeout_s: float, seed: int
) -> dict[str, Outcome]:
    """Spoil one answer in each round, with a fault by chance, and none after it."""
    chance = random.Random(seed)
    outcomes = {fault: Outcome() for fault in faults}
    for each in range(rounds):
        fault = chance.choice(faults)
        instrument.spoil(fault)
        outcomes[fault].bad(ask, 1_000_000 + 2 * each, timeout_s)
        outcomes[fault].good(ask, 1_000_001 + 2 * each)
    return outcomes


def measured(driver: str, rounds: int, timeout_s: float, seed: int) -> dict[str, Outcome]:
    """Run `rounds` of a driver in `DRIVERS`, on a pseudo-terminal."""
    ask, gap_s = DRIVERS[driver]
    faults = FAULTS if driver == SCPI else (*FAULTS, TWICE_LATE)
    with ExitStack() as stack:
        instrument = BadInstrument(timeout_s, seed)
        server = stack.enter_context(PtyServer(instrument))
        transport = stack.enter_context(open_transport(server.name, timeout_s=timeout_s, gap_s=gap_s))
        return run(instrument, ask(transport), faults, rounds, timeout_s, seed)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--timeout", type=float, default=0.1, help="of the driver, in s")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    for driver in DRIVERS:
        outcomes = measured(driver, asked.rounds, asked.timeout, asked.seed)
        _report(driver, outcomes, asked.timeout)


def _report(driver: str, outcomes: dict[str, Outcome], timeout_s: float) -> None:
    print(f"{driver}: timeout {timeout_s:g} s")
    for fault, outcome in outcomes.items():
        if outcome.rounds:
            print(
                f"  {fault:15} {outcome.rounds:5} rounds: {outcome.errors:5} errors, "
                f"{outcome.right:5} right, {outcome.wrong} wrong; "
                f"{1e3 * max(outcome.overruns):6.1f} ms beyond the timeout at most; "
                f"next command right {outcome.next_right:5}"
            )
    every = outcomes.values()
    rounds, right = sum(each.rounds for each in every), sum(each.next_right for each in every)
    wrong = sum(each.wrong for each in every)
    overruns = [overrun for outcome in every for overrun in outcome.overruns]
    print(
        f"  all: {right} of {rounds} next commands right, {wrong} wrong answers, "
        f"worst overrun {1e3 * max(overruns):.1f} ms "
        f"({sum(overrun > ALLOWED_S for overrun in overruns)} beyond {1e3 * ALLOWED_S:g} ms)"
    )


if __name__ == "__main__":
    main()
