"""Recording over a real broker and worker: all that was published is in the file, or known to be missing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from live import PATIENCE_S, Process, bus, clean_environment, start_broker, start_worker
from pyrolab.api import Proxy
from pyrolab.errors import RemoteError
from pyrolab.recording import Recorder
from services.streams import image_of

from .reading import Recording, read

pytestmark = pytest.mark.timeout(120)
BIG = (512, 512)
CAMERA = "services.streams:Camera=camera"


@pytest.fixture(scope="module")
def stream_bus() -> Iterator[Process]:
    with bus(CAMERA, "services.streams:Lamp=lamp", "services.front_panel:Laser=laser") as broker:
        yield broker


@pytest.fixture
def camera(stream_bus: Process) -> Iterator[Any]:
    with Proxy(f"PYRONAME:camera@localhost:{stream_bus.ready}") as proxy:
        yield proxy
        proxy.rest()


def until(condition: Any) -> None:
    """Wait for something that will be so."""
    ends = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends, "it has not come true"
        time.sleep(0.01)


class Running:
    """A recording that runs in a thread until all that was published is accounted for."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.summary: Any = None
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.summary = self.recorder.run()
        except Exception as error:
            self.error = error

    def __enter__(self) -> Running:
        self.recorder.__enter__()
        self._thread.start()
        return self

    def wait_for(self, published: int) -> None:
        until(lambda: self.error or self.recorder.recorded + self.recorder.dropped >= published)
        assert self.error is None, self.error

    def __exit__(self, *reason: object) -> None:
        self.recorder.stop()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        self.recorder.close()


def exact(found: Recording, shape: tuple[int, ...]) -> bool:
    return all(
        np.array_equal(each.value, image_of(each.sequence, shape))
        and each.timestamp == 1000.0 + each.sequence
        and each.metadata == {"exposure_ms": 90, "number": each.sequence}
        for each in found.all
    )


# -- as it should go ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".h5", ".zarr", ".tiff"])
def test_a_number_of_frames(camera: Any, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"run{suffix}"
    with Recorder(camera.frames, to=path) as recording:
        before = camera.published()
        camera.run(0.002, BIG)
        summary = recording.run(frames=40)
        assert recording.stream_path == "shared memory"
    found = read(path)
    assert found.sequences == list(range(before + 1, before + 41))
    assert exact(found, BIG)
    assert (found.recorded, found.dropped, found.gaps) == (40, 0, [])
    assert (summary.recorded, summary.dropped, summary.bytes) == (40, 0, 40 * 512 * 512 * 2)
    assert (summary.because, found.notes["ended_properly"]) == ("all frames are there", True)
    assert recording.summary() == summary
    assert f"{path}: 40 frames in " in str(summary)
    assert "none dropped" in str(summary)
    assert found.epochs == [(found.all[0].epoch, before + 1)]
    assert found.source["type"] == "services.streams:Camera"
    assert found.source["service"] == "camera"
    assert found.source["stream"] == "frames"
    assert found.source["doc"] == "What the camera sees."
    assert found.source["host"] == found.source["recorded_on"] != ""
    assert json.loads(found.source["options"]) == {"policy": "lossless"}
    assert found.settings["exposure_ms"] == 20.0


def test_for_some_time_and_twice(camera: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    camera.run(0.002)
    with Recorder(camera.frames, to=path) as recording:
        first = recording.run(seconds=0.3)
        second = recording.run(frames=10)
    assert first.because == "the time is over"
    assert 0 < first.recorded == second.recorded - 10
    sequences = read(path).sequences
    assert sequences == list(range(sequences[0], sequences[0] + second.recorded))


def test_stopping_records_what_was_published_before(camera: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with Recorder(camera.frames, to=path) as recording:
        camera.snap(5)
        recording.stop()
        assert recording.run().recorded == 5
    assert read(path).notes["ended_because"] == "stopped"


def test_another_thread_can_stop_it(camera: Any, tmp_path: Path) -> None:
    with Running(Recorder(camera.frames, to=tmp_path / "run.h5")) as running:
        published = camera.snap(3) - camera.published() + 3
        running.wait_for(published)
    assert running.summary.because == "stopped"
    assert running.summary.recorded == 3


def test_values(camera: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with Running(Recorder(camera.power, to=path)) as running:
        camera.measure(3000)
        running.wait_for(3000)
    assert running.summary.recorded == 3000
    with h5py.File(path) as file:
        sequence = file["frames/sequence"][:]
        assert np.array_equal(file["frames/data"][:], sequence / 8)
        assert np.array_equal(file["frames/timestamp"][:], 1000.0 + sequence)
        assert np.array_equal(np.diff(sequence), np.ones(2999))
        assert file["source"].attrs["unit"] == "mW"


def test_frames_of_many_shapes_and_kinds(camera: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    values: list[Any] = [image_of(1), image_of(2, (30, 40)), 1.5, image_of(3), np.arange(5.0), 7.5]
    with Recorder(camera.frames, to=path) as recording:
        for number, value in enumerate(values):
            camera.publish(value, number=number)
        recording.run(frames=len(values))
    found = read(path)
    assert [each.metadata["number"] for each in found.all] == list(range(len(values)))
    assert all(np.array_equal(each.value, value) for each, value in zip(found.all, values, strict=True))
    assert {name: len(part) for name, part in found.frames.items()} == {
        "frames": 2,
        "frames_2": 1,
        "frames_3": 2,
        "frames_4": 1,
    }


def test_parts_of_frames_and_some_frames(camera: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    options: dict[str, Any] = {"region": np.s_[10:50, 20:60], "binning": 2, "every": 3}
    with Recorder(camera.frames, to=path, **options) as recording:
        before = camera.snap(30, BIG) - 30
        recording.run(frames=10)
    found = read(path)
    assert np.all(np.diff(found.sequences) == 3)
    assert found.all[0].value.shape == (20, 20)
    assert (found.dropped, found.gaps) == (0, [])
    assert before < found.sequences[0]


def test_the_settings_of_a_service_and_its_parts(stream_bus: Process, camera: Any, tmp_path: Path) -> None:
    """The laser has no stream; its settings are read as those of any service."""
    from pyrolab.recording.settings import read_settings

    with Proxy(f"PYRONAME:laser@localhost:{stream_bus.ready}") as laser:
        found = read_settings(laser)
        assert found.values["wavelength"] == laser.wavelength
        assert found.values["first.power"] == laser.first.power
        assert "first" not in found.values
    with Recorder(camera.frames, to=tmp_path / "run.h5", settings=False) as recording:
        camera.snap(1)
        recording.run(frames=1)
    assert read(tmp_path / "run.h5").settings == {}


# -- as it should not go -----------------------------------------------------------------------------------


def test_a_queue_drops_and_everything_is_accounted_for(camera: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    recorder = Recorder(camera.frames, to=path, policy="queue", limit=2)
    with recorder:
        before = camera.published()
        published = camera.snap(600, BIG)  # nobody reads meanwhile
        running = threading.Thread(target=recorder.run)
        running.start()
        until(lambda: recorder.recorded + recorder.dropped == published - before)
        recorder.stop()
        running.join(PATIENCE_S)
    found = read(path)
    assert found.dropped > 0
    assert found.recorded + found.dropped == published - before
    missing = [number for _, first, last in found.gaps for number in range(first, last + 1)]
    assert sorted([*found.sequences, *missing]) == list(range(before + 1, published + 1))
    assert exact(found, BIG)
    assert list(found.gaps) == recorder.gaps


def test_a_publisher_that_cannot_wait_is_subscribed_to_again(camera: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    recorder = Recorder(camera.hurried, to=path)
    recorder.__enter__()
    before = camera.published("hurried")
    camera.snap(600, BIG, "hurried")  # more than are kept for somebody who does not read
    running = threading.Thread(target=recorder.run)
    running.start()
    until(lambda: recorder.stream_path and camera.subscribers("hurried"))
    while not recorder.dropped:
        camera.snap(1, BIG, "hurried")
        time.sleep(0.05)
    published = camera.snap(5, BIG, "hurried")
    until(lambda: recorder.recorded + recorder.dropped == published - before)
    recorder.stop()
    running.join(PATIENCE_S)
    recorder.close()
    found = read(path)
    missing = [number for _, first, last in found.gaps for number in range(first, last + 1)]
    assert missing
    assert sorted([*found.sequences, *missing]) == list(range(before + 1, published + 1))
    assert (found.recorded, found.dropped) == (len(found.sequences), len(missing))


def test_a_publisher_that_is_killed_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with start_broker() as broker, start_worker(broker.ready, CAMERA) as worker:
        where = f"PYRONAME:camera@localhost:{broker.ready}"
        with Proxy(where) as camera, Running(Recorder(camera.frames, to=path, flush_s=0.05)) as running:
            camera.snap(5, BIG)
            running.wait_for(5)
            worker.kill()
            with start_worker(broker.ready, CAMERA), Proxy(where) as again:
                again.snap(3, BIG)  # perhaps before the recorder is back
                until(lambda: again.subscribers() == 1)
                again.snap(4, BIG)
                running.wait_for(5 + 7)
    found = read(path)
    epochs = [epoch for epoch, _ in found.epochs]
    assert len(set(epochs)) == 2
    of_first = [each.sequence for each in found.frames["frames"] if each.epoch == epochs[0]]
    of_second = [each.sequence for each in found.frames["frames"] if each.epoch == epochs[1]]
    missing = [number for epoch, first, last in found.gaps for number in range(first, last + 1)]
    assert all(epoch == epochs[1] for epoch, _, _ in found.gaps)
    assert of_first == [1, 2, 3, 4, 5]
    assert sorted([*of_second, *missing]) == [1, 2, 3, 4, 5, 6, 7]
    assert found.epochs == [(epochs[0], 1), (epochs[1], of_second[0])]
    assert (found.recorded, found.dropped) == (5 + len(of_second), len(missing))


def test_a_file_that_is_there_is_an_error_at_once(camera: Any, tmp_path: Path) -> None:
    (tmp_path / "run.h5").write_text("precious")
    with pytest.raises(FileExistsError):
        Recorder(camera.frames, to=tmp_path / "run.h5")
    assert (tmp_path / "run.h5").read_text() == "precious"
    with Recorder(camera.frames, to=tmp_path / "run.h5", overwrite=True) as recording:
        camera.snap(1)
        recording.run(frames=1)
    assert len(read(tmp_path / "run.h5").all) == 1


def test_what_makes_no_sense_is_said_at_once(camera: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    wishes: list[dict[str, Any]] = [{"policy": "latest"}, {"chunk_frames": 0}, {"flush_s": 0}]
    for wrong in wishes:
        with pytest.raises(ValueError, match="is"):
            Recorder(camera.frames, to=path, **wrong)
    with pytest.raises(ValueError, match="compression"), Recorder(camera.frames, path, compression="x"):
        pass
    with pytest.raises(ValueError, match="with"):
        Recorder(camera.frames, to=path).run()
    with pytest.raises(TypeError, match="colour"), Recorder(camera.frames, to=path, colour="red"):
        pass
    assert not path.exists()


def test_an_image_file_refuses_traces_and_keeps_the_images(camera: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.tiff"
    with Recorder(camera.frames, to=path) as recording:
        camera.snap(2)
        camera.publish([1.0, 2.0])
        with pytest.raises(ValueError, match=r"\.h5"):
            recording.run()
    found = read(path)
    assert len(found.all) == 2
    assert not found.notes["ended_properly"]
    assert ".h5" in found.notes["ended_because"]


def test_ctrl_c_in_a_script_leaves_a_whole_file(camera: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"

    def press_ctrl_c(recording: Recorder) -> None:
        if recording.recorded == 4:
            signal.raise_signal(signal.SIGINT)

    camera.run(0.005)
    with pytest.raises(KeyboardInterrupt), Recorder(camera.frames, to=path) as recording:
        recording.run(report=press_ctrl_c)
    found = read(path)
    assert len(found.all) == found.recorded == 4
    assert (found.notes["ended_properly"], found.notes["ended_because"]) == (True, "interrupted")


def test_an_error_of_the_stream_ends_it_and_is_noted(stream_bus: Process, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with Proxy(f"PYRONAME:lamp@localhost:{stream_bus.ready}") as lamp:
        lamp.break_bulb()
        with pytest.raises(RemoteError, match="bulb"), Recorder(lamp.light, to=path) as recording:
            recording.run(seconds=20)
    found = read(path)
    assert not found.notes["ended_properly"]
    assert "the bulb is missing" in found.notes["ended_because"]


# -- a full disk -------------------------------------------------------------------------------------------

LIMITED = """
import resource, sys
from pathlib import Path
from pyrolab.api import Proxy
from pyrolab.recording import Recorder

where, path = sys.argv[1:]
with Proxy(where) as camera, Recorder(camera.frames, to=path, flush_s=0.02) as recording:
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, 20_000_000))
    camera.run(0.002, (512, 512))
    try:
        recording.run(seconds=60)
    except OSError as error:
        print("ended", recording.recorded, error.errno)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit for files")
@pytest.mark.parametrize("suffix", [".h5", ".tiff"])
def test_a_file_that_cannot_grow_ends_it_and_keeps_what_was_flushed(
    camera: Any, stream_bus: Process, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"run{suffix}"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, f"PYRONAME:camera@localhost:{stream_bus.ready}", str(path)],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    word, recorded, _ = done.stdout.split()
    assert (word, done.stderr) == ("ended", "")
    found = read(path)
    assert int(recorded) - 25 < len(found.all) <= int(recorded)
    assert len(found.all) >= 10
    assert exact(found, BIG)
    assert not found.notes["ended_properly"]


def test_it_ends_before_the_disk_is_full(
    camera: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test can fill a disk; what it is told of it can be small."""
    path = tmp_path / "run.h5"
    real = shutil.disk_usage(tmp_path)
    camera.run(0.002, BIG)
    with Recorder(camera.frames, to=path, flush_s=0.05) as recording:
        recording.run(frames=20)
        monkeypatch.setattr(shutil, "disk_usage", lambda where: real._replace(free=10_000_000))
        with pytest.raises(OSError, match=r"10 MB left.*all of which are kept"):
            recording.run()
        with pytest.raises(ValueError, match="has ended"):
            recording.run()
    found = read(path)
    assert len(found.all) == found.recorded == recording.recorded >= 20
    assert not found.notes["ended_properly"]
    assert "full" in found.notes["ended_because"]


# -- a recorder that is killed -----------------------------------------------------------------------------

FOREVER = """
import sys
from pyrolab.api import Proxy
from pyrolab.recording import Recorder

where, path = sys.argv[1:]
with Proxy(where) as camera, Recorder(camera.frames, to=path, flush_s=0.05) as recording:
    print("ready", flush=True)
    recording.run(report=lambda each: print(each.recorded, flush=True))
"""


@pytest.mark.parametrize("suffix", [".h5", ".zarr", ".tiff"])
def test_a_recorder_that_is_killed(camera: Any, stream_bus: Process, tmp_path: Path, suffix: str) -> None:
    path, where = tmp_path / f"run{suffix}", f"PYRONAME:camera@localhost:{stream_bus.ready}"
    with Process("-c", FOREVER, where, str(path)) as process:
        first = camera.published() + 1
        camera.run(0.002, BIG)
        until(lambda: int(process.read_line()) >= 60)
        process.kill()
    camera.rest()
    found = read(path)
    assert found.sequences == list(range(first, first + len(found.all)))
    assert exact(found, BIG)
    assert found.recorded >= 1
    assert len(found.all) >= found.recorded
    assert (found.notes["ended"], found.notes["ended_properly"]) == ("", False)
    assert os.path.exists(path)
    until(lambda: camera.subscribers() == 0)  # the publisher waits for nobody who is gone
