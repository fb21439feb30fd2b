"""Arrays: all dtypes and layouts, uncopied where they are large, read-only unless asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyrolab.errors import ProtocolError, SerializeError
from pyrolab.protocol import arrays, dtypes
from pyrolab.protocol.blobs import SerializedBlob
from pyrolab.protocol.codec import decode, encode
from pyrolab.protocol.limits import MAX_BUFFERS, OUT_OF_BAND_BYTES
from values.same import same

SIMPLE = "?bBhHiIlLqQefdgFDG"
DTYPES: list[Any] = [
    *SIMPLE,
    *(f">{letter}" for letter in SIMPLE),
    *("S1", "S7", "U1", ">U5", "V3", "S0", "U0", "V0"),
    *("M8", "M8[D]", "M8[ns]", ">M8[us]", "M8[25s]", "m8[Y]", "m8", ">m8[h]"),
    [("a", "i4"), ("b", ">f8")],
    np.dtype([("a", "u1"), ("b", "f8")], align=True),
    [("a", "i2", (2, 3)), ("b", [("c", "U3"), ("d", "M8[s]", 4)])],
    [(("the title", "a"), "i4"), ("b", "S0")],
    {"names": ["a", "b"], "formats": ["i4", "i2"], "offsets": [4, 5], "itemsize": 16},
    [],
]


def round_trip(value: Any, **options: Any) -> Any:
    return decode(*encode(value), **options)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (3,), (0,), (2, 0, 3), (600, 40)], ids=str)
def test_every_dtype_in_every_size(dtype: Any, shape: tuple[int, ...]) -> None:
    sent: Any = np.zeros(shape, np.dtype(dtype))
    if np.dtype(dtype).kind in "iufcb" and sent.size:
        sent.reshape(-1)[:] = np.arange(sent.size) % 2
    arrived = round_trip(sent)
    assert same(arrived, sent)
    assert arrived.flags.writeable is False


@pytest.mark.parametrize("letter", SIMPLE)
def test_every_scalar_comes_back_with_its_bits_and_kind(letter: str) -> None:
    sent = np.dtype(letter).type(1)
    arrived = round_trip(sent)
    assert arrived == sent
    assert arrived.dtype == sent.dtype
    if letter not in "lLqQ":  # two of these are the same integer under two names
        assert type(arrived) is type(sent)


@pytest.mark.parametrize(
    "sent",
    [
        np.float64("nan"),
        np.float16("inf"),
        np.longdouble(1) / 3,
        np.bool_(True),
        np.str_("\0a\0"),
        np.str_(""),
        np.bytes_(b"a\0"),
        np.datetime64("NaT", "s"),
        np.datetime64("2026-11-23T12:00", "ns"),
        np.timedelta64(3, ("s", 25)),
        np.void(b"abc"),
        np.array([(1, 2.5)], "i4,>f8")[0],
    ],
    ids=repr,
)
def test_special_scalars(sent: Any) -> None:
    arrived = round_trip(sent)
    assert same(arrived, sent)


def test_a_structured_scalar_may_be_changed() -> None:
    arrived = round_trip(np.array([(1, 2.5)], "i4,f8")[0])
    arrived["f0"] = 7
    assert arrived["f0"] == 7


LARGE: Any = np.arange(24_000, dtype=np.uint16).reshape(20, 30, 40)


@pytest.mark.parametrize(
    "sent",
    [LARGE, LARGE.T, np.asfortranarray(LARGE), LARGE[::2], LARGE[:, ::-1], LARGE.transpose(1, 0, 2)],
    ids=["C", "transposed", "F", "strided", "reversed", "permuted"],
)
def test_large_arrays_in_every_layout(sent: Any) -> None:
    body, buffers = encode(sent)
    assert len(buffers) == 1
    assert buffers[0].nbytes == sent.nbytes
    assert same(decode(body, buffers), sent)


@pytest.mark.parametrize("sent", [LARGE, LARGE.T, np.zeros((100, 100), "M8[s]"), np.zeros(500, "i4,f8")])
def test_a_large_array_is_sent_and_received_without_a_copy(sent: Any) -> None:
    body, buffers = encode(sent)
    assert np.shares_memory(np.asarray(buffers[0]), sent.view(np.ndarray))
    frame = bytes(buffers[0])
    arrived = decode(body, [frame])
    assert arrived.__array_interface__["data"][0] == np.frombuffer(frame, np.uint8).ctypes.data
    assert len(body) < 80


def test_the_threshold_is_where_the_limit_says() -> None:
    assert len(encode(np.zeros(OUT_OF_BAND_BYTES, np.uint8))[1]) == 1
    assert len(encode(np.zeros(OUT_OF_BAND_BYTES - 1, np.uint8))[1]) == 0


def test_a_received_array_keeps_its_frame_alive_and_is_read_only() -> None:
    body, buffers = encode(LARGE)
    arrived = decode(body, [bytearray(buffers[0])])
    with pytest.raises(ValueError, match="read-only"):
        arrived[0, 0, 0] = 1
    assert same(arrived, LARGE)


@pytest.mark.parametrize("sent", [LARGE, np.arange(3), np.zeros((0, 2)), np.array(1.5), LARGE.T])
def test_a_writable_array_is_the_receivers_own(sent: Any) -> None:
    body, buffers = encode(sent)
    frames = [bytes(each) for each in buffers]
    arrived = decode(body, frames, writable=True)
    arrived[...] = 1
    assert not same(arrived, sent) or not sent.size
    assert same(decode(body, frames), sent)


def test_memory_that_is_handed_over_is_written_to_and_not_copied() -> None:
    body, buffers = encode({"a": [LARGE], "b": LARGE.T})
    frames = [bytearray(each) for each in buffers]
    arrived = decode(body, frames, writable=True)
    for array, frame in zip((arrived["a"][0], arrived["b"]), frames, strict=True):
        array[0, 0, 0] = 12345
        assert bytes(frame[:2]) == (12345).to_bytes(2, "little")


def test_what_is_only_lent_is_never_written_to() -> None:
    sent = LARGE.copy()
    arrived = round_trip(sent, writable=True)
    arrived[...] = 1
    assert same(sent, LARGE)


def test_a_blob_gives_each_who_asks_an_array_of_their_own() -> None:
    body, buffers = encode(SerializedBlob("image", LARGE))
    blob = decode(body, [bytearray(each) for each in buffers], writable=True)
    blob.deserialized()[...] = 1
    assert same(blob.deserialized(), LARGE)


def test_arrays_that_are_laid_out_alike_have_each_its_own_elements() -> None:
    for value in (1, 2):
        for order in ("C", "F"):
            sent = np.full((100, 200), value, np.int32, order=order)
            assert same(round_trip([sent, sent + 1]), [sent, sent + 1])


def test_whoever_renames_the_fields_of_a_received_array_changes_no_other() -> None:
    sent: Any = np.zeros(1000, "i4,f8")
    round_trip(sent).dtype.names = ("count", "power")
    assert round_trip(sent).dtype.names == ("f0", "f1")


def test_any_number_of_layouts() -> None:
    for length in range(OUT_OF_BAND_BYTES, OUT_OF_BAND_BYTES + 600):
        assert round_trip(np.zeros(length, np.uint8)).shape == (length,)
    assert len(arrays._LAYOUTS) <= arrays._KNOWN_LAYOUTS


def test_a_layout_that_is_known_is_still_held_against_the_bytes() -> None:
    body, buffers = encode(LARGE)
    assert same(decode(body, buffers), LARGE)
    for wrong in (bytes(buffers[0])[:-1], bytes(buffers[0]) + b"\0", b""):
        with pytest.raises(ProtocolError, match="has 48000 bytes"):
            decode(body, [wrong])


def test_a_read_only_array_can_be_sent() -> None:
    sent = LARGE.copy()
    sent.flags.writeable = False
    assert same(round_trip(sent), sent)


def test_a_memmap_arrives_as_an_array(tmp_path: Any) -> None:
    sent = np.memmap(tmp_path / "frames", np.uint16, "w+", shape=(100, 100))
    arrived = round_trip(sent)
    assert type(arrived) is np.ndarray
    assert np.array_equal(arrived, sent)


def test_more_large_arrays_than_buffers() -> None:
    sent = [np.full(OUT_OF_BAND_BYTES, number % 256, np.uint8) for number in range(MAX_BUFFERS + 3)]
    body, buffers = encode(sent)
    assert len(buffers) == MAX_BUFFERS
    assert same(decode(body, buffers), sent)


def test_frames_may_be_any_memory() -> None:
    body, buffers = encode(np.arange(1000.0))
    for frame in (bytes(buffers[0]), bytearray(buffers[0]), buffers[0], np.asarray(buffers[0]), LARGE[:0]):
        if len(frame):
            assert decode(body, [frame])[999] == 999.0


def test_a_long_double_of_another_processor_is_refused() -> None:
    text = dtypes.describe(np.dtype(np.longdouble))
    if text == "<f8":
        pytest.skip("long double is an ordinary double here")
    other = str(text).replace("m63", "m112") if "m63" in str(text) else "<f16m63"
    with pytest.raises(Exception, match="float64"):
        dtypes.build(other)


def test_texts_of_variable_width_are_refused() -> None:
    kind = getattr(np.dtypes, "StringDType", None)
    if kind is None:
        pytest.skip("this NumPy has no such dtype")
    with pytest.raises(SerializeError, match="astype"):
        encode(np.array(["a"], dtype=kind()))
