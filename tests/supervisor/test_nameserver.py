"""Name servers that a script runs itself, and names that stay listed."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pyrolab.api import Daemon, NameServerConfiguration, Proxy, Service, expose, locate_ns, start_ns
from pyrolab.errors import CommunicationError, PoolFull, SecurityError
from pyrolab.protocol.names import URI, Location
from pyrolab.supervisor.listing import Listed, Listings, Outcome
from pyrolab.supervisor.nameserver import NameServerDaemon, start_ns_loop

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
