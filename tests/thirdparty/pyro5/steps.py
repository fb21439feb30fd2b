"""What an example does, as data: start this, type that, expect those words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import PurePosixPath
from typing import Any, TypeAlias

from thirdparty.pyro5.swap import Edit


class Side(Enum):
    """On what the examples run."""

    ORIGINAL = "Pyro5"
    SWAPPED = "PyroLab"


@dataclass(frozen=True)
class Either:
    """Where the two sides print other words, on purpose."""

    original: Any
    swapped: Any


#: Text that must be printed as it is, or a pattern.
Word: TypeAlias = "str | re.Pattern[str] | Either"
Words: TypeAlias = "Sequence[Word]"


def on(side: Side, value: Any) -> Any:
    """What `value` is on one side."""
    if isinstance(value, Either):
        return value.original if side is Side.ORIGINAL else value.swapped
    return value


def pattern(side: Side, word: Word) -> re.Pattern[str]:
    """A word as a pattern."""
    chosen = on(side, word)
    return chosen if isinstance(chosen, re.Pattern) else re.compile(re.escape(chosen))


def served(objects: int = 1) -> Word:
    """What `serve` prints when it has hosted and named some objects."""
    return Either("Pyro daemon running", re.compile(r"(?s)" + r"served as PYRO:\S+@\S+\s.*?" * objects))


#: Why some examples wait forever, or too long.
SIDE_BY_SIDE = "calls to one object run one at a time, and this one needs them side by side"
#: A remote traceback, under either heading.
REMOTE = re.compile(r"(?i)remote traceback")
#: For `Either`, where one side need not print anything.
ANYTHING = re.compile("")


def times(count: int, word: str) -> tuple[str, ...]:
    """A word that must come several times."""
    return (word,) * count


#: What examples print when something that they show fails; none of them may.
NEVER = (
    "should not be possible",
    "You should not see this",
    "SHOULD NOT HAPPEN",
    "!?should",
    "this should fail!",
    "should have raised",
    "That is an error",
    "Remote value is different",
)
TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Script:
    """A process that takes part: `python script args`, with `answers` typed at it.

    In answers, `{name}` is the last URI that another process printed, `{name[0]}` its first. `says` must be
    printed in this order. A traceback is a failure unless `tracebacks`.
    """

    script: str
    answers: Sequence[str] = ()
    says: Words = ()
    args: Sequence[str] = ()
    name: str = ""
    tracebacks: bool | Either = False
    allowed: Sequence[str] = ()

    @property
    def called(self) -> str:
        """What it is called in other steps: its file's name if nothing else is said."""
        return self.name or PurePosixPath(self.script).stem


@dataclass(frozen=True)
class Start(Script):
    """Start a process that stays, and go on when it has printed `until`."""

    until: Word = field(default_factory=lambda: re.compile(r"PYRO:\S+@\S+\s"))
    #: Whether it ends by itself, later, with code 0.
    ends: bool = False


@dataclass(frozen=True)
class Run(Script):
    """Run a process to its end."""

    code: int | Either = 0


@dataclass(frozen=True)
class Await:
    """Wait until a process has printed something."""

    name: str
    word: Word


@dataclass(frozen=True)
class Type:
    """Type a line at a process."""

    name: str
    line: str


@dataclass(frozen=True)
class End:
    """End a process; `interrupt` it, and it must end by itself with code 0."""

    name: str
    interrupt: bool = False


Step: TypeAlias = "Start | Run | Await | Type | End"


@dataclass(frozen=True)
class Play:
    """One example, or one of several ways to run it."""

    name: str
    steps: Sequence[Step] = ()
    #: The folder among the examples; the name if it is empty.
    folder: str = ""
    #: How it is made shorter, or fit for answers that come at once, on both sides; what it shows is the same.
    adapted: tuple[Edit, ...] = ()
    #: What a user has to change to run it on PyroLab, and why.
    edits: tuple[Edit, ...] = ()
    why: str = ""
    #: Why it cannot run on PyroLab, by design.
    absent: str = ""
    #: Why it is not run by this harness at all.
    not_run: str = ""
    #: What is missing in PyroLab so far.
    not_yet: str = ""
    deadline_s: float = 60.0

    @property
    def where(self) -> str:
        """The folder among the examples."""
        return self.folder or self.name
