"""What a driver author starts from works, before anything is changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from live import PATIENCE_S, clean_environment
from pyrolab_drivers import templates

#: It starts an interpreter and opens some thirty connections.
pytestmark = pytest.mark.timeout(120)


def written(directory: Path, name: str, base: str) -> list[str]:
    files = templates.render(name, base)
    for file, text in files.items():
        (directory / file).write_text(text, encoding="utf-8")
    return list(files)


def test_new_drivers_pass_their_own_tests(tmp_path: Path) -> None:
    for base in templates.bases():
        written(tmp_path, f"Acme{base}", base)
    arguments = ["-q", "-W", "error", "-p", "no:cacheprovider", "--rootdir", ".", "."]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{6 * len(templates.bases())} passed" in done.stdout


def test_a_driver_comes_with_its_simulator_and_its_test(tmp_path: Path) -> None:
    files = written(tmp_path, "AcmeXY5", "PowerMeter")
    assert files == ["acme_xy5.py", "acme_xy5_simulator.py", "test_acme_xy5.py"]


@pytest.mark.parametrize("base", templates.bases())
def test_every_placeholder_is_filled_and_no_line_is_long(base: str) -> None:
    for text in templates.render("Acme", base).values():
        assert "$" not in text
        assert max(map(len, text.splitlines())) <= 110
        assert text.endswith("\n")


@pytest.mark.parametrize("name", ["acme", "Acme Meter", "class", "3M", ""])
def test_what_cannot_be_a_class_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a class"):
        templates.render(name, "PowerMeter")


def test_a_base_without_a_template_is_named_with_those_that_have_one() -> None:
    with pytest.raises(LookupError, match="no template for 'Toaster'; there are Instrument, PowerMeter"):
        templates.render("Acme", "Toaster")


@pytest.mark.parametrize(
    ("name", "module"), [("AcmePM5", "acme_pm5"), ("KDC101", "kdc101"), ("SantecTSL550", "santec_tsl550")]
)
def test_modules_are_named_after_their_classes(name: str, module: str) -> None:
    assert templates.module_name(name) == module
