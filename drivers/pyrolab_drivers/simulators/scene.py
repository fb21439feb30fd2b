"""What the chip looks like from above: layers drawn once, and spots of light that move.

Images are float32 arrays of shape (height, width), 1.0 being a perfect mirror under full illumination.
Lengths are in µm from the middle of the view, x to the right and y upwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.quantities import Micrometres
from pyrolab_drivers.simulators.bench import Light
from pyrolab_drivers.simulators.chip import PhotonicChip

Layer = NDArray[np.float32]
Point = tuple[Micrometres, Micrometres]

#: Blur of all edges: the resolution λ/(2·NA) of a 20× objective.
BLUR_UM: Micrometres = 0.8
_OXIDE, _SILICON, _GRATING = 0.15, 0.22, 0.38
_GRATING_EDGE_UM, _TAPER_UM, _TOOTH_UM = 13.0, 28.0, 2.6
_CLADDING_UM: Micrometres = 62.5
#: Brightness per mW of light that leaves the plane of the chip there.
_SCATTER_FIBRE, _SCATTER_GRATING, _SCATTER_WAVEGUIDE = 0.75, 0.6, 0.07


@dataclass(frozen=True, slots=True)
class Grid:
    """The pixels as points: `x` of shape (1, width) and `y` of shape (height, 1), in µm."""

    x: Layer
    y: Layer

    @classmethod
    def of_sensor(cls, width: int, height: int, pixel_um: Micrometres) -> Grid:
        """The points seen by a sensor whose pixels are `pixel_um` wide in the plane of the chip."""
        x = (np.arange(width, dtype=np.float32) - (width - 1) / 2) * np.float32(pixel_um)
        y = ((height - 1) / 2 - np.arange(height, dtype=np.float32)) * np.float32(pixel_um)
        return cls(x[None, :], y[:, None])

    @property
    def pixel_um(self) -> Micrometres:
        """Distance of neighbouring pixels."""
        return float(self.x[0, 1] - self.x[0, 0])

    def distance(self, point: Point) -> Layer:
        """Distance of each pixel from `point`."""
        return _single(np.hypot(self.x - np.float32(point[0]), self.y - np.float32(point[1])))

    def window(self, point: Point, reach: Micrometres) -> tuple[slice, slice]:
        """The rows and columns within `reach` of `point`; empty if that is out of the view."""
        columns = np.searchsorted(self.x[0], [point[0] - reach, point[0] + reach])
        rows = np.searchsorted(-self.y[:, 0], [-point[1] - reach, -point[1] + reach])
        return slice(int(rows[0]), int(rows[1])), slice(int(columns[0]), int(columns[1]))

    def crop(self, window: tuple[slice, slice]) -> Grid:
        """The part of the grid inside a window."""
        return Grid(self.x[:, window[1]], self.y[window[0]])


def _single(values: NDArray[Any]) -> Layer:
    """In single precision, which is twice as fast here and plenty for a picture."""
    return np.asarray(values, dtype=np.float32)


def _inside(distance: Layer, reach: float) -> Layer:
    """1 where `distance` is less than `reach`, 0 beyond, with an edge as soft as the optics make it."""
    return _single(np.clip(0.5 + (reach - distance) / BLUR_UM, 0, 1))


def _segment(grid: Grid, start: Point, end: Point) -> Layer:
    """Distance of each pixel from a straight line between two points."""
    along = np.array(end, np.float32) - np.array(start, np.float32)
    dx, dy = grid.x - np.float32(start[0]), grid.y - np.float32(start[1])
    part = np.clip((dx * along[0] + dy * along[1]) / (along @ along), 0, 1)
    return _single(np.hypot(dx - part * along[0], dy - part * along[1]))


def _arm(grid: Grid, chip: PhotonicChip, side: int) -> Layer:
    """Distance from the waveguide between one grating (`side` −1 or 1) and the middle of the chip."""
    x, top, bend = side * chip.pitch_um / 2, chip.bus_y_um, chip.bend_radius_um
    corner = (x - side * bend, top - bend)
    quarter = np.abs(grid.distance(corner) - np.float32(bend))
    in_quarter = (side * (grid.x - corner[0]) > 0) & (grid.y > corner[1])
    foot = chip.grating_y_um + _GRATING_EDGE_UM / 2 + _TAPER_UM
    upright = _segment(grid, (x, foot), (x, top - bend))
    straight = np.minimum(upright, _segment(grid, (0.0, top), (corner[0], top)))
    return _single(np.where(in_quarter, np.minimum(quarter, straight), straight))


def _grating(grid: Grid, centre: Point, width: Micrometres) -> Layer:
    """A square with teeth, and the taper from it up to the waveguide."""
    across, up = np.abs(grid.x - np.float32(centre[0])), grid.y - np.float32(centre[1])
    half = _GRATING_EDGE_UM / 2
    teeth = 0.75 + 0.25 * np.cos(2 * np.pi * up / _TOOTH_UM)
    square = _inside(np.maximum(across, np.abs(up)), half) * teeth
    flare = np.clip((half + _TAPER_UM - up) / _TAPER_UM, 0, 1) * (half - width / 2) + width / 2
    taper = _inside(across - flare, 0.0) * ((up > half) & (up < half + _TAPER_UM))
    return _single(square * _GRATING + taper * _SILICON)


def _wafer(grid: Grid, rng: np.random.Generator) -> Layer:
    """Oxide under uneven light, with a few grains of dust."""
    radius = grid.distance((20.0, -12.0)) / grid.distance((0.0, 0.0)).max()
    layer = _single(_OXIDE * (1.06 - 0.35 * radius**2))
    for _ in range(14):
        centre = (float(rng.choice(grid.x[0])), float(rng.choice(grid.y[:, 0])))
        size, shade = float(rng.uniform(0.5, 1.8)), float(rng.choice([-0.08, -0.05, 0.06]))
        _add_spot(layer, grid, centre, size, shade)
    return layer


def _add_spot(layer: Layer, grid: Grid, centre: Point, radius: Micrometres, peak: float) -> None:
    """Add a Gaussian spot with the 1/e² radius `radius` to `layer`, in place."""
    window = grid.window(centre, 3 * radius)
    near = grid.crop(window)
    if near.x.size and near.y.size:
        layer[window] += np.float32(peak) * np.exp(-2 * (near.distance(centre) / np.float32(radius)) ** 2)


@dataclass(frozen=True)
class Scene:
    """The chip under the microscope. `reflection` is what a lamp shows, the others are where light glows."""

    grid: Grid
    chip: PhotonicChip
    reflection: Layer
    input_arm: Layer
    output_arm: Layer
    ring: Layer

    @classmethod
    def draw(cls, chip: PhotonicChip, grid: Grid, seed: int) -> Scene:
        """Draw the layers that do not change."""
        half = chip.waveguide_um / 2
        arms = [_inside(_arm(grid, chip, side), half) for side in (-1, 1)]
        around = np.abs(grid.distance(chip.ring_um) - np.float32(chip.ring.radius_um))
        ring = _inside(around, half)
        silicon = np.maximum(ring, np.maximum(*arms)) * np.float32(_SILICON)
        for place in (chip.input_um, chip.output_um):
            silicon = np.maximum(silicon, _grating(grid, place, chip.waveguide_um))
        wafer = _wafer(grid, np.random.default_rng([seed, 3]))
        glow = _inside(around, 1.2 * half)
        return cls(grid, chip, wafer + silicon, arms[0], arms[1], glow)

    def view(self, light: Light) -> Layer:
        """What is seen with the lamp on and this light in the chip."""
        image = self.reflection + self._glow(light)
        chip, (dx, dy) = self.chip, light.offset_um
        grating_mw, missed_mw = 1e3 * light.arriving, 1e3 * (light.launched - light.entering)
        output_radius = chip.grating.mode_radius_um
        _add_spot(image, self.grid, chip.output_um, output_radius, _SCATTER_GRATING * grating_mw)
        for x, y in (chip.input_um, chip.output_um):
            self._add_fibre(image, (x + dx, y + dy))
        spot = (chip.input_um[0] + dx, chip.input_um[1] + dy)
        _add_spot(image, self.grid, spot, chip.fibre_um, _SCATTER_FIBRE * missed_mw)
        return image

    def _glow(self, light: Light) -> Layer:
        """Light that the rough walls of the waveguides scatter."""
        per_watt = 1e3 * _SCATTER_WAVEGUIDE
        return _single(
            np.float32(per_watt * light.entering) * self.input_arm
            + np.float32(per_watt * light.arriving) * self.output_arm
            + np.float32(per_watt * light.circulating) * self.ring
        )

    def _add_fibre(self, image: Layer, centre: Point) -> None:
        """The edge of a fibre's cladding above the chip, and the slight shade of its glass."""
        window = self.grid.window(centre, _CLADDING_UM + 3)
        near = self.grid.crop(window)
        if near.x.size and near.y.size:
            distance = near.distance(centre)
            rim = np.exp(-(((distance - _CLADDING_UM) / 1.1) ** 2))
            image[window] *= 1 - np.float32(0.10) * _inside(distance, _CLADDING_UM)
            image[window] += np.float32(0.06) * rim
