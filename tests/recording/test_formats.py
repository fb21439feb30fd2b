"""What the files hold, read with their own libraries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from pyrolab import __version__
from pyrolab.recording.description import Counts
from pyrolab.recording.files import FORMATS, Wishes, open_writer
from pyrolab.recording.segments import MAX_SEGMENTS

from .reading import Read, read
from .writing import DESCRIPTION, EPOCH, Taken, finish, image_of, picture, write

ALL = pytest.mark.parametrize("suffix", [".h5", ".zarr", ".tiff"])
TABLES = pytest.mark.parametrize("suffix", [".h5", ".zarr"])


def same(read_back: Read, frame: Taken) -> bool:
    return (
        bool(np.array_equal(read_back.value, frame.value))
        and (read_back.sequence, read_back.timestamp, read_back.epoch, read_back.metadata)
        == (frame.sequence, frame.timestamp, frame.epoch, frame.metadata)
        and np.asarray(read_back.value).dtype == np.asarray(frame.value).dtype
    )


# -- all formats -------------------------------------------------------------------------------------------


@ALL
def test_everything_is_there_and_exact(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"run{suffix}"
    frames = [picture(number) for number in (1, 2, 3, 6)] + [
        Taken(image_of(7), 1, 5.5, picture(7).metadata, 9)
    ]
    write(path, frames, gaps=[(EPOCH, 4, 5)])
    found = read(path)
    assert len(found.all) == len(frames)
    in_order = found.frames["frames"]
    assert all(same(each, frame) for each, frame in zip(in_order, frames, strict=True))
    assert (found.recorded, found.dropped) == (5, 2)
    assert found.gaps == [(EPOCH, 4, 5)]
    assert found.epochs == [(EPOCH, 1), (9, 1)]
    assert found.settings == DESCRIPTION.settings
    assert found.unread == DESCRIPTION.unread
    assert found.source == DESCRIPTION.source()
    assert found.source["uri"] == "PYRONAME:camera@localhost:9090"
    assert found.notes["pyrolab"] == __version__
    assert found.notes["ended_properly"] is True
    assert found.notes["ended_because"] == "all frames are there"
    began, ended = (datetime.fromisoformat(found.notes[name]) for name in ("started", "ended"))
    assert began.utcoffset() == ended.utcoffset() is not None
    assert began <= ended


@ALL
def test_what_was_flushed_is_there_although_nobody_closed_it(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"run{suffix}"
    writer = open_writer(path, DESCRIPTION, Wishes())
    writer.append(picture(1))
    writer.append(picture(2))
    writer.flush(Counts(2, 0))
    code = f"from recording.reading import read; from pathlib import Path; f = read(Path({str(path)!r})); "
    code += "print(f.sequences, f.recorded, f.notes['ended_properly'], repr(f.notes['ended']))"
    path_of_tests = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path_of_tests},
    )
    assert (done.stderr, done.stdout) == ("", "[1, 2] 2 False ''\n")
    finish(writer, 2)
    assert read(path).sequences == [1, 2]


@ALL
def test_a_recording_without_a_frame_says_so(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"run{suffix}"
    write(path, [])
    found = read(path)
    assert (found.all, found.recorded, found.notes["ended_properly"]) == ([], 0, True)


@ALL
def test_frames_may_change_their_shape_and_type(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"run{suffix}"
    frames = [picture(1), picture(2, (30, 20)), picture(3), picture(4, (30, 20)), picture(5)]
    frames.append(Taken(image_of(6).astype("f4"), 6, 1006.0, picture(6).metadata))
    write(path, frames)
    found = read(path)
    assert all(same(each, frame) for each, frame in zip(found.all, frames, strict=True))
    if suffix != ".tiff":
        sequences = {name: [each.sequence for each in part] for name, part in found.frames.items()}
        assert sequences == {"frames": [1, 3, 5], "frames_2": [2, 4], "frames_3": [6]}


@ALL
def test_metadata_may_change(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"run{suffix}"
    metadata: list[dict[str, Any]] = [{"a": 1}, {"a": 1.5}, {"a": 2, "b": [1, {"c": None}]}, {}, {"a": "µ"}]
    frames = [Taken(image_of(n), n, 0.0, each) for n, each in enumerate(metadata, 1)]
    write(path, frames)
    assert [each.metadata for each in read(path).all] == metadata


@pytest.mark.parametrize(
    ("suffix", "compression"),
    [
        (".h5", "gzip"),
        (".h5", "lzf"),
        (".zarr", "zstd"),
        (".zarr", "gzip"),
        (".zarr", "blosc"),
        (".tiff", "zlib"),
    ],
)
def test_compression_loses_nothing_and_helps(tmp_path: Path, suffix: str, compression: str) -> None:
    path, plain = tmp_path / f"run{suffix}", tmp_path / f"plain{suffix}"
    frames = [Taken(np.full((300, 300), number, np.uint16), number) for number in range(1, 30)]
    write(path, frames, compression=compression)
    write(plain, frames)
    assert all(same(each, frame) for each, frame in zip(read(path).all, frames, strict=True))
    assert size_of(path) < size_of(plain) / 2


def size_of(path: Path) -> int:
    return sum(each.stat().st_size for each in ([path] if path.is_file() else path.rglob("*")))


@ALL
def test_an_unknown_compression_is_an_error_before_there_is_a_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"run{suffix}"
    with pytest.raises(ValueError, match="compress"):
        open_writer(path, DESCRIPTION, Wishes(compression="squeeze"))
    assert list(tmp_path.iterdir()) == []


# -- arrays, traces and values -----------------------------------------------------------------------------


@TABLES
@pytest.mark.parametrize(
    "value",
    [
        np.array([[True, False]]),
        np.array([1 + 2j, 3j], np.complex64),
        np.array([1.5, 2.5], np.float16),
        np.arange(6, dtype=">u2").reshape(2, 3),
        np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")]),
        np.array(["2026-01-02T03:04:05"], "M8[ms]"),
        np.array([b"ab", b"c"]),
        np.zeros((0, 5)),
        np.zeros((3, 0), "i1"),
        np.array(7.5),
        np.arange(24).reshape(2, 3, 4)[:, ::-1],
        np.arange(120_000.0).reshape(300, 400).T,
    ],
    ids=lambda value: f"{value.dtype}{value.shape}",
)
def test_arrays_of_all_kinds(tmp_path: Path, suffix: str, value: Any) -> None:
    path = tmp_path / f"run{suffix}"
    frames = [Taken(value, number) for number in (1, 2, 3)]
    write(path, frames)
    found = read(path).all
    assert [each.sequence for each in found] == [1, 2, 3]
    for each in found:
        assert np.asarray(each.value).dtype == value.dtype
        assert np.array_equal(each.value, value)


@TABLES
@pytest.mark.parametrize(
    ("values", "segments"),
    [
        ([0.5, 1, 2.5], 1),
        ([1, 2, 3], 1),
        ([1, 2.5, 3], 2),
        ([True, False], 1),
        ([1j, 2j], 1),
        ([np.float32(1.5)] * 3, 1),
    ],
)
def test_numbers(tmp_path: Path, suffix: str, values: list[Any], segments: int) -> None:
    path = tmp_path / f"run{suffix}"
    write(path, [Taken(value, number) for number, value in enumerate(values, 1)])
    found = read(path)
    assert [each.value for each in found.all] == values
    assert len(found.frames) == segments


@TABLES
def test_texts_and_anything_else_that_json_knows(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"run{suffix}"
    values = ["µm", "x" * 100, {"a": [1, None]}, None]
    write(path, [Taken(value, number) for number, value in enumerate(values, 1)])
    found = [bytes(each.value).decode() for each in read(path).all]
    assert found[:2] == values[:2]
    assert [json.loads(each) for each in found[2:]] == values[2:]


@TABLES
def test_thousands_of_values_and_traces(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"run{suffix}"
    count = 10_000
    writer = open_writer(path, DESCRIPTION, Wishes())
    for number in range(1, count + 1):
        writer.append(Taken(number / 8, number, number / 4, {"range": number % 3}))
        writer.append(Taken(np.full(20, number, "f4"), number, number / 4, {"range": number % 3}))
        if number % 999 == 0:
            writer.flush(Counts(2 * number, 0))
    finish(writer, 2 * count)
    root: Any = h5py.File(path) if suffix == ".h5" else zarr.open_group(str(path), mode="r")
    numbers = np.arange(1, count + 1)
    for name, data in (("frames", numbers / 8), ("frames_2", np.repeat(numbers[:, None], 20, axis=1))):
        assert np.array_equal(root[name]["data"][:], data)
        assert np.array_equal(root[name]["sequence"][:], numbers)
        assert np.array_equal(root[name]["timestamp"][:], numbers / 4)
        assert np.array_equal(root[name]["metadata"]["range"][:], numbers % 3)
    if suffix == ".h5":
        root.close()


@TABLES
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_frames_stored_together(tmp_path: Path, suffix: str, compression: str | None) -> None:
    path = tmp_path / f"run{suffix}"
    writer = open_writer(path, DESCRIPTION, Wishes(compression=compression, chunk_frames=4))
    frames = [picture(number) for number in range(1, 11)]
    for frame in frames:
        writer.append(frame)
        writer.flush(Counts(frame.sequence, 0))
    finish(writer, len(frames))
    assert all(same(each, frame) for each, frame in zip(read(path).all, frames, strict=True))
    root: Any = h5py.File(path) if suffix == ".h5" else zarr.open_group(str(path), mode="r")
    assert root["frames"]["data"].chunks == (4, 40, 50)
    if suffix == ".h5":
        root.close()


@TABLES
def test_shapes_that_never_stop_changing_are_an_error(tmp_path: Path, suffix: str) -> None:
    writer = open_writer(tmp_path / f"run{suffix}", DESCRIPTION, Wishes())
    for number in range(1, MAX_SEGMENTS + 1):
        writer.append(Taken(np.zeros(number, "u1"), number))
    with pytest.raises(ValueError, match="in one shape"):
        writer.append(Taken(np.zeros(MAX_SEGMENTS + 1, "u1"), MAX_SEGMENTS + 1))
    finish(writer, MAX_SEGMENTS)
    assert len(read(tmp_path / f"run{suffix}").all) == MAX_SEGMENTS


def test_a_frame_that_the_publisher_changes_afterwards_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    writer = open_writer(path, DESCRIPTION, Wishes())
    trace = np.zeros(100)
    for number in range(1, 4):
        trace[:] = number
        writer.append(Taken(trace, number))
    finish(writer, 3)
    assert [each.value[0] for each in read(path).all] == [1, 2, 3]


def test_unicode_arrays_are_refused_by_hdf5_in_words(tmp_path: Path) -> None:
    writer = open_writer(tmp_path / "run.h5", DESCRIPTION, Wishes())
    with pytest.raises(ValueError, match="zarr"):
        writer.append(Taken(np.array(["µ"]), 1))
    writer.append(Taken(np.zeros(3), 2))
    finish(writer, 1)
    assert read(tmp_path / "run.h5").sequences == [2]


def test_hdf5_files_can_be_read_by_libraries_since_1_10(tmp_path: Path) -> None:
    write(tmp_path / "run.h5", [picture(1)])
    with h5py.File(tmp_path / "run.h5") as file:
        assert file.id.get_create_plist().get_version()[0] <= 3
        assert file["frames/metadata/name"].asstr()[0] == "µ1"


def test_a_hdf5_file_ends_where_its_data_end(tmp_path: Path) -> None:
    write(tmp_path / "run.h5", [picture(1)])
    assert (tmp_path / "run.h5").stat().st_size < 1_000_000


# -- TIFF --------------------------------------------------------------------------------------------------


def test_colours_and_pages(tmp_path: Path) -> None:
    path = tmp_path / "run.tif"
    colours = np.arange(30 * 20 * 3, dtype=np.uint8).reshape(30, 20, 3)
    write(path, [Taken(colours, 1), Taken(colours[::-1], 2)])
    with tifffile.TiffFile(path) as file:
        pages: Any = file.pages
        assert [page.photometric.name for page in pages] == ["RGB", "RGB"]
        assert np.array_equal(pages[1].asarray(), colours[::-1])


@pytest.mark.parametrize(("frames", "is_big"), [(None, True), (1000, False), (10_000_000, True)])
def test_it_is_a_bigtiff_if_it_may_become_big(tmp_path: Path, frames: int | None, is_big: bool) -> None:
    path = tmp_path / "run.tiff"
    writer = open_writer(path, DESCRIPTION, Wishes(frames=frames))
    writer.append(picture(1))
    finish(writer, 1)
    with tifffile.TiffFile(path) as file:
        assert file.is_bigtiff is is_big


@pytest.mark.parametrize("value", [1.5, np.zeros(5), np.zeros((2, 3, 7)), np.zeros((0, 4)), "text"])
def test_what_is_no_image_is_refused_with_a_way_out(tmp_path: Path, value: Any) -> None:
    writer = open_writer(tmp_path / "run.tiff", DESCRIPTION, Wishes())
    with pytest.raises(ValueError, match=r"\.h5"):
        writer.append(Taken(value, 1))
    finish(writer, 0)


def test_runs_of_pages_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "run.tiff"
    numbers = [1, 2, 3, 7, 10, 13, 14, 15, 2]
    frames = [Taken(image_of(1), number, epoch=5) for number in numbers[:-1]]
    write(path, [*frames, Taken(image_of(1), 2, epoch=6)])
    pages = json.loads((tmp_path / "run.tiff.json").read_text())["pages"]
    assert pages == [[5, 1, 3, 1], [5, 7, 3, 3], [5, 14, 2, 1], [6, 2, 1, 1]]


# -- files -------------------------------------------------------------------------------------------------


@ALL
def test_what_is_there_is_kept(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"run{suffix}"
    write(path, [picture(1)])
    with pytest.raises(FileExistsError, match="overwrite"):
        write(path, [picture(2)])
    assert read(path).sequences == [1]
    write(path, [picture(2)], overwrite=True)
    assert read(path).sequences == [2]


def test_a_list_of_pages_without_its_pages_is_kept_too(tmp_path: Path) -> None:
    (tmp_path / "run.tiff.json").write_text("precious")
    with pytest.raises(FileExistsError, match=r"run\.tiff\.json"):
        write(tmp_path / "run.tiff", [picture(1)])


@pytest.mark.parametrize("name", ["run.zarr", "run.h5"])
def test_overwriting_does_not_remove_other_things(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "precious").touch()
    with pytest.raises(FileExistsError, match="another name"):
        write(tmp_path / name, [], overwrite=True)
    assert (tmp_path / name / "precious").exists()


def test_an_unknown_ending_is_an_error_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.h5, \.hdf5, \.zarr, \.tiff, \.tif"):
        write(tmp_path / "run.mat", [])


def test_no_folder_no_recording(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such folder"):
        write(tmp_path / "nowhere" / "run.h5", [])


@pytest.mark.parametrize("suffix", [".h5", ".zarr", ".tif"])
def test_a_missing_library_is_named_with_what_installs_it(tmp_path: Path, suffix: str) -> None:
    library = FORMATS[suffix].library
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "from pathlib import Path\n"
        "from pyrolab.recording.files import format_of\n"
        f"format_of(Path('run{suffix}'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"needs {library}: pip install 'pyrolab[{FORMATS[suffix].extra}]'" in done.stderr
