"""From a spectrum and images to numbers: resonances, their widths and distances, the place of a spot.

NumPy only. Nothing here knows of instruments.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from findings import Array, Resonance, Spectrum


def baseline(spectrum: Spectrum) -> Array:
    """The smooth transmission beside the resonances: a parabola in dB through what does not dip."""
    centred = spectrum.wavelength_nm - spectrum.wavelength_nm.mean()
    level = spectrum.decibels
    keep = np.ones(level.shape, bool)
    for allowed_db in (3.0, 1.0, 0.3, 0.1, 0.1):
        fitted = np.polyval(np.polyfit(centred[keep], level[keep], 2), centred)
        fitted += np.median(level[keep] - fitted[keep])
        keep = np.abs(level - fitted) < allowed_db
        if keep.sum() < level.size // 4:
            raise ValueError("the spectrum has no smooth part from which to measure dips; sweep more widely")
    return np.asarray(10 ** (fitted / 10))


def insertion_loss(spectrum: Spectrum) -> float:
    """Least loss beside the resonances, in dB."""
    return float(-10 * np.log10(baseline(spectrum).max()))


def find_resonances(spectrum: Spectrum, least_depth: float = 0.5) -> list[Resonance]:
    """All dips of at least `least_depth` that lie whole in the spectrum, by wavelength."""
    dip = 1 - spectrum.transmission / baseline(spectrum)
    deep = np.concatenate(([False], dip > least_depth / 2, [False]))
    edges = np.flatnonzero(np.diff(deep.astype(np.int8)))
    found = []
    for left, right in zip(edges[::2], edges[1::2], strict=True):
        whole = left > 0 and right < dip.size and right - left >= 4
        if whole and dip[left:right].max() >= least_depth:
            found.append(_fit_lorentzian(spectrum.wavelength_nm[left:right], dip[left:right]))
    return found


def _fit_lorentzian(wavelength_nm: Array, dip: Array) -> Resonance:
    """Fit without iterating: for a Lorentzian, 1/dip is a parabola in wavelength.

    1/dip = 1/D + 4·(λ − λ₀)²/(D·w²). Noise of dip grows by 1/dip² in 1/dip, hence the weights.
    """
    start = wavelength_nm[int(np.argmax(dip))]
    a, b, c = np.polyfit(wavelength_nm - start, 1 / dip, 2, w=dip**2)
    inverse_depth = c - b**2 / (4 * a)
    return Resonance(
        centre_nm=float(start - b / (2 * a)),
        width_nm=float(np.sqrt(4 * inverse_depth / a)),
        depth=float(1 / inverse_depth),
    )


def find_spot(lit: NDArray[Any], dark: NDArray[Any]) -> tuple[float, float]:
    """Column and row of the brightest spot that is in `lit` and not in `dark`, to a part of a pixel."""
    light = lit.astype(np.float64) - dark
    height, width = (edge // 8 * 8 for edge in light.shape)
    coarse = light[:height, :width].reshape(height // 8, 8, width // 8, 8).mean(axis=(1, 3))
    row, column = (int(8 * index + 4) for index in np.unravel_index(int(np.argmax(coarse)), coarse.shape))
    top, left = max(0, row - 32), max(0, column - 32)
    near = light[top : row + 32, left : column + 32]
    near = np.where(near > near.max() / 3, near, 0)  # the foot of the spot is mostly noise
    rows, columns = np.indices(near.shape)
    return float(left + (near * columns).sum() / near.sum()), float(top + (near * rows).sum() / near.sum())
