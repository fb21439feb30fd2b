"""What every system is made to carry: the same arguments, the same image bytes, the same names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint16]

#: Ten arguments as a script passes them to an instrument.
TEN_ARGUMENTS: tuple[Any, ...] = (1, 2.5, "nm", True, None, -7, "laser", 1550.125, 65_536, "ok")
#: The same for those that know names only (JSON-RPC by keyword).
TEN_NAMED: dict[str, Any] = {f"a{index}": value for index, value in enumerate(TEN_ARGUMENTS)}

MIB = 1024 * 1024
#: As long as the object names that PyroLab makes.
OBJECT_NAME = b"obj_0123456789abcdef0123456789abcdef"

_NOISE_BITS = 12


def image(size: int) -> Image:
    """A camera's image of `size` bytes, shape (size // 2,), uint16: noise of 12 bits, which packs badly."""
    generator = np.random.default_rng(20)
    return generator.integers(0, 2**_NOISE_BITS, size // 2, dtype=np.uint16)


def as_image(data: Any) -> Image:
    """The image in a received buffer, shape (n,), uint16, without copying it."""
    return np.frombuffer(data, dtype=np.uint16)
