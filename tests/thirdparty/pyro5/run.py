"""Run Pyro5's examples on PyroLab: `python tests/thirdparty/pyro5/run.py [names]` prints what became of each.

`--original` runs them as they are, on Pyro5 itself, which shows that this harness asks for the right words.
`--markdown FILE` writes the table between the marks in a page.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

from thirdparty.pyro5.actors import Trouble  # noqa: E402 - found by the line above when this is a script
from thirdparty.pyro5.plays.table import PLAYS  # noqa: E402
from thirdparty.pyro5.stage import perform  # noqa: E402
from thirdparty.pyro5.steps import Play, Side  # noqa: E402
from thirdparty.sdist import PYRO5, NotToBeHad  # noqa: E402

MARKS = ("<!-- examples -->\n", "<!-- end of examples -->\n")


def examples() -> Path:
    """The folder of Pyro5's examples. Raises `NotToBeHad`."""
    return PYRO5.folder("examples")


class Verdict(Enum):
    """What became of an example."""

    UNCHANGED = "works unchanged"
    EDITED = "works with an edit"
    FAILED = "fails"
    ABSENT = "absent by design"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Result:
    """One line of the table."""

    play: Play
    verdict: Verdict
    remark: str
    seconds: float = 0.0
    #: What went wrong, in detail.
    trouble: str = ""


def result_of(play: Play, folder: Path, side: Side) -> Result:
    """Run an example, if it can be run, and say what became of it."""
    if play.not_run:
        return Result(play, Verdict.NOT_RUN, play.not_run)
    if play.absent and side is Side.SWAPPED:
        return Result(play, Verdict.ABSENT, play.absent)
    if not play.steps:
        return Result(play, Verdict.NOT_RUN, "only its counterpart in PyroLab is of interest")
    start = time.monotonic()
    try:
        perform(play, folder, side)
    except Trouble as trouble:
        reason = play.not_yet if side is Side.SWAPPED else ""
        return Result(play, Verdict.FAILED, reason or str(trouble), time.monotonic() - start, str(trouble))
    seconds = time.monotonic() - start
    if side is Side.SWAPPED and play.not_yet:
        return Result(play, Verdict.FAILED, "it works: take its `not_yet` out of the table", seconds)
    if side is Side.SWAPPED and play.edits:
        return Result(play, Verdict.EDITED, play.why, seconds)
    return Result(play, Verdict.UNCHANGED, "", seconds)


def chosen(names: Sequence[str]) -> list[Play]:
    """The examples of these names or folders, or all. Raises `SystemExit` for a name that is none."""
    unknown = [name for name in names if not any(name in (play.name, play.where) for play in PLAYS)]
    if unknown:
        raise SystemExit(f"no example is called {', '.join(unknown)}")
    return [play for play in PLAYS if not names or {play.name, play.where} & set(names)]


def table(results: Sequence[Result]) -> str:
    """The results as a table in Markdown."""
    rows = [f"| {each.play.name} | {each.verdict.value} | {_cell(each.remark)} |" for each in results]
    return "\n".join(["| example | on PyroLab | |", "|---|---|---|", *rows]) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def summary(results: Sequence[Result]) -> str:
    """How many of each."""
    counts = Counter(each.verdict for each in results)
    parts = [f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict]]
    return f"{len(results)} examples: {', '.join(parts)}."


def write_into(page: Path, results: Sequence[Result]) -> None:
    """Put the table between the marks of a page."""
    text = page.read_text(encoding="utf-8")
    before, mark, rest = text.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not mark or not end:
        raise SystemExit(f"{page} has no marks {MARKS[0].strip()} … {MARKS[1].strip()}")
    content = f"\n{summary(results)}\n\n{table(results)}\n"
    page.write_text(before + mark + content + end + after, encoding="utf-8")


def run(plays: Sequence[Play], folder: Path, side: Side) -> Iterator[Result]:
    """Run examples one after the other, and tell how each went."""
    for play in plays:
        print(f"{play.name:<32}", end="", flush=True)
        result = result_of(play, folder, side)
        print(
            f"{result.verdict.value:<20}{result.seconds:6.1f} s  {result.trouble or result.remark}",
            flush=True,
        )
        yield result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the examples; returns 1 if one failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="examples, or folders of examples; all if none is given")
    parser.add_argument("--original", action="store_true", help="run them on Pyro5 itself")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table into a page")
    options = parser.parse_args(arguments)
    if options.original and importlib.util.find_spec("Pyro5") is None:
        raise SystemExit("Pyro5 is not installed here: pip install Pyro5")
    try:
        folder = examples()
    except NotToBeHad as reason:
        raise SystemExit(str(reason)) from None
    side = Side.ORIGINAL if options.original else Side.SWAPPED
    results = list(run(chosen(options.names), folder, side))
    print(summary(results))
    if options.markdown:
        write_into(options.markdown, results)
    return 1 if any(each.verdict is Verdict.FAILED for each in results) else 0


if __name__ == "__main__":
    sys.exit(main())
