"""Names that are in use: hosted and listed as soon as they are free, and said to wait until then."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from live import start_broker
from pyrolab.api import Daemon, Proxy
from pyrolab.config import DaemonConfiguration, PyroLabConfiguration
from pyrolab.errors import DaemonError, NameInUse, NamingError
from pyrolab.protocol.names import URI, Location
from pyrolab.supervisor import daemon_process, listing
from pyrolab.supervisor.listing import Listed, Listings, Outcome
from pyrolab.supervisor.plan import plan
from services.library import Library

from .conftest import Bench, wait_for

WHERE = Location("localhost", 9090)
ENTRY = {"service": "class: 'services.library:Library'", "listed_at": []}


class Names:
    """A name service in which some names are in use; stands for `NameService` and `Proxy`."""

    def __init__(self) -> None:
        self.taken: set[str] = set()
        self.listed: list[str] = []

    def __call__(self, where: object) -> Names:
        return self

    def __enter__(self) -> Names:
        return self

    def __exit__(self, *reason: object) -> None:
        pass

    def register(self, name: str, uri: URI, safe: bool = False, metadata: object = None) -> None:
        if name in self.taken:
            raise NameInUse(f"{name} is in use")
        self.listed.append(name)

    def lookup(self, name: str) -> URI:
        if name not in self.listed:
            raise NamingError(f"there is no {name}")
        return URI.of_object(name, WHERE)

    def remove(self, name: str) -> None:
        self.listed.remove(name)

    def _pyroBind(self) -> None:
        pass


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    made = Names()
    monkeypatch.setattr(listing, "NameService", made)
    monkeypatch.setattr(listing, "Proxy", made)
    return made


def listed(name: str) -> Listed:
    return Listed(name, URI.of_object(name, WHERE), WHERE)


def test_a_name_in_use_is_listed_as_soon_as_it_is_free(names: Names) -> None:
    names.taken = {"laser"}
    said: list[tuple[str, Outcome, str]] = []
    listings = Listings([listed("laser")], lambda: 1, lambda *outcome: said.append(outcome))
    listings.add(listed("stage"))
    listings.start()
    wait_for(lambda: len(said) >= 2)
    assert ("laser", Outcome.TRYING, "laser is in use") in said
    assert ("stage", Outcome.LISTED, "") in said
    names.taken = set()
    wait_for(lambda: said[-1] == ("laser", Outcome.LISTED, ""))
    listings.add(listed("lamp"))
    wait_for(lambda: said[-1] == ("lamp", Outcome.LISTED, ""))
    listings.end()
    listings.end()
    assert names.listed == []


class Host:
    """A daemon process's host of services, whose daemon finds some names in use."""

    def __init__(self, takes_ids: bool = True) -> None:
        self.taken: set[str] = set()
        self.reports: list[dict[str, Any]] = []
        self.ended = threading.Event()
        register = self.register if takes_ids else lambda cls: self.register(cls, "chosen-by-itself")
        daemon: Any = SimpleNamespace(register=register, session=1, shutdown=self.ended.set)
        lifeline: Any = SimpleNamespace(report=lambda kind, **report: self.reports.append(report))
        self.host = daemon_process._Host(lifeline, daemon, DaemonConfiguration(), {"n": str(WHERE)})

    def register(self, cls: type, objectId: str) -> URI:
        if objectId in self.taken:
            raise NameInUse(f"{objectId} is in use")
        if objectId == "broken":
            raise DaemonError("it does not work")
        return URI.of_object(objectId, WHERE)

    def last(self, name: str) -> dict[str, Any]:
        report: dict[str, Any] = [report for report in self.reports if report["name"] == name][-1]
        return report


@pytest.fixture
def host(names: Names, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Host]]:
    monkeypatch.setattr(daemon_process, "_RETRY_S", 0.01)
    made: list[Host] = []

    def make(*arguments: bool) -> Host:
        made.append(Host(*arguments))
        return made[-1]

    yield make
    for each in made:
        each.host.finish()
        assert each.ended.wait(10)


def test_a_service_has_its_own_name_as_object_id(host: Callable[..., Host]) -> None:
    hosting = host()
    hosting.host.offer("laser", ENTRY)
    hosting.host.begin()
    assert hosting.last("laser") == {
        "name": "laser",
        "state": "running",
        "uri": "PYRO:laser@localhost:9090",
        "reason": "",
    }


def test_a_daemon_of_ones_own_may_choose_the_object_ids(host: Callable[..., Host]) -> None:
    hosting = host(False)
    hosting.host.offer("laser", ENTRY)
    hosting.host.begin()
    assert hosting.last("laser")["uri"] == "PYRO:chosen-by-itself@localhost:9090"


def test_a_name_in_use_is_tried_again_until_it_is_free(host: Callable[..., Host], names: Names) -> None:
    hosting = host()
    hosting.taken = {"laser"}
    for name in ("laser", "broken", "stage"):
        hosting.host.offer(name, {**ENTRY, "listed_at": ["n"]})
    hosting.host.begin()
    wait_for(lambda: names.listed == ["stage"])
    waiting = hosting.last("laser")
    assert (waiting["state"], waiting["uri"]) == ("starting", "")
    assert waiting["reason"].startswith("laser is in use; it is tried again")
    assert hosting.last("broken")["state"] == "failed"
    hosting.taken = set()
    wait_for(lambda: hosting.last("laser")["state"] == "running")
    assert hosting.last("laser")["uri"] == "PYRO:laser@localhost:9090"
    assert names.listed == ["stage", "laser"]
    said = [report["state"] for report in hosting.reports if report["name"] == "laser"]
    assert said == ["starting", "running"]


LAB = """
nameservers: {n: {ns_port: PORT}}
daemons: {d: {}}
services: {library: {class: 'services.library:Library', daemon: d}}
autolaunch: {nameservers: []}
"""


def test_a_second_claim_to_a_name_waits_for_the_first(bench: Callable[..., Bench]) -> None:
    with start_broker() as broker:
        with Daemon(nameserver=f"localhost:{broker.ready}") as first:
            first.register(Library, objectId="library")
            lab = bench(*plan(PyroLabConfiguration.from_yaml(LAB.replace("PORT", broker.ready))))
            wait_for(lambda: lab.statuses and lab.process("d")["services"][0]["reason"])
            service = lab.process("d")["services"][0]
            assert service["state"] == "starting"
            assert "'library' is hosted by" in service["reason"]
        lab.wait(lambda status: status["settled"])
        assert lab.process("d")["services"][0]["state"] == "running"
        with Proxy(lab.process("d")["services"][0]["uri"]) as library:
            assert library.ping()
        lab.end()
