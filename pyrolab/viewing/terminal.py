"""A viewer in the terminal: a rough picture of half blocks, or a curve of dots, and what is said of it."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.text import Text
from typing_extensions import Self

from pyrolab.viewing.cells import half_blocks, inked, painted
from pyrolab.viewing.counters import wrapped
from pyrolab.viewing.fitting import fitted
from pyrolab.viewing.keys import Keys
from pyrolab.viewing.plots import plotted
from pyrolab.viewing.scenes import Curve, Picture, Words
from pyrolab.viewing.viewer import Sight

#: Lines below the picture that a grid of cells leaves free, and the one above.
_LINES_BELOW, _LINES_ABOVE = 4, 1
_FEWEST_ROWS = 2
#: Colour systems of rich in which a picture can be seen.
_COLOURFUL = ("256", "truecolor", "windows")
_KEYS = "q ends it, s saves it as .npy"


def grid_of(console: Console) -> tuple[int, int]:
    """Columns and rows of cells for a picture."""
    width, height = console.size
    return max(width, 2), max(height - _LINES_BELOW - _LINES_ABOVE, _FEWEST_ROWS)


class Terminal:
    """A screen in the terminal; at its end the last picture stays above the prompt."""

    patience_s = 0.05

    def __init__(self, console: Console, max_rate: float | None = 10.0) -> None:
        self.interval_s = 0.8 / max_rate if max_rate else 0.0  # frames that come at this rate are not in step
        self._console = console
        self._keys = Keys()
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._last: Sight | None = None

    def __enter__(self) -> Self:
        self._keys.__enter__()
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
        self._keys.__exit__()
        if self._last is not None:
            self._console.print(self._sheet(self._last))

    def grid(self) -> tuple[int, int]:
        """Columns and rows of cells that there are for a picture now."""
        return grid_of(self._console)

    def draw(self, sight: Sight) -> None:
        """Show this."""
        self._last = sight
        self._live.update(self._sheet(sight, _KEYS), refresh=True)

    def attend(self) -> str:
        """The keys that were pressed."""
        return self._keys.pressed()

    def _sheet(self, sight: Sight, foot: str = "") -> RenderableType:
        return sheet(sight, *self.grid(), self._console.color_system in _COLOURFUL, foot)


def sheet(sight: Sight, columns: int, rows: int, in_colour: bool, foot: str = "") -> RenderableType:
    """A sight for a terminal: title, picture of up to `rows` lines, what is said of it, and a last line."""
    said = [*wrapped(sight.delivery, columns), *wrapped(sight.facts, columns)]
    title = Text(sight.label, "bold", no_wrap=True, overflow="ellipsis")
    if sight.doc:
        title.append(f"  {sight.doc}", "not bold dim")
    below = [Text(each) for each in said[: _LINES_BELOW - 1]]
    if sight.notice:
        below.append(Text(sight.notice, "bold red"))
    elif sight.message or foot:
        below.append(Text(sight.message or foot, "yellow" if sight.message else "dim"))
    return Group(title, _body(sight, columns, rows, in_colour), *below)


def _body(sight: Sight, columns: int, rows: int, in_colour: bool) -> RenderableType:
    match sight.scene:
        case Picture() as picture:
            colours = painted(picture, *fitted(picture.pixels.shape, columns, rows), sight.look.colormap)
            return Cells(half_blocks(colours)) if in_colour else Text("\n".join(inked(colours)))
        case Curve() as curve:
            return Text("\n".join(plotted(curve, columns, rows, sight.unit)), no_wrap=True)
        case Words(text):
            return Text(text)


class Cells:
    """Lines of segments, as they are."""

    def __init__(self, lines: list[list[Segment]]) -> None:
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._lines:
            yield from line
            yield Segment.line()


class Lines:
    """A screen where there is no terminal: what is said of the stream, as a line now and then."""

    interval_s = 1.0
    patience_s = 0.2

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        pass

    def draw(self, sight: Sight) -> None:
        """Say this."""
        said = [sight.label, *sight.delivery, *sight.facts, *filter(None, [sight.notice, sight.message])]
        self._console.print(" · ".join(said), markup=False, highlight=False, soft_wrap=True)

    def attend(self) -> str:
        """There are no keys."""
        return ""
