"""Names where Python is the only way to them, as on macOS and Windows."""

from __future__ import annotations

import gc
import json
import os

import numpy as np
import pytest

from live import Process
from pyrolab.streams import memory, named
from streams.memory_processes import PAGE, linux, refused, start, until


def test_python_s_own_way_to_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS and Windows: the same, and the name stays with its creator."""
    monkeypatch.setattr(named, "_FOLDER", None)
    with start("owner", "named", PAGE, 6) as process:
        reference = json.loads(process.ready)
        view = memory.open_segment(reference)
        assert view.readonly
        assert bytes(view) == b"\x06" * PAGE
        assert "bytes, not 8192" in refused([*reference[:2], 2 * PAGE])
        process.kill()
        array = np.frombuffer(view, np.uint8)
        del view
        gc.collect()
        assert array[-1] == 6
    own = memory.create(PAGE, "named")
    assert memory.open_segment(own.reference).nbytes == PAGE
    own.close()
    assert "has gone" in refused(own.reference)


@linux
def test_a_guest_that_uses_python_s_own_way_takes_no_name_with_it() -> None:
    segment = memory.create(PAGE, "named")
    code = (
        "from pyrolab.streams import memory, named; named._FOLDER = None\n"
        f"print(memory.open_segment({segment.reference})[0])"
    )
    with Process("-c", code) as process:
        assert process.ready == "0"
        process.popen.wait(30)
    assert process.errors == []
    assert memory.open_segment(segment.reference)[0] == 0


@linux
def test_looking_at_ones_own_memory_in_python_s_way_leaves_nothing_behind() -> None:
    """Undoing what Python notes of a guest must not undo what it has noted of the creator."""
    code = (
        "import threading; from pyrolab.streams import memory, named; named._FOLDER = None\n"
        "segment = memory.create(4096, 'named'); view = memory.open_segment(segment.reference)\n"
        "print(segment.reference[1]); threading.Event().wait()"
    )
    with Process("-c", code) as process:
        assert process.ready in os.listdir("/dev/shm")
        process.kill()
        until(lambda: process.ready not in os.listdir("/dev/shm"))
