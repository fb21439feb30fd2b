"""Pyro's configuration items: what they do here, and that the others are known for what they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyrolab import tracebacks
from pyrolab.errors import ConfigurationError
from pyrolab.link import defaults
from pyrolab.link.finding import broker_location
from pyrolab.protocol.limits import MAX_MESSAGE_BYTES
from pyrolab.protocol.names import Location
from pyrolab.pyro.settings import WITHOUT_EFFECT, config

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "from-pyro5.md"
#: What has an effect, and a value that has it.
WITH_EFFECT = {
    "COMMTIMEOUT": 1.5,
    "MAX_RETRIES": 3,
    "MAX_MESSAGE_SIZE": 2500,
    "NS_HOST": "labserver",
    "NS_PORT": 9999,
    "DETAILED_TRACEBACK": True,
}


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    config.reset()


def effects() -> list[Any]:
    values = {name: value for name, value in vars(defaults).items() if not name.startswith("__")}
    return [*values.values(), tracebacks.detailed_by_default]


@pytest.mark.parametrize(("name", "value"), WITH_EFFECT.items())
def test_what_has_an_effect_has_it_until_it_is_reset(name: str, value: Any) -> None:
    before = effects()
    setattr(config, name, value)
    assert getattr(config, name) == value
    assert effects() != before
    config.reset()
    assert effects() == before


@pytest.mark.parametrize("name", WITHOUT_EFFECT)
def test_what_has_none_can_be_set_and_says_why(name: str) -> None:
    before = effects()
    setattr(config, name, getattr(config, name))
    assert effects() == before
    assert f"{name} = {getattr(config, name)}  (without effect: {WITHOUT_EFFECT[name]})" in config.dump()


def test_every_item_either_has_an_effect_or_a_reason() -> None:
    assert set(config.as_dict()) == {*WITH_EFFECT, *WITHOUT_EFFECT}
    assert not set(WITH_EFFECT) & set(WITHOUT_EFFECT)


def test_the_page_for_users_of_pyro_names_those_with_an_effect() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## Settings")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == set(WITH_EFFECT)


def test_values_reach_the_floor_below_in_its_units() -> None:
    config.COMMTIMEOUT = 2
    config.MAX_RETRIES = 4
    assert (defaults.timeout_s, defaults.max_retries) == (2.0, 4)
    for unlimited in (0, None):
        config.COMMTIMEOUT = unlimited
        assert defaults.timeout_s is None


def test_a_larger_message_than_the_protocol_allows_stays_the_protocols_affair() -> None:
    config.MAX_MESSAGE_SIZE = 2**32
    assert defaults.max_message_bytes is None
    config.MAX_MESSAGE_SIZE = MAX_MESSAGE_BYTES - 1
    assert defaults.max_message_bytes == MAX_MESSAGE_BYTES - 1


def test_the_broker_is_looked_for_where_the_program_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYROLAB_NAMESERVER", "elsewhere:1234")
    assert broker_location() == Location("elsewhere", 1234)
    config.NS_PORT = 9999
    assert broker_location() == Location("localhost", 9999)
    config.NS_HOST = "labserver"
    assert broker_location() == Location("labserver", 9999)
    assert broker_location("other") == Location("other", 9999)
    assert broker_location("other:9090") == Location("other", 9090)
    assert broker_location("other", 5) == Location("other", 5)
    assert broker_location(port=5) == Location("labserver", 5)
    config.reset()
    assert broker_location() == Location("elsewhere", 1234)


def test_the_environment_of_pyro_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYRO_COMMTIMEOUT", "5")
    config.reset(use_environment=True)
    assert config.COMMTIMEOUT == 0.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COMMTIMEOUT", -1),
        ("COMMTIMEOUT", "5"),
        ("COMMTIMEOUT", float("nan")),
        ("COMMTIMEOUT", float("inf")),
        ("COMMTIMEOUT", True),
        ("MAX_RETRIES", 1.5),
        ("MAX_RETRIES", -1),
        ("MAX_MESSAGE_SIZE", None),
        ("NS_PORT", 0),
        ("NS_PORT", "9090"),
        ("NS_HOST", ""),
        ("NS_HOST", None),
    ],
)
def test_wrong_values_are_refused_and_change_nothing(name: str, value: Any) -> None:
    before, effect = getattr(config, name), effects()
    with pytest.raises(ConfigurationError, match=name):
        setattr(config, name, value)
    assert (getattr(config, name), effects()) == (before, effect)


@pytest.mark.parametrize("name", ["SSL", "SSL_REQUIRECLIENTCERT"])
def test_nobody_is_left_in_the_belief_that_there_is_encryption(name: str) -> None:
    with pytest.raises(ConfigurationError, match="nothing is encrypted"):
        setattr(config, name, True)
    setattr(config, name, False)


def test_unknown_names_are_refused_with_close_ones() -> None:
    with pytest.raises(AttributeError, match="did you mean COMMTIMEOUT"):
        config.COMM_TIMEOUT = 1
    with pytest.raises(AttributeError, match="MAX_RETRIES"):
        _ = config.max_retries
    with pytest.raises(AttributeError, match="no setting 'QQQQ'"):
        _ = config.QQQQ
    assert "SERIALIZER" in dir(config)


def test_a_copy_and_the_original_do_not_follow_each_other() -> None:
    config.MAX_RETRIES = 2
    copy = config.copy()
    copy.MAX_RETRIES = 5
    assert (config.MAX_RETRIES, copy.MAX_RETRIES, defaults.max_retries) == (2, 5, 2)
    config.reset()
    assert (config.MAX_RETRIES, copy.MAX_RETRIES) == (0, 5)
    assert copy.as_dict()["MAX_RETRIES"] == 5
