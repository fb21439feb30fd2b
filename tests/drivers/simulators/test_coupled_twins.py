"""The twins see one world: heater and ring, piezo and coupling, focus and sharpness, sweep and scope."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyrolab_drivers.digital_io import PinMode
from pyrolab_drivers.instrument import wait_until
from pyrolab_drivers.oscilloscope import Coupling, TriggerMode
from pyrolab_drivers.quantities import NotSupported, WrongMode
from pyrolab_drivers.simulators.bench import OpticalBench, chip_place_mm, focus_place_mm
from pyrolab_drivers.simulators.chip import PhotonicChip
from pyrolab_drivers.simulators.io import SimulatedAnalogIO, SimulatedDigitalIO
from pyrolab_drivers.simulators.laser import SimulatedLaser
from pyrolab_drivers.simulators.microscope import SimulatedMicroscope
from pyrolab_drivers.simulators.motion import SimulatedAxis
from pyrolab_drivers.simulators.oscilloscope import HALF_WAVE_V, SimulatedOscilloscope
from pyrolab_drivers.simulators.piezo import SimulatedPiezo
from pyrolab_drivers.simulators.power_meter import SimulatedPowerMeter
from pyrolab_drivers.simulators.signal_generator import SimulatedSignalGenerator
from pyrolab_drivers.simulators.smu import SimulatedSMU
from pyrolab_drivers.swept_laser import SweepMode

SEED = 7


class Place:
    """A stage that stands still."""

    def __init__(self, dx_um: float = 0.0) -> None:
        x, y = chip_place_mm(SEED)
        self.position = {"x": x + 1e-3 * dx_um, "y": y}


class Time:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def laser(time: Time) -> SimulatedLaser:
    made = SimulatedLaser(SEED, clock=time)
    made.connect()
    made.output_enabled = True
    return made


def resonance_seen(laser: SimulatedLaser, time: Time, meter: SimulatedPowerMeter) -> float:
    """Where the power is least, near the first resonance of the cold ring above 1549 nm."""
    cold = PhotonicChip().ring.resonances(1549.0, 1552.0)[0]
    wavelengths = np.arange(cold - 0.1, cold + 0.7, 0.005)
    powers = []
    for wavelength in wavelengths:
        laser.wavelength = float(wavelength)
        time.now += 1.0
        powers.append(meter.power)
    return float(wavelengths[np.argmin(powers)])


def test_the_heater_shifts_the_resonance_as_the_square_of_its_voltage(
    laser: SimulatedLaser, time: Time
) -> None:
    with SimulatedSMU(seed=SEED) as smu, SimulatedPowerMeter(Place(), laser, SEED, heater=smu) as meter:
        meter.averaging = 1000
        cold = resonance_seen(laser, time, meter)
        shifts = {}
        for voltage in (1.0, 2.0):
            smu.channels[1].apply_voltage(voltage, compliance_current=0.05)
            assert smu.heater_power == pytest.approx(voltage**2 / 500.0)
            shifts[voltage] = resonance_seen(laser, time, meter) - cold
        assert shifts[1.0] == pytest.approx(0.114, abs=0.006)  # 2 mW · 830 K/W · 1.86e-4 /K · 1550 nm / 4.2
        assert shifts[2.0] == pytest.approx(4 * shifts[1.0], abs=0.012)
        smu.stop()
        assert resonance_seen(laser, time, meter) == pytest.approx(cold, abs=0.001)


def test_a_warm_ring_has_the_same_spacing_and_width_of_its_resonances() -> None:
    cold = PhotonicChip().ring
    warm = cold.warmed(10.0)
    assert warm.free_spectral_range(1550.0) == pytest.approx(cold.free_spectral_range(1550.0), rel=1e-3)
    assert warm.linewidth(1550.0) == pytest.approx(cold.linewidth(1550.0), rel=1e-3)
    assert cold.resonances(1549, 1552)[0] < warm.resonances(1549, 1552)[0]


def test_the_compliance_holds_the_heater(time: Time) -> None:
    with SimulatedSMU(seed=SEED) as smu:
        heater = smu.channels[1]
        heater.apply_voltage(5.0, compliance_current=0.002)
        assert heater.compliance_tripped
        assert heater.measure() == pytest.approx((1.0, 0.002), rel=1e-3)
        heater.apply_voltage(0.5, compliance_current=0.002)
        assert not heater.compliance_tripped
        assert heater.resistance == pytest.approx(500.0, rel=1e-3)


def test_the_photodiode_sees_the_light_that_the_chip_lets_through(laser: SimulatedLaser, time: Time) -> None:
    bench = OpticalBench(Place(), laser, SEED)
    with SimulatedSMU(Place(), laser, SEED) as smu:
        diode = smu.channels[2]
        diode.apply_voltage(-2.0, compliance_current=0.01)
        assert diode.current == pytest.approx(-0.9 * bench.light().transmitted - 5e-9, rel=1e-3)
        laser.stop()
        assert diode.current == pytest.approx(-5e-9, rel=0.05)
        diode.apply_voltage(0.5, compliance_current=0.01)
        assert diode.current == pytest.approx(5e-9 * np.expm1(0.5 / (1.6 * 0.02585)), rel=1e-3)


def test_the_piezo_moves_the_fibres_on_the_stage(laser: SimulatedLaser, time: Time) -> None:
    with SimulatedPiezo(SEED, clock=time) as piezo:
        piezo.zero()
        time.now += 1.0
        assert piezo.homed
        with SimulatedPowerMeter(Place(-8.0), laser, SEED, piezo=piezo) as meter:
            powers = {}
            for position in (0.0, 4.0, 8.0, 12.0):
                piezo.move_to(position)
                time.now += 1.0
                assert not piezo.moving
                powers[position] = meter.power
        assert max(powers, key=lambda position: powers[position]) == 8.0
        assert powers[4.0] == pytest.approx(powers[12.0], rel=0.02)
        assert powers[8.0] > 1.5 * powers[4.0]


def test_a_piezo_in_open_loop_has_hysteresis_and_takes_voltages_only(time: Time) -> None:
    with SimulatedPiezo(SEED, clock=time) as piezo:
        with pytest.raises(WrongMode, match="the loop is closed"):
            piezo.voltage = 30.0
        piezo.closed_loop = False
        with pytest.raises(WrongMode, match="the loop is open"):
            piezo.move_to(5.0)
        places = []
        for voltage in (37.5, 75.0, 37.5):
            piezo.voltage = voltage
            time.now += 1.0
            places.append(piezo.actual_position)
        assert places[0] < 10.0 < places[2]
        assert places[1] == pytest.approx(20.0, abs=0.01)


def test_a_gauge_that_was_not_zeroed_is_wrong_by_a_constant(time: Time) -> None:
    with SimulatedPiezo(SEED, clock=time) as piezo:
        piezo.move_to(10.0)
        time.now += 1.0
        assert piezo.position == pytest.approx(10.0, abs=1e-3)
        assert abs(piezo.actual_position - 10.0) > 0.01


def sharpness(image: np.ndarray[Any, Any]) -> float:
    return float(np.abs(np.diff(image.astype(float), axis=0)).mean())


def test_the_microscope_is_sharp_in_one_plane_only(laser: SimulatedLaser, time: Time) -> None:
    focus = SimulatedAxis("focus", clock=time)
    with focus, SimulatedMicroscope(Place(), laser, SEED, focus=focus) as microscope:
        microscope.roi = (384, 256, 512, 512)
        microscope.exposure_time = 0.02
        best = focus_place_mm(SEED)
        found = []
        for away_um in (-40.0, -10.0, 0.0, 10.0, 40.0):
            focus.move_to(best + 1e-3 * away_um)
            time.now += 10.0
            image = microscope.snap()
            assert image.shape == (512, 512)
            found.append(sharpness(image))
        assert max(found) == found[2]
        assert found[0] < found[1] < found[2]
        assert found[4] < found[3] < found[2]


def test_binning_adds_pixels_and_gain_and_format_do_what_they_say(laser: SimulatedLaser) -> None:
    with SimulatedMicroscope(Place(), laser, SEED) as microscope:
        microscope.exposure_time, microscope.roi = 0.002, (0, 0, 200, 100)
        plain = microscope.snap()
        microscope.binning = (2, 2)
        assert microscope.snap().shape == (50, 100)
        assert microscope.snap().mean() - 100 == pytest.approx(4 * (plain.mean() - 100), rel=0.05)
        microscope.binning, microscope.gain = (1, 1), 6.0206
        assert microscope.snap().mean() - 100 == pytest.approx(2 * (plain.mean() - 100), rel=0.05)
        microscope.pixel_format = "Mono8"
        assert microscope.snap().dtype == np.uint8
        assert microscope.acquire(3).shape == (3, 100, 200)


def test_images_are_published_from_start_to_stop_without_any_subscriber(laser: SimulatedLaser) -> None:
    with SimulatedMicroscope(Place(), laser, SEED) as microscope:
        microscope.exposure_time, microscope.roi = 0.001, (0, 0, 64, 64)
        microscope.start()
        wait_until(lambda: microscope.frames.published >= 2, 30.0, "two images")
        microscope.stop()
        published = microscope.frames.published
        microscope.snap()
        assert microscope.frames.published == published


def test_a_frame_rate_is_kept_and_a_long_exposure_lowers_it(laser: SimulatedLaser) -> None:
    with SimulatedMicroscope(Place(), laser, SEED) as microscope:
        microscope.exposure_time, microscope.frame_rate = 0.001, 50.0
        assert microscope.frame_rate == 50.0
        microscope.exposure_time = 0.1
        assert microscope.frame_rate == 10.0


def test_the_oscilloscope_shows_the_spectrum_of_the_chip_during_a_sweep(
    laser: SimulatedLaser, time: Time
) -> None:
    laser.sweep_start, laser.sweep_stop, laser.sweep_speed = 1549.0, 1552.0, 3.0
    with SimulatedOscilloscope(Place(), laser, SEED, clock=time) as scope:
        scope.trigger_source, scope.trigger_mode = "CH2", TriggerMode.NORMAL
        scope.timebase_range, scope.timebase_position = 1.0, 0.5
        scope.single()
        assert scope.running
        laser.start_sweep()
        for _ in range(40):
            time.now += 0.05
            if not scope.running:
                break
        seen = scope.waveform(1)
        dip_s = seen.times[np.argmin(seen.volts)]
        resonance = PhotonicChip().ring.resonances(1549.0, 1552.0)[0]
        assert 1549.0 + 3.0 * dip_s == pytest.approx(resonance, abs=0.005)
        assert scope.waveform(2).volts[5:-5].mean() == pytest.approx(3.3, abs=0.1)
        assert scope.sample_rate == pytest.approx(10_000.0)


def test_without_a_trigger_the_scope_waits_or_shows_what_there_is(laser: SimulatedLaser, time: Time) -> None:
    with SimulatedOscilloscope(Place(), laser, SEED, clock=time) as scope:
        scope.trigger_mode = TriggerMode.NORMAL
        scope.single()
        time.now += 100.0
        assert scope.running
        with pytest.raises(LookupError, match="nothing was recorded yet"):
            scope.waveform(1)
        scope.stop()
        scope.trigger_mode = TriggerMode.AUTO
        scope.single()
        time.now += 100.0
        assert not scope.running
        level = 1e4 * OpticalBench(Place(), laser, SEED).light().transmitted
        assert scope.waveform(1).volts.mean() == pytest.approx(level, abs=0.005)
        scope.channels[1].coupling = Coupling.GROUND
        scope.run()
        time.now += 100.0
        assert scope.waveform(1).volts.mean() == pytest.approx(0.0, abs=0.005)
        assert scope.running


def test_a_signal_generator_modulates_the_light(laser: SimulatedLaser, time: Time) -> None:
    with (
        SimulatedSignalGenerator(SEED, clock=time) as generator,
        SimulatedOscilloscope(Place(), laser, SEED, modulator=generator, clock=time) as scope,
    ):
        generator.frequency, generator.power, generator.output_enabled = 1000.0, 13.0, True
        scope.trigger_mode = TriggerMode.FREE_RUN
        scope.timebase_range, scope.timebase_position, scope.record_length = 0.02, 0.0, 4000
        scope.single()
        time.now += 1.0
        volts = scope.waveform(1).volts
        power = np.abs(np.fft.rfft(volts - volts.mean()))
        assert np.argmax(power) == 20  # 20 periods in 20 ms
        full = 1e4 * OpticalBench(Place(), laser, SEED).light().transmitted
        depth = np.sin(np.pi * np.sqrt(2 * 1e-3 * 10**1.3 * 50.0) / HALF_WAVE_V)
        assert volts.mean() == pytest.approx(0.5 * full, rel=0.02)
        assert np.ptp(volts) == pytest.approx(full * depth, rel=0.02)


def test_a_generator_steps_through_its_sweep(time: Time) -> None:
    with SimulatedSignalGenerator(SEED, clock=time) as generator:
        generator.sweep(1e6, 1e9, 4, 1.0, "logarithmic")  # type: ignore[arg-type]
        seen = []
        for _ in range(4):
            assert generator.sweep_running
            seen.append(generator.frequency)
            time.now += 1.0
        assert seen == pytest.approx([1e6, 1e7, 1e8, 1e9])
        assert not generator.sweep_running
        generator.stop_sweep()
        assert generator.frequency == 1e9


def test_stepped_sweeps_stay_at_each_step_and_come_back_in_two_ways(
    laser: SimulatedLaser, time: Time
) -> None:
    laser.sweep_start, laser.sweep_stop, laser.sweep_step = 1550.0, 1553.0, 1.0
    laser.sweep_dwell, laser.sweep_mode = 0.99, SweepMode.STEP_TWO_WAY
    laser.start_sweep()
    time.now += 0.5 + 0.0081
    seen = []
    for _ in range(8):
        seen.append(laser.wavelength)
        time.now += 1.0
    assert seen == pytest.approx([1550, 1551, 1552, 1553, 1553, 1552, 1551, 1550], abs=1e-6)
    assert laser.wavelength_log() == pytest.approx(seen, abs=1e-3)


def test_analogue_inputs_see_the_detector_and_the_outputs(laser: SimulatedLaser) -> None:
    with SimulatedAnalogIO(Place(), laser, SEED) as card:
        card.write_analog(1, 2.5)
        assert card.read_analog(2) == pytest.approx(2.5, abs=3e-4)
        light = OpticalBench(Place(), laser, SEED).light().transmitted
        assert card.inputs[1].voltage == pytest.approx(1e4 * light, abs=0.003)
        with pytest.raises(LookupError, match=r"there is no output 9; the outputs are \[1, 2\]"):
            card.write_analog(9, 0.0)


def test_pins_do_what_their_mode_lets_them() -> None:
    with SimulatedDigitalIO() as board:
        pin = board.pins[13]
        with pytest.raises(WrongMode, match="pin 13 is set to input; set its mode to output first"):
            pin.value = True
        pin.mode = PinMode.OUTPUT
        pin.value = True
        assert board.values[13]
        with pytest.raises(WrongMode):
            pin.pwm = 0.5
        pin.mode = PinMode.SERVO
        pin.servo_angle = 45.0
        assert pin.servo_angle == 45.0
        with pytest.raises(NotSupported, match="the mode 'analogue input' at pin 13"):
            pin.mode = PinMode.ANALOG_INPUT
        board.pins[2].mode = PinMode.INPUT_PULLUP
        assert board.pins[2].value
