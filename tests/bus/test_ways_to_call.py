"""With a deadline, from many threads, after a fork, cancelled."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from live import Process, is_busy
from pyrolab.api import Proxy, timeout
from pyrolab.errors import CallTimedOut


def test_a_deadline_for_a_while(station: Any) -> None:
    with timeout(0.2):
        with pytest.raises(CallTimedOut):
            station.wait_for_cancel(20)
        with timeout(None):
            assert station.wait_for_cancel(0.3) == "waited"
    assert station.wait_for_cancel(0.3) == "waited"
    station._pyroTimeout = 0.1
    with pytest.raises(TimeoutError), ThreadPoolExecutor() as pool:
        pool.submit(station.wait_for_cancel, 20).result()
    station._pyroTimeout = None


def test_the_cancel_hook_of_a_running_call_is_called(station: Any) -> None:
    before = station.closed().count("cancelled by hook")
    running = station.wait_for_cancel.future(60)
    waiting = station.move.future(1234.0)
    assert waiting.cancel()
    assert running.cancel()
    while station.closed().count("cancelled by hook") == before:  # the test's own deadline ends this
        pass
    assert station.position != 1234.0


def test_a_service_knows_who_calls(station: Any) -> None:
    user, pid, identity = station.whoami()
    assert user
    assert pid == os.getpid()
    session, number = identity.split("/")
    assert int(session, 16) == station._attachment.connection.session
    assert int(number) > 0


def test_many_threads_share_a_proxy_and_what_comes_from_it(station: Any) -> None:
    def work(number: int) -> Any:
        match number % 5:
            case 0:
                return list(station.numbers(50)) == list(range(50))
            case 1:
                return station.ch_a.name == "a"
            case 2:
                return station.channel("b").name == "b"
            case 3:
                return station.each(lambda n: n + number, 2) == [number, number + 1]
            case _:
                return station.add(number, 1) == number + 1

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(work, range(200)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python 3.12 warns of forks with threads; see below")
def test_a_proxy_works_after_a_fork_in_parent_and_child(station: Any) -> None:
    assert station.add(1) == 2
    held = station.channel("a")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # nothing may escape from here
        said = b"failed"
        try:
            assert station.add(2) == 3
            assert list(station.numbers(5)) == [0, 1, 2, 3, 4]
            assert station.each(lambda n: n, 2) == [0, 1]
            try:
                held.name  # noqa: B018 - it belongs to the parent's connection
            except ConnectionError:
                said = b"fine"
        finally:
            os.write(writer, said)
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        assert answer.read() == b"fine"
    os.waitpid(child, 0)
    assert station.add(3) == 4
    assert held.name == "a"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_proxy_works_after_a_fork_while_another_thread_calls(station_bus: Process) -> None:
    script = f"""
import os, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from pyrolab.api import Proxy
station = Proxy("PYRONAME:station@localhost:{station_bus.ready}")
station.ping()
done = threading.Event()
def hammer():
    while not done.is_set():
        station.add(1)
threading.Thread(target=hammer).start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        os._exit(0 if station.add(1) == 2 else 1)
    assert os.waitpid(child, 0)[1] == 0
done.set()
print("fine")
"""
    with Process("-c", script) as process:
        assert process.ready == "fine"


def test_ctrl_c_cancels_the_call(station_bus: Process, station: Any) -> None:
    before = station.closed().count("cancelled by hook")
    script = f"""
import signal, threading, os
from pyrolab.api import Proxy
with Proxy("PYRONAME:station@localhost:{station_bus.ready}") as station:
    station.ping()
    print("ready", flush=True)
    try:
        station.wait_for_cancel(600)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        print(station.ping(), flush=True)
"""
    import signal

    with Process("-c", script) as process:
        assert process.ready == "ready"
        while not is_busy(station):
            pass
        process.popen.send_signal(signal.SIGINT)
        assert process.read_line() == "interrupted"
        assert process.read_line() == "True"
    assert station.closed().count("cancelled by hook") == before + 1


def test_a_lost_connection_is_made_again(station: Any) -> None:
    assert station.add(1) == 2
    station._pyroReconnect()
    assert station._pyroConnected
    station._pyroClaimOwnership()
    with pytest.raises(ConnectionError):
        Proxy("PYRONAME:x@localhost:1")._pyroReconnect(tries=1)


def test_one_thread_waits_while_another_is_cancelled(station: Any) -> None:
    slow = station.wait_for_cancel.future(60)
    results: list[int] = []
    waiting = threading.Thread(target=lambda: results.append(station.add(1)))
    waiting.start()
    assert slow.cancel()
    waiting.join(30)
    assert results == [2]
