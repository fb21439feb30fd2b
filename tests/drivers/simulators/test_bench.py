"""The instruments of the bench see one world: what one does, the others notice."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest

from pyrolab_drivers.power_meter import dbm_from_watts, watts_from_dbm
from pyrolab_drivers.quantities import OutOfRange
from pyrolab_drivers.simulators.bench import OpticalBench
from pyrolab_drivers.simulators.laser import SimulatedLaser
from pyrolab_drivers.simulators.microscope import BLACK_LEVEL, FULL_WELL, SimulatedMicroscope
from pyrolab_drivers.simulators.motion import SimulatedStage
from pyrolab_drivers.simulators.power_meter import SimulatedPowerMeter

SEED = 7


class Lab(NamedTuple):
    stage: SimulatedStage
    laser: SimulatedLaser
    meter: SimulatedPowerMeter
    microscope: SimulatedMicroscope
    bench: OpticalBench
    time: list[float]

    def place(self, dx_um: float = 0.0, dy_um: float = 0.0) -> None:
        x, y = self.bench.aligned_mm
        self.stage.move_to({"x": x + 1e-3 * dx_um, "y": y + 1e-3 * dy_um})
        self.time[0] += 60.0

    def tune(self, wavelength: float) -> None:
        self.laser.wavelength = wavelength
        self.time[0] += 60.0


@pytest.fixture
def lab() -> Iterator[Lab]:
    time = [0.0]
    stage, laser = SimulatedStage(SEED, clock=lambda: time[0]), SimulatedLaser(SEED, clock=lambda: time[0])
    with (
        stage,
        laser,
        SimulatedPowerMeter(stage, laser, SEED) as meter,
        SimulatedMicroscope(stage, laser, SEED) as microscope,
    ):
        laser.output_enabled = True
        made = Lab(stage, laser, meter, microscope, OpticalBench(stage, laser, SEED), time)
        made.tune(1550.0)
        made.place()
        yield made


def brightest(image: np.ndarray, centre: tuple[int, int], reach: int) -> tuple[int, int]:
    """Column and row of the brightest place near `centre`, of means over 5 × 5 pixels."""
    column, row = centre
    part = image[row - reach : row + reach, column - reach : column + reach].astype(float)
    smooth = sum(np.roll(part, (dy, dx), (0, 1)) for dy in range(-2, 3) for dx in range(-2, 3))
    best = np.unravel_index(int(np.argmax(smooth)), part.shape)
    return column - reach + int(best[1]), row - reach + int(best[0])


def test_no_light_is_made_on_the_bench(lab: Lab) -> None:
    light = lab.bench.light()
    assert light.launched == pytest.approx(1e-3)
    assert light.launched > light.entering > light.arriving > light.transmitted > 0
    assert light.offset_um == pytest.approx((0.0, 0.0), abs=0.011)


def test_the_meter_reads_what_the_chip_lets_through(lab: Lab) -> None:
    lab.meter.averaging = 10_000
    expected = 1e-3 * float(lab.bench.chip.transmission(1550.0))
    assert lab.meter.power == pytest.approx(expected, rel=1e-3)
    assert lab.meter.power_dbm == pytest.approx(dbm_from_watts(expected), abs=0.01)


def test_the_meter_loses_the_light_as_the_stage_leaves(lab: Lab) -> None:
    powers = []
    for distance in (0.0, 2.0, 4.0, 6.0):
        lab.place(distance)
        powers.append(lab.meter.power)
    assert all(near > 1.05 * far for near, far in itertools.pairwise(powers))
    lab.place(200.0)
    assert abs(lab.meter.power) < 1e-10


def test_both_axes_count_alike(lab: Lab) -> None:
    lab.place(4.0, 0.0)
    along_x = lab.meter.power
    lab.place(0.0, -4.0)
    assert lab.meter.power == pytest.approx(along_x, rel=0.02)


def test_the_meter_sees_a_resonance(lab: Lab) -> None:
    resonance = lab.bench.chip.ring.resonances(1549.0, 1552.0)[0]
    lab.tune(resonance + 1.0)
    beside = lab.meter.power
    lab.tune(resonance)
    assert lab.meter.power < 0.1 * beside


def test_zero_takes_away_the_dark_reading(lab: Lab) -> None:
    lab.laser.stop()
    lab.meter.averaging = 10_000
    assert lab.meter.power == pytest.approx(2e-11, abs=1e-12)
    lab.meter.zero()
    assert lab.meter.power == pytest.approx(0.0, abs=1e-12)


def test_averaging_quiets_the_noise(lab: Lab) -> None:
    def spread(readings: int) -> float:
        lab.meter.averaging = readings
        return float(np.std([lab.meter.power for _ in range(400)]))

    assert spread(100) == pytest.approx(spread(1) / 10, rel=0.3)


def test_a_bench_with_the_same_seed_is_the_same_bench(lab: Lab) -> None:
    again = OpticalBench(lab.stage, lab.laser, SEED)
    assert again.light() == lab.bench.light()
    assert OpticalBench(lab.stage, lab.laser, SEED + 1).aligned_mm != again.aligned_mm


def test_images_are_sixteen_bit_frames_of_the_whole_sensor(lab: Lab) -> None:
    image = lab.microscope.snap()
    assert image.dtype == np.uint16
    assert image.shape == (1024, 1280)
    assert image.flags.c_contiguous


def test_the_microscope_sees_the_fibre_move_with_the_stage(lab: Lab) -> None:
    pixel = lab.microscope.pixel_size / lab.microscope.magnification
    x, y = lab.bench.chip.input_um
    expected = (round(639.5 + x / pixel), round(511.5 - y / pixel))
    for dx, dy in ((20.0, -12.0), (-15.0, -25.0)):
        lab.place(dx, dy)
        column, row = brightest(lab.microscope.snap(), expected, 120)
        assert ((column - expected[0]) * pixel, (expected[1] - row) * pixel) == pytest.approx(
            (dx, dy), abs=1.5
        )


def test_the_ring_lights_up_at_resonance(lab: Lab) -> None:
    pixel = lab.microscope.pixel_size / lab.microscope.magnification
    x, y = lab.bench.chip.ring_um
    top = (round(639.5 + x / pixel), round(511.5 - (y + lab.bench.chip.ring.radius_um) / pixel))
    resonance = lab.bench.chip.ring.resonances(1549.0, 1552.0)[0]
    lab.tune(resonance + 1.0)
    dark = lab.microscope.snap()[top[1], top[0] - 3 : top[0] + 4].mean()
    lab.tune(resonance)
    bright = lab.microscope.snap()[top[1], top[0] - 3 : top[0] + 4].mean()
    assert bright > 1.8 * dark


def test_a_longer_exposure_is_brighter_in_proportion(lab: Lab) -> None:
    lab.microscope.roi = (0, 0, 200, 200)
    lab.microscope.exposure_time = 0.005
    short = lab.microscope.snap().mean() - BLACK_LEVEL
    lab.microscope.exposure_time = 0.010
    assert lab.microscope.snap().mean() - BLACK_LEVEL == pytest.approx(2 * short, rel=0.02)
    lab.microscope.exposure_time = 1.0
    assert lab.microscope.snap().min() == 65535


def test_noise_is_shot_noise(lab: Lab) -> None:
    """The variance of a pixel, in electrons, is its mean plus the square of the read noise."""
    lab.microscope.roi = (20, 20, 32, 32)
    per_electron = (65535 - BLACK_LEVEL) / FULL_WELL
    frames = np.stack([lab.microscope.snap() for _ in range(60)]).astype(float)
    electrons = (frames - BLACK_LEVEL) / per_electron
    assert electrons.var(axis=0).mean() == pytest.approx(electrons.mean() + 6, rel=0.05)


def test_roi_is_a_window_and_stays_on_the_sensor(lab: Lab) -> None:
    lab.microscope.roi = (600, 500, 64, 32)
    assert lab.microscope.snap().shape == (32, 64)
    with pytest.raises(OutOfRange, match="leaves the sensor of 1280 × 1024 pixels"):
        lab.microscope.roi = (1270, 0, 64, 32)
    assert lab.microscope.roi == (600, 500, 64, 32)
    lab.microscope.roi = None
    assert lab.microscope.roi == (0, 0, 1280, 1024)


def test_limits_of_exposure_and_averaging(lab: Lab) -> None:
    with pytest.raises(OutOfRange, match=r"exposure time can be 0\.0001 to 10 s, not 0 s"):
        lab.microscope.exposure_time = 0.0
    with pytest.raises(OutOfRange, match="averaging can be 1 to 10000 readings"):
        lab.meter.averaging = 0
    with pytest.raises(OutOfRange, match="wavelength can be 800 to 1700 nm"):
        lab.meter.wavelength = 400.0


@pytest.mark.parametrize(("watts", "dbm"), [(1e-3, 0.0), (1e-6, -30.0), (2e-3, 3.0103)])
def test_decibel_milliwatts(watts: float, dbm: float) -> None:
    assert dbm_from_watts(watts) == pytest.approx(dbm, abs=1e-4)
    assert watts_from_dbm(dbm) == pytest.approx(watts, rel=1e-4)
    assert watts_from_dbm(dbm_from_watts(0.0)) == 0.0
