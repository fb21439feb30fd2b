"""What a microscope makes of a plane that is not in focus: each point becomes a soft spot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.camera import Region
from pyrolab_drivers.quantities import Micrometres

#: Numerical aperture of a 20× objective.
APERTURE = 0.4

_LEAST_PX = 0.1


def circle_of_confusion(distance_um: Micrometres) -> Micrometres:
    """Radius, in the plane of the chip, of the cone of light of a point so far from the focus."""
    return abs(distance_um) * float(np.tan(np.arcsin(APERTURE)))


def blurred(view: NDArray[np.float32], roi: Region, radius_px: float) -> NDArray[np.float32]:
    """The region of `view`, blurred by Gaussian spots whose standard deviation is half of `radius_px`.

    Only the region and what is near enough to shine into it are computed.
    """
    left, top, width, height = roi
    sigma = radius_px / 2
    if sigma < _LEAST_PX:
        return view[top : top + height, left : left + width].copy()
    margin = int(np.ceil(3 * sigma))
    first_row, first_column = max(0, top - margin), max(0, left - margin)
    part = view[first_row : top + height + margin, first_column : left + width + margin]
    before = (margin - (top - first_row), margin - (left - first_column))
    size = (height + 2 * margin, width + 2 * margin)
    after = tuple(size[axis] - part.shape[axis] - before[axis] for axis in (0, 1))
    padded = np.pad(part, list(zip(before, after, strict=True)), mode="edge")
    rows, columns = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None, :]
    response = np.exp(-2 * (np.pi * sigma) ** 2 * (rows**2 + columns**2))
    soft = np.fft.irfft2(np.fft.rfft2(padded) * response, s=size)
    inside = soft[margin : margin + height, margin : margin + width]
    return np.ascontiguousarray(inside, dtype=np.float32)
