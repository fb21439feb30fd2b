"""JPEG: pictures of integers and floats, nearly as they were; nothing but pictures from a peer."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from pyrolab.errors import ProtocolError
from pyrolab.streams.compression import decode, encode

DTYPES = ["u1", "<u2", ">u2", "i1", "<i2", ">i4", "u4", "u8", "i8", "f2", "<f4", ">f4", "f8"]
#: A smooth picture within ±1.
HILLS: Any = np.fromfunction(lambda y, x: np.sin(x / 20) * np.cos(y / 30), (96, 130))


def scaled(dtype: str) -> Any:
    """The hills over most of what a dtype can hold."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return (HILLS * 1000).astype(kind)
    limits = np.iinfo(kind)
    middle, span = (limits.min + limits.max + 1) // 2, limits.max // 4
    return (HILLS * span + float(middle)).astype(kind)


def round_trip(array: Any, quality: int = 95) -> Any:
    buffer, encoding = encode(array, "jpeg", quality)
    assert encoding is not None
    assert encoding[0] == "jpeg"
    return decode(bytes(buffer), encoding, array.dtype, list(array.shape))


def worst(arrived: Any, sent: Any) -> float:
    """The largest error, as a share of what the picture spans."""
    one, other = arrived.astype(float), sent.astype(float)
    return float(np.abs(one - other).max() / (other.max() - other.min()))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("colours", [0, 1, 3])
def test_a_smooth_picture_is_nearly_the_same(dtype: str, colours: int) -> None:
    sent = scaled(dtype)
    if colours:
        sent = np.stack([sent, sent.T[:96, :96].repeat(2, 1)[:, :130], sent[::-1]][:colours], axis=-1)
    arrived = round_trip(sent)
    assert (arrived.dtype, arrived.shape) == (sent.dtype, sent.shape)
    assert arrived.flags.writeable is False
    assert worst(arrived, sent) < (0.02 if colours < 3 else 0.06)


@pytest.mark.parametrize("dtype", ["<u2", ">i4", "f4"])
def test_values_are_rounded_to_the_nearest(dtype: str) -> None:
    """JPEG keeps squares of 8 × 8 equal pixels as they are, and 256 shades are enough for 251 values."""
    sent = np.kron(np.arange(251).reshape(1, 251), np.ones((8, 8))).astype(dtype)
    assert np.array_equal(np.rint(round_trip(sent, 100)), sent)


def test_colours_are_as_sharp_as_the_rest() -> None:
    buffer, _ = encode(np.zeros((16, 16, 3), np.uint8), "jpeg")
    assert JpegImagePlugin.get_sampling(JpegImagePlugin.JpegImageFile(io.BytesIO(buffer))) == 0  # 4:4:4


def test_a_lower_quality_is_smaller_and_worse() -> None:
    rough = (scaled("<u2") + np.random.default_rng(1).integers(0, 9000, HILLS.shape)).astype("<u2")
    assert len(encode(rough, "jpeg", 95)[0]) > 2 * len(encode(rough, "jpeg", 40)[0])
    assert worst(round_trip(rough, 40), rough) > worst(round_trip(rough, 100), rough)


def test_bytes_are_not_scaled() -> None:
    dim = (scaled("u1") // 4).astype("u1")
    assert encode(dim, "jpeg")[1] == ["jpeg", 0, 255]


def test_the_limits_travel_as_plain_numbers() -> None:
    _, encoding = encode(np.array([[-5, 70]], ">i4"), "jpeg")
    assert encoding == ["jpeg", -5, 70]
    _, encoding = encode(np.array([[-0.5, 2.5]], ">f4"), "jpeg")
    assert encoding == ["jpeg", -0.5, 2.5]
    assert encoding is not None
    assert [type(each) for each in encoding] == [str, float, float]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_picture_of_one_value_is_exact(dtype: str) -> None:
    for value in (0, 7, 100):
        sent = np.full((20, 30), value, dtype)
        assert np.array_equal(round_trip(sent), sent)


@pytest.mark.parametrize("dtype", ["u2", "i4", "u8", "i8"])
def test_the_extremes_of_integers(dtype: str) -> None:
    limits = np.iinfo(dtype)
    sent = np.full((32, 32), limits.min, dtype)
    sent[:, 16:] = limits.max
    arrived = round_trip(sent, 100)
    assert (arrived[:, 16:] > limits.max // 10 * 9).all()
    assert (arrived[:, :16] < limits.min + limits.max // 10).all()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_the_extremes_of_floats(dtype: str) -> None:
    top = np.finfo(dtype).max
    sent = np.full((32, 32), -top, dtype)
    sent[:, 16:] = top
    arrived = round_trip(sent, 100)
    assert (arrived[:, 16:] > top * 0.9).all()
    assert (arrived[:, :16] < top * -0.9).all()
    tiny = np.full((8, 8), np.finfo(dtype).smallest_subnormal, dtype)
    tiny[0] = 0
    assert (round_trip(tiny) <= tiny.max()).all()


def test_nan_and_infinity_do_not_spoil_a_picture() -> None:
    sent = scaled("f8")
    sent[:8, :8], sent[:8, 64:72], sent[64:72, :8] = np.nan, np.inf, -np.inf
    arrived = round_trip(sent, 100)
    rest = np.isfinite(sent)
    assert worst(arrived[16:60, 16:60], sent[16:60, 16:60]) < 0.05
    assert np.isfinite(arrived).all()
    low, high = sent[rest].min(), sent[rest].max()
    span = high - low
    assert (arrived[2:6, 66:70] > high - span * 0.1).all()
    for corner in (arrived[2:6, 2:6], arrived[66:70, 2:6]):
        assert (corner < low + span * 0.1).all()
    assert np.array_equal(round_trip(np.full((8, 8), np.nan)), np.zeros((8, 8)))


def test_a_mask_stays_a_mask() -> None:
    sent = np.zeros((32, 32), bool)
    sent[8:24, :16] = True
    assert np.array_equal(round_trip(sent), sent)


@pytest.mark.parametrize("layout", [lambda made: made.T, np.asfortranarray, lambda made: made[::2, ::-1]])
def test_pictures_that_are_not_contiguous(layout: Any) -> None:
    for dtype in ("u1", "<u2"):
        sent = layout(scaled(dtype))
        assert worst(round_trip(sent), sent) < 0.03


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(5),
        np.array(5),
        np.zeros((4, 4, 2)),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
        np.zeros((4, 4), complex),
        np.zeros((4, 4), "M8[s]"),
        np.zeros((4, 4), "U2"),
        np.zeros((4, 4), [("a", "u1")]),
        np.zeros((1, 65_501), np.uint8),
    ],
    ids=lambda array: f"{array.dtype} {array.shape}",
)
def test_what_is_no_picture_is_refused(array: Any) -> None:
    with pytest.raises(ValueError, match=r"another compression|binning"):
        encode(array, "jpeg")


def test_an_empty_picture_goes_as_it_is() -> None:
    sent = np.zeros((0, 20), np.uint16)
    buffer, encoding = encode(sent, "jpeg")
    assert encoding is None
    assert decode(buffer, encoding, sent.dtype, [0, 20]).shape == (0, 20)


# -- what a peer may send ----------------------------------------------------------------------------------


def picture(mode: str = "L", size: tuple[int, int] = (30, 20), **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, **{"format": "JPEG", **options})
    return file.getvalue()


def refused(
    buffer: bytes, limits: Any, dtype: str = "u1", shape: Any = (20, 30), match: str = "picture"
) -> None:
    with pytest.raises(ProtocolError, match=match):
        decode(buffer, ["jpeg", *limits], np.dtype(dtype), list(shape))


@pytest.mark.parametrize(
    "buffer",
    [
        picture(size=(31, 20)),
        picture(size=(20, 30)),
        picture("RGB"),
        picture("CMYK"),
        picture(progressive=True),
        picture()[:2] + picture()[2:].replace(b"\xff\xd9", b"\xff\xda" * 5),
    ],
    ids=["wider", "turned", "colours", "inks", "progressive", "scans"],
)
def test_other_pictures(buffer: bytes) -> None:
    assert decode(picture(), ["jpeg", 0, 255], np.dtype("u1"), [20, 30]).sum() == 0
    refused(buffer, [0, 255])


@pytest.mark.parametrize(
    "buffer", [b"", b"\xff\xd8", picture(format="PNG"), picture(format="GIF"), picture()[:200]]
)
def test_what_is_no_whole_jpeg(buffer: bytes) -> None:
    refused(buffer, [0, 255], match="cannot be decoded")


@pytest.mark.parametrize("shape", [(20,), (), (20, 30, 2), (1, 20, 30, 1), (0, 30), (20, 30, 3)])
def test_shapes_that_are_no_picture_or_another(shape: tuple[int, ...]) -> None:
    refused(picture(), [0, 255], shape=shape)


@pytest.mark.parametrize("dtype", ["c8", "g", "U1", "S1", "M8[s]", "V1"])
def test_dtypes_that_are_no_picture(dtype: str) -> None:
    refused(picture(), [0, 255], dtype)


NUMBERS: list[Any] = [None, "0", True, [], float("nan"), float("inf"), -float("inf"), 1 << 70, -(1 << 70)]


@pytest.mark.parametrize("number", NUMBERS, ids=repr)
@pytest.mark.parametrize("dtype", ["u1", ">u2", "i8", "?", "f2", "f4"])
def test_limits_that_cannot_be(number: Any, dtype: str) -> None:
    if dtype == "f4" and type(number) is int:
        number *= 1 << 70
    for limits in ([number, 1], [0, number]):
        refused(picture(), limits, dtype, match="lowest and highest")


def test_limits_that_are_anything_else() -> None:
    for anything in (np.arange(3), np.float64(3), object):
        refused(picture(), [anything, anything], "f8", match="lowest and highest")


def test_limits_in_the_wrong_order_or_of_another_kind() -> None:
    refused(picture(), [5, 4], match="lowest and highest")
    refused(picture(), [0.0, 4.0], match="lowest and highest")
    refused(picture(), [-1, 4], match="lowest and highest")
    refused(picture(), [0, 256], match="lowest and highest")
    assert decode(picture(), ["jpeg", 3, 4], np.dtype("f4"), [20, 30])[0, 0] == 3


def test_every_quality_can_be_read_again() -> None:
    """The two bytes that begin a scan are in none of the tables."""
    for sent in (scaled(">u2"), np.zeros((20, 30, 3), np.uint8)):
        for quality in range(1, 101):
            assert round_trip(sent, quality).shape == sent.shape
