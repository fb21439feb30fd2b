"""Configurations of PyroLab are read as they are; what is wrong is named with line, key and a way out."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from pyrolab.config.loading import check
from pyrolab.config.models import (
    DaemonConfiguration,
    NameServerConfiguration,
    PyroLabConfiguration,
    ServiceConfiguration,
)
from pyrolab.config.notes import notes
from pyrolab.errors import ConfigurationError
from pyrolab.protocol.names import Location

# Every key that a configuration of PyroLab 0.5 may have, with a value that it may have there.
EVERY_KEY = """
version: '1.0'
nameservers:
  production: {host: public, ns_port: 9100, broadcast: false, ns_bchost: null, ns_bcport: 9091,
               ns_autoclean: 15.0, storage: sql}
daemons:
  lockable: {module: pyrolab.server, classname: LockableDaemon, host: public, port: 0, unixsocket: null,
             nathost: null, natport: 0, servertype: multiplex, nameservers: [production]}
services:
  asgard.hulk: {module: mylab.stages, classname: Stage, parameters: {serialno: 27003497},
                description: Longitudinal motion, instancemode: single, daemon: lockable,
                nameservers: [production]}
autolaunch: {nameservers: [production], daemons: [lockable]}
"""


def test_every_key_of_pyrolab_is_read() -> None:
    config = PyroLabConfiguration.from_yaml(EVERY_KEY)
    assert config.nameservers["production"].ns_port == 9100
    assert config.nameservers["production"].name == "production"
    assert config.daemons["lockable"].classname == "LockableDaemon"
    assert config.services["asgard.hulk"].parameters == {"serialno": 27003497}
    assert config.autolaunch.daemons == ["lockable"]


def test_what_is_written_is_read_back() -> None:
    config = PyroLabConfiguration.from_yaml(EVERY_KEY)
    assert PyroLabConfiguration.from_yaml(config.yaml()) == config
    assert PyroLabConfiguration.from_yaml(config.yaml(exclude_defaults=True)) == config


def test_defaults_are_those_of_pyrolab() -> None:
    nameserver = NameServerConfiguration()
    assert (nameserver.host, nameserver.ns_port, nameserver.storage) == ("localhost", 9090, "memory")
    service = ServiceConfiguration(module="m", classname="C")
    assert (service.daemon, service.parameters, service.description) == ("default", {}, "")


def test_a_service_may_name_its_class_in_one_word() -> None:
    service = ServiceConfiguration.from_yaml("{class: 'lab.lasers:TSL', args: [COM4], kwargs: {baud: 9600}}")
    assert (service.module, service.classname, service.args) == ("lab.lasers", "TSL", ["COM4"])


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("version: '2.0'", 1, "should be '1.0'"),
        ("nameserver: {}", 1, "did you mean 'nameservers'?"),
        ("nameservers:\n  a: {nsport: 1}", 2, "did you mean 'ns_port'?"),
        ("nameservers:\n  a: {ns_port: 65536}", 2, "65536: should be less than or equal to 65535"),
        ("nameservers:\n  a: {host: 'http://lab'}", 2, "is no host"),
        ("nameservers:\n  a:\n    broadcast: true", 3, "does not broadcast"),
        ("nameservers:\n  a: {storage: dbm}", 2, "write 'sql'"),
        ("nameservers:\n  a: {storage: mem}", 2, "write 'memory', 'sql'"),
        ("nameservers:\n  a: {storage_type: sql}", 2, "write 'storage: memory' or"),
        ("nameservers:\n  a: {ns_autoclean: -1}", 2, "greater than or equal to 0"),
        ("nameservers:\n  a: {max_clients: 0}", 2, "greater than or equal to 1"),
        ("daemons:\n  d: {unixsocket: /tmp/s}", 2, "listens on no socket"),
        ("daemons:\n  d: {servertype: forking}", 2, "'thread' or 'multiplex'"),
        ("daemons:\n  d: {ns_port: 9090}", 2, "it belongs under nameservers"),
        ("daemons:\n  d: {nameservers: [produktion]}", 2, "there is no name server 'produktion'"),
        ("daemons: [d]", 1, "must be a mapping"),
        ("services:\n  s: {module: m}", 2, "the key 'classname' is missing"),
        ("services:\n  s: {class: m.C}", 2, "write it as 'module:Name'"),
        ("services:\n  s: {class: 'm:C', module: m}", 2, "not both"),
        ("services:\n  s: {class: 'm:C', instance_mode: single}", 2, "write 'instancemode'"),
        ("services:\n  s: {class: 'm:C', instancemode: once}", 2, "'session', 'single' or 'percall'"),
        ("services:\n  s: {class: 'm:C', parameters: [{port: 1}]}", 2, "must be a mapping"),
        ("services:\n  s: {class: 'm:C', daemon: lokable}\ndaemons: {lockable: {}}", 2, "mean 'lockable'?"),
        ("services:\n  s: {class: 'm:C', nameservers: [x]}", 2, "there is no name server 'x'"),
        ("services:\n  a b: {class: 'm:C'}", 2, "blanks"),
        ("autolaunch:\n  daemons: [d]", 2, "there is no daemon 'd'"),
        ("autolaunch:\n  nameservers: [n]", 2, "there is no name server 'n'"),
        ("autolaunch:\n  services: [s]", 2, "there is no such key"),
        ("- version", 1, "must be a mapping"),
    ],
)
def test_what_is_wrong_is_named(text: str, line: int, words: str, tmp_path: Path) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as refusal:
        PyroLabConfiguration.from_file(file)
    assert str(refusal.value).startswith(f"{file}:{line}: ")
    assert words in str(refusal.value)
    assert (refusal.value.__dict__["file"], refusal.value.__dict__["line"]) == (str(file), line)


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        PyroLabConfiguration.from_yaml("services:\n  s: {modul: m}\ndaemons:\n  d: {prt: 1}\nversion: 9\n")
    lines = str(refusal.value).splitlines()
    assert [line.split(":")[1] for line in lines] == ["2", "2", "2", "4", "5"]


def test_default_name_server_and_daemon_always_exist() -> None:
    config = PyroLabConfiguration.from_yaml("services: {s: {class: 'm:C', nameservers: [default]}}")
    assert config.nameserver("default").location == Location("localhost", 9090)
    assert config.daemon("default") == DaemonConfiguration()
    assert list(config.services_of("default")) == ["s"]


def test_directories_are_relative_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(
        "nameservers: {n: {storage: 'sql:names.db'}}\n"
        "daemons: {d: {path: [., ../shared]}}\n"
        "services: {s: {class: 'm:C'}}\n"
    )
    config = PyroLabConfiguration.from_file(file)
    assert config.nameservers["n"].storage == f"sql:{tmp_path / 'names.db'}"
    assert [Path(place).resolve() for place in config.daemons["d"].path] == [
        tmp_path.resolve(),
        (tmp_path.parent / "shared").resolve(),
    ]
    assert config.daemon("default").path == [str(tmp_path)]


def test_a_program_gets_the_same_checks() -> None:
    with pytest.raises(ValidationError):
        NameServerConfiguration(ns_port=-1)
    settings = NameServerConfiguration(host="labserver", ns_port=0)
    with pytest.raises(ValidationError):
        settings.ns_port = 70_000
    service = ServiceConfiguration(module="m", classname="C", daemon="nowhere")
    with pytest.raises(ConfigurationError, match="there is no daemon 'nowhere'"):
        check(PyroLabConfiguration(services={"s": service}))


def test_keys_without_effect_are_said() -> None:
    text = """
nameservers: {n: {ns_autoclean: 5, storage: sql, host: public}}
daemons: {d: {port: 4000, nathost: gate, servertype: multiplex}, idle: {}}
services: {s: {class: 'm:C', daemon: idle}}
autolaunch: {daemons: [d]}
"""
    said = notes(PyroLabConfiguration.from_yaml(text))
    assert [line.partition(" ")[0] for line in said] == [
        "nameservers.n.ns_autoclean",
        "nameservers.n.storage",
        "nameservers.n.host",
        "daemons.d.port,",
        "daemons.d.servertype",
        "daemons.idle",
    ]
    assert notes(PyroLabConfiguration.from_yaml(EVERY_KEY.replace("multiplex", "thread")))[2:] == [
        "nameservers.production.host is public: the broker refuses to face a network unless "
        "'insecure: true' says so"
    ]
