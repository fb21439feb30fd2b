"""`pyrolab record`: what it writes, what it says, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from live import PATIENCE_S, Process, bus, clean_environment
from pyrolab.api import Proxy
from services.streams import image_of

from .conftest import Run, command

pytestmark = pytest.mark.timeout(120)
BIG = (512, 512)


@pytest.fixture(scope="module")
def stream_bus() -> Iterator[Process]:
    with bus("services.streams:Camera=lab.camera", "services.streams:Lamp=lamp") as broker:
        yield broker


@pytest.fixture
def camera(stream_bus: Process) -> Iterator[Any]:
    with Proxy(f"PYRONAME:lab.camera@localhost:{stream_bus.ready}") as proxy:
        yield proxy
        proxy.rest()


@pytest.fixture
def where(stream_bus: Process) -> tuple[str, str]:
    return "--host", f"localhost:{stream_bus.ready}"


def until(condition: Any) -> None:
    """Wait for something that will be so."""
    ends = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < ends, "it has not come true"
        time.sleep(0.02)


def sequences(path: Path) -> list[int]:
    with h5py.File(path) as file:
        numbers = file["frames/sequence"][:].tolist()
        assert all(
            np.array_equal(data, image_of(number, data.shape))
            for data, number in zip(file["frames/data"], numbers, strict=True)
        )
    return list(map(int, numbers))


def test_a_number_of_frames(pyrolab: Run, camera: Any, where: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    camera.run(0.005, BIG)
    done = pyrolab("record", "lab.camera.frames", "--to", path, "--frames", 20, *where)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{path}: 20 frames in ")
    assert done.stdout.endswith("none dropped; all frames are there\n")
    found = sequences(path)
    assert found == list(range(found[0], found[0] + 20))


@pytest.mark.parametrize("ending", [".zarr", ".tif"])
def test_other_formats(
    pyrolab: Run, camera: Any, where: tuple[str, str], tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"run{ending}"
    camera.run(0.005, BIG)
    done = pyrolab("record", "lab.camera.frames", "--to", path, "-n", 5, *where)
    assert done.returncode == 0, done.stderr
    assert path.exists()


def test_options_reach_the_recording(
    pyrolab: Run, camera: Any, where: tuple[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "run.h5"
    camera.run(0.002, BIG)
    options = [
        "--region",
        "0:200,20:220",
        "--binning",
        2,
        "--every",
        2,
        "--compression",
        "gzip",
        "--no-settings",
    ]
    done = pyrolab("record", "lab.camera.frames", "--to", path, "--seconds", 1, *options, *where)
    assert done.returncode == 0, done.stderr
    assert "the time is over" in done.stdout
    with h5py.File(path) as file:
        assert file["frames/data"].shape[1:] == (100, 100)
        assert file["frames/data"].compression == "gzip"
        assert set(np.diff(file["frames/sequence"][:])) == {2}
        assert dict(file["settings"].attrs) == {}


def test_the_only_stream_needs_no_name(pyrolab: Run, where: tuple[str, str], tmp_path: Path) -> None:
    done = pyrolab("record", "lamp", "--to", tmp_path / "run.h5", "--frames", 1, *where)
    assert done.returncode == 0, done.stderr
    with h5py.File(tmp_path / "run.h5") as file:
        assert file["source"].attrs["stream"] == "light"
        assert list(file["frames/data"]) == [1]


@pytest.mark.skipif(os.name != "posix", reason="processes are sent signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_well(
    camera: Any, where: tuple[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    path = tmp_path / "run.h5"
    first = camera.published() + 1
    with start(command("record", "lab.camera.frames", "--to", path, *where)) as process:
        until(lambda: camera.subscribers() == 1 and path.exists())
        published = camera.snap(30, BIG)
        process.send_signal(number)
        said, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (0, "")
    assert said.startswith(f"{path}: 30 frames in ")
    assert sequences(path) == list(range(first, published + 1))
    with h5py.File(path) as file:
        noted = dict(file["recording"].attrs)
        assert (noted["ended_properly"], noted["ended_because"]) == (True, b"stopped")
        assert (int(file["counts"]["recorded"]), int(file["counts"]["dropped"])) == (30, 0)


@pytest.mark.skipif(os.name != "posix", reason="processes are killed by a signal")
def test_a_killed_one_leaves_a_file_that_opens(camera: Any, where: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with start(command("record", "lab.camera.frames", "--to", path, "--flush", 0.05, *where)) as process:
        until(lambda: camera.subscribers() == 1 and path.exists())
        first = camera.published() + 1
        camera.run(0.002, BIG)
        until(lambda: path.stat().st_blocks * 512 > 40_000_000)  # its size is told ahead
        process.kill()
        process.communicate(timeout=PATIENCE_S)
    found = sequences(path)
    assert found == list(range(first, first + len(found)))
    assert len(found) > 10


def test_a_bar_in_a_terminal(camera: Any, where: tuple[str, str], tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    camera.run(0.005, BIG)
    ours, theirs = pty.openpty()
    arguments = ["record", "lab.camera.frames", "--to", tmp_path / "run.h5", "--frames", 100, *where]
    environment = clean_environment() | {"COLUMNS": "120", "TERM": "xterm"}
    with subprocess.Popen(command(*arguments), stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b"")).decode()
        process.wait(PATIENCE_S)
    os.close(ours)
    assert process.returncode == 0
    assert "100 frames" in shown
    assert " MB/s  0 dropped" in shown
    assert "none dropped; all frames are there" in shown


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # how Linux says that the other end is closed
        return b""


def start(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment()
    )


@pytest.mark.parametrize(
    ("name", "file", "options", "said"),
    [
        ("lab.camera", "run.h5", [], "lab.camera.frames, lab.camera.hurried"),
        ("lab.camera.frame", "run.h5", [], "did you mean lab.camera.frames?"),
        ("lab.camra.frames", "run.h5", [], "lab.camera"),
        ("lab.camera.exposure_ms", "run.h5", [], "is a property"),
        ("lab.camera.frames", "run.mat", [], ".h5, .hdf5, .zarr, .tiff, .tif"),
        ("lab.camera.frames", "there.h5", [], "--overwrite"),
        ("lab.camera.frames", "nowhere/run.h5", [], "no such folder"),
        ("lab.camera.frames", "run.h5", ["--compression", "x"], "gzip, lzf"),
        ("lab.camera.frames", "run.h5", ["--policy", "latest"], "lossless or queue"),
        ("lab.camera.frames", "run.h5", ["--region", "x"], "is no region"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    pyrolab: Run,
    camera: Any,
    where: tuple[str, str],
    tmp_path: Path,
    name: str,
    file: str,
    options: list[str],
    said: str,
) -> None:
    (tmp_path / "there.h5").write_text("precious")
    done = pyrolab("record", name, "--to", tmp_path / file, *options, *where)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "there.h5").read_text() == "precious"
    assert not (tmp_path / "run.h5").exists()


def test_frames_that_the_format_cannot_hold_end_it(
    pyrolab: Run, where: tuple[str, str], tmp_path: Path
) -> None:
    """The lamp publishes a number when somebody looks."""
    done = pyrolab("record", "lamp", "--to", tmp_path / "run.tiff", *where)
    assert done.returncode == 1
    assert "record to .h5 or .zarr" in done.stderr
    assert "0 frames" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_broker_that_is_not_there_is_said(pyrolab: Run, tmp_path: Path) -> None:
    done = pyrolab("record", "camera", "--to", tmp_path / "run.h5", "--host", "localhost:9")
    assert done.returncode == 1
    assert "9" in done.stderr
    assert "Traceback" not in done.stderr


def test_overwriting_is_a_wish(pyrolab: Run, camera: Any, where: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    path.write_text("not so precious")
    camera.run(0.005)
    done = pyrolab("record", "lab.camera.frames", "--to", path, "-n", 3, "--overwrite", *where)
    assert done.returncode == 0, done.stderr
    assert len(sequences(path)) == 3
