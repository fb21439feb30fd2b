"""Logs, ports, and the classes that a configuration names."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyrolab.config import DaemonConfiguration, ServiceConfiguration
from pyrolab.errors import ConfigurationError
from pyrolab.supervisor import logs
from pyrolab.supervisor.classes import daemon_class, extend_import_path, hides, service_class
from pyrolab.supervisor.ports import who_listens
from pyrolab.worker.daemon import Daemon
from pyrolab.worker.exposure import behavior_of
from pyrolab.worker.locking import LockableDaemon


def test_the_last_lines_of_a_log(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    assert logs.last_lines(path) == []
    path.write_text("".join(f"line {number}\n" for number in range(10_000)))
    assert logs.last_lines(path, 2) == ["line 9998", "line 9999"]
    assert logs.last_lines(path, 5, since=path.stat().st_size - len("line 9999\n")) == ["line 9999"]
    assert logs.last_lines(path, 1, since=10**9) == ["line 9999"]


def test_a_large_log_is_put_aside(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "ROTATE_BYTES", 10)
    path = logs.log_file("daemon", "a/b")
    for _ in range(2):
        with logs.open_log_for(path) as descriptor:
            os.write(descriptor, b"more than ten bytes\n")
    assert path.read_text() == path.with_name(path.name + ".1").read_text() == "more than ten bytes\n"
    assert path.parent == home / "logs"


def test_who_uses_a_port_is_said() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        listener.listen()
        said = who_listens(port)
        assert said.startswith(f"process {os.getpid()} (")
    assert who_listens(port) == ""


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Path]:
    """A directory with modules of a user's own, reachable as those of a daemon are."""
    (tmp_path / "shelf_of_tests.py").write_text(
        "from pyrolab.api import Daemon, Instrument, behavior\n"
        "@behavior(instance_mode='single')\n"
        "class Scope(Instrument):\n"
        "    def __init__(self, channels=1, name=''): self.made = (channels, name)\n"
        "class Hall(Daemon): pass\n"
        "number = 3\n"
    )
    (tmp_path / "broken_of_tests.py").write_text("raise RuntimeError('no such device')\n")
    (tmp_path / "needy_of_tests.py").write_text("import a_vendor_library_of_tests\n")
    (tmp_path / "json.py").write_text("loads = None\n")
    before = list(sys.path)
    extend_import_path([str(tmp_path)])
    yield tmp_path
    sys.path[:] = before
    for name in [name for name in sys.modules if name.endswith("_of_tests")]:
        del sys.modules[name]


def scope(**more: object) -> ServiceConfiguration:
    return ServiceConfiguration(module="shelf_of_tests", classname="Scope", **more)  # type: ignore[arg-type]


def test_a_class_is_hosted_as_it_says(library: Path) -> None:
    assert behavior_of(service_class("s", scope())).instance_mode == "single"


def test_the_configuration_may_say_it_differently_for_each_service(library: Path) -> None:
    one = service_class("one", scope(instancemode="percall", parameters={"port": "COM1"}))
    two = service_class("two", scope(parameters={"port": "COM2"}))
    assert behavior_of(one).instance_mode == "percall"
    assert behavior_of(two).instance_mode == "single"
    assert behavior_of(two).exposure == "marked"
    assert behavior_of(service_class("three", scope(exposure="public"))).exposure == "public"
    assert [vars(cls)["_autoconnect_params"] for cls in (one, two)] == [{"port": "COM1"}, {"port": "COM2"}]
    assert one.__name__ == "Scope"
    assert one.__mro__[1] is two.__mro__[1]


def test_arguments_go_to_the_constructor(library: Path) -> None:
    cls = service_class("s", scope(args=[4], kwargs={"name": "left"}))
    creator = behavior_of(cls).instance_creator
    assert creator is not None
    assert creator(cls).made == (4, "left")


@pytest.mark.parametrize(
    ("module", "classname", "words"),
    [
        ("nowhere_of_tests", "A", "there is no module 'nowhere_of_tests'"),
        ("shelf_of_tests.deep", "A", "there is no module 'shelf_of_tests.deep'"),
        ("shelf_of_tests", "Skope", "has no class 'Skope'; it has Scope"),
        ("shelf_of_tests", "number", "has no class 'number'"),
        ("broken_of_tests", "A", "RuntimeError: no such device"),
        ("needy_of_tests", "A", "it needs the module 'a_vendor_library_of_tests'"),
    ],
)
def test_a_class_that_cannot_be_had(library: Path, module: str, classname: str, words: str) -> None:
    configuration = ServiceConfiguration(module=module, classname=classname)
    with pytest.raises(ConfigurationError) as refusal:
        service_class("s", configuration, [str(library)])
    assert str(refusal.value).startswith("services.s: ")
    assert words in str(refusal.value)


def test_a_file_beside_the_configuration_hides_no_module(library: Path) -> None:
    import json

    assert json.loads("1") == 1
    assert hides("json", [str(library)]) == json.__file__
    assert hides("shelf_of_tests", [str(library)]) == ""


def test_daemons_of_pyrolab_and_of_ones_own(library: Path) -> None:
    assert daemon_class("d", DaemonConfiguration()) is Daemon
    lockable = daemon_class("d", DaemonConfiguration(module="pyrolab.daemon", classname="LockableDaemon"))
    assert lockable is LockableDaemon
    own = daemon_class("d", DaemonConfiguration(module="shelf_of_tests", classname="Hall"))
    assert issubclass(own, Daemon)
    with pytest.raises(ConfigurationError, match="not derived from"):
        daemon_class("d", DaemonConfiguration(module="shelf_of_tests", classname="Scope"))
    with pytest.raises(ConfigurationError, match="PyroLab has no 'Deamon'"):
        daemon_class("d", DaemonConfiguration(classname="Deamon"))
