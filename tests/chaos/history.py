"""What happened, from the logs, and whether it may have happened: reliability has eight invariants here.

Everything in this file is a pure function of what devices, clients and the test itself have written down.
The devices' log counts: an answer proves nothing about what was carried out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Facts = dict[str, Any]

#: How a call can end for whoever made it. `SENT` expects no answer; `OPEN` has none (yet).
OK, RAISED, NOT_EXECUTED, UNKNOWN, FAILED, SENT, OPEN = (
    "ok",
    "raised",
    "not executed",
    "unknown",
    "failed",
    "sent",
    "open",
)
_S = 1_000_000_000
#: How the names of those grants begin that let through what is urgent, and what that is here.
TRANSACTION, URGENT = "transaction", "abort"
#: Errors of the bus which say by their class that nothing was carried out, besides `NotExecuted`.
CERTAIN = ("bus:NamingError", "bus:SecurityError")
#: What a call spends on its way counts against its deadline; between the worker's last look at the clock and
#: the device's first lies only what a busy machine, or a SIGSTOP at that very moment, makes of it.
LATE_S = 1.0


@dataclass(frozen=True, slots=True)
class Execution:
    """A call that a device has begun to carry out; `end_ns` is 0 if it never got to the end."""

    number: int
    call: str
    service: str
    start_ns: int
    end_ns: int = 0
    what: str = "move"
    pid: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A call as its client saw it; `grant` and `token` name the reservation under which it was made."""

    number: int
    client: str
    service: str
    begin_ns: int
    end_ns: int = 0
    outcome: str = OPEN
    error: str = ""
    budget_s: float | None = None
    grant: str = ""
    token: int = 0
    value: int | None = None
    #: The call's id, where the client could tell it, and what which worker said of it afterwards, and when.
    call: str = ""
    status: str = ""
    status_pid: int = 0
    status_ns: int = 0
    reads: bool = False


@dataclass(frozen=True, slots=True)
class Interval:
    """From one moment to another; `to_ns` 0: to the end."""

    from_ns: int
    to_ns: int = 0

    def contains(self, ns: int) -> bool:
        return self.from_ns <= ns and (not self.to_ns or ns <= self.to_ns)


@dataclass(slots=True)
class History:
    """Everything that was written down."""

    executions: list[Execution] = field(default_factory=list)
    calls: dict[int, Call] = field(default_factory=dict)
    #: From the confirmation of an emergency stop to its reset.
    stops: list[Interval] = field(default_factory=list)
    #: Services that several workers host.
    pools: set[str] = field(default_factory=set)
    #: When a client could not do anything, because it was stopped: client, from, to.
    pauses: dict[str, list[Interval]] = field(default_factory=lambda: defaultdict(list))

    def of_number(self) -> dict[int, list[Execution]]:
        """The executions of each number."""
        found: dict[int, list[Execution]] = defaultdict(list)
        for each in self.executions:
            found[each.number].append(each)
        return found

    def outcomes(self) -> Counter[str]:
        """How many calls ended how."""
        return Counter(each.outcome for each in self.calls.values())


# -- reading the logs --------------------------------------------------------------------------------


def read_executions(lines: Iterable[Facts]) -> list[Execution]:
    """What a device's log says it has begun, in that order."""
    begun: dict[tuple[str, int], Execution] = {}
    repeated: list[Execution] = []
    for line in lines:
        key = (str(line.get("call")), int(line.get("number", 0)))
        if line["at"] == "start":
            if key in begun:
                repeated.append(begun[key])
            begun[key] = Execution(
                line["number"],
                line["call"],
                line["service"],
                line["ns"],
                what=line["what"],
                pid=line["pid"],
            )
        elif line["at"] == "end" and key in begun:
            begun[key] = replace(begun[key], end_ns=line["ns"])
    return sorted([*begun.values(), *repeated], key=lambda each: each.start_ns)


def read_calls(client: str, lines: Iterable[Facts]) -> Iterator[Call]:
    """The calls in a client's log: a line before and a line after each."""
    begun: dict[int, Facts] = {}
    for line in lines:
        if line["at"] == "begin":
            begun[line["number"]] = line
        elif line["at"] == "end":
            yield _call(client, begun.pop(line["number"]) | line)
    for line in begun.values():
        yield _call(client, line)


def _call(client: str, facts: Facts) -> Call:
    return Call(
        facts["number"],
        client,
        facts["service"],
        facts["begin_ns"],
        facts.get("end_ns", 0),
        facts.get("outcome", OPEN),
        facts.get("error", ""),
        facts.get("budget_s"),
        facts.get("grant", ""),
        facts.get("token", 0),
        facts.get("value"),
        facts.get("call", ""),
        facts.get("status", ""),
        facts.get("status_pid", 0),
        facts.get("status_ns", 0),
        facts.get("reads", False),
    )


# -- the invariants ----------------------------------------------------------------------------------


def nothing_ran_twice(history: History) -> Iterator[str]:
    """I1: neither a number nor a call's id is executed twice, nor one that nobody has asked for."""
    for number, executions in history.of_number().items():
        if len(executions) > 1:
            yield f"{number} ran {len(executions)} times: {executions}"
        if number not in history.calls:
            yield f"{number} ran and nobody asked for it: {executions}"
    ids = Counter(each.call for each in history.executions)
    yield from (f"the call {call} ran {times} times" for call, times in ids.items() if times > 1)


def what_was_acknowledged_ran(history: History) -> Iterator[str]:
    """I2: each call with an answer ran once, to its end, and the answer is its own."""
    ran = history.of_number()
    for call in history.calls.values():
        if call.reads or call.outcome not in (OK, RAISED):
            continue
        executions = ran.get(call.number, [])
        if len(executions) != 1:
            yield f"{call} was answered and ran {len(executions)} times"
        elif not executions[0].end_ns or executions[0].end_ns > call.end_ns:
            yield f"{call} was answered before it had run: {executions[0]}"
        if call.outcome == OK and call.value is not None and call.value != call.number:
            yield f"{call} got the answer of another call"


def what_was_refused_did_not_run(history: History) -> Iterator[str]:
    """I3: a call that is said not to have run has not."""
    ran = history.of_number()
    for call in history.calls.values():
        if call.outcome == NOT_EXECUTED and call.number in ran:
            yield f"{call} was refused and ran: {ran[call.number]}"


def the_unknown_ran_at_most_once(history: History) -> Iterator[str]:
    """I4: a call of which nothing is known ran once or not at all; what a worker says of it is true."""
    ran = history.of_number()
    for call in history.calls.values():
        if call.reads:
            continue
        executions = ran.get(call.number, [])
        if call.outcome in (UNKNOWN, OPEN, FAILED, SENT) and len(executions) > 1:
            yield f"{call} ran {len(executions)} times"
        here = [each for each in executions if each.pid == call.status_pid and each.start_ns < call.status_ns]
        if call.service in history.pools:  # nobody knows which of its workers has answered
            continue
        if call.status in ("done", "raised") and len(here) != 1:  # what is "running" may not have started
            yield f"its worker says {call.status!r}, and it ran {len(here)} times there: {call}"
        if call.status in ("refused", "never seen") and here:
            yield f"its worker says {call.status!r}, and it ran: {call}, {here}"


def nothing_started_late(history: History, slack_s: float = LATE_S) -> Iterator[str]:
    """I5: nothing starts after its deadline, by more than the slack.

    A client that was stopped between writing a call down and making it has the benefit of the doubt.
    """
    for late_s, call, execution in lateness(history):
        if late_s > slack_s:
            yield f"{call} started {late_s:.2f} s after its deadline: {execution}"


def lateness(history: History) -> Iterator[tuple[float, Call, Execution]]:
    """How long after its deadline each call with one started; negative if it was in time."""
    ran = history.of_number()
    for call in history.calls.values():
        if call.budget_s is None:
            continue
        for execution in ran.get(call.number, []):
            late_s = (execution.start_ns - call.begin_ns) / _S - call.budget_s
            late_s -= _paused_s(history.pauses.get(call.client, []), call.begin_ns, execution.start_ns)
            yield late_s, call, execution


def _paused_s(pauses: Sequence[Interval], from_ns: int, to_ns: int) -> float:
    overlaps = (min(each.to_ns or to_ns, to_ns) - max(each.from_ns, from_ns) for each in pauses)
    return sum(each for each in overlaps if each > 0) / _S


def tokens_never_decrease(history: History) -> Iterator[str]:
    """I6: a device never obeys an older reservation after a newer one."""
    newest: dict[str, Call] = {}
    for execution in history.executions:
        call = history.calls.get(execution.number)
        if call is None or not call.token:
            continue
        before = newest.get(execution.service)
        if before is not None and call.token < before.token:
            yield f"{call} was obeyed after the newer reservation of {before}: {execution}"
        else:
            newest[execution.service] = call


def nothing_started_while_stopped(history: History) -> Iterator[str]:
    """I7: nothing starts between the confirmation of an emergency stop and its reset."""
    for execution in history.executions:
        if any(stop.contains(execution.start_ns) for stop in history.stops):
            yield f"{execution} started while everything was stopped"


def every_call_ended(history: History, grace_s: float = 2.0, longest_s: float = 60.0) -> Iterator[str]:
    """I8: every call ends soon after its deadline; without one, before anybody would call it a hang.

    Only calls whose process died have no end. Times in which the client was stopped do not count.
    """
    for call in history.calls.values():
        if not call.end_ns:
            continue
        took_s = (call.end_ns - call.begin_ns) / _S
        took_s -= _paused_s(history.pauses.get(call.client, []), call.begin_ns, call.end_ns)
        allowed_s = longest_s if call.budget_s is None else call.budget_s + grace_s
        if took_s > allowed_s:
            yield f"{call} ended after {took_s:.2f} s"


def no_reservation_had_two_owners(history: History) -> Iterator[str]:
    """What ran under one reservation ran without anything of anybody else's in between.

    In a pool, a call that was made before may be running still, in another worker.
    """
    by_service: dict[str, list[tuple[Execution, Call]]] = defaultdict(list)
    for execution in history.executions:
        if execution.number in history.calls:
            by_service[execution.service].append((execution, history.calls[execution.number]))
    for service, executions in by_service.items():
        last = {call.grant: index for index, (_, call) in enumerate(executions) if call.grant}
        owner, since_ns = "", 0
        for index, (execution, call) in enumerate(executions):
            passes = service in history.pools and call.begin_ns < since_ns
            passes |= execution.what == URGENT and owner.startswith(TRANSACTION)
            if owner and call.grant != owner and not passes:
                yield f"{execution} ({call.grant or 'no reservation'}) ran inside of the reservation {owner}"
            if not owner or index >= last[owner]:
                owner = call.grant if call.grant and index < last[call.grant] else ""
                since_ns = execution.start_ns


def every_error_says_enough(history: History) -> Iterator[str]:
    """Whatever fails fails with an error of the bus, and that says whether the call may have run."""
    for call in history.calls.values():
        if call.outcome != FAILED:
            continue
        if not call.error.startswith("bus:"):
            yield f"{call.error} is no error of the bus, and ended {call}"
        elif not call.reads and call.error not in CERTAIN:
            yield f"{call.error}: nobody knows whether {call} may have run"


INVARIANTS: dict[str, Callable[[History], Iterable[str]]] = {
    "I1 nothing ran twice": nothing_ran_twice,
    "I2 what was acknowledged ran, once": what_was_acknowledged_ran,
    "I3 what was refused did not run": what_was_refused_did_not_run,
    "I4 the unknown ran at most once": the_unknown_ran_at_most_once,
    "I5 nothing started after its deadline": nothing_started_late,
    "I6 tokens never decrease": tokens_never_decrease,
    "I7 nothing started while stopped": nothing_started_while_stopped,
    "I8 every call ended": every_call_ended,
    "no reservation had two owners": no_reservation_had_two_owners,
    "every error says enough": every_error_says_enough,
}


def check(history: History) -> dict[str, list[str]]:
    """What is wrong, by invariant; empty lists if nothing is."""
    return {name: list(invariant(history)) for name, invariant in INVARIANTS.items()}
