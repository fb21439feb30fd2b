"""Services that are passed on arrive as proxies, wherever they stand in a value."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from live import Process
from pyrolab.api import Daemon, LockableDaemon, Proxy, behavior, current_call, expose
from pyrolab.errors import DaemonError, LockedError, WouldDeadlock


@expose
class Thing:
    """Made on demand."""

    def __init__(self, number: int) -> None:
        self._number = number

    def speak(self) -> int:
        """Its number."""
        return self._number


@behavior(instance_mode="single")
@expose
class Factory:
    """Makes things, and makes them known."""

    _pyroDaemon: Daemon
    _pyroId: str

    def make(self, number: int) -> Thing:
        """A thing that is hosted from now on."""
        thing = Thing(number)
        self._pyroDaemon.register(thing)
        return thing

    def unknown(self) -> Thing:
        """A thing that is not registered: a sub-object."""
        return Thing(-1)

    def ask(self, other: Any) -> Any:
        """Call what was passed here."""
        return type(other).__name__, other.speak()

    def itself(self) -> dict[str, Any]:
        """This very service, in a dict."""
        return {"me": [self], "id": self._pyroId}

    def user(self) -> str:
        """Who calls."""
        return current_call().user


@pytest.fixture
def daemon(bench_bus: Process) -> Iterator[Daemon]:
    with Daemon(nameserver=f"localhost:{bench_bus.ready}") as made:
        yield made


def test_a_registered_object_is_returned_as_a_proxy(daemon: Daemon) -> None:
    with Proxy(daemon.register(Factory)) as factory:
        things = [factory.make(number) for number in range(3)]
        assert all(type(thing) is Proxy for thing in things)
        assert [thing.speak() for thing in things] == [0, 1, 2]
        assert factory.unknown().speak() == -1
        itself = factory.itself()
        assert itself["me"][0] == factory
        assert itself["me"][0]._pyroUri == factory._pyroUri
        assert itself["id"] == factory._pyroUri.object


def test_proxies_and_registered_objects_are_arguments(daemon: Daemon) -> None:
    thing = Thing(9)
    uri = daemon.register(thing)
    with Proxy(daemon.register(Factory)) as factory, Proxy(uri) as proxy:
        assert factory.ask(thing) == ("Proxy", 9), "registered here, so it is passed as a reference"
        assert factory.ask(proxy) == ("Proxy", 9)
        assert daemon.proxyFor(thing).speak() == 9
        assert daemon.proxyFor(uri.object) == proxy
        daemon.unregister(thing)
        with pytest.raises(TypeError, match="cannot travel"):
            factory.ask(thing)


@behavior(instance_mode="single")
@expose
class Link:
    """One of several services that call each other."""

    def __init__(self) -> None:
        self.next: Any = None

    def round(self, visited: list[str]) -> list[str]:
        """Go on to the next one."""
        return list(self.next.round([*visited, self._pyroId]))  # type: ignore[attr-defined]


def test_a_circle_of_calls_is_an_error_where_it_closes(daemon: Daemon) -> None:
    links = [Link() for _ in range(3)]
    uris = [daemon.register(link, f"link{number}_of_tests") for number, link in enumerate(links)]
    for link, uri in zip(links, [*uris[1:], uris[0]], strict=True):
        link.next = Proxy(uri)
    with Proxy(uris[0]) as first:
        with pytest.raises(WouldDeadlock, match="link0_of_tests waits for what is running"):
            first.round([])
        with pytest.raises(WouldDeadlock):
            first.round([])
    for link in links:
        link.next._pyroRelease()


def test_a_weakly_registered_object_goes_with_its_owner(daemon: Daemon) -> None:
    thing = Thing(1)
    uri = daemon.register(thing, weak=True)
    with Proxy(uri) as proxy:
        assert proxy.speak() == 1
        gone = weakref.ref(thing)
        del thing
        gc.collect()
        assert gone() is None
        with pytest.raises((DaemonError, ConnectionError)):
            proxy.speak()
    while True:  # the test's own deadline ends this
        try:
            daemon.uriFor(uri.object)
        except DaemonError:
            break


def test_a_locked_service_can_be_read_and_nothing_else(bench_bus: Process) -> None:
    from services.station import Station

    with LockableDaemon(nameserver=f"localhost:{bench_bus.ready}") as daemon:
        uri = daemon.register(Station)
        with Proxy(uri) as ana, Proxy(uri) as ben:
            assert not ben.islocked()
            scan = ben.endless(0.002)
            assert next(scan) == 0
            assert ana.lock("ana")
            assert ben.islocked()
            ana.move(3.0)
            assert ben.position == 3.0
            assert ben.closed() == []
            for attempt in (
                lambda: ben.move(4.0),
                lambda: setattr(ben, "gain", 3),
                lambda: ben.lock("ben"),
                ben.unlock,
                lambda: ben.ch_a.ramp(1),
                lambda: setattr(ben.ch_a, "voltage", 1),
                lambda: next(scan),
            ):
                with pytest.raises(LockedError, match="reserved by ana") as caught:
                    attempt()
                assert isinstance(caught.value, ConnectionRefusedError)
                assert caught.value.user == "ana"
            ana._pyroRelease()
            while ben.islocked():  # the test's own deadline ends this
                pass
            ben.move(4.0)
            assert ben.lock()
            assert ben.unlock()
        with Proxy(daemon.register(Thing(1))) as thing:
            assert thing.lock()
            assert thing.speak() == 1
            assert thing.unlock()


def test_a_service_knows_its_caller(bench_bus: Process, daemon: Daemon) -> None:
    import getpass

    with Proxy(daemon.register(Factory)) as factory:
        assert factory.user() == getpass.getuser()


def test_the_main_thread_is_not_needed(daemon: Daemon) -> None:
    daemon.combine(daemon)
    assert threading.current_thread() is threading.main_thread()
