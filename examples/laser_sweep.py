"""Sweep a laser through a chip with a ring resonator, read a power meter, and find a resonance and its Q.

    python laser_sweep.py

First the stage goes where the fibres face the chip, in two scans with the power meter. Then the laser is
tuned step by step, coarsely to find the resonances and finely to measure one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import lab

Array = NDArray[np.float64]

#: Half of the range that is searched for light, in mm, and the steps of the search: coarse, fine, finest.
REACH_MM, STEPS_MM = 0.060, (0.012, 0.003, 0.001)


@dataclass(frozen=True)
class Resonance:
    """A dip in the spectrum."""

    centre_nm: float
    linewidth_nm: float
    extinction_db: float

    @property
    def quality_factor(self) -> float:
        """Loaded Q: the wavelength over the full width at half the depth."""
        return self.centre_nm / self.linewidth_nm


def align(stage: Any, meter: Any) -> dict[str, float]:
    """Move the stage to the most light: a grid of coarse steps, then smaller grids around the best place."""
    if not stage.homed:
        stage.home()
        stage.wait()
    best, reach = {"x": 0.0, "y": 0.0}, REACH_MM
    for step in STEPS_MM:
        offsets = np.arange(-reach, reach + step / 2, step)
        grid = [{"x": best["x"] + float(x), "y": best["y"] + float(y)} for y in offsets for x in offsets]
        powers = []
        for place in grid:
            stage.move_to(place)
            stage.wait()
            powers.append(meter.power)
        best, reach = grid[int(np.argmax(powers))], step
    stage.move_to(best)
    stage.wait()
    return best


def spectrum(laser: Any, meter: Any, wavelengths_nm: Array) -> Array:
    """Power in W at each wavelength."""
    powers = np.empty(len(wavelengths_nm))
    for index, wavelength in enumerate(wavelengths_nm):
        laser.wavelength = float(wavelength)
        laser.wait()
        powers[index] = meter.power
    return powers


def measure_dip(wavelengths_nm: Array, powers: Array) -> Resonance:
    """Fit the dip with a Lorentzian: 1/(1 − T) is a parabola around its centre."""
    baseline = float(np.quantile(powers, 0.98))
    depth = 1.0 - powers / baseline
    inside = depth > 0.5 * depth.max()
    x = wavelengths_nm[inside] - wavelengths_nm[inside].mean()
    curvature, slope, floor = np.polyfit(x, 1.0 / depth[inside], 2, w=depth[inside] ** 2)
    shift = -slope / (2 * curvature)
    least = floor - slope**2 / (4 * curvature)  # 1/(greatest depth)
    return Resonance(
        centre_nm=float(wavelengths_nm[inside].mean() + shift),
        linewidth_nm=float(2 * np.sqrt(least / curvature)),
        extinction_db=float(-10 * np.log10(1.0 - 1.0 / least)),
    )


def measure(stage: Any, laser: Any, meter: Any) -> Resonance:
    """The whole measurement. The laser is off at its end, however it ends."""
    laser.output_enabled = False
    meter.averaging = 100
    meter.zero()
    try:
        laser.power_setpoint = 0.0  # dBm
        laser.wavelength = 1550.0
        laser.output_enabled = True
        laser.wait()
        place = align(stage, meter)
        print(f"most light with the stage at x = {1e3 * place['x']:.1f} µm, y = {1e3 * place['y']:.1f} µm")
        coarse: Array = np.arange(1548.5, 1552.0, 0.02)
        centre = float(coarse[np.argmin(spectrum(laser, meter, coarse))])
        fine: Array = np.linspace(centre - 0.4, centre + 0.4, 161)
        return measure_dip(fine, spectrum(laser, meter, fine))
    finally:
        laser.output_enabled = False


def main() -> None:
    """Measure, and say what was found."""
    options = lab.arguments(__doc__)
    with lab.instruments(options.nameserver, "stage", "laser", "power_meter") as (stage, laser, meter):
        found = measure(stage, laser, meter)
    print(f"resonance at {found.centre_nm:.4f} nm, {1e3 * found.linewidth_nm:.1f} pm wide, ", end="")
    print(f"{found.extinction_db:.1f} dB deep: Q = {found.quality_factor:.0f}")


if __name__ == "__main__":
    main()
