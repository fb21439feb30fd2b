"""`pyrolab view` and `pyrolab watch` as people have them: in a pipe, a terminal, without matplotlib."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from live import PATIENCE_S, Process, bus, start_broker, start_worker
from pyrolab.api import Proxy
from pyrolab.cli import viewing
from pyrolab.errors import PyroError
from services.streams import image_of

from .conftest import Run, command

if sys.platform != "win32":
    import pty

BIG = (480, 640)
#: A line of `watch`: local time with its offset, value, unit.
LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d)\t([^\t]*)(?:\t([^\t]*))?")


@pytest.fixture(autouse=True)
def _no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test opens a window on the desk of whoever runs it."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def lab() -> Iterator[Process]:
    with bus("services.streams:Camera=camera", "services.station:Station=station") as broker:
        yield broker


@pytest.fixture
def camera(lab: Process) -> Iterator[Any]:
    with Proxy(f"PYRONAME:camera@localhost:{lab.ready}") as proxy:
        yield proxy
        proxy.rest()


def here(lab: Process) -> tuple[str, str]:
    return "--host", f"localhost:{lab.ready}"


# -- view, without a terminal ------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there is always a display")
def test_a_picture_of_the_last_frame_is_saved(
    pyrolab: Run, lab: Process, camera: Any, tmp_path: Path
) -> None:
    camera.run(0.02, BIG)
    picture, pixels = tmp_path / "a.png", tmp_path / "a.npy"
    done = pyrolab("view", "camera.frames", "--frames", 3, "--save", picture, *here(lab))
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"{picture} shows camera.frames\n"
    assert picture.read_bytes().startswith(b"\x89PNG")
    done = pyrolab("view", "camera.frames", "-n", 1, "--save", pixels, *here(lab))
    assert done.returncode == 0, done.stderr
    found = np.load(pixels)
    assert np.array_equal(found, image_of(int(found[0, 0]), BIG))


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there is always a display")
def test_where_nothing_can_be_drawn_it_is_said_what_comes(pyrolab: Run, lab: Process, camera: Any) -> None:
    camera.run(0.02, BIG)
    done = pyrolab("view", "camera.frames", "-n", 3, *here(lab))
    assert (done.returncode, done.stderr) == (0, "")
    last = done.stdout.splitlines()[-1]
    assert re.match(r"camera\.frames · frame [\d,]+ · .*shared memory.* · 480 × 640 uint16 · min ", last)
    assert "no window: there is no display" in last


@pytest.mark.parametrize("path", ["direct", "relay"])
def test_only_what_is_asked_for_comes(
    pyrolab: Run, lab: Process, camera: Any, tmp_path: Path, path: str
) -> None:
    camera.run(0.02, BIG)
    options = ["--region", "100:200,50:80", "--binning", 10, "--compression", "zstd", "--path", path]
    file = tmp_path / "a.npy"
    done = pyrolab("view", "camera.frames", *options, "-n", 1, "--save", file, *here(lab))
    assert done.returncode == 0, done.stderr
    assert np.load(file).shape == (10, 3)
    done = pyrolab("view", "camera.frames", *options, "-n", 1, *here(lab))
    assert "region 100:200,50:80 · binned 10 × 10 · zstd" in done.stdout
    assert f" · {path} · " in done.stdout


@pytest.mark.parametrize(
    ("name", "wishes", "said"),
    [
        ("camera", {}, "camera has 4 streams; say which: camera.frames, camera.hurried, "),
        ("camera.fraems", {}, "did you mean camera.frames?"),
        ("kamera.frames", {}, "no service is called 'kamera'; did you mean camera?"),
        ("camera.exposure_ms", {}, "`pyrolab watch camera.exposure_ms --plot` shows it"),
        ("camera.frames", {"levels": "5"}, "as 0:4095"),
        ("camera.frames", {"region": "5"}, "as Python's slices"),
        ("camera.frames", {"colormap": "virdis"}, "did you mean viridis"),
        ("camera.frames", {"save": Path("a.foo")}, "or .npy for the pixels themselves"),
        ("camera.frames", {"compression": "zip"}, "zstd, blosc2, jpeg"),
        ("camera.frames", {"path": "air"}, "'shared memory', 'direct', 'relay'"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_what_can(
    lab: Process, name: str, wishes: dict[str, Any], said: str
) -> None:
    with pytest.raises(PyroError) as raised:
        viewing.view(name, viewing.Wishes(**wishes), *here(lab)[1:], port=None)
    assert said in str(raised.value)


def test_what_is_wrong_is_said_in_a_sentence(pyrolab: Run, lab: Process) -> None:
    done = pyrolab("view", "camera.fraems", *here(lab))
    assert done.returncode == 1
    assert done.stderr.startswith("pyrolab: camera has no 'fraems'; did you mean camera.frames?")
    assert "Traceback" not in done.stderr


# -- watch, in a pipe --------------------------------------------------------------------------------------


class Child:
    """A command that runs, and what it prints, line by line."""

    def __init__(self, *arguments: object) -> None:
        self.popen = subprocess.Popen(
            command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def line(self) -> str:
        assert self.popen.stdout is not None
        return self.popen.stdout.readline().rstrip("\n")

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Exit code and errors after a signal."""
        self.popen.send_signal(number)
        _, errors = self.popen.communicate(timeout=PATIENCE_S)
        return self.popen.returncode, errors

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *reason: object) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.communicate()


def parts(line: str) -> tuple[str, str | None]:
    """Value and unit of a line."""
    found = LINE.fullmatch(line)
    assert found is not None, line
    return found[2], found[3]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_each_change_of_a_property_is_a_line(lab: Process, number: int) -> None:
    with Proxy(f"PYRONAME:station@localhost:{lab.ready}") as station:
        station.ch_a.voltage = 0.5
        with Child("watch", "station.ch_a.voltage", *here(lab)) as child:
            assert parts(child.line()) == ("0.5", "V")
            for voltage in (1.25, -3.0):
                station.ch_a.voltage = voltage
                assert parts(child.line()) == (str(voltage), "V")
            assert child.end(number) == (0, "")


def test_it_ends_after_so_many(pyrolab: Run, lab: Process) -> None:
    done = pyrolab("watch", "station.ch_a.name", "--count", 1, *here(lab))
    assert (done.returncode, done.stderr) == (0, "")
    assert parts(done.stdout.rstrip("\n")) == ("a", None)


def test_a_service_looks_for_what_changes_by_itself(pyrolab: Run, lab: Process) -> None:
    done = pyrolab("watch", "station.temperature", "--every", 0.02, "-n", 3, *here(lab))
    assert done.returncode == 0, done.stderr
    assert len({parts(line)[0] for line in done.stdout.splitlines()}) == 3


def test_values_of_a_stream_are_lines(lab: Process, camera: Any) -> None:
    with Child("watch", "camera.power", *here(lab)) as child:
        _until(lambda: camera.subscribers("power") == 1)
        last = camera.measure(20)
        values = [parts(child.line()) for _ in range(20)]
        assert values == [(str(number / 8), "mW") for number in range(last - 19, last + 1)]
        assert child.end() == (0, "")


def test_a_reader_who_has_enough_ends_it(lab: Process, camera: Any) -> None:
    with Child("watch", "camera.power", *here(lab)) as child:
        _until(lambda: camera.subscribers("power") == 1)
        assert child.popen.stdout is not None
        child.popen.stdout.close()
        camera.measure(20)
        assert child.popen.wait(PATIENCE_S) == 0
        assert child.popen.stderr is not None
        assert child.popen.stderr.read() == ""


def test_an_interruption_is_said_aside_and_it_goes_on_by_itself() -> None:
    with start_broker() as broker:
        uri = f"PYRONAME:station@localhost:{broker.ready}"
        worker = start_worker(broker.ready, "services.station:Station=station")
        with worker, Child("watch", "station.ch_a.voltage", *here(broker)) as child:
            assert parts(child.line()) == ("0.0", "V")
            worker.kill()
            errors = child.popen.stderr
            assert errors is not None
            assert re.fullmatch(
                r"station\.ch_a\.voltage: interrupted since \d\d:\d\d:\d\d; trying again\n", errors.readline()
            )
            with start_worker(broker.ready, "services.station:Station=station"):
                assert parts(child.line()) == ("0.0", "V")
                assert errors.readline() == "station.ch_a.voltage: back again\n"
                with Proxy(uri) as station:
                    station.ch_a.voltage = 2.0
                assert parts(child.line()) == ("2.0", "V")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("station", "station is a service; what can be watched: station."),
        ("station.ch_a", "station.ch_a is an object; what can be watched: station.ch_a.name, "),
        ("station.ch_a.volage", "did you mean station.ch_a.voltage?"),
        ("station.moved", "station.moved is an event"),
    ],
)
def test_what_cannot_be_watched_is_refused_with_what_can(lab: Process, name: str, said: str) -> None:
    with pytest.raises(PyroError) as raised:
        viewing.watch(name, viewing.Wishes(), None, False, *here(lab)[1:], port=None)
    assert said in str(raised.value)


def _until(condition: Any) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < ends, "it has not come true"
        time.sleep(0.02)


# -- in a terminal -----------------------------------------------------------------------------------------


class Terminal:
    """A command in a terminal of 80 × 24 cells."""

    def __init__(self, *arguments: object, **environment: str) -> None:
        self.text = ""
        self.pid, self._descriptor = pty.fork()
        if not self.pid:
            os.environ.update({"TERM": "xterm-256color", "COLORTERM": "truecolor", **environment})
            os.environ.update({"COLUMNS": "80", "LINES": "24"})
            os.execv(sys.executable, command(*arguments))

    def read_until(self, pattern: str) -> str:
        """What was shown, up to something that must come; taken away for the next time."""
        ends = time.monotonic() + PATIENCE_S
        while not (found := re.search(pattern, self.text, re.DOTALL)):
            assert time.monotonic() < ends, f"{pattern} has not come: {self.text[-2000:]!r}"
            assert self._read(), f"it has ended: {self.text[-2000:]!r}"
        seen, self.text = self.text[: found.end()], self.text[found.end() :]
        return seen

    def _read(self) -> bool:
        if not select.select([self._descriptor], [], [], 0.1)[0]:
            return True
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # Linux says so when the other side has gone
            return False
        self.text += data.decode("utf-8", "replace")
        return bool(data)

    def press(self, key: str) -> None:
        os.write(self._descriptor, key.encode())

    def end(self) -> tuple[int, str]:
        """Exit code, and what was shown last."""
        ends = time.monotonic() + PATIENCE_S
        while self._read():
            assert time.monotonic() < ends, "it does not end"
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status), self.text

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *reason: object) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._descriptor)


in_terminal = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
#: A cell of two pixels, in 24-bit colours.
CELL = re.compile(r"\x1b\[38;2;\d+;\d+;\d+;48;2;\d+;\d+;\d+m▀+\x1b\[0m")


@in_terminal
@pytest.mark.parametrize("key", ["q", "\x03"])
def test_a_picture_in_half_blocks_and_the_counters_below(lab: Process, camera: Any, key: str) -> None:
    camera.run(0.02, BIG)
    with Terminal("view", "camera.frames", *here(lab)) as terminal:
        seen = terminal.read_until(r"contrast [\d.]+ to [\d.]+ \(1–99\.5 %\)")
        assert CELL.search(seen)
        assert "camera.frames" in seen
        assert "What the camera sees." in seen
        terminal.read_until("no window: ")
        terminal.press(key)
        code, shown = terminal.end()
        assert code == 0
        # The screen that was there before is back, and the last picture stays on it.
        last = shown.partition("\x1b[?1049l")[2]
        assert len(CELL.findall(last)) > 19
        assert "480 × 640 uint16" in last
        assert "q ends it" not in last


@in_terminal
def test_beyond_a_network_it_gets_no_more_pixels_than_it_has_cells(lab: Process, camera: Any) -> None:
    camera.run(0.02, BIG)
    with Terminal("view", "camera.frames", "--path", "relay", *here(lab)) as terminal:
        terminal.read_until("40 × 53 uint16.*binned 12 × 12")
        terminal.press("q")
        assert terminal.end()[0] == 0


@in_terminal
def test_curves_are_dots_and_without_colours_pictures_are_characters(lab: Process, camera: Any) -> None:
    with Terminal("view", "camera.power", *here(lab)) as terminal:
        _until(lambda: camera.subscribers("power"))
        camera.measure(100)
        terminal.read_until("[\u2801-\u28ff]+")
        terminal.read_until("mW over time")
        terminal.press("q")
        assert terminal.end()[0] == 0
    camera.run(0.02, BIG)
    with Terminal("view", "camera.frames", *here(lab), TERM="vt100", COLORTERM="") as terminal:
        seen = terminal.read_until(r"1–99\.5 %")
        assert "▀" not in seen
        assert re.search(r"[.:=+*#%@-]{20}", seen)
        terminal.press("q")
        assert terminal.end()[0] == 0


@in_terminal
def test_a_watched_property_is_plotted(lab: Process) -> None:
    with Terminal("watch", "station.temperature", "--every", "0.05", "--plot", *here(lab)) as terminal:
        terminal.read_until("[\u2801-\u28ff]+")
        terminal.read_until("change 5")
        terminal.press("q")
        assert terminal.end()[0] == 0


@in_terminal
def test_the_picture_of_a_service_that_dies_stays_and_goes_on() -> None:
    with start_broker() as broker:
        uri = f"PYRONAME:camera@localhost:{broker.ready}"
        worker = start_worker(broker.ready, "services.streams:Camera=camera")
        with worker, Proxy(uri) as camera, Terminal("view", "camera.frames", *here(broker)) as terminal:
            camera.run(0.02, BIG)
            terminal.read_until("▀.*uint16")
            worker.kill()
            terminal.read_until(r"interrupted since \d\d:\d\d:\d\d; trying again")
            assert "▀" in terminal.read_until(r"interrupted since \d\d:\d\d:\d\d; trying again")
            with start_worker(broker.ready, "services.streams:Camera=camera"), Proxy(uri) as another:
                another.run(0.02, BIG)
                terminal.read_until(r"frame \d+ · .*frames/s · .*shared memory")
                terminal.press("q")
                code, shown = terminal.end()
                assert code == 0
                assert "Traceback" not in shown
                assert "interrupted" not in shown.partition("\x1b[?1049l")[2]
                another.rest()


# -- without matplotlib ------------------------------------------------------------------------------------

_WITHOUT = """
import sys
sys.modules["matplotlib"] = None  # as if it were not installed
sys.argv = ["pyrolab", *sys.argv[1:]]
from pyrolab.cli.app import main
main()
"""


def without_matplotlib(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _WITHOUT, *map(str, arguments)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=50,
        encoding="utf-8",
    )


def test_without_matplotlib_it_is_shown_all_the_same_and_says_so(lab: Process, camera: Any) -> None:
    camera.run(0.02, BIG)
    done = without_matplotlib("view", "camera.frames", "-n", 1, *here(lab), DISPLAY=":1234")
    assert done.returncode == 0, done.stderr
    assert "no window: matplotlib is not installed (pip install 'pyrolab[view]')" in done.stdout


def test_without_matplotlib_pixels_can_be_saved_and_pictures_cannot(
    lab: Process, camera: Any, tmp_path: Path
) -> None:
    camera.run(0.02, BIG)
    done = without_matplotlib(
        "view", "camera.frames", "-n", 1, "--save", tmp_path / "a.npy", *here(lab), DISPLAY=":1234"
    )
    assert done.returncode == 0, done.stderr
    assert np.load(tmp_path / "a.npy").shape == BIG
    done = without_matplotlib("view", "camera.frames", "--save", tmp_path / "a.png", *here(lab))
    assert done.returncode == 1
    assert "pip install 'pyrolab[view]'" in done.stderr
    done = without_matplotlib("view", "camera.frames", "--colormap", "plasma", *here(lab))
    assert "only coolwarm, gray, inferno, magma, viridis" in done.stderr
