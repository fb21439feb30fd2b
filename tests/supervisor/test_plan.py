"""From a configuration to processes: what starts, in which order, and what it is told."""

from __future__ import annotations

import socket

import pytest

from pyrolab.config import PyroLabConfiguration
from pyrolab.supervisor.events import Key, Kind
from pyrolab.supervisor.plan import Planned, home_of, is_here, plan

SERVICE = "{class: 'm:C', daemon: DAEMON}"


def planned(text: str) -> list[Planned]:
    return plan(PyroLabConfiguration.from_yaml(text))


def names(text: str) -> list[str]:
    return [str(process.key) for process in planned(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("version: '1.0'", []),
        ("services: {s: {class: 'm:C'}}", ["nameserver 'default'", "daemon 'default'"]),
        ("daemons: {d: {}}", ["nameserver 'default'", "daemon 'd'"]),
        ("nameservers: {n: {}}", ["nameserver 'n'"]),
        ("nameservers: {n: {host: labserver}}\ndaemons: {d: {}}", ["daemon 'd'"]),
        ("nameservers: {n: {}, m: {ns_port: 1}}\nautolaunch: {nameservers: [m]}", ["nameserver 'm'"]),
        ("daemons: {d: {}, e: {}}\nautolaunch: {nameservers: [], daemons: [e]}", ["daemon 'e'"]),
        ("daemons: {d: {}}\nautolaunch: {daemons: []}", []),
    ],
)
def test_what_starts(text: str, expected: list[str]) -> None:
    assert names(text) == expected


def test_a_daemon_waits_for_the_name_servers_that_it_uses_and_that_start_here() -> None:
    text = """
nameservers: {here: {ns_port: 1}, there: {host: labserver}, unused: {ns_port: 2}}
daemons: {d: {nameservers: [there]}}
services: {s: {class: 'm:C', daemon: d, nameservers: [here, there]}}
"""
    daemon = planned(text)[-1]
    assert daemon.needs == (Key(Kind.NAMESERVER, "here"),)
    assert daemon.services == ("s",)
    assert daemon.told({})["locations"] == {"here": "localhost:1", "there": "labserver:9090"}


def test_a_daemon_is_told_where_the_broker_really_is() -> None:
    nameserver, daemon = planned("nameservers: {n: {ns_port: 0}}\ndaemons: {d: {}}")
    assert nameserver.told({})["port"] is None
    assert daemon.told({"n": "localhost:4711"})["locations"] == {"n": "localhost:4711"}
    assert nameserver.told({"n": "localhost:4711"})["port"] == 4711


@pytest.mark.parametrize(
    ("nameservers", "listed", "expected"),
    [("", "", ["home"]), ("[]", "", []), ("[far]", "", ["far"]), ("[far, home]", "[home]", ["far", "home"])],
)
def test_where_a_service_is_listed(nameservers: str, listed: str, expected: list[str]) -> None:
    text = f"""
nameservers: {{home: {{}}, far: {{host: labserver}}}}
daemons: {{d: {{nameservers: {listed or "[]"}}}}}
services: {{s: {{class: 'm:C', daemon: d{f", nameservers: {nameservers}" if nameservers else ""}}}}}
"""
    assert planned(text)[-1].instructions["services"]["s"]["listed_at"] == expected


def test_the_broker_of_a_daemon_is_the_first_that_is_named() -> None:
    text = """
nameservers: {a: {}, b: {}, c: {}}
daemons: {d: {nameservers: [c]}, e: {}, f: {}}
services: {s: {class: 'm:C', daemon: d, nameservers: [b]}, t: {class: 'm:C', daemon: e, nameservers: [b]}}
autolaunch: {nameservers: [b, a]}
"""
    config = PyroLabConfiguration.from_yaml(text)
    assert [home_of(config, daemon) for daemon in "def"] == ["c", "b", "b"]
    assert home_of(PyroLabConfiguration(), "default") == "default"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "public", socket.gethostname().upper()])
def test_hosts_of_this_computer(host: str) -> None:
    config = PyroLabConfiguration.from_yaml(f"nameservers: {{n: {{host: '{host}'}}}}")
    assert is_here(config.nameservers["n"])
