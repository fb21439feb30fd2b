"""`pyrolab audit`: who did what to which instrument of this computer."""

from __future__ import annotations

import dataclasses
import re
import time
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import islice

from pyrolab.audit import Entry, latest_first
from pyrolab.cli.tables import console, show_json, show_table
from pyrolab.config.places import audit_directory
from pyrolab.errors import PyroError

NO_END = "no end recorded"

_SPAN = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[a-z]+)(?:\s+ago)?")
_UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 604_800),
}
_CLOCK = re.compile(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?")


@dataclass(frozen=True)
class Search:
    """What is looked for; None: anything. `user` and `service` are patterns, `call` a part of the text."""

    user: str | None = None
    service: str | None = None
    call: str | None = None
    outcome: str | None = None

    def finds(self, entry: Entry) -> bool:
        """Whether an entry is one of those that are looked for."""
        return (
            (self.user is None or _matches(self.user, who(entry) if "@" in self.user else user_of(entry)))
            and (self.service is None or any(_matches(self.service, each) for each in services_of(entry)))
            and (self.call is None or self.call == entry.call or self.call.lower() in text_of(entry).lower())
            and (self.outcome is None or outcome_of(entry).lower().startswith(self.outcome.lower()))
        )


def audit(search: Search, since: str | None, last: int, as_json: bool) -> int:
    """Show what fits, the newest at the end; `last` 0 shows all."""
    begin = None if since is None else moment(since)
    found = _latest(search, begin, last + 1 if last else None)
    shown = sorted(found[:last] if last else found, key=lambda entry: entry.time)
    if as_json:
        show_json([dataclasses.asdict(entry) for entry in shown])
        return 0
    if not shown:
        console(error=True).print(f"nothing of that kind is recorded in {audit_directory()}")
        return 0
    show_table(("WHEN", "WHO", "SERVICE", "CALL", "TOOK", "OUTCOME", "LOG"), map(_row, shown))
    if len(found) > len(shown):
        console(error=True).print(f"these are the last {last}; --last 0 shows all")
    return 0


def _latest(search: Search, since: float | None, count: int | None) -> list[Entry]:
    return list(islice(filter(search.finds, latest_first(audit_directory(), since)), count))


def moment(text: str, now: float | None = None) -> float:
    """The Unix time that `10 min`, `2h`, `10:30`, `2026-11-24` or `2026-11-24 10:00` means, in local time."""
    now = time.time() if now is None else now
    said = text.strip().lower()
    span = _SPAN.fullmatch(said)
    try:
        if span is not None:
            return now - float(span["number"]) * _UNITS[span["unit"]]
        if _CLOCK.fullmatch(said):
            today = f"{datetime.fromtimestamp(now):%Y-%m-%d}"
            said = f"{today} {said if said[1] != ':' else '0' + said}"
        return datetime.fromisoformat(said.upper().replace("Z", "+00:00")).timestamp()
    except (KeyError, ValueError, OverflowError, OSError):
        raise PyroError(
            f"{text!r} is no time; write '90s', '15min', '2h', '3d', '10:30', '2026-11-24' or "
            "'2026-11-24 10:30'"
        ) from None


# -- what an entry says ------------------------------------------------------------------------------------


def user_of(entry: Entry) -> str:
    """Who did it."""
    return entry.user or str(entry.facts.get("user", ""))


def who(entry: Entry) -> str:
    """Who did it, and where."""
    user, host = user_of(entry), entry.host or str(entry.facts.get("host", ""))
    return f"{user}@{host}" if host else user


def services_of(entry: Entry) -> list[str]:
    """The services that it was done to."""
    named = entry.facts.get("services", entry.facts.get("service", entry.service))
    return [str(each) for each in named] if isinstance(named, list) else str(named).split(", ")


def text_of(entry: Entry) -> str:
    """A call as it would be written, or a note with its facts."""
    if entry.what != "call":
        left_out = ("user", "host", "service", "services")
        facts = [
            f"{name}={value}" for name, value in entry.facts.items() if name not in left_out and value != ""
        ]
        return f"{entry.what}: {', '.join(facts)}" if facts else entry.what
    if entry.action.endswith("()"):
        return f"{entry.action[:-1]}{entry.arguments})"
    return f"{entry.action} {entry.arguments}".strip()


def outcome_of(entry: Entry) -> str:
    """How it ended; empty for a note."""
    if entry.what != "call":
        return ""
    if entry.outcome is None:
        return NO_END
    return f"{entry.outcome}: {entry.text}" if entry.text else entry.outcome


def _row(entry: Entry) -> tuple[str, ...]:
    when = f"{datetime.fromtimestamp(entry.time):%Y-%m-%d %H:%M:%S}"
    took = "" if entry.seconds is None else _duration(entry.seconds)
    services = ", ".join(services_of(entry))
    return when, who(entry), services, text_of(entry), took, outcome_of(entry), entry.log


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.1f} ms"


def _matches(pattern: str, text: str) -> bool:
    return fnmatchcase(text.lower(), pattern.lower())
