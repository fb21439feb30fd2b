"""What a storm did, and what became of it: as text and as JSON."""

from __future__ import annotations

import json
import platform
import statistics
import sys
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyrolab
from chaos.history import OK, RAISED, History, lateness
from chaos.nemesis import ESTOP, KILLS, Done

_S = 1_000_000_000
#: Violations of one invariant that are shown.
_SHOWN = 5


@dataclass(slots=True)
class Report:
    """Of one storm."""

    seed: int
    wanted_kills: int
    directory: Path
    seconds: float = 0.0
    faults: list[Done] = field(default_factory=list)
    restarts: Counter[str] = field(default_factory=Counter)
    history: History = field(default_factory=History)
    #: What each worker hosts.
    axes_of: dict[str, list[str]] = field(default_factory=dict)
    violations: dict[str, list[str]] = field(default_factory=dict)
    #: What did not come back, and what everybody was doing then.
    broken: str = ""
    stacks: str = ""
    said: list[str] = field(default_factory=list)

    def say(self, words: str) -> None:
        """Tell and keep something that happened on the way."""
        self.said.append(words)
        print(words, flush=True)

    @property
    def kills(self) -> int:
        return sum(each.fault.kind in KILLS for each in self.faults)

    @property
    def is_good(self) -> bool:
        """Whether there were enough kills, everything came back, and no invariant was violated."""
        return not self.broken and self.kills >= self.wanted_kills and not any(self.violations.values())

    def write(self) -> None:
        """Write both forms into the directory."""
        (self.directory / "report.json").write_text(json.dumps(self.data(), indent=1), encoding="utf-8")
        (self.directory / "report.txt").write_text(self.text(), encoding="utf-8")
        if self.stacks:
            (self.directory / "stacks.txt").write_text(self.stacks, encoding="utf-8")

    def data(self) -> dict[str, Any]:
        """Everything as plain data."""
        kinds = Counter((each.fault.kind, _whom(each)) for each in self.faults)
        errors = Counter((each.outcome, each.error) for each in self.history.calls.values())
        return {
            "seed": self.seed,
            "python": sys.version.split()[0],
            "system": platform.platform(),
            "pyrolab": pyrolab.__version__,
            "seconds": round(self.seconds, 1),
            "kills": self.kills,
            "wanted_kills": self.wanted_kills,
            "faults": {kind: _of(kinds, kind) for kind in dict.fromkeys(kind for kind, _ in kinds)},
            "restarts_because_taken": dict(self.restarts),
            "executions": len(self.history.executions),
            "calls": {outcome: _of(errors, outcome) for outcome in self.history.outcomes()},
            "emergency_stops_confirmed": len(self.history.stops),
            "latest_start_after_deadline_s": round(
                max((s for s, _, _ in lateness(self.history)), default=0), 3
            ),
            "longest_call_s": round(_longest_s(self.history), 2),
            "recovery_s": {kind: _summary(times) for kind, times in self.recovery_s().items()},
            "violations": {name: found[:_SHOWN] for name, found in self.violations.items()},
            "violations_count": {name: len(found) for name, found in self.violations.items()},
            "broken": self.broken,
            "good": self.is_good,
        }

    def text(self) -> str:
        """For people."""
        data = self.data()
        lines = [
            f"chaos: seed {self.seed}, {self.kills} kills of {self.wanted_kills} in {self.seconds:.0f} s",
            f"Python {data['python']}, PyroLab {data['pyrolab']}, {data['system']}",
            "faults:",
            *(f"  {kind:<15}{_listed(whom)}" for kind, whom in data["faults"].items()),
            f"calls: {len(self.history.calls)}; executions: {len(self.history.executions)}",
            *(f"  {outcome:<15}{_listed(errors)}" for outcome, errors in data["calls"].items()),
            f"emergency stops confirmed: {data['emergency_stops_confirmed']}",
            f"latest start after its deadline: {data['latest_start_after_deadline_s']} s; "
            f"longest call: {data['longest_call_s']} s",
            "back at work after (s):",
            *(f"  {kind:<25}{_listed(times)}" for kind, times in data["recovery_s"].items()),
            "invariants:",
        ]
        for name, found in self.violations.items():
            lines += [
                f"  {'WRONG' if found else 'holds'}  {name}",
                *(f"    {each}" for each in found[:_SHOWN]),
            ]
            lines += [f"    … and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
        if self.broken:
            lines += ["BROKEN:", self.broken, f"stacks: {self.directory / 'stacks.txt'}"]
        return "\n".join([*lines, f"logs: {self.directory}", "good" if self.is_good else "NOT GOOD"])

    def recovery_s(self) -> dict[str, list[float]]:
        """By kind of fault and whom it hit: how long after it was healed a call was answered again.

        After a fault of the broker, until each client had an answer; faults on top of which others came
        before that say nothing, and are left out.
        """
        by_client: dict[str, list[int]] = defaultdict(list)
        by_axis: dict[str, list[int]] = defaultdict(list)
        for call in self.history.calls.values():
            if call.outcome in (OK, RAISED):
                by_client[call.client.partition(".")[0]].append(call.end_ns)
                by_axis[call.service].append(call.end_ns)
        found: dict[str, list[float]] = defaultdict(list)
        for done in self.faults:
            whom = _whom(done)
            if done.fault.kind == ESTOP or not done.healed_ns:
                continue
            if whom == "client":
                back = [_next(by_client[done.fault.target], done.healed_ns)]
            elif whom == "worker":
                axes = self.axes_of.get(done.fault.target, [])
                back = [_next(by_axis[axis], done.healed_ns) for axis in axes]
            else:
                back = [_next(times, done.healed_ns) for times in by_client.values()]
            if all(back) and not self._disturbed(done, max(back)):
                found[f"{done.fault.kind} of {whom}"].append((max(back) - done.healed_ns) / _S)
        return found

    def _disturbed(self, done: Done, until_ns: int) -> bool:
        """Whether there was another fault that matters between the end of this one and a moment after it."""
        return any(
            other is not done
            and (other.fault.target in (done.fault.target, "broker", "all") or done.fault.target == "broker")
            and other.from_ns < until_ns
            and (other.healed_ns or until_ns) > done.healed_ns
            for other in self.faults
        )


def _latest_s(history: History) -> float:
    return max((late_s for late_s, _, _ in lateness(history)), default=0.0)


def _longest_s(history: History) -> float:
    return max((each.end_ns - each.begin_ns for each in history.calls.values()), default=0) / _S


def _whom(done: Done) -> str:
    return {"b": "broker", "w": "worker", "c": "client"}.get(done.fault.target[0], "all")


def _of(counted: Counter[tuple[str, str]], first: str) -> dict[str, int]:
    return {second or "-": count for (one, second), count in sorted(counted.items()) if one == first}


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _summary(times: list[float]) -> dict[str, float]:
    return {
        "times": len(times),
        "median": round(statistics.median(times), 2),
        "slowest": round(max(times), 2),
    }


def _next(times: list[int], after: int) -> int:
    """The first of these moments after another one; 0 if there is none."""
    times.sort()
    index = bisect_right(times, after)
    return times[index] if index < len(times) else 0
