"""Pixels arrive as the camera sent them, whatever their format; harvesters' own decoder is the judge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from harvesters.util.pfnc import Dictionary
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pyrolab_drivers.cameras.pixels import PixelFormat, UnknownPixelFormat
from pyrolab_drivers.quantities import OutOfRange

SHAPE = (6, 20)
PACKED = ["Mono10p", "Mono12p", "Mono10Packed", "Mono12Packed", "BayerRG10p", "BayerGB12p", "BayerBG12Packed"]
PLAIN = [
    "Mono8",
    "Mono10",
    "Mono12",
    "Mono14",
    "Mono16",
    "BayerGR8",
    "BayerRG16",
    "RGB8",
    "BGR8",
    "RGBa8",
    "RGB16",
]


def random_bytes(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(count).integers(0, 256, count, dtype=np.uint8)


def decoded(name: str, data: NDArray[np.uint8], shape: tuple[int, int] = SHAPE, **how: Any) -> NDArray[Any]:
    form = PixelFormat.named(name)
    out = np.zeros(form.shape(shape[1], shape[0]), form.dtype)
    form.decode(data, out, **how)
    return out


@pytest.mark.parametrize("name", PACKED + PLAIN)
def test_every_format_decodes_as_harvesters_does(name: str) -> None:
    form = PixelFormat.named(name)
    data = random_bytes(form.size(SHAPE[0] * SHAPE[1] * form.channels))
    theirs = Dictionary.get_proxy(symbolic=name)
    raw = data if form.packing or form.dtype == np.uint8 else data.view(np.uint16)
    expected = theirs.expand(raw if form.packing else data)
    ours = decoded(name, data)
    assert ours.dtype == (np.uint8 if form.bits == 8 else np.uint16)
    assert np.array_equal(ours.reshape(-1), np.asarray(expected).reshape(-1))


@pytest.mark.parametrize("name", ["Mono10p", "Mono12p", "Mono10Packed", "Mono12Packed"])
@given(values=st.lists(st.integers(0, 1023), min_size=1, max_size=31))
def test_an_image_of_any_number_of_packed_pixels_comes_back(name: str, values: list[int]) -> None:
    form = PixelFormat.named(name)
    data = packed(name, values)
    assert len(data) == form.size(len(values))
    assert decoded(name, np.frombuffer(data, np.uint8), (1, len(values))).tolist() == [values]


def packed(name: str, values: list[int]) -> bytes:
    """The definition, bit by bit."""
    bits = PixelFormat.named(name).bits
    if not name.endswith("Packed"):
        whole = sum(value << (bits * place) for place, value in enumerate(values))
        return whole.to_bytes((bits * len(values) + 7) // 8, "little")
    data = b""
    for first, *second in (values[at : at + 2] for at in range(0, len(values), 2)):
        low = bits - 8
        mask = (1 << low) - 1
        other = second[0] if second else 0
        data += bytes([first >> low, first & mask | (other & mask) << 4])
        data += bytes([other >> low]) if second else b""
    return data


@pytest.mark.parametrize("name", ["Mono8", "Mono16", "Mono12p", "RGB8"])
def test_what_follows_each_row_is_left_out(name: str) -> None:
    form = PixelFormat.named(name)
    size = form.size(SHAPE[1] * form.channels)
    plain = random_bytes(size * SHAPE[0])
    padded = np.pad(plain.reshape(SHAPE[0], size), ((0, 0), (0, 3)), constant_values=255).reshape(-1)
    assert np.array_equal(decoded(name, padded, padding=3), decoded(name, plain))
    assert np.array_equal(decoded(name, padded[:-3], padding=3), decoded(name, plain))


def test_cameras_that_send_the_high_byte_first_are_understood() -> None:
    data = np.array([0x01, 0x02, 0xFF, 0x00], np.uint8)
    assert decoded("Mono16", data, (1, 2), big_endian=True).tolist() == [[0x0102, 0xFF00]]
    assert decoded("Mono16", data, (1, 2)).tolist() == [[0x0201, 0x00FF]]


@pytest.mark.parametrize(
    "name", ["Coord3D_ABC32f_Planar", "RGB10p", "Mono1p", "Mono14Packed", "JPEG", "Mono9", ""]
)
def test_what_is_not_known_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(UnknownPixelFormat, match=f"pixel format {name} is not known"):
        PixelFormat.named(name)


@pytest.mark.parametrize(("name", "padding"), [("Mono8", 0), ("Mono16", 0), ("Mono12p", 0), ("Mono8", 4)])
def test_an_image_that_is_cut_short_is_an_error(name: str, padding: int) -> None:
    with pytest.raises(OutOfRange, match="bytes, but only 59 came"):
        decoded(name, random_bytes(59), padding=padding)
