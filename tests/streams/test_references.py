"""Whatever a reference says, opening it gives memory that stays, or a reason why not."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab.errors import ProtocolError
from pyrolab.streams import memory
from pyrolab.streams.mappings import Mappings
from pyrolab.streams.memory import MemoryUnreachable, Segment
from streams.memory_processes import KINDS, PAGE, as_root, linux, path_of, refused

ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    float("nan"),
    "",
    "x",
    "/etc/passwd",
    "../x",
    b"memfd",
    [],
    {},
    1 << 64,
    1 << 200,
]


@pytest.fixture(scope="module", params=KINDS)
def honest(request: pytest.FixtureRequest) -> Any:
    made = memory.create(PAGE, str(request.param))
    yield made
    made.close()


@given(st.data())
def test_no_reference_does_any_harm(honest: Segment, data: st.DataObject) -> None:
    reference: list[Any] = list(honest.reference)
    numbers = st.integers(-2, 1 << 65) | st.sampled_from(ODD)
    for _ in range(data.draw(st.integers(1, 3))):
        match data.draw(st.sampled_from(["replace", "drop", "add", "near"])):
            case "replace" if reference:
                reference[data.draw(st.integers(0, len(reference) - 1))] = data.draw(numbers)
            case "drop" if reference:
                del reference[data.draw(st.integers(0, len(reference) - 1))]
            case "near" if reference and type(reference[-1]) is int:
                at = data.draw(st.integers(0, len(reference) - 1))
                if type(reference[at]) is int:
                    reference[at] += data.draw(st.integers(-3, 3))
            case _:
                reference.insert(data.draw(st.integers(0, len(reference))), data.draw(numbers))
    with contextlib.suppress(MemoryUnreachable):
        view = memory.open_segment(reference)
        assert len(bytes(view)) == reference[-1]
    with contextlib.suppress(MemoryUnreachable, ProtocolError):
        size = data.draw(st.integers(-1, 2 * PAGE) | st.sampled_from(ODD))
        view = Mappings().view(reference, size, data.draw(numbers))
        assert len(bytes(view)) == size


@pytest.mark.parametrize("place", range(1, 6))
def test_each_part_must_be_what_it_is(honest: Segment, place: int) -> None:
    if place >= len(honest.reference):
        return
    part = honest.reference[place]
    alike: list[Any] = [str(part), str(part).encode(), [part]]
    if isinstance(part, int):
        alike += [float(part), -part]
    for odd in [*ODD, *alike, "self"]:
        if type(odd) is type(part) and odd == part:
            continue
        reference = [*honest.reference[:place], odd, *honest.reference[place + 1 :]]
        assert refused(reference), reference


@pytest.mark.parametrize(
    "reference", [*ODD, "memfd", "named", ("memfd",), ["memfd"], ["named"], {"memfd": 1}]
)
def test_what_is_no_reference_is_refused(reference: Any) -> None:
    assert refused(reference)
    with pytest.raises(MemoryUnreachable):
        Mappings().view(reference, 0, 1)


def test_a_kind_of_another_day_is_refused() -> None:
    assert "of kind 'gpu' cannot be opened" in refused(["gpu", 1, 2])


def test_more_bytes_than_there_are_is_refused(segment: Segment) -> None:
    assert refused([*segment.reference[:-1], PAGE + 1]) == "the publisher's memory has 4096 bytes, not 4097"
    assert memory.open_segment([*segment.reference[:-1], PAGE - 1]).nbytes == PAGE - 1


@linux
@pytest.mark.parametrize("place", [3, 4])
def test_memory_that_has_taken_the_place_of_another_is_not_taken_for_it(place: int) -> None:
    segment = memory.create(PAGE, "memfd")
    reference = list(segment.reference)
    reference[place] += 1
    assert "something else has its place" in refused(reference)


@linux
def test_memory_that_could_shrink_is_refused() -> None:
    descriptor = os.memfd_create("unsealed", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, PAGE)
        assert "could take its memory away" in refused(reference_to(descriptor))
    finally:
        os.close(descriptor)


def reference_to(descriptor: int) -> list[Any]:
    found = os.fstat(descriptor)
    return ["memfd", os.getpid(), descriptor, found.st_dev, found.st_ino, max(found.st_size, 1)]


@linux
def test_a_file_is_not_taken_for_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(PAGE))
    with open(tmp_path / "file", "rb") as file:
        assert refused(reference_to(file.fileno())) == "what the publisher names is a file, not memory"


@linux
def test_pipes_and_devices_are_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    descriptors = [os.open(tmp_path / "pipe", os.O_RDWR), os.open("/dev/null", os.O_RDONLY), *os.pipe()]

    def opened(path: object, *arguments: object, **options: object) -> int:
        raise AssertionError(f"{path} was opened")

    monkeypatch.setattr(os, "open", opened)
    try:
        for descriptor in descriptors:
            assert refused(reference_to(descriptor)) == "what the publisher names is no memory"
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


@linux
def test_a_name_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(PAGE))
    name = f"pyrolab-{os.getpid()}-1-00000009"
    os.symlink(tmp_path / "secret", f"/dev/shm/{name}")
    try:
        assert refused(["named", name, PAGE])
    finally:
        os.unlink(f"/dev/shm/{name}")
    assert refused(["named", f"../..{tmp_path}/secret", PAGE]) == "this names no shared memory of ours"


@linux
@as_root
def test_a_named_segment_of_another_user_is_refused_by_root_too() -> None:
    segment = memory.create(PAGE, "named")
    os.chown(path_of(segment), 65534, 65534)
    assert "belongs to another user" in refused(segment.reference)
