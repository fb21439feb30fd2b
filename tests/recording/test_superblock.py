"""The head of HDF5 files: its checksum, its marks, and the end that it tells."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from pyrolab.recording.superblock import Superblock, checksum, with_end


def test_the_checksum_is_that_of_its_author() -> None:
    assert checksum(b"Four score and seven years ago") == 0x17770551  # from lookup3.c


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        file["x"] = [1, 2, 3]
    return path


def test_a_marked_file_opens_when_the_mark_is_cleared(written: Path) -> None:
    head = bytearray(written.read_bytes()[:48])
    head[11] = 5  # as a writer in single-writer mode leaves it
    head[44:] = checksum(head[:44]).to_bytes(4, "little")
    written.write_bytes(bytes(head) + written.read_bytes()[48:])
    with pytest.raises(OSError, match="already open"):
        h5py.File(written, "r")

    superblock = Superblock(written)
    superblock.tell(100_000)
    superblock.close()
    assert written.stat().st_size == 100_000
    with h5py.File(written, "r") as file:
        assert list(file["x"]) == [1, 2, 3]


def test_the_end_is_told_ahead_only_when_it_comes_near(written: Path) -> None:
    superblock = Superblock(written)
    superblock.keep(1000)
    size = written.stat().st_size
    superblock.keep(2000, 1000)
    assert written.stat().st_size == size
    superblock.keep(2000, size)
    assert written.stat().st_size > 2 * size
    superblock.close()


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w", libver="earliest") as file:
        file["x"] = 1
    before = path.read_bytes()
    with pytest.raises(OSError, match="version 3"):
        with_end(before[:48], 1)
    superblock = Superblock(path)
    with pytest.raises(OSError, match="version 3"):
        superblock.tell(1)
    superblock.close()
    assert path.read_bytes() == before
