"""The measurements in `examples/`, each as a person runs it: with a lab of its own, over the bus."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from live import clean_environment
from pyrolab_drivers.simulators.bench import focus_place_mm
from pyrolab_drivers.simulators.chip import PhotonicChip

EXAMPLES = Path(__file__).parents[2] / "examples"
SEED = 7  # of lab.yaml
PATIENCE_S = 150.0

#: Each starts a broker and two daemons, and waits for motors.
pytestmark = pytest.mark.timeout(180)


def said_by(example: str, *arguments: str) -> str:
    """What an example prints."""
    environment = clean_environment()
    for name in ("DISPLAY", "MPLBACKEND"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / example), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def numbers(pattern: str, text: str) -> list[float]:
    found = re.search(pattern, text)
    assert found, f"{pattern!r} is not in {text!r}"
    return [float(each) for each in found.groups()]


def test_a_laser_sweep_finds_the_resonance_of_the_ring_and_its_q() -> None:
    said = said_by("laser_sweep.py")
    ring = PhotonicChip().ring
    centre, quality = numbers(r"resonance at ([\d.]+) nm.*Q = (\d+)", said)
    assert min(abs(centre - each) for each in ring.resonances(1548.0, 1553.0)) < 0.001
    assert quality == pytest.approx(ring.quality_factor(1550.0), rel=0.05)


def test_a_microscope_focuses_by_itself() -> None:
    place, gain = numbers(r"z = (-?[\d.]+) µm: ([\d.]+) times", said_by("autofocus.py"))
    assert place == pytest.approx(1e3 * focus_place_mm(SEED), abs=2.0)
    assert gain > 3


def test_an_iv_curve_gives_the_constants_of_the_diode() -> None:
    said = said_by("iv_curve.py")
    ideality, saturation = numbers(r"ideality ([\d.]+), saturation current ([\d.]+) nA", said)
    assert ideality == pytest.approx(1.6, abs=0.02)
    assert saturation == pytest.approx(5.0, rel=0.05)
    (photocurrent,) = numbers(r"photocurrent ([\d.]+) µA", said)
    assert photocurrent == pytest.approx(0.9e6 * 0.01 * float(PhotonicChip().transmission(1550.0)), rel=0.02)


def test_two_instruments_are_scanned_while_the_picture_grows(tmp_path: Path) -> None:
    out = tmp_path / "made" / "scan.png"
    resistance, moves = numbers(
        r"has (\d+) Ω and moves the resonance by ([\d.]+) nm/W",
        said_by("two_instrument_scan.py", "--out", str(out)),
    )
    assert resistance == pytest.approx(500.0, rel=0.01)
    assert moves == pytest.approx(830.0 * 1.86e-4 * 1549.7 / 4.2, rel=0.05)
    picture = out.read_bytes()
    assert picture.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", picture[16:24])
    assert (width, height) == (770, 770)
    assert [each.name for each in out.parent.iterdir()] == ["scan.png"]
