"""`Viewer`: looks at one stream or property, and says what is to be seen. Screens draw it."""

from __future__ import annotations

import io
import re
import time
import weakref
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from typing_extensions import Self

from pyrolab.client.streams import RemoteStream
from pyrolab.errors import PyroError
from pyrolab.viewing import counters as text
from pyrolab.viewing.asked import Asked
from pyrolab.viewing.feeds import Feed, Seen, StreamFeed, is_single
from pyrolab.viewing.look import Look, extremes
from pyrolab.viewing.scenes import Curve, History, Scene, Words, briefly, number_of, scene_of, thinned

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What is shown is refreshed so often, although nothing comes: it says how old it is.
_REFRESH_S = 0.5
#: How long it is said what has become of a wish.
_MESSAGE_S = 5.0


@dataclass(frozen=True, slots=True)
class Sight:
    """What is to be seen at one moment: a scene, and what is said about it."""

    label: str
    doc: str
    unit: str
    scene: Scene
    delivery: list[str]
    facts: list[str]
    #: What is wrong, and what else is said for a while; empty if nothing is.
    notice: str
    message: str
    look: Look
    #: Row and column of the first pixel in the whole picture, and how many of its pixels are one here.
    origin: tuple[int, int] = (0, 0)
    binning: int = 1


class Screen(Protocol):
    """Where a viewer is shown."""

    #: The shortest time between two pictures.
    interval_s: float
    #: How long it can do without attention.
    patience_s: float

    def draw(self, sight: Sight) -> None:
        """Show this."""

    def attend(self) -> str:
        """See to mouse, keys and the like; returns the keys that were pressed, `q` if it was closed."""
        ...


class Viewer:
    """Looks at a stream: `Viewer(camera.frames).figure()` in a notebook, `.show()` for a window.

    `look` says how to draw, `asked` how frames are wanted. It looks until it is closed.
    """

    def __init__(
        self, source: RemoteStream | Feed, look: Look | None = None, asked: Asked | None = None
    ) -> None:
        self.look = look or Look()
        self.feed: Feed = StreamFeed(source, asked) if isinstance(source, RemoteStream) else source
        if isinstance(self.feed, StreamFeed):  # its thread must not outlive whoever looks
            weakref.finalize(self, self.feed.leave)
        self._message, self._message_until = "", 0.0
        self._seen: Seen | None = None
        self._arrived_at = 0.0
        self._meter = text.Meter()
        self._history = History(self.feed.stepwise)

    # -- looking -------------------------------------------------------------------------------------------

    def take(self, timeout_s: float, most: int | None = None) -> int:
        """Take in what has come, waiting up to `timeout_s` for something; returns how much that was.

        Raises what has ended it for good.
        """
        found = self.feed.take(timeout_s)[:most]
        now = time.monotonic()
        for each in found:
            self._meter.count(now)
            number = number_of(each.value) if is_single(each.value) else None
            if number is not None:
                self._history.add(each.timestamp, number)
        if found:
            self._seen, self._arrived_at = found[-1], now
        return len(found)

    @property
    def value(self) -> Any:
        """The newest value. Raises `PyroError` if there is none yet."""
        if self._seen is None:
            raise PyroError(f"nothing of {self.feed.label} has come yet")
        return self._seen.value

    def sight(self) -> Sight:
        """What is to be seen now."""
        feed, seen, now = self.feed, self._seen, time.monotonic()
        counters = feed.counters()
        scene: Scene = Words("waiting for the first value")
        facts: list[str] = []
        if seen is not None:
            counters.sequence, counters.timestamp = seen.sequence, seen.timestamp
            counters.rate = self._meter.per_s(now)
            scene = self._scene(seen, counters.interrupted_at is not None)
            facts = [*self._value_facts(seen.value, scene), *feed.notes]
        asked = feed.asked if isinstance(feed, StreamFeed) else Asked()
        return Sight(
            feed.label,
            feed.doc.strip().partition("\n")[0],
            feed.unit,
            scene,
            text.facts_of_delivery(counters, now - self._arrived_at, feed.counted),
            facts,
            text.notice(counters),
            self._message if now < self._message_until else "",
            self.look,
            asked.origin,
            asked.binning,
        )

    def _scene(self, seen: Seen, is_away: bool) -> Scene:
        if is_single(seen.value) and number_of(seen.value) is not None:
            age_s = 0.0 if is_away else time.monotonic() - self._arrived_at
            return thinned(self._history.curve(self.look.last_s, seen.timestamp + age_s))
        scene = scene_of(seen.value, self.look)
        return thinned(scene) if isinstance(scene, Curve) else scene

    def _value_facts(self, value: Any, scene: Scene) -> list[str]:
        if is_single(value):
            return [f"{briefly(value)} {self.feed.unit}".rstrip()]
        return text.facts_of_value(value, extremes(value), scene, self.look.levels is not None)

    def tell(self, message: str) -> None:
        """Say something for a while."""
        self._message, self._message_until = message, time.monotonic() + _MESSAGE_S

    def close(self) -> None:
        """Look no longer."""
        self.feed.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    # -- showing -------------------------------------------------------------------------------------------

    def figure(self, timeout_s: float = 10.0) -> Figure:
        """What is to be seen now, as a figure of matplotlib; waits for the first value.

        Raises `PyroError` if none has come after `timeout_s`, or if matplotlib is not installed.
        """
        from pyrolab.viewing.drawing import figure_of

        self.take(0 if self._seen is not None else timeout_s)
        if self._seen is None:
            raise PyroError(f"nothing of {self.feed.label} has come within {timeout_s:g} s; does it run?")
        return figure_of(self.sight())

    def show(self, frames: int | None = None) -> None:
        """Show it in a window until that is closed, or after so many frames.

        Raises `PyroError` where there can be no window.
        """
        from pyrolab.viewing.window import Window

        with Window() as window:
            run(self, window, frames)

    def save(self, file: Path) -> None:
        """Write the newest value exactly (`.npy`), or what is to be seen now (`.png`, `.pdf`, `.svg`)."""
        if file.suffix == ".npy":
            np.save(file, _plain(self.value), allow_pickle=False)
            return
        from pyrolab.viewing.drawing import check_format

        check_format(file)
        self.figure().savefig(file)

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows of a viewer at the end of a cell: the newest picture."""
        picture = io.BytesIO()
        try:
            self.figure().savefig(picture, format="png")
        except PyroError:
            return None  # it shows the text instead
        return picture.getvalue()

    def save_pixels(self) -> str:
        """Write the newest value exactly into a file of its own, here; returns what became of it."""
        if self._seen is None:
            return "there is nothing to save yet"
        stem = re.sub(r"[^\w.-]", "_", self.feed.label)
        file = Path(f"{stem}-{self._seen.sequence}-{datetime.now():%Y%m%dT%H%M%S}.npy")
        try:
            pixels = _plain(self._seen.value)
            with file.open("xb") as out:
                np.save(out, pixels, allow_pickle=False)
        except (OSError, PyroError) as error:
            return f"not saved: {error}"
        how = ", ".join(self.feed.notes)
        return f"saved as {file}" + (f" ({how})" if how else "")


def _plain(value: Any) -> np.ndarray[Any, Any]:
    """A value as an array without objects. Raises `PyroError` if it is none."""
    array = np.asarray(value)
    if array.dtype.hasobject:
        raise PyroError(f"a {type(value).__name__} is no array, and cannot be saved as one")
    return array


def run(viewer: Viewer, screen: Screen, frames: int | None = None) -> None:
    """Show what comes until the screen is closed, or until so many frames have come.

    Raises what has ended the stream for good.
    """
    left, drawn_at, is_new = frames, float("-inf"), True
    while left is None or left > 0:
        came = viewer.take(screen.patience_s, left)
        left = None if left is None else left - came
        is_new = is_new or came > 0
        since_s = time.monotonic() - drawn_at
        if left == 0 or since_s >= (screen.interval_s if is_new else _REFRESH_S):
            drawn_at, is_new = time.monotonic(), False
            screen.draw(viewer.sight())
        keys = screen.attend()
        if "q" in keys:
            return
        if "s" in keys:
            viewer.tell(viewer.save_pixels())
            is_new = True
