"""Align a photonic chip, sweep a laser through it, look at it, and say what was found.

The instruments are proxies here: each may be on another computer. The functions below do not care; given
the drivers' own objects in this process they do the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from analysis import find_resonances, find_spot, insertion_loss
from figure import draw
from findings import Alignment, Array, Findings, Pictures, Place, Spectrum
from report import tell

#: Half the width and the step of the first search, in mm: the fibre's mode is 0.01 mm wide.
SEARCH_REACH_MM, SEARCH_STEP_MM = 0.060, 0.012
#: First and last step of the climb to the top, in mm.
CLIMB_FROM_MM, CLIMB_TO_MM = 0.006, 0.0001
ALIGNMENT_NM = 1550.0
SWEEP_NM = (1546.0, 1554.5)
SWEEP_STEP_NM = 0.010
LASER_DBM = 0.0
EXPOSURE_S = 0.02

Advance = Callable[[], None]


@dataclass(frozen=True)
class Station:
    """The four instruments, as proxies or as plain objects."""

    stage: Any
    laser: Any
    power_meter: Any
    microscope: Any

    def power_at(self, place: Place) -> float:
        """Move the fibres to `place` (x, y in mm) and read the power, in W."""
        self.stage.move_to({"x": place[0], "y": place[1]})
        self.stage.wait()
        return float(self.power_meter.power)

    def tune(self, wavelength_nm: float) -> None:
        """Set the laser to a wavelength in nm and return when it is there."""
        self.laser.wavelength = wavelength_nm
        self.laser.wait()


def connect(station: Station) -> None:
    """Open the connections to the instruments; nothing moves or shines yet."""
    for instrument in (station.stage, station.laser, station.power_meter, station.microscope):
        instrument.connect()


def make_ready(station: Station) -> None:
    """Find the stage's reference, zero the detector in the dark, switch the light on."""
    if not station.stage.homed:
        station.stage.home()
        station.stage.wait()
    station.laser.output_enabled = False
    station.power_meter.wavelength = ALIGNMENT_NM
    station.power_meter.zero()
    station.laser.power_setpoint = LASER_DBM
    station.laser.output_enabled = True
    station.tune(ALIGNMENT_NM)


def raster() -> list[Place]:
    """A grid around (0, 0), every second row backwards, so that no way is longer than a step."""
    count = round(SEARCH_REACH_MM / SEARCH_STEP_MM)
    line = [SEARCH_STEP_MM * step for step in range(-count, count + 1)]
    rows = [(y, line if turn % 2 == 0 else line[::-1]) for turn, y in enumerate(line)]
    return [(x, y) for y, row in rows for x in row]


def search(station: Station, alignment: Alignment, advance: Advance) -> None:
    """Look for light all over the grid. Raises `RuntimeError` if there is none."""
    for place in raster():
        alignment.places.append(place)
        alignment.powers.append(station.power_at(place))
        advance()
    alignment.raster = len(alignment.places)
    dark = float(np.median(np.abs(alignment.powers)))
    if max(alignment.powers) < 10 * dark:
        raise RuntimeError(
            f"no light found within {1e3 * SEARCH_REACH_MM:.0f} µm of the middle; is the fibre plugged in?"
        )


def climb(station: Station, alignment: Alignment, advance: Advance) -> None:
    """Walk to the top: step along each axis while it gets brighter, else halve the step."""
    step = CLIMB_FROM_MM
    while step >= CLIMB_TO_MM:
        here, before = alignment.best, max(alignment.powers)
        for dx, dy in ((step, 0.0), (-step, 0.0), (0.0, step), (0.0, -step)):
            place = (here[0] + dx, here[1] + dy)
            alignment.places.append(place)
            alignment.powers.append(station.power_at(place))
            if alignment.powers[-1] > before:
                break
        else:
            step /= 2
            advance()
    station.power_at(alignment.best)


def sweep(station: Station, advance: Advance) -> Spectrum:
    """Step the laser through the range and read the detector at each wavelength."""
    count = round((SWEEP_NM[1] - SWEEP_NM[0]) / SWEEP_STEP_NM) + 1
    wavelengths: Array = np.linspace(*SWEEP_NM, count)
    powers = np.empty(count)
    for index, wavelength in enumerate(wavelengths):
        station.tune(float(wavelength))
        powers[index] = station.power_meter.power
        advance()
    return Spectrum(wavelengths, powers / (1e-3 * 10 ** (station.laser.power / 10)))


def photograph(station: Station, resonance_nm: float, advance: Advance) -> Pictures:
    """Take three images: beside the resonance, at it, where the ring glows, and in the dark."""
    microscope = station.microscope
    microscope.roi = None
    microscope.exposure_time = EXPOSURE_S
    images = []
    for wavelength, light in ((ALIGNMENT_NM, True), (resonance_nm, True), (resonance_nm, False)):
        station.tune(wavelength)
        station.laser.output_enabled = light
        images.append(microscope.snap())
        advance()
    beside, at_resonance, dark = images
    return Pictures(at_resonance, find_spot(beside, dark), microscope.pixel_size / microscope.magnification)


def measure(station: Station, progress: Progress) -> Findings:
    """The whole measurement. The laser is off at its end, however it ends."""

    def step(words: str, total: int | None) -> Advance:
        task = progress.add_task(words, total=total)
        return lambda: progress.advance(task)

    alignment = Alignment()
    halvings = 1 + int(np.log2(CLIMB_FROM_MM / CLIMB_TO_MM))
    connect(station)
    try:
        ready = step("Home the stage, zero the detector", 1)
        make_ready(station)
        ready()
        search(station, alignment, step("Search for light", len(raster())))
        climb(station, alignment, step("Climb to the best coupling", halvings))
        steps = round((SWEEP_NM[1] - SWEEP_NM[0]) / SWEEP_STEP_NM) + 1
        spectrum = sweep(station, step("Sweep the laser", steps))
        resonances = find_resonances(spectrum)
        if not resonances:
            raise RuntimeError("light passes the chip, but no resonance was found in the range of the sweep")
        pictures = photograph(station, resonances[len(resonances) // 2].centre_nm, step("Take pictures", 3))
    finally:
        station.laser.output_enabled = False
    return Findings(alignment, spectrum, resonances, pictures, insertion_loss(spectrum))


def main(arguments: list[str] | None = None) -> int:
    """Measure with the instruments of the station and save the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--nameserver", help="host:port of the broker (default: as PyroLab finds it)")
    parser.add_argument("--out", type=Path, default=Path("chip.png"), help="file for the figure (PNG)")
    options = parser.parse_args(arguments)
    from pyrolab.api import Proxy

    at = f"@{options.nameserver}" if options.nameserver else ""
    with ExitStack() as stack:
        names = ("stage", "laser", "power_meter", "microscope")
        station = Station(*(stack.enter_context(Proxy(f"PYRONAME:{name}{at}")) for name in names))
        columns = (TextColumn("{task.description:<34}"), BarColumn(), TextColumn("{task.percentage:>4.0f} %"))
        with Progress(*columns, TimeElapsedColumn()) as progress:
            findings = measure(station, progress)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    draw(findings, options.out)
    tell(findings, options.out)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; the laser is off")
    except (RuntimeError, ConnectionError, LookupError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
