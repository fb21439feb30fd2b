"""Name servers that a script runs itself, and names that stay listed."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pyrolab.api import Daemon, NameServerConfiguration, Proxy, Service, expose, locate_ns, start_ns
from pyrolab.audit import entries
from pyrolab.config.models import LimitsConfiguration
from pyrolab.config.places import audit_directory
from pyrolab.errors import CommunicationError, NamingError, PoolFull, SecurityError
from pyrolab.protocol.names import URI, Location
from pyrolab.supervisor.listing import Listed, Listings, Outcome
from pyrolab.supervisor.nameserver import NameServerDaemon, start_ns_loop, storage_path

FREE_PORT = NameServerConfiguration(ns_port=0)
DEADLINE_S = 20.0


@contextmanager
def serving(settings: NameServerConfiguration = FREE_PORT) -> Iterator[Location]:
    uri, daemon, broadcast = start_ns(settings)
    assert broadcast is None
    thread = threading.Thread(target=daemon.requestLoop)
    thread.start()
    try:
        assert uri == daemon.uri
        yield daemon.location
    finally:
        daemon.shutdown()
        thread.join()
        daemon.close()


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)
    return found


def test_start_ns_gives_a_name_server_for_ones_own_loop() -> None:
    with serving() as where, locate_ns(str(where)) as names:
        assert list(names.list()) == ["Pyro.NameServer"]


def test_the_loop_ends_when_its_condition_does() -> None:
    asked = []
    start_ns_loop(FREE_PORT, lambda: not asked.append(1) and len(asked) < 3)  # type: ignore[func-returns-value]
    assert len(asked) == 3


def test_a_taken_port_is_explained() -> None:
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        port = occupant.getsockname()[1]
        with pytest.raises(CommunicationError, match=f"port {port} is in use by process"):
            NameServerDaemon(NameServerConfiguration(ns_port=port))


def test_the_public_needs_a_word() -> None:
    with pytest.raises(SecurityError, match="insecure: true"):
        NameServerDaemon(NameServerConfiguration(host="public", ns_port=0))


def test_max_clients_is_the_brokers_limit() -> None:
    with serving(NameServerConfiguration(ns_port=0, max_clients=1)) as where:
        with locate_ns(str(where)), pytest.raises(PoolFull, match="max_clients=1"):
            locate_ns(str(where))
        with locate_ns(str(where)) as names:
            assert names.count() == 1


def test_limits_are_the_brokers() -> None:
    settings = NameServerConfiguration(ns_port=0, limits=LimitsConfiguration(max_names=1))
    with serving(settings) as where, locate_ns(str(where)) as names:
        names.register("one", "PYRO:one@elsewhere:1")
        with pytest.raises(NamingError, match="holds 1 names, its limit"):
            names.register("two", "PYRO:two@elsewhere:1")


# -- what outlives it --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "name", "file"),
    [
        ({}, "", "nameservers/localhost-9090.sqlite"),
        ({"host": "public", "ns_port": 9100}, "", "nameservers/public-9100.sqlite"),
        ({"storage": "sql"}, "a/b", "nameservers/a%2Fb.sqlite"),
        ({"storage": "memory"}, "lab", None),
        ({"ns_port": 0}, "lab", None),
    ],
)
def test_where_names_are_kept(settings: dict[str, Any], name: str, file: str | None, home: Path) -> None:
    configuration = NameServerConfiguration(**settings)
    configuration.set_name(name)
    assert storage_path(configuration) == (None if file is None else home / file)


def test_a_file_that_is_named_is_used_with_any_port(tmp_path: Path) -> None:
    settings = NameServerConfiguration(ns_port=0, storage=f"sql:{tmp_path / 'names.db'}")
    assert storage_path(settings) == tmp_path / "names.db"


def test_names_outlive_a_name_server(tmp_path: Path) -> None:
    settings = NameServerConfiguration(ns_port=0, storage=f"sql:{tmp_path / 'names.db'}")
    with serving(settings) as where, locate_ns(str(where)) as names:
        names.register("stage", "PYRO:stage@elsewhere:1", metadata={"bench", "x"})
        names.register("laser", "PYRO:laser@elsewhere:1")
        names.remove("laser")
    with serving(settings) as where, locate_ns(str(where)) as names:
        assert "laser" not in names.list()
        uri, metadata = names.lookup("stage", return_metadata=True)
        assert (str(uri), metadata) == ("PYRO:stage@elsewhere:1", {"bench", "x"})


def test_two_name_servers_do_not_share_a_file(tmp_path: Path) -> None:
    settings = NameServerConfiguration(ns_port=0, storage=f"sql:{tmp_path / 'names.db'}")
    first = NameServerDaemon(settings)
    with pytest.raises(CommunicationError, match=f"is in use by the broker of process {os.getpid()}"):
        NameServerDaemon(settings)
    first.close()
    NameServerDaemon(settings).close()


def test_without_a_file_nothing_is_written(home: Path) -> None:
    with serving() as where, locate_ns(str(where)) as names:
        names.register("stage", "PYRO:stage@elsewhere:1")
    assert not home.exists()


def test_what_the_broker_decides_is_in_its_audit_log() -> None:
    settings = NameServerConfiguration(ns_port=0)
    settings.set_name("lab")
    with serving(settings) as where, locate_ns(str(where)) as names:
        names.emergency_stop("a test")
        names.reset_emergency_stop()
    found = list(entries(audit_directory()))
    assert {entry.log for entry in found} == {"broker-lab"}
    assert [entry.what for entry in found] == ["emergency stop", "emergency stop reset"]
    assert found[0].facts["reason"] == "a test"


@expose
class Lamp(Service):
    pass


class Bench:
    """A daemon with one service, and what was said of its listing."""

    def __init__(self, daemon: Daemon, where: Location) -> None:
        self.uri: URI = daemon.register(Lamp)
        self.session = 1
        self.said: list[tuple[str, Outcome]] = []
        listed = Listed("lamp", self.uri, where, "a\nlamp " + "x" * 300)
        self.listings = Listings(
            [listed], lambda: self.session, lambda name, outcome, _: self.said.append((name, outcome))
        )


@pytest.fixture
def broker() -> Iterator[Location]:
    with serving() as where:
        yield where


@pytest.fixture
def bench(broker: Location) -> Iterator[Bench]:
    with Daemon(nameserver=broker) as daemon:
        yield Bench(daemon, broker)


def test_a_name_is_listed_until_its_daemon_leaves(broker: Location, bench: Bench) -> None:
    bench.listings.start()
    wait_for(lambda: bench.said == [("lamp", Outcome.LISTED)])
    with locate_ns(str(broker)) as names:
        uri, metadata = names.lookup("lamp", return_metadata=True)
        assert uri == bench.uri
        assert [len(tag) for tag in metadata] == [255]
        with Proxy(uri) as lamp:
            assert lamp.ping()
        bench.listings.end()
        assert "lamp" not in names.list()


def test_a_lost_name_is_listed_again_when_the_connection_is_new(broker: Location, bench: Bench) -> None:
    bench.listings.start()
    with locate_ns(str(broker)) as names:
        wait_for(lambda: "lamp" in names.list())
        names.remove("lamp")
        bench.session = 2
        wait_for(lambda: "lamp" in names.list())
        bench.listings.end()


def test_a_name_that_somebody_took_over_is_left_to_him(broker: Location, bench: Bench) -> None:
    bench.listings.start()
    with locate_ns(str(broker)) as names:
        wait_for(lambda: bench.said)
        names.register("lamp", "PYRO:another@elsewhere:1")
        bench.session = 2
        wait_for(lambda: len(bench.said) == 2)
        bench.listings.end()
        assert bench.said[-1] == ("lamp", Outcome.REFUSED)
        assert str(names.lookup("lamp")) == "PYRO:another@elsewhere:1"


def test_a_broker_that_is_not_there_yet_is_waited_for(bench: Bench) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        later = Location("localhost", reserved.getsockname()[1])
    said: list[Outcome] = []
    listed = Listed("lamp", bench.uri, later)
    listings = Listings([listed], lambda: 1, lambda name, outcome, reason: said.append(outcome))
    listings.start()
    wait_for(lambda: said == [Outcome.TRYING])
    with serving(NameServerConfiguration(ns_port=later.port)):
        wait_for(lambda: said[-1] is Outcome.LISTED)
        listings.end()
