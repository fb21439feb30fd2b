"""Where programs look for the broker: argument, environment, the user's configuration, here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import pyrolab.api  # has the user's configuration asked
from pyrolab.config.places import HOME_VARIABLE, user_config_file
from pyrolab.errors import ConfigurationError
from pyrolab.link.finding import ENVIRONMENT, broker_location
from pyrolab.protocol.names import Location


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.delenv(ENVIRONMENT, raising=False)


def test_each_place_is_asked_after_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pyrolab.api.URI("PYRONAME:x").location is None
    assert broker_location() == Location("localhost", 9090)
    user_config_file().write_text("nameservers: {lab: {host: labserver, ns_port: 9100}}")
    assert broker_location() == Location("labserver", 9100)
    monkeypatch.setenv(ENVIRONMENT, "elsewhere:1")
    assert broker_location() == Location("elsewhere", 1)
    assert broker_location("there:2") == Location("there", 2)
    assert broker_location(port=3) == Location("localhost", 3)


def test_a_wrong_configuration_is_no_silent_default() -> None:
    user_config_file().write_text("nameserver: {}")
    with pytest.raises(ConfigurationError, match="did you mean 'nameservers'"):
        broker_location()


def test_without_a_configuration_its_schema_is_not_loaded() -> None:
    code = (
        "import sys, pyrolab.api; from pyrolab.link.finding import broker_location; broker_location();"
        "print([name for name in ('pydantic', 'yaml', 'typer', 'zmq', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == "[]\n"
