"""Turn a script for Pyro5 into one for PyroLab: other imports, and nothing else.

Names are replaced where they are code, not in strings and comments. What has no counterpart is left as it
is, and fails at its import.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

#: Pyro5's modules and where their names are here.
COUNTERPARTS = {
    "api": "pyrolab.api",
    "errors": "pyrolab.errors",
    "core": "pyrolab.api",
    "client": "pyrolab.api",
    "server": "pyrolab.api",
    "nameserver": "pyrolab.api",
    "config": "pyrolab.api.config",
}


class Edit(NamedTuple):
    """A change that a script needs beyond its imports: every match of `pattern` in `file`, at least one."""

    file: str
    pattern: str
    replacement: str


def without_socketutil(script: str) -> tuple[Edit, ...]:
    """Have a server listen at no address of its own: a daemon connects out."""
    return (
        Edit(script, r"^import Pyro5\.socketutil\n", ""),
        Edit(script, r"(?:^ +)?(?:host=)?Pyro5\.socketutil\.get_ip_address\([^)]*\)(?:,\n)?", ""),
    )


def without_serpent(script: str) -> tuple[Edit, ...]:
    """Take bytes for bytes, which they are."""
    return (
        Edit(script, r"^import serpent\n", ""),
        Edit(script, r"serpent\.tobytes\((\w+)\)", r"\1"),
    )


class EditDoesNotFit(Exception):
    """An edit changes nothing, so the table of examples is wrong."""


def swap_folder(folder: Path) -> None:
    """Swap the imports of all scripts in a folder, in place."""
    for script in folder.rglob("*.py"):
        text = script.read_text(encoding="utf-8")
        script.write_text(swap(text), encoding="utf-8")


def swap(text: str) -> str:
    """A script's text with the imports swapped."""
    lines = text.splitlines(keepends=True)
    for (row, start), (_, end), replacement in reversed(list(_replacements(text))):
        line = lines[row - 1]
        lines[row - 1] = line[:start] + replacement + line[end:]
    return "".join(lines)


Place = tuple[int, int]


def _replacements(text: str) -> Iterator[tuple[Place, Place, str]]:
    tokens = [*tokenize.generate_tokens(io.StringIO(text).readline)]
    for first, dot, second in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if (first.string, dot.string) == ("Pyro5", ".") and second.string in COUNTERPARTS:
            yield first.start, second.end, COUNTERPARTS[second.string]


def apply(folder: Path, edits: tuple[Edit, ...]) -> None:
    """Make edits in the scripts of a folder. Raises `EditDoesNotFit`."""
    for edit in edits:
        script = folder / edit.file
        changed, times = re.subn(
            edit.pattern, edit.replacement, script.read_text(encoding="utf-8"), flags=re.M
        )
        if not times:
            raise EditDoesNotFit(f"{edit.file} has nothing like {edit.pattern!r}")
        script.write_text(changed, encoding="utf-8")


def left_over(folder: Path) -> Mapping[str, list[str]]:
    """The modules of Pyro5 that scripts still import after the swap, by script."""
    found = {}
    for script in folder.rglob("*.py"):
        names = re.findall(
            r"^\s*(?:import|from)\s+(Pyro5[\w.]*)", script.read_text(encoding="utf-8"), re.MULTILINE
        )
        if names:
            found[script.relative_to(folder).as_posix()] = names
    return found
