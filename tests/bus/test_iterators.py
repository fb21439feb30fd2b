"""Generators and iterators of a service, read item by item."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from live import Process
from pyrolab.api import Proxy
from pyrolab.errors import SerializeError


def _wait_for(station: Any, entry: str) -> None:
    while not any(each.startswith(entry) for each in station.closed()):  # the test's own deadline ends this
        pass


def test_items_come_in_order_however_many(station: Any) -> None:
    assert list(station.numbers(0)) == []
    assert list(station.numbers(3)) == [0, 1, 2]
    assert list(station.numbers(20_000)) == list(range(20_000))
    assert list(station.squares) == [0, 1, 4, 9, 16]
    assert list(zip(station.numbers(3), station.numbers(3), strict=True)) == [(0, 0), (1, 1), (2, 2)]


def test_an_exhausted_iterator_stays_exhausted(station: Any) -> None:
    numbers = station.numbers(2)
    assert list(numbers) == [0, 1]
    assert list(numbers) == []
    with pytest.raises(StopIteration):
        next(numbers)


def test_a_generator_that_takes_its_time_runs_in_step(station: Any) -> None:
    numbers = station.endless(0.005)
    assert [next(numbers) for _ in range(4)] == [0, 1, 2, 3]
    numbers.close()
    _wait_for(station, "endless 3")


def test_a_generator_is_closed_when_the_loop_is_left(station: Any) -> None:
    for number in station.endless(0.002):
        if number == 5:
            break
    gc.collect()
    _wait_for(station, "endless 5")


def test_a_generator_is_closed_when_its_client_dies(station: Any, station_bus: Process) -> None:
    name = f"PYRONAME:station@localhost:{station_bus.ready}"
    client = Process(
        "-c",
        "from pyrolab.api import Proxy\n"
        f"g = Proxy({name!r}).endless(0.002)\n"
        "[next(g) for _ in range(8)]\n"
        "print('ready'); input()",
    )
    client.kill()
    client.end()
    _wait_for(station, "endless 7")


def test_an_error_comes_after_the_items_before_it(station: Any) -> None:
    items: list[int] = []
    with pytest.raises(ValueError, match="failed after 500"):
        items.extend(iter(station.fails_after(500)))
    assert items == list(range(500))


def test_an_item_that_cannot_travel_does_not_take_others_with_it(station: Any) -> None:
    items: list[int] = []
    with pytest.raises(SerializeError, match=r"an item of untravelling\(\)") as caught:
        items.extend(station.untravelling())
    assert items == [1, 2]
    assert isinstance(caught.value, TypeError)
    assert station.ping()


def test_values_can_be_sent_into_a_generator(station: Any) -> None:
    echoes = station.echoes()
    assert next(echoes) is None
    assert echoes.send("a") == "a"
    assert echoes.send([1]) == [1]
    echoes.close()
    with pytest.raises(StopIteration):
        echoes.send("b")


def test_an_iterator_ends_with_its_connection(station: Any) -> None:
    numbers = station.endless()
    assert next(numbers) == 0
    station._pyroRelease()
    with pytest.raises(ConnectionError):
        list(numbers)
    assert list(numbers) == []


def test_an_instance_for_one_call_lives_as_long_as_its_generator(station_bus: Process) -> None:
    with Proxy(f"PYRONAME:percall@localhost:{station_bus.ready}") as disposable:
        numbers = disposable.count_up(2000)
        items = list(numbers)
        assert len(items) == 2000
        assert not any(closed for _, closed in items)
        del numbers
        first = disposable.endings()
        while disposable.endings() < first + 1:
            pass
