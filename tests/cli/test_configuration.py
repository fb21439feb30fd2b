"""`pyrolab config`, and what the command line says when something is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyrolab import __version__
from pyrolab.config import PyroLabConfiguration
from pyrolab.config.places import user_config_file
from pyrolab.protocol.names import Location

from .conftest import Run

LAB = "nameservers: {n: {ns_port: 4711}}\nservices: {s: {class: 'm:C'}}\n"


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    path = tmp_path / "lab.yaml"
    path.write_text(LAB)
    return path


def test_the_version(pyrolab: Run) -> None:
    assert pyrolab("--version").stdout == f"PyroLab {__version__}\n"


def test_help_names_every_command(pyrolab: Run) -> None:
    text = pyrolab("--help").stdout
    assert all(
        word in text for word in ("up", "down", "ps", "estop", "audit", "info", "nslist", "broker", "config")
    )


def test_check_counts_and_notes(pyrolab: Run, lab: Path) -> None:
    lab.write_text(LAB + "daemons: {d: {port: 3}}\n")
    checked = pyrolab("config", "check", lab)
    assert checked.returncode == 0
    assert "is correct: 1 name server, 2 daemons, 1 service" in checked.stdout
    assert "note: daemons.d.port has no effect" in checked.stdout


def test_check_names_what_is_wrong(pyrolab: Run, lab: Path) -> None:
    lab.write_text("nameserver: {}\nservices: {s: {class: 'm:C', daemon: d}}\n")
    checked = pyrolab("config", "check", lab)
    assert checked.returncode == 1
    assert f"{lab}:1: nameserver: there is no such key; did you mean 'nameservers'?" in checked.stderr
    assert "Traceback" not in checked.stderr


def test_what_is_shown_can_be_read_again(pyrolab: Run, lab: Path) -> None:
    shown = pyrolab("config", "show", lab).stdout
    assert PyroLabConfiguration.from_yaml(shown).nameservers["n"].ns_port == 4711


def test_ones_own_configuration(pyrolab: Run, lab: Path, tmp_path: Path) -> None:
    assert "no configuration of your own" in pyrolab("config", "show").stderr
    assert pyrolab("config", "update", lab).returncode == 0
    assert f"{user_config_file()} is correct" in pyrolab("config", "check").stdout
    assert str(Location("localhost", 4711)) in pyrolab("info").stdout
    assert pyrolab("config", "export", tmp_path / "copy.yaml").returncode == 0
    assert PyroLabConfiguration.from_file(tmp_path / "copy.yaml").services["s"].classname == "C"
    assert pyrolab("config", "reset", "--yes").returncode == 0
    assert not user_config_file().exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("up",), "name one: `pyrolab up config.yaml`"),
        (("up", "nowhere.yaml"), "there is no file nowhere.yaml"),
        (("ps",), "PyroLab does not run"),
        (("nslist", "--port", "1"), "localhost:1"),
        (("nslist", "--host", "lab server"), "names no host"),
        (("info", "laser"), "nothing runs"),
        (("broker", "--host", "0.0.0.0", "--port", "0"), "--insecure"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    pyrolab: Run, arguments: tuple[str, ...], words: str
) -> None:
    done = pyrolab(*arguments)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_configuration_that_starts_nothing_is_no_success(pyrolab: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("version: '1.0'\n")
    done = pyrolab("up", tmp_path / "empty.yaml")
    assert done.returncode == 1
    assert "starts nothing" in done.stderr


def test_info_of_one_entry(pyrolab: Run, lab: Path) -> None:
    pyrolab("config", "update", lab)
    assert "4711" in pyrolab("info", "n").stdout
    assert "did you mean" in pyrolab("info", "defaul").stderr
