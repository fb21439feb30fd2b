"""Exact compressions give back every bit; whatever else arrives is a `ProtocolError`, in bounded memory."""

from __future__ import annotations

import struct
import subprocess
import sys
import tracemalloc
from typing import Any

import blosc2
import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyrolab.errors import ProtocolError
from pyrolab.protocol.limits import MAX_FRAME_BYTES
from pyrolab.streams.chunks import PART_BYTES
from pyrolab.streams.compression import COMPRESSIONS, decode, encode, require
from values.same import same
from values.strategies import arrays

EXACT = ("", "zstd", "blosc2")
DTYPES: list[Any] = [
    *("?", "u1", "<u2", ">u2", "<i4", ">i8", "f2", ">f4", "f8", "g", "c8", ">c16"),
    *("S5", "U4", ">U4", "V3", "M8[ns]", ">m8[s]"),
    [("a", "<u2"), ("b", ">f8", (2,))],
    np.dtype([("a", "u1"), ("text", "U3")], align=True),
    [("wide", "u1", (300,))],
]
SHAPES = [(), (1,), (1000,), (0,), (3, 0, 2), (40, 50), (30, 20, 3)]
LAYOUTS: list[Any] = [
    lambda made: made.T,
    np.asfortranarray,
    lambda made: made[::2, 3:],
    lambda made: made[:, ::-1],
    lambda made: np.broadcast_to(made[0], made.shape),
]
#: A picture that becomes much smaller, of several chunks.
LARGE: Any = (np.arange(1_500_000) // 50).astype(np.uint16).reshape(1000, 1500)


def round_trip(array: Any, compression: str) -> Any:
    buffer, encoding = encode(array, compression)
    return decode(bytes(buffer), encoding, array.dtype, list(array.shape))


@pytest.mark.parametrize("compression", EXACT)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_dtype_in_every_shape(compression: str, dtype: Any, shape: tuple[int, ...]) -> None:
    array: Any = np.zeros(shape, dtype)
    if array.dtype.kind in "?iufcM" and array.size:
        array.reshape(-1)[:] = np.arange(array.size) % 7
    arrived = round_trip(array, compression)
    assert same(arrived, array)
    assert arrived.flags.writeable is False


@given(arrays(), st.sampled_from(EXACT))
def test_whatever_an_array_holds_and_however_it_lies(array: Any, compression: str) -> None:
    arrived = round_trip(array, compression)
    assert same(arrived, np.ascontiguousarray(array).reshape(array.shape))


@pytest.mark.parametrize("compression", EXACT)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_that_are_not_contiguous(compression: str, layout: Any) -> None:
    array = layout(LARGE)
    assert np.array_equal(round_trip(array, compression), array)


@pytest.mark.parametrize("compression", ["zstd", "blosc2"])
def test_what_repeats_becomes_smaller(compression: str) -> None:
    buffer, encoding = encode(LARGE, compression)
    assert encoding == [compression]
    assert len(buffer) * 3 < LARGE.nbytes


@pytest.mark.parametrize("compression", ["zstd", "blosc2"])
def test_what_would_not_become_smaller_goes_as_it_is(compression: str) -> None:
    noise: Any = np.random.default_rng(1).integers(0, 256, (100, 100), np.uint8)
    buffer, encoding = encode(noise, compression)
    assert encoding is None
    assert np.shares_memory(np.asarray(buffer), noise)


def test_bytes_as_they_are_are_copied_on_neither_side() -> None:
    buffer, encoding = encode(LARGE)
    assert encoding is None
    assert np.shares_memory(np.asarray(buffer), LARGE)
    frame = bytes(buffer)
    arrived = decode(frame, None, LARGE.dtype, LARGE.shape)
    assert np.shares_memory(np.frombuffer(frame, np.uint8), arrived)


@pytest.mark.parametrize("length", [PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES + 5])
def test_chunks_around_their_size(length: int) -> None:
    array: Any = (np.arange(length) // 9).astype(np.uint8)
    assert same(round_trip(array, "blosc2"), array)


@pytest.mark.parametrize("dtype", ["V3", [("wide", "u1", (PART_BYTES + 7,))]], ids=str)
def test_chunks_of_items_that_do_not_fill_them(dtype: Any) -> None:
    array = np.zeros(3 if "wide" in str(dtype) else PART_BYTES // 2, dtype)
    array.view(np.uint8).reshape(-1)[:] = np.arange(array.nbytes) // 100
    assert same(round_trip(array, "blosc2"), array)


def test_a_compression_that_nobody_knows() -> None:
    with pytest.raises(ValueError, match="zstd, blosc2, jpeg"):
        encode(LARGE, "rar")
    with pytest.raises(ValueError, match="zstd, blosc2, jpeg"):
        require("rar")


# -- what a peer may send ----------------------------------------------------------------------------------


def refused(buffer: Any, encoding: Any, shape: Any, dtype: Any = "u1", match: str = ".") -> None:
    with pytest.raises(ProtocolError, match=match):
        decode(buffer, encoding, np.dtype(dtype), shape)


class Unshowable:
    """All values travel, so any may be where another is expected."""

    def __repr__(self) -> str:
        raise RuntimeError("a class of a user's")


@pytest.mark.parametrize(
    "encoding",
    [
        *("zstd", [], {}, ["rar"], [None], [["zstd"]], ["zstd", 1], ["jpeg"], ["jpeg", 1, 2, 3], 7, [7]),
        *(Unshowable(), [Unshowable()], [np.array(["zstd"])], LARGE),
    ],
    ids=lambda encoding: type(encoding).__name__,
)
def test_encodings_that_are_none(encoding: Any) -> None:
    refused(bytes(4), encoding, [4], match="encoding")


@pytest.mark.parametrize("shape", [None, "4", 4, [4.0], [-4], [True, 4], [1] * 33, [[4]], {4: 1}, [1 << 70]])
@pytest.mark.parametrize("encoding", [None, ["zstd"], ["blosc2"], ["jpeg", 0, 255]])
def test_shapes_that_are_none(shape: Any, encoding: Any) -> None:
    refused(bytes(4), encoding, shape)


@pytest.mark.parametrize("encoding", [None, ["zstd"], ["blosc2"], ["jpeg", 0, 255]])
def test_shapes_that_are_too_large(encoding: Any) -> None:
    refused(bytes(4), encoding, [MAX_FRAME_BYTES + 1, 1], match="limit")
    refused(bytes(4), encoding, [0, 1 << 62, 1 << 62], "f8")


def test_bytes_as_they_are_must_be_as_many_as_stated() -> None:
    for count in (0, 3, 5):
        refused(bytes(count), None, [4], match="bytes")


@pytest.mark.parametrize("compression", ["zstd", "blosc2"])
def test_bytes_must_become_as_many_as_stated(compression: str) -> None:
    buffer, encoding = encode(LARGE, compression)
    for shape in ([1000, 1499], [1000, 1501], [0], [], [1]):
        refused(bytes(buffer), encoding, shape, LARGE.dtype)
    for tail in (b"\0", bytes(buffer)):
        refused(bytes(buffer) + tail, encoding, LARGE.shape, LARGE.dtype)
    for length in (0, 10, 32, len(buffer) // 2, len(buffer) - 1):
        refused(bytes(buffer)[:length], encoding, LARGE.shape, LARGE.dtype)


@pytest.mark.parametrize("stated", [16, MAX_FRAME_BYTES + 1])
def test_a_bomb_is_refused_before_it_needs_memory(stated: int) -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(MAX_FRAME_BYTES))
    chunk = blosc2.compress2(bytes(1 << 28), typesize=1, codec=blosc2.Codec.LZ4, nthreads=1)
    assert max(len(bomb), len(chunk)) < 1 << 16
    tracemalloc.start()
    try:
        refused(bomb, ["zstd"], [stated])
        refused(chunk, ["blosc2"], [stated])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


def test_zstd_must_state_its_size() -> None:
    packed = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(1000))
    refused(packed, ["zstd"], [1000], match="bytes")


def test_zstd_that_skips() -> None:
    refused(struct.pack("<II", 0x184D2A50, 8) + bytes(8), ["zstd"], [8])


def chunk(**options: Any) -> bytearray:
    usual = {"codec": blosc2.Codec.LZ4, "filters": [blosc2.Filter.BITSHUFFLE], "typesize": 1, "nthreads": 1}
    return bytearray(blosc2.compress2((np.arange(5000) // 40).astype(np.uint8), **{**usual, **options}))


def test_the_chunk_that_is_changed_below_is_a_good_one() -> None:
    assert decode(chunk(), ["blosc2"], np.dtype("u1"), [5000])[4999] == 124


@pytest.mark.parametrize(
    "options",
    [
        {"codec": blosc2.Codec.ZSTD},
        {"codec": blosc2.Codec.BLOSCLZ},
        {"filters": [blosc2.Filter.SHUFFLE]},
        {"filters": [blosc2.Filter.BITSHUFFLE, blosc2.Filter.BYTEDELTA], "typesize": 4},
        {"filters": [blosc2.Filter.DELTA, blosc2.Filter.BITSHUFFLE]},
        {"typesize": 2},
    ],
    ids=repr,
)
def test_chunks_that_were_made_in_other_ways(options: Any) -> None:
    item = "u1" if options.get("typesize") != 4 else "u4"
    refused(chunk(**options), ["blosc2"], [5000 // np.dtype(item).itemsize], item, match="chunk")


@pytest.mark.parametrize("flags", [0x05, 0x15, *(codec << 5 | 0x17 for codec in (2, 3, 4, 6, 7)), 0x3D, 0x31])
def test_chunks_of_other_codecs(flags: int) -> None:
    """The codec in the highest 3 bits may be "a plug-in", which blosc2 loads with a Python of its own."""
    mangled = chunk()
    mangled[2] = flags
    refused(mangled, ["blosc2"], [5000], match="a chunk of a frame is not of the kind")


def test_chunks_with_sizes_that_cannot_be() -> None:
    good = chunk()
    for place, size in ((8, 0), (8, -1), (8, 5001), (12, 31), (12, len(good) + 1), (12, -1)):
        mangled = bytearray(good)
        mangled[place : place + 4] = struct.pack("<i", size)
        refused(mangled, ["blosc2"], [5000], match="sizes that cannot be")


@pytest.mark.parametrize("place", [0, 1, *range(16, 32)])
def test_chunks_that_name_what_loads_programs(place: int) -> None:
    """The codecs and filters of plug-ins have numbers from 32 on, in one of these bytes."""
    for number in (3, 4, 32, 35, 36, 37, 160, 255):
        mangled = chunk()
        mangled[place] = number
        refused(mangled, ["blosc2"], [5000], match="a chunk of a frame")


def mangle(packed: bytes, data: st.DataObject) -> bytes:
    mangled = bytearray(packed)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(mangled) - 1))
        mangled[place] = data.draw(st.integers(0, 255))
    return bytes(mangled[: data.draw(st.integers(0, len(mangled)) | st.just(len(mangled)))])


PICTURES: list[Any] = [
    (np.arange(4800) // 40).astype(np.uint16).reshape(60, 80),
    np.zeros((40, 30, 3), np.uint8),
    np.linspace(-1, 1, 2500, dtype=">f4").reshape(50, 50, 1),
]


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=300)
@given(st.sampled_from(PICTURES), st.sampled_from(COMPRESSIONS), st.data())
def test_mangled_frames_give_an_array_or_a_protocol_error(array: Any, compression: str, data: Any) -> None:
    buffer, encoding = encode(array, compression)
    try:
        arrived = decode(mangle(bytes(buffer), data), encoding, array.dtype, list(array.shape))
    except ProtocolError:
        return
    assert (arrived.dtype, arrived.shape) == (array.dtype, array.shape)


simple: Any = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
encodings = (
    st.tuples(st.sampled_from([*COMPRESSIONS, "rar"]), simple, simple).map(list) | st.lists(simple) | simple
)


@given(st.binary(max_size=200), encodings, st.lists(st.integers(0, 20), max_size=4) | simple)
def test_anything_from_the_wire_gives_an_array_or_a_protocol_error(
    buffer: bytes, encoding: Any, shape: Any
) -> None:
    for dtype in ("u1", ">f8", "?"):
        try:
            decode(buffer, encoding, np.dtype(dtype), shape)
        except ProtocolError:
            pass


def test_text_beyond_unicode_is_refused() -> None:
    points = np.full(100, 0x110000, np.uint32)
    for compression in EXACT:
        buffer, encoding = encode(points, compression)
        refused(bytes(buffer), encoding, [100], "U1", match="no characters")


# -- the libraries -----------------------------------------------------------------------------------------

_WITHOUT = """
import sys
import numpy as np
from pyrolab.streams.compression import decode, encode, require
loaded = {"zstandard", "blosc2", "PIL"} & set(sys.modules)
assert not loaded, loaded
sys.modules[sys.argv[2]] = None
image = np.zeros((4, 4), np.uint8)
for act in (
    lambda: require(sys.argv[1]),
    lambda: encode(image, sys.argv[1]),
    lambda: decode(b"1", [sys.argv[1], 0, 255][: 3 if sys.argv[1] == "jpeg" else 1], image.dtype, [4, 4]),
):
    try:
        act()
    except ModuleNotFoundError as error:
        print(error)
assert np.array_equal(decode(*encode(image), image.dtype, [4, 4]), image)
"""


@pytest.mark.parametrize(
    ("compression", "module", "project"),
    [("zstd", "zstandard", "zstandard"), ("blosc2", "blosc2", "blosc2"), ("jpeg", "PIL", "Pillow")],
)
def test_a_library_is_loaded_when_needed_and_its_lack_is_told(
    compression: str, module: str, project: str
) -> None:
    child = [sys.executable, "-c", _WITHOUT, compression, module]
    said = subprocess.run(child, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(said) == 3
    for line in said:
        assert f"compression '{compression}' needs the library {project}" in line
        assert "pip install 'pyrolab[compression]'" in line


@pytest.mark.parametrize("compression", ["", *COMPRESSIONS])
def test_what_is_installed_is_not_asked_for(compression: str) -> None:
    require(compression)
