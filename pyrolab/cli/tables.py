"""Tables and times as the terminal shows them; where output goes to a file or pipe, nothing is cut off."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_STYLES = {
    "running": "green",
    "failed": "bold red",
    "hung": "bold red",
    "unreachable": "bold red",
    "gone": "bold red",
    "stopped": "red",
    "restarting": "yellow",
    "starting": "yellow",
    "offline": "yellow",
    "stopping": "yellow",
    "waiting": "yellow",
}
#: Wide enough for any line when nobody's terminal limits it.
_UNLIMITED = 10_000


def console(error: bool = False) -> Console:
    """The terminal, or whatever stands for it."""
    stream = sys.stderr if error else sys.stdout
    return Console(
        file=stream, width=None if stream.isatty() else _UNLIMITED, highlight=False, soft_wrap=True
    )


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their columns."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console().print(table)


def show_json(value: Any) -> None:
    """Print a value for programs."""
    print(json.dumps(value, indent=2))


def ago(moment: float | None) -> str:
    """How long ago a time (seconds since 1970) was, as `5 s`, `12 min`, `3 h`, `9 d`."""
    if moment is None:
        return ""
    seconds = max(0.0, time.time() - moment)
    for limit, unit, size in ((120, "s", 1), (7200, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{int(seconds / size)} {unit}"
    return f"{int(seconds / 86_400)} d"


def _cell(value: object) -> Text:
    text = "" if value is None else str(value)
    return Text(_visible(text), style=_STYLES.get(text, ""))


def _visible(text: str) -> str:
    """A text in which nothing moves the cursor or rings the bell: peers chose much of what is shown."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)
