"""Colour maps for the terminal: a few of our own, and matplotlib's, if that is installed."""

from __future__ import annotations

import difflib
from functools import lru_cache

import numpy as np

from pyrolab.errors import PyroError
from pyrolab.viewing.look import Array

#: Colours at equal distances, from low to high. The perceptual ones are matplotlib's, at nine points.
_STOPS = {
    "gray": ("000000", "ffffff"),
    "viridis": ("440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725"),
    "inferno": ("000004", "210c4a", "57106e", "8a226a", "bc3754", "e45a31", "f98e09", "f9cb35", "fcffa4"),
    "magma": ("000004", "1d1147", "51127c", "832681", "b73779", "e75263", "fc8961", "fec488", "fcfdbf"),
    "coolwarm": ("3b4cc0", "6282ea", "8db0fe", "b9d0f9", "dddcdc", "f5c4ac", "f4987a", "dd5f4b", "b40426"),
}


@lru_cache(maxsize=8)
def table(name: str) -> Array:
    """The colours of a map: 256 rows of red, green and blue. Raises `PyroError` for an unknown name."""
    own = name.removesuffix("_r")
    if own not in _STOPS:
        return _table_of_matplotlib(name)
    stops = np.array([[int(stop[i : i + 2], 16) for i in (0, 2, 4)] for stop in _STOPS[own]], float)
    places = np.linspace(0, len(stops) - 1, 256)
    rows = [np.interp(places, np.arange(len(stops)), stops[:, channel]) for channel in range(3)]
    found: Array = np.rint(np.stack(rows, axis=1)).astype(np.uint8)
    return found[::-1] if name.endswith("_r") else found


def _table_of_matplotlib(name: str) -> Array:
    names = sorted(_STOPS)
    try:
        from matplotlib import colormaps
    except ImportError:
        raise PyroError(
            f"there is no colour map {name!r} without matplotlib, only {', '.join(names)} (and each with _r, "
            "the other way round); pip install 'pyrolab[view]' brings many more"
        ) from None
    if name not in colormaps:
        close = difflib.get_close_matches(name, list(colormaps), n=3) or names
        raise PyroError(f"there is no colour map {name!r}; did you mean {', '.join(close)}?")
    found: Array = np.rint(colormaps[name](np.arange(256))[:, :3] * 255).astype(np.uint8)
    return found
