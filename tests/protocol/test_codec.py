"""Values travel and come back as what they were."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from pyrolab.errors import ProtocolError
from pyrolab.protocol import codec, codes
from pyrolab.protocol.call_body import CallBody, Step
from pyrolab.protocol.codec import Codec, decode, decode_call, encode, encode_call
from pyrolab.protocol.limits import MAX_NAME_CHARS
from values.same import same
from values.strategies import values

GENEROUS = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], max_examples=150
)


def round_trip(value: Any) -> Any:
    return decode(*encode(value))


@GENEROUS
@given(values)
def test_any_value_comes_back_equal_and_of_the_same_type(value: Any) -> None:
    assert same(round_trip(value), value)


@GENEROUS
@given(values)
def test_what_came_back_encodes_to_the_same_bytes_unless_sets_changed_their_order(value: Any) -> None:
    body, buffers = encode(value)
    again, _ = encode(decode(body, buffers))
    assert len(again) == len(body)


@pytest.mark.parametrize(
    "value",
    [
        1 << 63,
        1 << 64,
        -(1 << 63) - 1,
        255 << 2000,
        -1 << 64,
        math.nan,
        -0.0,
        "\ud800",
        {"\udcff": ["\udcff"]},
        bytearray(b"abc"),
        [bytearray(b"abc"), {"x": bytearray(b"")}, b"abc"],
        (bytearray(b"abc"),),
        {1: "a", "1": "b", (1,): "c", b"1": "d", None: "e", frozenset({1}): "f"},
        range(3, 0, -1),
        slice(None, "b", (1,)),
        Counter("banana"),
        OrderedDict(b=1, a=2),
        defaultdict(int, a=1),
        deque([1], maxlen=3),
        [],
        [[[]]],
    ],
    ids=lambda value: repr(value)[:30],
)
def test_values_at_the_edges(value: Any) -> None:
    assert same(round_trip(value), value)


def test_a_default_dict_still_makes_its_defaults() -> None:
    arrived = round_trip(defaultdict(list))
    arrived["new"].append(1)
    assert arrived == {"new": [1]}


def test_a_memoryview_arrives_as_bytes() -> None:
    assert round_trip(memoryview(b"abc")) == b"abc"


def test_a_timestamp_of_msgpack_becomes_a_moment_in_utc() -> None:
    assert decode(bytes.fromhex("d6ff5f5e1000")).isoformat() == "2020-09-13T12:26:40+00:00"


def test_large_arrays_between_other_values_keep_their_places() -> None:
    large = [np.full(5000, number) for number in range(3)]
    value = {"a": [large[0], bytearray(b"x")], "b": (large[1], {"c": large[2]})}
    body, buffers = encode(value)
    assert len(buffers) == 3
    assert same(decode(body, buffers), value)


def test_a_call_travels() -> None:
    steps: list[Step] = ["axes", ["x"], "move_to"]
    body, buffers = encode_call(steps, (1, (2.5,)), {"speed": 3})
    assert decode_call(body, buffers) == CallBody(steps, "call", [1, (2.5,)], {"speed": 3})


@pytest.mark.parametrize(
    "call",
    [
        1,
        [],
        [["m"], "call", []],
        ["m", "call", [], {}],
        [["m", 1], "call", [], {}],
        [[1.5], "call", [], {}],
        [["m"] * 33, "call", [], {}],
        [["m"], "call", [], {}, 5],
        [[""], "call", [], {}],
        [[["a", "b"]], "call", [], {}],
        [["m"], "run", [], {}],
        [["m"], ["call"], [], {}],
        [["m"], "call", (), {}],
        [["m"], "call", {}, {}],
        [["m"], "call", [], []],
        [["m"], "call", [], {1: 2}],
        [["m"], "call", [], {"x" * (MAX_NAME_CHARS + 1): 2}],
        [["x" * (MAX_NAME_CHARS + 1)], "call", [], {}],
    ],
    ids=repr,
)
def test_what_is_no_call_is_refused(call: Any) -> None:
    with pytest.raises(ProtocolError):
        decode_call(*encode(call))


class Handle:
    def __init__(self, uri: str) -> None:
        self.uri = uri


class SpecialHandle(Handle):
    pass


def test_an_extension_makes_a_class_and_its_subclasses_travel() -> None:
    mine = Codec(codec.CODEC)
    mine.register_extension(codes.STREAM, Handle, lambda handle: (handle.uri,), lambda data: Handle(*data))
    body, buffers = mine.encode([SpecialHandle("PYRO:x@h:1"), 1])
    arrived = mine.decode(body, buffers)
    assert [type(arrived[0]), arrived[0].uri] == [Handle, "PYRO:x@h:1"]
    with pytest.raises(ProtocolError, match="58"):
        decode(body, buffers)


def test_a_codec_knows_what_its_parent_learned_later() -> None:
    parent = Codec()
    child = Codec(parent)
    parent.register_extension(64, Handle, lambda handle: handle.uri, Handle)
    assert child.decode(*child.encode(Handle("x"))).uri == "x"


def test_codes_that_are_not_free_cannot_be_taken() -> None:
    mine = Codec()
    mine.register_extension(64, Handle, str, str)
    for code in (64, codes.TUPLE, 128, -1):
        with pytest.raises(ValueError, match="64 to 127"):
            mine.register_extension(code, SpecialHandle, str, str)


def test_a_process_that_only_passes_on_takes_builtin_types_and_looks_nothing_up() -> None:
    kept = {"a": (1, {2}, 1 << 70, 1j)}
    assert same(codec.decode_plain(*encode(kept)), kept)
    refused: list[Any] = [np.zeros(2), np.float64(1), deque()]
    for value in refused:
        with pytest.raises(ProtocolError, match="no place"):
            codec.decode_plain(*encode(value))


SCRIPT = """
import sys
from pyrolab.protocol import codec
codec.decode_call(*codec.encode_call(["m"], (1, (2.5, "x"), {3}), {"a": None}))
print(*sorted({"numpy", "pandas", "pint", "zmq", "pathlib", "decimal", "dataclasses"} & set(sys.modules)))
"""


def test_plain_values_load_no_library() -> None:
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert set(ran.stdout.split()) <= {"dataclasses"}


def test_it_all_works_with_the_pure_python_msgpack() -> None:
    """In a process of its own, because msgpack chooses when it is imported."""
    tests = "test_values_at_the_edges or test_any_value or test_large_arrays or test_mangled or test_random"
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-k", tests, "-p", "no:cacheprovider", *_FILES],
        env={**os.environ, "MSGPACK_PUREPYTHON": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert " passed" in ran.stdout


_FILES = [__file__, __file__.replace("test_codec", "test_bad_input")]
