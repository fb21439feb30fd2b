"""The measurement of the chip-testing station, on the drivers' own objects, without any bus."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.progress import Progress

import analysis
import measure
import report
from figure import draw
from findings import Alignment, Array, Findings, Resonance, Spectrum
from pyrolab_drivers.simulators.bench import chip_place_mm
from pyrolab_drivers.simulators.chip import PhotonicChip
from pyrolab_drivers.simulators.laser import SimulatedLaser
from pyrolab_drivers.simulators.microscope import SimulatedMicroscope
from pyrolab_drivers.simulators.motion import SimulatedStage
from pyrolab_drivers.simulators.power_meter import SimulatedPowerMeter

#: The stage and the laser take their time, and other tests may take the processor's.
pytestmark = pytest.mark.timeout(180)


def make_station(seed: int) -> measure.Station:
    stage, laser = SimulatedStage(seed), SimulatedLaser(seed)
    return measure.Station(
        stage, laser, SimulatedPowerMeter(stage, laser, seed), SimulatedMicroscope(stage, laser, seed)
    )


@pytest.fixture
def station(request: pytest.FixtureRequest) -> Iterator[measure.Station]:
    with ExitStack() as stack:
        made = make_station(request.param)
        for each in (made.stage, made.laser, made.power_meter, made.microscope):
            stack.enter_context(each)
        yield made


def spectrum_of(transmission: Array, wavelengths: Array) -> Spectrum:
    return Spectrum(wavelengths, transmission)


@pytest.mark.parametrize("station", [7], indirect=True)
def test_the_whole_measurement_finds_what_the_chip_is(station: measure.Station, tmp_path: Path) -> None:
    with Progress(disable=True) as progress:
        findings = measure.measure(station, progress)
    chip = PhotonicChip()
    assert findings.alignment.best == pytest.approx(chip_place_mm(7), abs=0.0005)
    centres = [each.centre_nm for each in findings.resonances]
    assert centres == pytest.approx(chip.ring.resonances(*measure.SWEEP_NM), abs=0.001)
    assert findings.free_spectral_range_nm == pytest.approx(chip.ring.free_spectral_range(1550.0), rel=0.01)
    assert findings.middle.quality_factor == pytest.approx(chip.ring.quality_factor(1550.0), rel=0.03)
    best = -10 * np.log10(chip.grating.peak**2 * chip.propagation)
    assert findings.insertion_loss_db == pytest.approx(best, abs=0.15)
    x, y = chip.input_um
    expected = (639.5 + x / findings.pictures.um_per_px, 511.5 - y / findings.pictures.um_per_px)
    assert findings.pictures.spot_px == pytest.approx(expected, abs=4)
    assert not station.laser.output_enabled
    draw(findings, tmp_path / "chip.png")
    header = (tmp_path / "chip.png").read_bytes()[:24]
    assert header.startswith(b"\x89PNG")
    assert min(struct.unpack(">II", header[16:])) > 1000
    check_report(findings, tmp_path)


def check_report(findings: Findings, path: Path) -> None:
    console = Console(record=True, width=200, quiet=False, file=(path / "words.txt").open("w"))
    with console.file:
        report.tell(findings, path / "chip.png", console)
        words = console.export_text()
    assert "1549.17" in words
    assert "Free spectral range   2.27" in words
    assert "pyrolab up station.yaml" in words


@pytest.mark.parametrize("station", [20, 21], indirect=True)
def test_alignment_finds_the_chip_wherever_it_was_put(station: measure.Station) -> None:
    measure.make_ready(station)
    alignment = Alignment()
    measure.search(station, alignment, lambda: None)
    measure.climb(station, alignment, lambda: None)
    seed = int(station.stage.identity.serial)
    assert alignment.best == pytest.approx(chip_place_mm(seed), abs=0.0005)


@pytest.mark.parametrize("station", [7], indirect=True)
def test_without_light_the_search_says_so_and_the_laser_ends_off(
    station: measure.Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "raster", lambda: [(1.0, 1.0), (1.01, 1.0), (1.02, 1.0)])
    with Progress(disable=True) as progress, pytest.raises(RuntimeError, match="no light found"):
        measure.measure(station, progress)
    assert not station.laser.output_enabled


@pytest.mark.parametrize("width_pm", [20.0, 50.0, 200.0])
@pytest.mark.parametrize("depth", [0.6, 0.97])
def test_a_lorentzian_is_recovered_from_noise(width_pm: float, depth: float) -> None:
    truth = Resonance(1550.003, width_pm * 1e-3, depth)
    wavelengths = np.linspace(1547.0, 1553.0, 2001)
    noise = np.random.default_rng(5).normal(0.0, 0.002, wavelengths.size)
    slope = 0.2 + 0.004 * (wavelengths - 1550.0)
    found = analysis.find_resonances(spectrum_of(slope * truth.shape(wavelengths) * (1 + noise), wavelengths))
    assert len(found) == 1
    assert found[0].centre_nm == pytest.approx(truth.centre_nm, abs=0.05 * truth.width_nm)
    assert found[0].width_nm == pytest.approx(truth.width_nm, rel=0.06)
    assert found[0].depth == pytest.approx(truth.depth, abs=0.03)


def test_half_a_dip_at_the_edge_is_no_resonance() -> None:
    wavelengths = np.linspace(1550.0, 1556.0, 1001)
    transmission = Resonance(1550.0, 0.05, 0.9).shape(wavelengths)
    assert analysis.find_resonances(spectrum_of(transmission, wavelengths)) == []


def test_a_spectrum_of_nothing_but_noise_is_refused() -> None:
    wavelengths = np.linspace(1550.0, 1556.0, 1001)
    noise = 10 ** np.random.default_rng(1).uniform(-9, 0, wavelengths.size)
    with pytest.raises(ValueError, match="sweep more widely"):
        analysis.find_resonances(spectrum_of(noise, wavelengths))
