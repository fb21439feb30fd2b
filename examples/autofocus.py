"""Focus a microscope by itself: a camera, an axis, and the sharpness of what the camera sees.

    python autofocus.py

The axis goes through its range in steps, and again in smaller ones around the sharpest image; then a parabola
through the best three places says where the focus is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import lab

#: Half of the range that is searched, and the steps of the two passes, in mm.
REACH_MM, COARSE_MM, FINE_MM = 0.12, 0.015, 0.003


def sharpness(image: Any) -> float:
    """Mean square of the differences of neighbouring pixels, over the square of the mean brightness.

    A blurred image has small differences. Differences over two pixels see edges better than noise.
    """
    pixels = np.asarray(image, dtype=float)
    across, down = pixels[:, 2:] - pixels[:, :-2], pixels[2:, :] - pixels[:-2, :]
    return float((np.mean(across**2) + np.mean(down**2)) / np.mean(pixels) ** 2)


def scan(camera: Any, axis: Any, places: list[float]) -> list[float]:
    """The sharpness at each place in mm."""
    found = []
    for place in places:
        axis.move_to(place)
        axis.wait()
        found.append(sharpness(camera.snap()))
    return found


def autofocus(camera: Any, axis: Any) -> float:
    """Move the axis to the focus, and return its position in mm. Raises `RuntimeError` if there is none."""
    places = [float(place) for place in np.arange(-REACH_MM, REACH_MM + COARSE_MM / 2, COARSE_MM)]
    coarse = scan(camera, axis, places)
    middle = places[int(np.argmax(coarse))]
    if max(coarse) < 1.2 * float(np.median(coarse)):
        raise RuntimeError("no place is sharper than the others; is there something to see?")
    near = [middle + FINE_MM * step for step in range(-6, 7)]
    fine = scan(camera, axis, near)
    top = min(max(int(np.argmax(fine)), 1), len(near) - 2)
    before, best, after = fine[top - 1 : top + 2]
    focus = near[top] + FINE_MM * 0.5 * (before - after) / (before - 2 * best + after)
    axis.move_to(focus)
    axis.wait()
    return focus


def main() -> None:
    """Focus, and say where the focus is and what was gained."""
    options = lab.arguments(__doc__)
    with lab.instruments(options.nameserver, "microscope", "focus", "stage", "laser") as proxies:
        camera, axis = proxies[:2]
        camera.roi = (512, 320, 256, 384)  # left, top, width, height: the ring and the waveguide
        camera.exposure_time = 0.02
        before = sharpness(camera.snap())
        focus = autofocus(camera, axis)
        print(f"in focus at z = {1e3 * focus:.1f} µm: {sharpness(camera.snap()) / before:.1f} times as sharp")


if __name__ == "__main__":
    main()
