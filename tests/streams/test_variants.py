"""What a subscriber may ask for: one spelling of each wish, and nothing else from the wire."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab.streams.compression import COMPRESSIONS
from pyrolab.streams.variants import MAX_AXES, MAX_BOUND, MAX_FACTOR, Variant


class Unshowable:
    """What may be among the arguments of a call, where all values travel."""

    def __repr__(self) -> str:
        raise RuntimeError("a class of a user's")


bounds = st.none() | st.integers(-MAX_BOUND, MAX_BOUND)
regions: Any = st.lists(st.builds(slice, bounds, bounds), max_size=MAX_AXES).map(tuple)
factors = st.lists(st.integers(1, MAX_FACTOR), max_size=MAX_AXES) | st.integers(1, MAX_FACTOR)
compressions = st.none() | st.sampled_from(COMPRESSIONS)
variants = st.builds(Variant.of, regions, factors, st.just(1), compressions, st.integers(1, 100)) | st.builds(
    Variant.of, regions, st.just(1), factors, compressions
)


def test_what_a_user_writes() -> None:
    assert Variant.of(np.s_[100:200, -50:]).region == ((100, 200), (-50, None))
    assert Variant.of(slice(np.int64(5))).region == ((None, 5),)
    assert Variant.of(stride=3).stride == (3, 3)
    assert Variant.of(binning=(2, np.int16(4), 8)).binning == (2, 4, 8)
    assert Variant.of(compression="jpeg", quality=40) == Variant(compression="jpeg", quality=40)


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"region": ...},
        {"region": np.s_[:, :]},
        {"region": np.s_[:, ...]},
        {"region": ()},
        {"stride": (1, 1, 1)},
        {"binning": []},
        {"quality": 30},
        {"stride": 1, "binning": 1, "compression": None},
    ],
    ids=repr,
)
def test_a_wish_for_nothing_special_is_plain(wish: Any) -> None:
    variant = Variant.of(**wish)
    assert variant == Variant()
    assert variant.is_plain
    assert not variant.is_reduced


def test_equal_wishes_are_one_key() -> None:
    assert len({Variant.of(binning=2), Variant.of(binning=[2, 2, 1]), Variant(binning=(2, 2))}) == 1
    assert len({Variant.of(compression="zstd", quality=5), Variant.of(compression="zstd")}) == 1
    assert len({Variant.of(np.s_[:, 1:2, :, ...]), Variant.of(np.s_[:, 1:2])}) == 1
    assert Variant.of(stride=2) != Variant.of(binning=2)


def test_what_reduces_and_what_does_not() -> None:
    for wish in (Variant.of(np.s_[3:]), Variant.of(stride=2), Variant.of(binning=(1, 2))):
        assert wish.is_reduced
        assert not wish.is_plain
    packed = Variant.of(compression="blosc2")
    assert not packed.is_reduced
    assert not packed.is_plain


@pytest.mark.parametrize(
    ("wish", "kind", "text"),
    [
        ({"region": np.s_[::2]}, ValueError, "stride"),
        ({"region": np.s_[3, 4:5]}, TypeError, "slices"),
        ({"region": np.s_[..., 4:5]}, TypeError, "slices"),
        ({"region": (slice(0, 5), None)}, TypeError, "slices"),
        ({"region": slice(0.5, 2)}, TypeError, "whole numbers"),
        ({"region": slice(0, MAX_BOUND + 1)}, ValueError, "within"),
        ({"region": (slice(1),) * (MAX_AXES + 1)}, ValueError, "8 axes"),
        ({"stride": 0}, ValueError, "1 to 1024"),
        ({"stride": -1}, ValueError, "1 to 1024"),
        ({"binning": MAX_FACTOR + 1}, ValueError, "1 to 1024"),
        ({"binning": (2,) * (MAX_AXES + 1)}, ValueError, "8 axes"),
        ({"binning": True}, TypeError, "whole numbers"),
        ({"binning": 2.0}, TypeError, "whole numbers"),
        ({"stride": "2"}, TypeError, "whole numbers"),
        ({"stride": (1, 2), "binning": (2, 1)}, ValueError, "choose one"),
        ({"compression": "gif"}, ValueError, "zstd, blosc2, jpeg"),
        ({"compression": 1}, ValueError, "zstd, blosc2, jpeg"),
        ({"compression": "jpeg", "quality": 0}, ValueError, "1 to 100"),
        ({"quality": 101}, ValueError, "1 to 100"),
        ({"quality": "high"}, TypeError, "whole numbers"),
    ],
    ids=repr,
)
def test_what_makes_no_sense_is_refused(wish: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        Variant.of(**wish)


@given(variants)
def test_a_variant_survives_the_wire(variant: Variant) -> None:
    data = msgpack.unpackb(msgpack.packb(variant.to_data()))
    again = Variant.from_data(data)
    assert again == variant
    assert hash(again) == hash(variant)


def test_what_is_left_out_on_the_wire_is_as_usual() -> None:
    assert Variant.from_data({}) == Variant()
    assert Variant.from_data({"stride": [2, 1]}) == Variant(stride=(2,))


simple = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5)
trees: Any = st.recursive(simple, lambda inner: st.lists(inner, max_size=4), max_leaves=10)
names = st.sampled_from(["region", "stride", "binning", "compression", "quality"])


@given(trees | st.dictionaries(names | simple, trees))
def test_anything_from_the_wire_is_a_variant_or_a_value_error(data: Any) -> None:
    try:
        variant = Variant.from_data(data)
    except ValueError:
        return
    assert Variant.from_data(variant.to_data()) == variant


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {"rotate": 90},
        {"region": [[0, 1]] * 9},
        {"region": [[0, 1, 2]]},
        {"region": [[0, 1 << 40]]},
        {"region": [[0.0, 1.0]]},
        {"stride": [2], "binning": [2]},
        {"stride": [True]},
        {"stride": [[2]]},
        {"stride": 2},
        {"binning": [1 << 70]},
        {"compression": None},
        {"compression": ["zstd"]},
        {"quality": 85.0},
        {"compression": np.array(["zstd"])},
        {"region": np.array([0])},
        {"stride": [np.arange(3)]},
        {"quality": Unshowable()},
        {Unshowable(): 1},
    ],
)
def test_what_is_refused_from_the_wire(data: Any) -> None:
    with pytest.raises(ValueError, match=r"variant|region|stride|binning|compression|quality"):
        Variant.from_data(data)


def test_a_region_comes_before_the_binning() -> None:
    image: Any = np.arange(100, dtype=np.uint16).reshape(10, 10)
    variant = Variant.of(np.s_[1:6, 2:], binning=2)
    expected = [[18, 20, 22, 24], [38, 40, 42, 44]]  # the means of 4, of which one half is rounded up
    assert variant.reduce(image).tolist() == expected


def test_a_region_comes_before_the_stride() -> None:
    image: Any = np.arange(100, dtype=np.uint16).reshape(10, 10)
    assert Variant.of(np.s_[1:6, -3:], stride=2).reduce(image).tolist() == [[17, 19], [37, 39], [57, 59]]
    assert Variant.of(stride=3).reduce(image[0]).tolist() == [0, 3, 6, 9]
    assert Variant.of(stride=(1, 5)).reduce(image)[:2].tolist() == [[0, 5], [10, 15]]


def test_a_plain_variant_leaves_the_array_alone() -> None:
    image: Any = np.zeros((3, 3))
    assert Variant().reduce(image) is image
    assert Variant.of(compression="zstd").reduce(image) is image
