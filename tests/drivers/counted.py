"""Instruments that note what would have been sent to them: for tests of what must not be sent."""

from __future__ import annotations

from typing import Any

#: Beginnings of the names of what sends something to an instrument.
_SENDING = ("_write_", "_start_", "_stop_", "_pause_", "_resume_", "_acquire", "_run", "_single", "_sweep")


def noting(owner: Any, sent: list[str]) -> Any:
    """`owner`, an instrument or a channel, whose sending members note their names in `sent`."""

    def noted(name: str, member: Any) -> Any:
        def send(*args: object) -> Any:
            sent.append(name)
            return member(*args)

        return send

    for name in dir(type(owner)):
        if name.startswith(_SENDING) and callable(getattr(type(owner), name)):
            setattr(owner, name, noted(name, getattr(owner, name)))
    return owner
