"""Functions that a client passes, called by the service."""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
import pytest

from live import Process
from pyrolab.api import Proxy
from pyrolab.errors import WouldDeadlock


def test_a_function_is_called_where_it_is(station: Any) -> None:
    here = threading.get_ident()
    seen: list[tuple[int, bool]] = []

    def note(number: int) -> int:
        seen.append((number, threading.get_ident() == here))
        return number * 10

    assert station.each(note, 3) == [0, 10, 20]
    assert seen == [(0, False), (1, False), (2, False)]
    assert station.each(functools.partial(pow, 2), 4) == [1, 2, 4, 8]
    assert station.each(lambda number: np.arange(number + 5000), 2)[1].shape == (5001,)
    assert station.each("abc".startswith, 0) == []


def test_what_a_function_raises_is_raised_in_the_service(station: Any) -> None:
    def fail(number: int) -> None:
        raise ArithmeticError(f"no {number}")

    with pytest.raises(ArithmeticError, match="no 0"):
        station.each(fail, 2)
    with pytest.raises(TypeError, match="cannot travel"):
        station.each(lambda number: threading.Lock(), 1)
    assert station.ping()


def test_a_kept_function_can_be_called_later_and_is_let_go(station: Any) -> None:
    station.keep(lambda *args: sum(args))
    assert station.call_kept(1, 2, 3) == 6
    assert len(station._attachment.callables) == 1
    station.forget()
    while len(station._attachment.callables):  # the test's own deadline ends this
        station.ping()


def test_a_function_ends_with_its_client(station: Any, station_bus: Process) -> None:
    with Proxy(f"PYRONAME:station@localhost:{station_bus.ready}") as other:
        other.keep(lambda: 1)
        assert other.call_kept() == 1
    with pytest.raises(ConnectionError, match="gone"):
        station.call_kept()
    station.forget()


def test_a_client_that_dies_in_a_callback_ends_the_call(station: Any, station_bus: Process) -> None:
    name = f"PYRONAME:station@localhost:{station_bus.ready}"
    client = Process(
        "-c",
        "from pyrolab.api import Proxy\n"
        "import time\n"
        "def wait(n): print('called', flush=True); time.sleep(600)\n"
        f"Proxy({name!r}).each(wait, 3)",
    )
    assert client.ready == "called"
    client.kill()
    client.end()
    assert station.ping(), "the service is free again"


def test_a_call_to_the_waiting_service_would_never_end_and_says_so(station: Any) -> None:
    with pytest.raises(WouldDeadlock, match="waits for what is running"):
        station.each(lambda number: station.add(number), 1)
    assert station.ping()


def test_a_function_may_use_other_services(station: Any, station_bus: Process) -> None:
    with Proxy(f"PYRONAME:open@localhost:{station_bus.ready}") as other:
        assert station.each(other.double, 0) == []
        assert station.each(lambda number: other.double(number), 3) == [0, 2, 4]


def test_cancelling_the_call_ends_the_wait_for_the_function(station: Any) -> None:
    called, finish = threading.Event(), threading.Event()

    def wait(number: int) -> None:
        called.set()
        finish.wait(60)

    future = station.each.future(wait, 1)
    assert called.wait(30)
    assert future.cancel()
    assert station.ping(), "the service waits no longer"
    finish.set()
