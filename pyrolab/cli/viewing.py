"""`pyrolab view` and `pyrolab watch`: look at what services publish, in a window or in the terminal."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from pyrolab.cli.tables import console
from pyrolab.errors import NamingError, PyroError
from pyrolab.link.finding import broker_location

if TYPE_CHECKING:
    from pyrolab.client.dotted import Found
    from pyrolab.viewing.asked import Asked
    from pyrolab.viewing.feeds import Feed
    from pyrolab.viewing.look import Look

#: Pictures per second, unless another rate is asked for.
_WINDOW_RATE, _TERMINAL_RATE = 25.0, 10.0
#: How long to wait for a value before it is looked whether all is well.
_LOOK_S = 0.5


@dataclass(frozen=True)
class Wishes:
    """What the options say, as they were typed."""

    colormap: str = "gray"
    levels: str | None = None
    region: str | None = None
    binning: int | None = None
    max_rate: float | None = None
    compression: str | None = None
    path: str | None = None
    last_s: float = 60.0
    in_terminal: bool = False
    frames: int | None = None
    save: Path | None = None


def view(name: str, wishes: Wishes, host: str | None, port: int | None) -> int:
    """Show a stream until its window is closed, Ctrl-C, or the number of frames has come."""
    with _until_stopped(), _found(name, host, port, alone=True) as found:
        if found.kind != "stream":
            raise NamingError(f"{found.label} is a property; `pyrolab watch {found.label} --plot` shows it")
        _show(found, wishes)
    return 0


def watch(
    name: str, wishes: Wishes, every: float | None, plot: bool, host: str | None, port: int | None
) -> int:
    """Print or plot a property, or the values of a stream, until Ctrl-C or until so many have come."""
    with _until_stopped(), _found(name, host, port) as found:
        if plot:
            _show(found, wishes, every)
        else:
            _print(found, wishes.frames, every)
    return 0


@contextlib.contextmanager
def _found(name: str, host: str | None, port: int | None, alone: bool = False) -> Iterator[Found]:
    """What the name stands for, connected until it is needed no longer."""
    from pyrolab.client.dotted import find

    logging.getLogger("pyrolab.client").addHandler(logging.NullHandler())  # what is wrong, the screen says
    found = find(name, broker_location(host, port), alone)
    with found.service:
        yield found


@contextlib.contextmanager
def _until_stopped() -> Iterator[None]:
    """Ctrl-C and SIGTERM are wanted ends, and so is a reader of the output who has enough."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes at its end
    finally:
        signal.signal(signal.SIGTERM, before)


def _feed(found: Found, asked: Asked, every: float | None, all: bool = False) -> Feed:
    from pyrolab.viewing.feeds import PropertyFeed, StreamFeed

    if found.kind == "property":
        return PropertyFeed(found.node, found.member, every, found.label)
    try:
        return StreamFeed(getattr(found.node, found.member), asked, found.label, all)
    except (ValueError, ImportError) as error:  # of the options, or of a library that they need
        raise error if isinstance(error, PyroError) else PyroError(str(error)) from None


# -- in a window or in the terminal ------------------------------------------------------------------------


def _show(found: Found, wishes: Wishes, every: float | None = None) -> None:
    from pyrolab.viewing.viewer import Viewer, run

    look = _look(wishes)
    screen, why_no_window = _screen(wishes)
    with Viewer(_feed(found, _asked(wishes, screen, every), every), look) as viewer:
        viewer.tell(why_no_window)
        with contextlib.suppress(KeyboardInterrupt), screen:
            run(viewer, screen, wishes.frames)
        if wishes.save is not None:
            viewer.save(wishes.save)
            console(error=True).print(f"{wishes.save} shows {found.label}", markup=False)


def _look(wishes: Wishes) -> Look:
    """How to draw. Raises `PyroError` for what cannot be, before anything is shown."""
    from pyrolab.viewing.colors import table
    from pyrolab.viewing.look import Look, levels_from

    table(wishes.colormap)
    if wishes.save is not None and wishes.save.suffix != ".npy":
        from pyrolab.viewing.drawing import check_format

        check_format(wishes.save)
    levels = levels_from(wishes.levels) if wishes.levels is not None else None
    return Look(wishes.colormap, levels, wishes.last_s)


def _screen(wishes: Wishes) -> tuple[Any, str]:
    """Where it is shown, and why not in a window, if nobody has asked for the terminal."""
    from rich.console import Console

    why_not = ""
    if not wishes.in_terminal:
        from pyrolab.viewing.window import NoWindow, Window

        try:
            return Window(wishes.max_rate or _WINDOW_RATE), ""
        except NoWindow as error:
            why_not = str(error)
    from pyrolab.viewing.terminal import Lines, Terminal

    terminal = Console(highlight=False)
    if terminal.is_terminal and not terminal.is_dumb_terminal:
        return Terminal(terminal, wishes.max_rate or _TERMINAL_RATE), why_not
    lines = console()
    lines.quiet = wishes.save is not None  # then somebody wants the file
    return Lines(lines), why_not


def _asked(wishes: Wishes, screen: Any, every: float | None) -> Asked:
    """How frames are wanted: as the options say, and else so that the screen can show them."""
    from pyrolab.viewing.asked import Asked, region_from
    from pyrolab.viewing.terminal import Terminal

    in_terminal = isinstance(screen, Terminal)
    return Asked(
        region=region_from(wishes.region) if wishes.region is not None else None,
        binning=wishes.binning or 1,
        max_rate=wishes.max_rate or (_TERMINAL_RATE if in_terminal else _WINDOW_RATE),
        value_rate=1 / every if every else wishes.max_rate,
        compression=wishes.compression,
        path=wishes.path,
        grid=screen.grid if in_terminal and wishes.binning is None else None,
    )


# -- as lines ----------------------------------------------------------------------------------------------


def _print(found: Found, count: int | None, every: float | None) -> None:
    """One line for each value; whatever else there is to say goes to the error output."""
    from pyrolab.viewing.asked import Asked
    from pyrolab.viewing.lines import line_of

    feed = _feed(found, Asked(max_rate=1 / every if every else None), every, all=True)
    aside = _Aside(found.label)
    with contextlib.closing(feed):
        left = count
        while left is None or left > 0:
            seen = feed.take(_LOOK_S)[:left]
            if seen:
                print("\n".join(line_of(each, feed.unit) for each in seen), flush=True)
            left = None if left is None else left - len(seen)
            aside.look_at(feed)


class _Aside:
    """Says on the error output, once each, when values cannot come, can come again, or were lost."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._notice = ""
        self._dropped = 0

    def look_at(self, feed: Feed) -> None:
        """Say what is new."""
        from pyrolab.viewing.counters import notice

        counters = feed.counters()
        said = notice(counters)
        if said != self._notice:
            self._notice = said
            self._say(said or "back again")
        if counters.dropped > self._dropped:
            self._say(f"{counters.dropped - self._dropped} dropped")
            self._dropped = counters.dropped

    def _say(self, text: str) -> None:
        console(error=True).print(f"{self._label}: {text}", markup=False)
