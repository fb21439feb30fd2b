"""Values as lines of text: time, value and unit, with tabs between them, for people and for programs."""

from __future__ import annotations

from datetime import datetime

from pyrolab.viewing.feeds import Seen
from pyrolab.viewing.scenes import in_words


def line_of(seen: Seen, unit: str) -> str:
    """One value: local time as of ISO 8601 with its offset, the value, and the unit if there is one."""
    parts = [iso_time(seen.timestamp), in_words(seen.value, most=2000)]
    return "\t".join([*parts, in_words(unit)] if unit else parts)


def iso_time(timestamp: float) -> str:
    """A Unix time in local time, to the millisecond; the number itself if it is out of range."""
    try:
        return datetime.fromtimestamp(timestamp).astimezone().isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return repr(timestamp)
