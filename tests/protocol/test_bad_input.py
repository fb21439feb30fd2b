"""Whatever bytes arrive, decoding gives a value or a `ProtocolError`, in bounded memory."""

from __future__ import annotations

import struct
import tracemalloc
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pyrolab.errors import ProtocolError
from pyrolab.protocol import codes
from pyrolab.protocol.codec import decode, decode_call, encode
from pyrolab.protocol.limits import DEFAULT_LIMITS, MAX_DEPTH, MAX_ELEMENTS, Limits
from values.strategies import values

GENEROUS = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], max_examples=150
)


def extension(code: int, payload: Any) -> bytes:
    """A body of one extension; a payload that is not bytes is packed."""
    raw = payload if type(payload) is bytes else msgpack.packb(payload)
    packed: Any = msgpack.packb(msgpack.ExtType(code, raw))
    return bytes(packed)


def nested(depth: int, value: bytes = b"\xc0") -> bytes:
    return b"\x91" * depth + value


def attempt(body: bytes, buffers: list[Any]) -> None:
    for read in (decode, decode_call):
        try:
            read(body, buffers)
        except ProtocolError:
            pass


@GENEROUS
@given(st.binary(max_size=200), st.lists(st.binary(max_size=40), max_size=3))
@example(b"", [])
@example(b"GET / HTTP/1.1\r\n\r\n", [])
def test_random_bytes_give_a_value_or_a_protocol_error(body: bytes, buffers: list[bytes]) -> None:
    attempt(body, buffers)


@GENEROUS
@given(values, st.data())
def test_mangled_values_give_a_value_or_a_protocol_error(value: Any, data: st.DataObject) -> None:
    body, buffers = encode(value)
    mangled = bytearray(body)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(mangled) - 1))
        mangled[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(mangled)))
    attempt(bytes(mangled), list(buffers))
    attempt(bytes(mangled[:cut]), list(buffers))


@GENEROUS
@given(st.sampled_from(range(codes.INTEGER, codes.BLOB + 1)), st.binary(max_size=60))
def test_random_payloads_of_known_codes(code: int, payload: bytes) -> None:
    attempt(extension(code, payload), [])


simple = st.none() | st.booleans() | st.integers(-(1 << 63), 1 << 63) | st.floats() | st.text(max_size=8)
simple_or_bytes = simple | st.binary(max_size=24) | st.sampled_from(["<f8", "|O", "builtins:str", "F", "ns"])
trees = st.recursive(
    simple_or_bytes,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(simple_or_bytes, inner, max_size=3),
    max_leaves=8,
)


@GENEROUS
@given(st.sampled_from(range(codes.NESTING, codes.BLOB + 1)), trees)
def test_payloads_of_wrong_shapes(code: int, payload: Any) -> None:
    attempt(extension(code, msgpack.packb(payload)), [b"12345678"])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\xc0\xc0",
        b"\x93\x01\x02",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xffx",
        b"\xdb\xff\xff\xff\xffx",
        b"\xa1\xff",
        b"\x81\x90\x01",
        b"\x81\x80\x01",
        extension(0, b""),
        extension(codes.SERVICE, b"\xc0"),
        extension(100, b"\xc0"),
        extension(127, b""),
        extension(codes.TUPLE, b""),
        extension(codes.TUPLE, {}),
        extension(codes.TUPLE, b"\x91\x01\x02"),
        extension(codes.SET, [[]]),
        extension(codes.RANGE, [0, 1, 0]),
        extension(codes.RANGE, [0, 1.5, 1]),
        extension(codes.RANGE, [0, True, 1]),
        extension(codes.FRACTION, [1, 0]),
        extension(codes.DECIMAL, b"many"),
        extension(codes.UUID, b"short"),
        extension(codes.DATE, b"2026-13-01"),
        extension(codes.DATETIME, ["2026-01-01T00:00:00", 5]),
        extension(codes.DATETIME, ["2026-01-01T00:00:00", None, 7]),
        extension(codes.ZONE, b"../../etc/passwd"),
        extension(codes.ZONE, b"/etc/passwd"),
        extension(codes.TIMEDELTA, struct.pack(">iii", 2**31 - 1, 0, 0)),
        extension(codes.TIMEZONE, [1 << 60]),
        extension(codes.PATH, b"x/y"),
        extension(codes.COMPLEX, b"short"),
        extension(codes.COMPACT_ARRAY, b"O\x08" + bytes(8)),
        extension(codes.COMPACT_ARRAY, b"i\x04" + bytes(3)),
        extension(codes.DEFAULT_DICT, ["eval", {}]),
        extension(codes.RECORD, ["a:B", [1]]),
        extension(codes.RECORD, ["", {}]),
        extension(codes.RECORD, ["a:B", {1: 2}]),
        extension(codes.ENUM, ["a:B", 1, 2]),
    ],
    ids=lambda body: body[:12].hex() or "nothing",
)
def test_bad_bodies_are_protocol_errors(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(body)


def test_depth_is_bounded_for_arrays_maps_and_extensions_alike() -> None:
    assert decode(nested(MAX_DEPTH)) is not None
    in_extensions = b"\xc0"
    for _ in range(MAX_DEPTH // 2 + 1):
        in_extensions = extension(codes.TUPLE, b"\x91" + in_extensions)
    bodies = [nested(MAX_DEPTH + 1), nested(100_000), b"\x81\x01" * (MAX_DEPTH + 1) + b"\xc0", in_extensions]
    for body in bodies:
        with pytest.raises(ProtocolError, match=f"deeper than {MAX_DEPTH}"):
            decode(body)


def test_extensions_directly_within_extensions_count_too() -> None:
    body = b"\x90"
    for _ in range(MAX_DEPTH + 1):
        body = extension(codes.TUPLE, body)
    with pytest.raises(ProtocolError, match="deeper"):
        decode(body)


def test_limits_can_be_lower() -> None:
    low = Limits(depth=2, elements=5, body_bytes=100)
    assert decode(b"\x91\x91\xc0", limits=low) == [[None]]
    for body in (nested(3), b"\x96" + bytes(6), b"\xc4\xc8" + bytes(200)):
        with pytest.raises(ProtocolError):
            decode(body, limits=low)


def test_too_many_elements_are_refused_before_they_are_made() -> None:
    body = b"\xdd" + struct.pack(">I", MAX_ELEMENTS + 1) + bytes(MAX_ELEMENTS + 1)
    with pytest.raises(ProtocolError, match="elements"):
        decode(body)


def test_elements_count_in_all_containers_together() -> None:
    half = b"\xdd" + struct.pack(">I", MAX_ELEMENTS // 2) + bytes(MAX_ELEMENTS // 2)
    with pytest.raises(ProtocolError, match="elements"):
        decode(b"\x93" + half + half + b"\xc0")


def test_a_mebibyte_of_empty_maps_stays_within_bounds() -> None:
    body = b"\xdd" + struct.pack(">I", 1 << 20) + b"\x80" * (1 << 20)
    assert peak_bytes(body) < 160 << 20


def test_lengths_that_lie_cost_no_memory() -> None:
    lying = b"".join(b"\xdd" + struct.pack(">I", 1 << 19) for _ in range(60)) + bytes(1 << 20)
    assert peak_bytes(lying) < 16 << 20
    small = b"".join(b"\xdd" + struct.pack(">I", 16_000) for _ in range(60)) + bytes(15_000)
    assert peak_bytes(small) < 16 << 20


def peak_bytes(body: bytes) -> int:
    tracemalloc.start()
    try:
        try:
            decode(body)
        except ProtocolError:
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_long_lists_of_floats_are_measured_right() -> None:
    floats = [float(index) for index in range(5000)]
    for value in (floats, [*floats, "end"], [floats, "x", *floats], {"a": floats, 1.5: floats}):
        assert decode(*encode(value)) == value
    body, _ = encode(floats)
    for wrong in (body[:-1], body[:-9], body + b"\xc0", body[:1] + b"\xff\xff" + body[3:]):
        with pytest.raises(ProtocolError):
            decode(wrong)


def test_a_body_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(ProtocolError, match="over the limit"):
        decode(bytes(DEFAULT_LIMITS.body_bytes + 1))


def array_body(description: Any, shape: Any, content: Any, *order: Any) -> bytes:
    return extension(codes.NDARRAY, msgpack.packb([description, shape, content, *order]))


#: One item of eight bytes, with one field.
FIELD = [8, False, [["a", "<f8", 0]]]

BAD_ARRAYS = [
    array_body("|O", [1], bytes(8)),
    array_body("O", [1], bytes(8)),
    array_body("<O8", [1], bytes(8)),
    array_body("object", [1], bytes(8)),
    array_body("<f8,O", [1], bytes(16)),
    array_body("f8", [1], bytes(8)),
    array_body("<f8\n", [1], bytes(8)),
    array_body("<M8[xx]", [1], bytes(8)),
    array_body("<M8[0s]", [1], bytes(8)),
    array_body("|S99999999999", [0], b""),
    array_body("<U999999999", [0], b""),
    array_body("<f16m7", [1], bytes(16)),
    array_body(["|O"], [1], bytes(8)),
    array_body([8, False, [["a", "|O", 0]]], [1], bytes(8)),
    array_body([8, False, [["a", [8, False, [["b", "|O", 0]]], 0]]], [1], bytes(8)),
    array_body([8, False, [["a", "<f8", 1]]], [1], bytes(8)),
    array_body([8, False, [["a", "<f8", -8]]], [1], bytes(8)),
    array_body([8, False, [["a", "<f8", 0], ["a", "<f8", 0]]], [1], bytes(8)),
    array_body([8, False, [["", "<f8", 0]]], [1], bytes(8)),
    array_body([8, False, [["a", "<f8", 0, [1 << 40]]]], [1], bytes(8)),
    array_body([8, False, [["a", "<f8"]]], [1], bytes(8)),
    array_body([8, False, [["a", "<f8", 0, [], 5]]], [1], bytes(8)),
    array_body([8, False, [["a", "<f8", 0, [], "t", 1]]], [1], bytes(8)),
    array_body([1 << 40, False, []], [0], b""),
    array_body([8, 1, []], [1], bytes(8)),
    array_body(FIELD, [2], bytes(8)),
    array_body("<f8", [2], bytes(8)),
    array_body("<f8", [1], bytes(9)),
    array_body("<f8", [-1], bytes(8)),
    array_body("<f8", [-1, -1], bytes(8)),
    array_body("<f8", [1.0], bytes(8)),
    array_body("<f8", [True], bytes(8)),
    array_body("<f8", [1 << 62, 4], bytes(8)),
    array_body("<f8", [1 << 62, 1 << 62, 0], b""),
    array_body("<f8", [1] * 33, bytes(8)),
    array_body("<f8", 1, bytes(8)),
    array_body("<f8", [1], "12345678"),
    array_body("<f8", [1], bytes(8), "C"),
    array_body("<f8", [1], bytes(8), "F", 1),
    array_body("<f8", [1], 0),
    array_body("<U1", [1], struct.pack("<I", 0x110000)),
    array_body([4, False, [["a", "<U1", 0]]], [1], struct.pack("<I", 0xFFFFFFFF)),
    extension(codes.NUMPY_SCALAR, ["|O", bytes(8)]),
    extension(codes.NUMPY_SCALAR, ["<f8", bytes(7)]),
    extension(codes.NUMPY_SCALAR, ["<f8", 1]),
    extension(codes.NUMPY_SCALAR, ["U", b"x"]),
    extension(codes.NUMPY_SCALAR, ["<U1", struct.pack("<I", 0x110000)]),
]


@pytest.mark.parametrize("body", BAD_ARRAYS, ids=range(len(BAD_ARRAYS)))
def test_lying_arrays_are_protocol_errors(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(body)


LARGE = np.arange(1000.0)


@pytest.mark.parametrize(
    "buffers",
    [[], [bytes(7999)], [bytes(8001)], [bytes(8000), bytes(8000)], [b""]],
    ids=["none", "short", "long", "unused", "empty"],
)
def test_buffers_must_be_what_the_body_says(buffers: list[bytes]) -> None:
    body, _ = encode(LARGE)
    with pytest.raises(ProtocolError):
        decode(body, buffers)


def test_no_buffer_is_used_twice() -> None:
    one = array_body("<f8", [1], 0)
    with pytest.raises(ProtocolError, match="already"):
        decode(b"\x92" + one + one, [bytes(8)])


@pytest.mark.parametrize("number", [1, -1, True, 1.0, None, "0"], ids=repr)
def test_a_buffer_is_named_by_its_number(number: Any) -> None:
    with pytest.raises(ProtocolError):
        decode(array_body("<f8", [1], number), [bytes(8)])
