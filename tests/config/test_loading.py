"""Configurations of PyroLab are read as they are; what is wrong is named with line, key and a way out."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from pydantic import ValidationError

from pyrolab.config.loading import check
from pyrolab.config.models import (
    DaemonConfiguration,
    LimitsConfiguration,
    NameServerConfiguration,
    PyroLabConfiguration,
    ServiceConfiguration,
)
from pyrolab.config.notes import notes
from pyrolab.errors import ConfigurationError
from pyrolab.protocol.names import Location
from pyrolab_broker.settings import BrokerSettings, ClientLimits, ServiceLimits

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
    assert (nameserver.host, nameserver.ns_port, nameserver.storage) == ("localhost", 9090, "sql")
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
        ("nameservers:\n  a: {limits: 5}", 2, "a.limits: this must be a mapping (key: value), not 5"),
        ("nameservers:\n  a:\n    limits: {calls_per_clients: 5}", 3, "did you mean 'calls_per_client'?"),
        ("nameservers:\n  a:\n    limits: {qeue: 5}", 3, "valid are burst_per_client, calls_per_client,"),
        ("nameservers:\n  a: {calls_per_client: 5}", 2, "it belongs under limits"),
        ("nameservers:\n  a:\n    limits: {max_clients: 5}", 3, "it belongs under nameservers"),
        ("nameservers:\n  a:\n    limits: {max_names: 0}", 3, "0: should be greater than or equal to 1"),
        ("nameservers:\n  a:\n    limits: {rate_per_client: .inf}", 3, "limits.rate_per_client: inf: should"),
        ("nameservers:\n  a:\n    limits: {heartbeat_s: 3}", 3, "3: should be less than or equal to 2"),
        ("nameservers:\n  a:\n    limits: {grace_s: 1}", 3, "grace_s must be at least two heartbeats (4 s)"),
        ("nameservers:\n  a: {limits: {services: [camera]}}", 2, "limits.services: this must be a mapping"),
        (
            "nameservers:\n  a:\n    limits:\n      services:\n        'camera*': {queu: 1}",
            5,
            "limits.services.camera*.queu: there is no such key; did you mean 'queue'?",
        ),
        (
            "nameservers:\n  a:\n    limits: {services: {'*': {credit: 2000}}}",
            3,
            "less than or equal to 1024",
        ),
        ("nameservers:\n  a:\n    limits: {clients: {'ana@*': {rate: -1}}}", 3, "greater than or equal to 0"),
        (
            "nameservers:\n  a:\n    limits: {clients: {'ana@*': {queue: 1}}}",
            3,
            "valid are burst, calls, rate",
        ),
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


LIMITS = """
max_workers: 1
max_viewers: 18
max_services: 2
max_names: 3
queue_per_service: 4
calls_per_client: 5
topics_per_client: 6
queued_bytes: 7
rate_per_client: 8.5
burst_per_client: 9
heartbeat_s: 0.5
silence_s: 10
grace_s: 11
services: {'camera*': {queue: 12, credit: 13}, laser: {credit: 1}}
clients: {'ana@*': {calls: 14, rate: 15, burst: 16}, '*': {}}
"""


def test_all_limits_of_a_broker_can_be_set() -> None:
    limits = LimitsConfiguration.from_yaml(LIMITS)
    settings = NameServerConfiguration(limits=limits, max_clients=17, insecure=True).broker_settings
    assert settings == BrokerSettings(
        *(17, 1, 18, 2, 3, 4, 5, 6, 7, 8.5, 9, 0.5, 10, 11),
        services={"camera*": ServiceLimits(12, 13), "laser": ServiceLimits(None, 1)},
        clients={"ana@*": ClientLimits(14, 15, 16), "*": ClientLimits()},
        insecure=True,
    )
    elsewhere = {"max_clients", "insecure", "wire", "autoclean_s"}
    assert NameServerConfiguration(ns_autoclean=60).broker_settings.autoclean_s == 60
    assert {each.name for each in fields(BrokerSettings)} - elsewhere == set(LimitsConfiguration.model_fields)


def test_limits_are_written_as_they_are_read() -> None:
    config = PyroLabConfiguration(
        nameservers={"n": NameServerConfiguration(limits=LimitsConfiguration.from_yaml(LIMITS))}
    )
    assert PyroLabConfiguration.from_yaml(config.yaml()) == config
    assert PyroLabConfiguration.from_yaml(config.yaml(exclude_defaults=True)) == config


def test_without_limits_they_are_the_brokers_own() -> None:
    assert NameServerConfiguration().broker_settings == BrokerSettings()


def test_keys_without_effect_are_said() -> None:
    text = """
nameservers: {n: {ns_bchost: true, storage: sql, host: public}}
daemons: {d: {port: 4000, nathost: gate, servertype: multiplex}, idle: {}}
services: {s: {class: 'm:C', daemon: idle}}
autolaunch: {daemons: [d]}
"""
    said = notes(PyroLabConfiguration.from_yaml(text))
    assert [line.partition(" ")[0] for line in said] == [
        "nameservers.n.ns_bchost",
        "nameservers.n.host",
        "daemons.d.port,",
        "daemons.d.servertype",
        "daemons.idle",
    ]
    text = "nameservers: {n: {storage: sql, ns_port: 0}, m: {ns_port: 0}, k: {storage: 'sql:f', ns_port: 0}}"
    assert [line.partition(" ")[0] for line in notes(PyroLabConfiguration.from_yaml(text))] == [
        "nameservers.n.storage"
    ]
    assert notes(PyroLabConfiguration.from_yaml(EVERY_KEY.replace("multiplex", "thread"))) == [
        "nameservers.production.host is public: the broker refuses to face a network unless "
        "'insecure: true' says so"
    ]
