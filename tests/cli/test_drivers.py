"""`pyrolab wiretap`, `pyrolab new-driver` and `pyrolab up --simulate`, in real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pyrolab.client.proxy import Proxy
from pyrolab_drivers.simulators.pty_server import PtyServer
from pyrolab_drivers.simulators.tsl_device import TSLCommandSet2
from pyrolab_drivers.transports.wire_log import read_wire_file

from .conftest import Run, command

pytestmark = pytest.mark.timeout(120)

LAB = """
nameservers: {n: {ns_port: 0}}
services:
  laser:
    class: pyrolab_drivers.santec.tsl550:SantecTSL550
    args: [ADDRESS]
    kwargs: {wavelength_limits: [1500, 1630]}
  axis:
    class: pyrolab_drivers.thorlabs.kdc101:KDC101
    args: [/dev/nothing]
  meter: {class: "pyrolab_drivers.power_meter:PowerMeter", simulate: true}
"""


def brought_up(pyrolab: Run, folder: Path, address: str, *options: str) -> str:
    """Start the lab; returns where its broker is."""
    config = folder / "lab.yaml"
    config.write_text(LAB.replace("ADDRESS", address))
    pyrolab("up", config, *options)
    shown = json.loads(pyrolab("ps", "--json").stdout)
    return str(shown["processes"][0]["address"])


def test_any_configuration_runs_on_twins(pyrolab: Run, tmp_path: Path) -> None:
    where = brought_up(pyrolab, tmp_path, "/dev/no-such-port", "--simulate")
    shown = json.loads(pyrolab("ps", "--json").stdout)
    states = {each["name"]: each["state"] for each in shown["processes"][1]["services"]}
    assert states == {"laser": "running", "axis": "running", "meter": "running"}
    with Proxy(f"PYRONAME:laser@{where}") as laser:
        laser.wavelength = 1551.5
        laser.wait()
        assert abs(laser.wavelength - 1551.5) < 1e-3
        assert laser.connected
        assert "imulated" in laser.identity.model


def test_a_wire_is_listened_to_from_another_process(pyrolab: Run, tmp_path: Path) -> None:
    with PtyServer(TSLCommandSet2()) as device:
        where = brought_up(pyrolab, tmp_path, device.name)
        tapped = tmp_path / "laser.jsonl"
        tap = subprocess.Popen(
            command("wiretap", "laser", "--entries", "4", "--to", tapped, "--nameserver", where),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert tap.stdout is not None
        with Proxy(f"PYRONAME:laser@{where}") as laser:
            lines: list[str] = []
            while tap.poll() is None:
                assert 1500 <= laser.wavelength <= 1630
            lines = tap.stdout.read().splitlines()
        tap.stdout.close()
        assert len(lines) == 4
        assert any("WA" in line and ">" in line for line in lines)
        assert [each.direction for each in read_wire_file(tapped)] == ["sent", "received"] * 2
        again = pyrolab("wiretap", "laser", "--to", tapped, "--nameserver", where)
        assert again.returncode == 1
        assert "is there already" in again.stderr
        assert "did you mean" in pyrolab("wiretap", "lasre", "--nameserver", where).stderr
        assert "has no wire" in pyrolab("wiretap", "meter", "--nameserver", where).stderr


def test_a_new_driver_passes_its_own_test(pyrolab: Run, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    made = pyrolab("new-driver", "AcmePM5", "--base", "PowerMeter", "--in", folder)
    assert made.returncode == 0, made.stderr
    assert {each.name for each in folder.iterdir()} == {
        "acme_pm5.py",
        "acme_pm5_simulator.py",
        "test_acme_pm5.py",
    }
    tried = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(folder)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert tried.returncode == 0, tried.stdout
    again = pyrolab("new-driver", "AcmePM5", "--base", "PowerMeter", "--in", folder)
    assert again.returncode == 1
    assert "is there already" in again.stderr
    assert "there are Instrument, PowerMeter" in pyrolab("new-driver", "Acme", "--base", "Toaster").stderr
    assert "write it like" in pyrolab("new-driver", "acme").stderr
