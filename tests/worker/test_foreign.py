"""Classes that know nothing of PyroLab, hosted as they are: what a client can do with them, and cannot."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from live import start_broker
from pyrolab.api import Daemon, Proxy, timeout
from pyrolab.errors import CommunicationError
from pyrolab.worker.exposure import behavior
from services.foreign import Coupling, Digitizer, MadeUp


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with start_broker() as broker, Daemon(nameserver=f"localhost:{broker.ready}") as made:
        yield made


def hosted(daemon: Daemon, cls: type, *args: Any, thread: str = "") -> Any:
    """A proxy of an instance of a class that is made in the service's own thread."""
    subclass = type(cls.__name__, (cls,), {"__module__": cls.__module__})
    how = behavior("single", lambda made: made(*args), exposure="public", at_start=True, thread=thread)
    return Proxy(daemon.register(how(subclass)))


@pytest.fixture
def digitizer(daemon: Daemon) -> Iterator[Any]:
    with hosted(daemon, Digitizer, "ASRL1::INSTR") as proxy:
        yield proxy


def test_channels_that_were_put_into_an_instance(digitizer: Any) -> None:
    digitizer.ch_1.range = 2.0
    assert digitizer.ch_1.range == 2.0
    assert digitizer.ch_2.measure(times=2) == [2.0, 2.0]
    assert digitizer.channels[1].range == 2.0
    assert digitizer.inputs[1].number == 2
    assert [each.number for each in digitizer.inputs] == [1, 2]
    assert set(digitizer.channels) == {1, 2}


def test_an_error_of_a_channel_arrives(digitizer: Any) -> None:
    with pytest.raises(ValueError, match="too much"):
        digitizer.ch_1.range = 20.0


def test_plain_attributes_can_be_read_and_set(digitizer: Any) -> None:
    assert (digitizer.address, digitizer.bits) == ("ASRL1::INSTR", 12)
    digitizer.address = "GPIB0::1::INSTR"
    assert digitizer.address == "GPIB0::1::INSTR"
    digitizer.ch_1.offset = 0.25
    assert digitizer.ch_1.offset == 0.25


def test_enums_go_both_ways_and_their_class_can_be_used_where_it_is(digitizer: Any) -> None:
    assert digitizer.coupling is Coupling.DC
    digitizer.coupling = Coupling.AC
    assert digitizer.coupling is Coupling.AC
    digitizer.coupling = digitizer.Coupling.DC
    assert digitizer.coupling is Coupling.DC
    assert digitizer.Coupling("ac") is Coupling.AC
    assert digitizer.Coupling["AC"] is Coupling.AC


def test_a_function_in_an_attribute_is_called_where_it_is(digitizer: Any) -> None:
    assert digitizer.on_trigger(3) == "triggered at 3"


@pytest.mark.parametrize("name", ["volltage", "adress", "_secret", "__class_getitem__"])
def test_what_is_not_there_is_an_attribute_error(digitizer: Any, name: str) -> None:
    with pytest.raises(AttributeError):
        getattr(digitizer, name)


def test_a_slip_is_an_error_and_not_a_new_attribute(digitizer: Any) -> None:
    with pytest.raises(AttributeError, match="did you mean 'address'"):
        digitizer.adress = "x"
    with pytest.raises(AttributeError):
        digitizer.ch_1.rnage = 3
    with pytest.raises(AttributeError, match="is not a property"):
        digitizer.wait = 3


def test_names_that_a_library_accepts_though_they_are_not_there(digitizer: Any) -> None:
    digitizer.range_values = (0, 5)
    assert digitizer.range_values == (0, 5)


def test_nothing_is_looked_at_to_find_out_what_there_is(digitizer: Any) -> None:
    assert {"ch_1", "channels", "temperature", "wait", "address"} <= set(dir(digitizer))
    assert "_secret" not in dir(digitizer)
    assert digitizer.looked == 0
    assert digitizer.temperature == 21.5
    assert digitizer.looked == 1


def test_it_is_made_in_the_thread_in_which_it_is_called(digitizer: Any) -> None:
    made, called = digitizer.threads()
    assert made == called != threading.get_ident()


def test_services_of_one_connection_share_a_thread(daemon: Daemon) -> None:
    proxies = [hosted(daemon, Digitizer, str(each), thread="gpib0") for each in range(3)]
    threads = {thread for each in proxies for thread in each.threads()}
    assert len(threads) == 1
    daemon.unregister(proxies[0]._pyroUri.object)
    assert proxies[1].threads() == proxies[2].threads()
    with pytest.raises(CommunicationError):
        proxies[0].threads()
    for each in proxies[1:]:
        daemon.unregister(each._pyroUri.object)
    assert hosted(daemon, Digitizer, "again", thread="gpib0").bits == 12


def test_a_caller_who_gives_up_stops_what_asks_whether_it_shall(digitizer: Any) -> None:
    with timeout(0.3), pytest.raises(CommunicationError):
        digitizer.wait()
    assert digitizer.waiting is False


def test_a_function_of_the_caller_decides_if_there_is_one(digitizer: Any) -> None:
    answers = iter([False, False, True])
    assert digitizer.wait(lambda: next(answers)) == "stopped"
    assert digitizer.wait(should_stop=lambda: True) == "stopped"


def test_attributes_that_a_library_makes_up(daemon: Daemon) -> None:
    with hosted(daemon, MadeUp) as made_up:
        assert made_up.gain == 3.0
        with pytest.raises(AttributeError):
            made_up.gian  # noqa: B018


def test_channels_are_equal_if_their_class_says_so(digitizer: Any) -> None:
    assert digitizer.inputs[0] == digitizer.inputs[0]
    assert digitizer.source == digitizer.ch_1 == digitizer.channels[1]
    assert digitizer.source != digitizer.ch_2


def test_a_queue_that_a_driver_fills_is_a_stream(digitizer: Any) -> None:
    digitizer.fill(2)  # nobody looks: they stay where they are
    with digitizer.frames.subscribe("lossless") as frames, Proxy(digitizer._pyroUri) as again:
        digitizer.fill(3)
        got = [frames.get(10) for _ in range(5)]
        assert [int(each.array[0, 0]) for each in got] == [0, 1, 0, 1, 2]
        assert [each.timestamp for each in got[:2]] == [1000.0, 1001.0]
        assert got[0].array.dtype == "uint16"
        with again.frames.subscribe("lossless") as others:
            digitizer.fill(1)
            assert [int(each.get(10).array[0, 0]) for each in (frames, others)] == [0, 0]
    with digitizer.frames.subscribe("queue") as frames:
        digitizer.fill(1)
        assert frames.get(10).value.shape == (200, 300)
