"""A recorder that is killed leaves a file that opens as usual, with all that it had flushed, exact."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from live import Process

from .reading import Recording, read
from .writing import EPOCH, image_of, picture

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes are stopped and killed by signals"),
    pytest.mark.timeout(120),
]


def check(found: Recording, flushed: int) -> None:
    """All up to the number `flushed` is there, and all that is there is what it was."""
    numbers = [number for number in range(1, flushed + 1) if number % 5]
    assert found.sequences[: len(numbers)] == numbers
    for each in found.all:
        assert np.array_equal(each.value, image_of(each.sequence, each.value.shape))
        assert each.timestamp == 1000.0 + each.sequence
        assert each.epoch == EPOCH
        assert each.metadata == picture(each.sequence).metadata
    assert found.gaps[: flushed // 5] == [(EPOCH, number, number) for number in range(5, flushed + 1, 5)]
    assert found.settings["exposure_ms"] == 2.5
    assert (found.notes["ended"], found.notes["ended_properly"]) == ("", False)


class Writing:
    """A process that writes; `flushed` is the number up to which all is safe, as far as it has said."""

    def __init__(self, path: Path, side: int) -> None:
        self.process = Process("-m", "recording.writing", str(path), str(side))
        self.flushed = 0
        self._said = b""
        assert self.process.popen.stdout is not None
        self._pipe = self.process.popen.stdout.fileno()
        os.set_blocking(self._pipe, False)

    def stop(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)
        self.listen()

    def go_on(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def listen(self) -> None:
        while True:
            try:
                said = os.read(self._pipe, 1 << 16)
            except BlockingIOError:
                break
            if not said:
                break
            self._said += said
        whole = self._said[: self._said.rfind(b"\n") + 1].split()
        self.flushed = int(whole[-1]) if whole else self.flushed

    def wait_for(self, number: int) -> None:
        ends = time.monotonic() + 60
        while self.flushed < number:
            assert self.process.popen.poll() is None, self.process.errors
            assert time.monotonic() < ends, "it writes nothing"
            time.sleep(0.002)
            self.listen()


@pytest.mark.parametrize("suffix", [".h5", ".zarr", ".tiff"])
@pytest.mark.parametrize("side", [40, 300])
def test_at_any_moment_the_file_is_as_it_should_be(tmp_path: Path, suffix: str, side: int) -> None:
    """A stopped process has written what a killed one would have."""
    path = tmp_path / f"run{suffix}"
    writing = Writing(path, side)
    with writing.process:
        for moment in range(12):
            writing.wait_for(7 + moment * 25)
            time.sleep(moment * 0.0007)  # somewhere else between two flushes each time
            writing.stop()
            check(read(path), writing.flushed)
            writing.go_on()
        writing.process.kill()
        writing.listen()
        assert writing.flushed > 250
        check(read(path), writing.flushed)


def test_a_killed_hdf5_recording_can_be_written_to(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    writing = Writing(path, 40)
    with writing.process:
        writing.wait_for(50)
        writing.process.kill()
    writing_on = h5py.File(path, "a")
    writing_on["note"] = "the fuse blew"
    writing_on.close()
    check(read(path), writing.flushed)
