"""A real window, on a display that nobody sees; only where there is such a display, and tkinter."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pyrolab.viewing.window import NoWindow, Window, has_display

needs_display = pytest.mark.skipif(
    shutil.which("Xvfb") is None or importlib.util.find_spec("tkinter") is None,
    reason="there is no Xvfb, or no tkinter",
)


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    reads, writes = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writes), "-screen", "0", "1000x900x24"],
        pass_fds=[writes],
        stderr=subprocess.DEVNULL,
    )
    os.close(writes)
    with os.fdopen(reads) as said:
        yield f":{said.readline().strip()}"
    server.terminate()
    server.wait(30)


SCRIPT = """
import numpy as np
from matplotlib import pyplot
from matplotlib.backend_bases import KeyEvent
from pyrolab.viewing.look import Look
from pyrolab.viewing.scenes import scene_of
from pyrolab.viewing.viewer import Sight
from pyrolab.viewing.window import Window

def sight(value):
    return Sight("camera.frames", "", "", scene_of(value, Look()), ["frame 1"], [], "", "", Look())

with Window() as window:
    for value in ("waiting", np.eye(40), np.eye(40), np.arange(9.0)):
        window.draw(sight(value))
        print(repr(window.attend()))
    figure = pyplot.gcf()
    for key in ("s", "x", "q"):
        figure.canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", figure.canvas, key))
    print(repr(window.attend()))
    pyplot.close(figure)
    print(repr(window.attend()))
print(pyplot.get_fignums())
"""


WITHOUT_WINDOW = """
from pyrolab.viewing.window import NoWindow, Window
try:
    Window()
except NoWindow as error:
    print("NoWindow", error)
"""


@needs_display
def test_it_draws_gives_keys_and_says_when_it_was_closed(display: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        env=os.environ | {"DISPLAY": display, "MPLBACKEND": "tkagg"},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.stdout.splitlines() == ["''", "''", "''", "''", "'sq'", "'q'", "[]"], done.stderr


@needs_display
@pytest.mark.parametrize("backend", ["agg", "qtagg"])
def test_a_toolkit_that_opens_no_windows_is_said(display: str, backend: str) -> None:
    if backend == "qtagg" and any(map(importlib.util.find_spec, ("PyQt6", "PySide6", "PyQt5", "PySide2"))):
        pytest.skip("there is Qt")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_WINDOW],
        env=os.environ | {"DISPLAY": display, "MPLBACKEND": backend},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.stdout.startswith("NoWindow no window: "), done.stderr


def test_where_there_is_no_display_there_is_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert [has_display(each) for each in ("linux", "darwin", "win32")] == [False, True, True]
    if not has_display():
        with pytest.raises(NoWindow, match="there is no display"):
            Window()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert has_display("linux")
