"""What cannot travel is refused before anything is sent, with the path to it and advice."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from pyrolab.errors import SerializeError
from pyrolab.protocol.codec import decode, encode, encode_call
from pyrolab.protocol.limits import MAX_BODY_BYTES, MAX_DEPTH, MAX_ELEMENTS, MAX_FRAME_BYTES
from values.samples import LabelledSpan, Pose, Reading, Span

LOCK = threading.Lock()


def refusal(value: Any) -> SerializeError:
    with pytest.raises(TypeError) as caught:
        encode(value)
    assert isinstance(caught.value, SerializeError)
    return caught.value


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (LOCK, "value"),
        ([1, LOCK], "value[1]"),
        ({"x": {"y": (1, LOCK)}}, "value['x']['y'][1]"),
        ({(1, 2): LOCK}, "value[(1, 2)]"),
        ({LOCK: 1}, f"the key {LOCK!r} of value"[:60]),
        ({1, LOCK}, "an element of value"),
        (deque([LOCK]), "value[0]"),
        (OrderedDict(a=[LOCK]), "value['a'][0]"),
        (defaultdict(None, a=LOCK), "value['a']"),
        (Pose(1, 2, LOCK), "value.name"),  # type: ignore[arg-type]
        (Reading([LOCK], "V"), "value.value[0]"),
        (Span(0, LOCK), "value.high"),  # type: ignore[arg-type]
        (slice(1, LOCK), "value.stop"),
        ([b"x", bytearray(b"y"), {"z": LOCK}], "value[2]['z']"),
    ],
    ids=str,
)
def test_the_path_leads_to_the_offender(value: Any, path: str) -> None:
    error = refusal(value)
    assert str(error).startswith(path)
    assert "lock" in str(error)


def test_the_paths_of_a_call_read_as_the_call_was_written() -> None:
    with pytest.raises(SerializeError, match=r"^args\[1\]\['x'\]: a value of type _thread.lock") as caught:
        encode_call(["move"], (1, {"x": LOCK}), {"speed": 1})
    assert caught.value.path == "args[1]['x']"
    with pytest.raises(SerializeError, match=r"^speed\[0\]: "):
        encode_call(["move"], (1,), {"speed": [LOCK]})
    with pytest.raises(SerializeError, match=r"^steps\[1\]\[0\]: "):
        encode_call(["axes", [LOCK]], (), {})


def test_the_path_starts_with_the_name_that_the_caller_gives() -> None:
    with pytest.raises(SerializeError, match=r"^result\[0\]: "):
        encode([LOCK], path="result")


class Text(str):
    pass


class Number(int):
    pass


class Table(dict[str, int]):
    pass


class Pair(tuple[int, int]):
    pass


@dataclass
class DictToo(dict[str, int]):
    size: int = 0


def generator() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (Text("x"), "send str(value)"),
        (Number(1), "send int(value)"),
        (Table(), "send dict(value)"),
        (Pair((1, 2)), "send tuple(value)"),
        (generator(), "a list of its items"),
        (generator, "functions stay"),
        ([].append, "functions stay"),
        (Pose, "instead of the class"),
        (threading, "instead of the module"),
        ({}.keys(), "list(value)"),
        (MappingProxyType({}), "dict(value)"),
        (object(), "dataclass"),
        (DictToo(), "in a field"),
        (defaultdict(lambda: 1), "dict(value)"),
        (np.array([None]), "astype"),
        (np.zeros(1, [("a", "O")]), "astype"),
        (np.ma.masked_array([1, 2], [False, True]), "np.asarray"),
        (np.zeros(1, "i4,i4").view(np.recarray), "np.asarray"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_refusal_says_what_to_do(value: Any, advice: str) -> None:
    assert advice in str(refusal(value))


def test_a_namedtuple_with_more_than_its_fields_is_refused() -> None:
    span = LabelledSpan(1, 2)
    assert isinstance(decode(*encode(span)), LabelledSpan)
    span.label = "x"  # type: ignore[attr-defined]
    assert "beside its fields" in str(refusal(span))


def test_a_dataclass_with_an_undeclared_attribute_is_refused() -> None:
    pose = Pose(1, 2)
    pose.extra = 3  # type: ignore[attr-defined]
    assert "'extra'" in str(refusal([pose]))
    del pose.extra  # type: ignore[attr-defined]
    pose._cache = 3  # type: ignore[attr-defined]
    assert decode(*encode(pose)) == pose


def test_a_dataclass_without_one_of_its_fields_is_refused() -> None:
    pose = Pose(1, 2)
    del pose.x_mm
    assert "x_mm" in str(refusal(pose))


def test_circles_are_found() -> None:
    circle: list[Any] = [1]
    circle.append({"again": circle})
    assert str(refusal((0, circle))).startswith("value[1][1]['again']: it contains itself")
    through_tuple: list[Any] = []
    through_tuple.append((through_tuple,))
    assert "contains itself" in str(refusal(through_tuple))
    pose = Pose(1, 2)
    pose.x_mm = pose  # type: ignore[assignment]
    assert "value.x_mm: it contains itself" in str(refusal(pose))


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: (inner,), lambda inner: {1: inner}])
def test_what_the_receiver_would_find_too_deep_is_not_sent(wrap: Any) -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH // 2):
        value = wrap(value)
    assert decode(*encode(value)) == value
    for _ in range(MAX_DEPTH):
        value = wrap(value)
    assert f"deeper than {MAX_DEPTH}" in str(refusal(value))


def test_what_the_receiver_would_find_too_long_is_not_sent() -> None:
    assert "send large data as arrays" in str(refusal([0] * (MAX_ELEMENTS + 1)))
    assert "over the limit" in str(refusal({"a": bytes(MAX_BODY_BYTES)}))


def test_an_array_that_fits_no_frame_is_not_sent() -> None:
    assert "in parts" in str(refusal([np.broadcast_to(np.uint8(0), MAX_FRAME_BYTES + 1)]))


class Rude(Enum):
    ONE = 1

    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_a_key_without_a_repr_does_not_hide_the_error() -> None:
    assert "<a Rude>" in str(refusal({Rude.ONE: LOCK}))


def test_after_a_refusal_the_codec_works_as_before() -> None:
    large = np.zeros(1000)
    refusal([large, LOCK])
    body, buffers = encode([large, 1])
    assert len(buffers) == 1
    assert decode(body, buffers)[1] == 1


def test_an_extension_whose_own_code_fails_is_named() -> None:
    from pyrolab.protocol.codec import Codec

    mine = Codec()
    mine.register_extension(70, threading.Thread, lambda thread: 1 / 0, str)
    with pytest.raises(SerializeError, match=r"^value\[0\]: .*ZeroDivisionError"):
        mine.encode([threading.Thread()])
