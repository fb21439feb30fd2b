"""Moments as people read them."""

from __future__ import annotations

from datetime import datetime


def time_of_day(moment: float) -> str:
    """A Unix time (s) by the clock on the wall: `14:03:05`; what is no moment of our era, as it is."""
    try:
        return datetime.fromtimestamp(moment).strftime("%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return str(moment)
