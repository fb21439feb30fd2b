"""The user's own configuration and the directories of PyroLab."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyrolab.config.models import PyroLabConfiguration
from pyrolab.config.places import (
    HOME_VARIABLE,
    audit_directory,
    config_directory,
    file_name,
    log_directory,
    user_config_file,
)
from pyrolab.config.user import export_config, reset_config, update_config, user_config, user_nameserver
from pyrolab.errors import ConfigurationError
from pyrolab.protocol.names import Location


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    return tmp_path / "home"


def test_asking_for_places_makes_nothing(home: Path) -> None:
    assert (user_config_file(), log_directory()) == (home / "config.yaml", home / "logs")
    assert audit_directory() == home / "audit"
    assert not home.exists()


def test_without_the_variable_the_system_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HOME_VARIABLE)
    assert config_directory().is_absolute()
    assert "pyrolab" in str(config_directory()).lower()


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a.b-c_1", "a.b-c_1"),
        ("../etc", "..%2Fetc"),
        ("..", "%2E%2E"),
        ("a\\b:c", "a%5Cb%3Ac"),
        ("µ", "%C2%B5"),
    ],
)
def test_any_name_can_name_a_file(name: str, file: str) -> None:
    assert file_name(name) == file


def test_update_keeps_modules_beside_the_file_reachable(tmp_path: Path) -> None:
    lab = tmp_path / "lab" / "config.yaml"
    lab.parent.mkdir()
    lab.write_text("services: {s: {class: 'm:C', daemon: d}}\ndaemons: {d: {}}\n")
    update_config(lab)
    config = user_config()
    assert config is not None
    assert [Path(place) for place in config.daemons["d"].path] == [lab.parent]


def test_a_wrong_file_changes_nothing(tmp_path: Path) -> None:
    export_config(PyroLabConfiguration(), user_config_file())
    before = user_config_file().read_text()
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("daemon: {}")
    with pytest.raises(ConfigurationError):
        update_config(wrong)
    with pytest.raises(FileNotFoundError):
        update_config(tmp_path / "none.yaml")
    assert user_config_file().read_text() == before


def test_reset_forgets_and_may_be_repeated() -> None:
    export_config(PyroLabConfiguration(), user_config_file())
    reset_config()
    reset_config()
    assert user_config() is None


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("version: '1.0'", None),
        ("nameservers: {a: {host: lab, ns_port: 9100}, default: {host: other}}", Location("other", 9090)),
        ("nameservers: {a: {host: lab, ns_port: 9100}, b: {}}", Location("lab", 9100)),
        (
            "nameservers: {a: {host: lab}, b: {host: public}}\nautolaunch: {nameservers: [b]}",
            Location("localhost", 9090),
        ),
    ],
)
def test_where_the_users_broker_is(text: str, location: Location | None, home: Path) -> None:
    assert user_nameserver() is None
    home.mkdir()
    user_config_file().write_text(text)
    assert user_nameserver() == location
