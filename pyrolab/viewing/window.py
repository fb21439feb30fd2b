"""A viewer in a window of matplotlib, by whichever toolkit there is."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Any

from typing_extensions import Self

from pyrolab.errors import PyroError
from pyrolab.viewing.viewer import Sight


class NoWindow(PyroError):
    """There can be no window here; the text says why."""


class Window:
    """A screen in a window. Raises `NoWindow` if there can be none."""

    patience_s = 0.02

    def __init__(self, max_rate: float = 25.0) -> None:
        self._pyplot, self._figure = _open()
        from pyrolab.viewing.drawing import Drawing

        self.interval_s = 0.8 / max_rate  # frames that come at this rate are not in step
        self._drawing = Drawing(self._figure)
        #: These keys are ours within `with`.
        self._keymap = self._pyplot.rc_context({"keymap.save": ["ctrl+s"], "keymap.quit": []})
        self._keys = ""
        self._is_open = True
        self._figure.canvas.mpl_connect("key_press_event", self._pressed)
        self._figure.canvas.mpl_connect("close_event", self._closed)
        self._figure.show()

    def _pressed(self, event: Any) -> None:
        self._keys += event.key if event.key in ("q", "s") else ""

    def _closed(self, event: Any) -> None:
        self._is_open = False

    def __enter__(self) -> Self:
        self._keymap.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keymap.__exit__(kind, error, trace)
        self._pyplot.close(self._figure)

    def draw(self, sight: Sight) -> None:
        """Show this."""
        self._drawing.draw(sight)
        self._figure.canvas.manager.set_window_title(sight.label)
        self._figure.canvas.draw()

    def attend(self) -> str:
        """Let the toolkit work; the keys that were pressed, `q` if the window was closed."""
        self._figure.canvas.flush_events()
        keys, self._keys = self._keys, ""
        return keys if self._is_open else keys + "q"


def _open() -> tuple[Any, Any]:
    """pyplot, and a new figure with a window around it. Loads matplotlib only where there is a display."""
    if not has_display():
        raise NoWindow("no window: there is no display")
    try:
        from matplotlib import get_backend, pyplot
    except ImportError:
        raise NoWindow("no window: matplotlib is not installed (pip install 'pyrolab[view]')") from None
    try:
        figure = pyplot.figure()
    except ImportError as error:  # what MPLBACKEND names is not there
        raise NoWindow(f"no window: {error}") from None
    if type(figure.canvas).required_interactive_framework:
        return pyplot, figure
    pyplot.close(figure)
    raise NoWindow(f"no window: matplotlib draws with {get_backend()!r}; a toolkit such as PyQt6 is missing")


def has_display(platform: str = sys.platform) -> bool:
    """Whether windows can be seen here."""
    if platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
