"""What Python does with an object, done with one that is elsewhere."""

from __future__ import annotations

import copy
import inspect
import pydoc
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from live import Process
from pyrolab.api import BatchProxy, Proxy
from pyrolab.client.node import SubProxy
from pyrolab.errors import ReferenceGone, SerializeError
from services.station import Channel, Station


def test_properties_are_read_set_changed_and_deleted(station: Any) -> None:
    station.gain = 3
    station.gain += 2
    assert station.gain == 5
    del station.gain
    assert station.gain == 0
    with pytest.raises(ValueError, match="negative"):
        station.gain = -1


def test_what_a_property_cannot_is_said_in_pythons_words(station: Any) -> None:
    with pytest.raises(AttributeError, match="property 'position' of 'Station' object has no setter"):
        station.position = 3
    with pytest.raises(AttributeError, match="has no deleter"):
        del station.position
    with pytest.raises(AttributeError, match=r"offers no 'gian'; did you mean 'gain'"):
        station.gian = 3
    with pytest.raises(AttributeError, match="not a property"):
        station.move = 3
    with pytest.raises(AttributeError, match="did you mean 'move'"):
        station.mvoe(3)


def test_class_and_static_methods(station: Any) -> None:
    assert station.kind() == "Station"
    assert station.add(1) == 2
    assert station.add(1, two=5) == 6


def test_items_length_and_membership(station: Any) -> None:
    station["z"] = [1, 2]
    assert len(station) == 3
    assert station["z"] == [1, 2]
    assert ("z" in station, "q" in station) == (True, False)
    del station["z"]
    assert list(station) == ["x", "y"]
    assert station[1:5:2] == slice(1, 5, 2)
    with pytest.raises(KeyError):
        station["nothing"]
    assert bool(station)


def test_calling_and_comparing(station: Any, station_bus: Process) -> None:
    assert station(21) == 42
    station.move(1.5)
    assert station < 2
    assert not station < 1
    with pytest.raises(TypeError):
        _ = station > 3  # the class has no such method
    same = Proxy(station._pyroUri)
    assert station == same
    assert hash(station) == hash(same)
    assert station != Proxy(f"PYRONAME:plain@localhost:{station_bus.ready}")
    assert copy.copy(station) == station


def test_what_a_class_does_not_have_is_a_type_error_in_pythons_words(station: Any) -> None:
    channel = station.ch_a
    with pytest.raises(TypeError, match="'Channel' object is not callable"):
        channel()
    with pytest.raises(TypeError, match=r"object of type 'Channel' has no len\(\)"):
        len(channel)
    with pytest.raises(TypeError, match="not subscriptable"):
        channel[0]
    with pytest.raises(TypeError, match="does not support item assignment"):
        channel[0] = 1
    with pytest.raises(TypeError, match="is not iterable"):
        iter(channel)
    with pytest.raises(TypeError, match="float"):
        float(channel)
    with pytest.raises(TypeError, match="context manager"), channel:
        pass


def test_a_repr_says_what_and_where(station: Any) -> None:
    station.ping()
    assert repr(station) == f"<Proxy of Station at {station._pyroUri}, connected>"
    assert repr(station.channels["a"]) == f"<remote Channel channels['a'] of {station._pyroUri}>"
    assert repr(station.move) == "<remote method 'move' of station>"


def test_nested_objects_are_reached_by_name_key_and_index(station: Any) -> None:
    station.ch_a.voltage = 2.5
    assert station.ch_a.voltage == 2.5
    assert station.channels["a"].voltage == 2.5
    assert station.in_order[0].voltage == 2.5
    station.channels["b"].voltage = 1
    assert station.undeclared.voltage == 1
    assert [channel.name for channel in station.in_order] == ["a", "b"]
    assert station.ch_a.ramp(3.5, steps=2) == [3.0, 3.5]
    assert isinstance(station.channels, dict)


def test_nested_objects_offer_what_is_exposed_and_nothing_else(station: Any) -> None:
    with pytest.raises(AttributeError, match=r"'station.ch_a' offers no 'secret'"):
        _ = station.ch_a.secret
    for steps, verb in (
        (["ch_a", "secret"], "get"),
        (["ch_a", "_voltage"], "get"),
        (["ch_a", "__class__"], "get"),
        (["ch_a", "__dict__"], "get"),
        (["ch_a", "ramp", "__func__"], "get"),
        (["channels", ["a"], "secret"], "get"),
        (["channels", "values"], "call"),
        (["_channels"], "get"),
        (["move", "__globals__"], "get"),
        (["ch_a", "voltage", "real"], "get"),
        ([["x"], "__class__"], "get"),
        (["ch_a"], "call"),
        ([10**6, "voltage"], "get"),
        ([10**6], "next"),
        (["ch_a"], "next"),
    ):
        with pytest.raises((AttributeError, ReferenceGone, TypeError)):
            station._attachment.invoke(steps, verb)
    assert station.ping()


def test_results_that_are_objects_are_sub_proxies_and_can_be_passed_back(station: Any) -> None:
    channel = station.channel("b")
    channel.voltage = 7.0
    assert station.undeclared.voltage == 7.0
    assert station.same(channel, "b")
    assert station.same(station.ch_a, "a")
    assert not station.same(station.ch_a, "b")
    assert station.oneself().kind() == "Station"
    assert isinstance(channel, SubProxy)


def test_a_sub_object_goes_to_its_own_service_only(station: Any, station_bus: Process) -> None:
    with (
        Proxy(f"PYRONAME:open@localhost:{station_bus.ready}") as other,
        pytest.raises(SerializeError, match="service to which it belongs"),
    ):
        other.double(station.ch_a)


def test_held_objects_end_with_their_connection(station: Any) -> None:
    channel = station.channel("a")
    station._pyroRelease()
    with pytest.raises(ConnectionError, match="get it again"):
        _ = channel.name
    assert station.ch_a.name == "a", "what is reached by name is reached again"


def test_context_managers_of_a_service_are_entered_and_left_there(station: Any) -> None:
    before = len(station.lease_log())
    with station.lease() as lease:
        assert lease.work() == "worked"
    with station.lease():
        raise ZeroDivisionError("swallowed there")
    with pytest.raises(ValueError, match="not swallowed"), station.lease():
        raise ValueError("not swallowed")
    assert station.lease_log()[before:] == [
        *("enter", "exit None None", "enter", "exit ZeroDivisionError swallowed there"),
        *("enter", "exit ValueError not swallowed"),
    ]


def test_a_context_manager_is_left_when_its_client_goes(station: Any, station_bus: Process) -> None:
    before = len(station.lease_log())
    with Proxy(f"PYRONAME:station@localhost:{station_bus.ready}") as other:
        other.lease().__enter__()
    while len(station.lease_log()) < before + 2:  # the test's own deadline ends this
        pass
    assert station.lease_log()[before:] == ["enter", "exit ConnectionClosedError the client has gone"]


def test_a_class_that_knows_nothing_of_pyrolab(station_bus: Process) -> None:
    at = f"localhost:{station_bus.ready}"
    with Proxy(f"PYRONAME:plain@{at}") as plain, pytest.raises(AttributeError, match="offers no 'level'"):
        _ = plain.level
    with Proxy(f"PYRONAME:open@{at}") as opened:
        assert opened.level == 7
        assert opened.double(4) == 8
        opened.child.value = 11
        assert opened.child.value == 11
        with pytest.raises(AttributeError):
            opened._hidden()
        with pytest.raises(AttributeError):
            opened._attachment.invoke(["_hidden"], "call")
        assert "_hidden" not in dir(opened)


def test_the_interface_comes_along(station: Any) -> None:
    assert {"move", "gain", "ch_a", "moved"} <= set(dir(station))
    assert station.move.__doc__ == "Move there, and say so."
    assert "move(to: 'float') -> 'None'" in pydoc.plain(pydoc.render_doc(station.move))
    here = Station()
    for name in ("move", "add", "kind", "numbers", "each", "ch_a", "untravelling", "wait_for_cancel"):
        if name != "ch_a":
            assert inspect.signature(getattr(station, name)) == inspect.signature(getattr(here, name))
    assert inspect.signature(station.ch_a.ramp) == inspect.signature(Channel("x").ramp)


def test_a_wrong_argument_fails_here_with_pythons_own_text(station: Any) -> None:
    here: Any = Station()
    attempts: tuple[Callable[[Any], Any], ...] = (
        lambda it: it.move(),
        lambda it: it.move(1, 2),
        lambda it: it.move(1, speed=2),
        lambda it: it.move(1, to=2),
        lambda it: it.add(),
        lambda it: it.add(1, 2, 3),
        lambda it: it.kind(1),
        lambda it: it.ch_a.ramp(1, 2, 3),
    )
    for attempt in attempts:
        with pytest.raises(TypeError) as local:
            attempt(here)
        with pytest.raises(TypeError) as remote:
            attempt(station)
        assert str(remote.value) == str(local.value)
        assert not hasattr(remote.value, "remote_traceback"), "it was never sent"


def test_tab_completion_without_a_broker_is_no_traceback() -> None:
    assert "_pyroUri" in dir(Proxy("PYRONAME:nobody@localhost:1"))


def test_ipython_and_jedi_list_the_members(
    station: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    settings = Config()
    settings.HistoryManager.enabled = False
    make_shell: Any = InteractiveShell
    shell = make_shell(config=settings, user_ns={"station": station})
    for use_jedi in (True, False):
        shell.Completer.use_jedi = use_jedi
        with provisionalcompleter():
            found = {each.text for each in shell.Completer.completions("station.mo", 10)}
        assert {"move", "moved"} <= {text.removeprefix("station.").lstrip(".") for text in found}
    shown = re.sub(r"\x1b\[[\d;]*m", "", shell.object_inspect_text("station.move"))
    assert "Move there, and say so." in shown
    assert "to:" in shown


def test_a_notebook_shows_a_table_of_properties_with_values_and_units(station: Any) -> None:
    station.ch_a.voltage = 1.25
    table = station.ch_a._repr_html_()
    assert "<td style='text-align:left'>voltage</td><td style='text-align:left'>1.25</td>" in table
    assert "<td style='text-align:left'>V</td>" in table
    assert "secret" not in table
    assert "<script" not in station._repr_html_()


def test_a_batch_runs_in_order_up_to_the_first_error(station: Any) -> None:
    batch = BatchProxy(station)
    assert batch.add(1, 2) is None
    batch.kind()
    batch.move(9.0)
    assert len(batch) == 3
    results = batch()
    assert results is not None
    assert list(results) == [3, "Station", None]
    assert station.position == 9.0
    with pytest.raises(TypeError, match="missing 1 required"):
        batch.move()
    batch.add(5)
    batch.channel("nobody")
    batch.move(11.0)
    results = batch()
    assert results is not None
    assert next(results) == 6
    with pytest.raises(KeyError):
        next(results)
    assert station.position == 9.0, "what came after the error did not run"
    batch.move(12.0)
    assert batch(oneway=True) is None
    assert station.position == 12.0


def test_an_exception_can_be_a_value(station: Any) -> None:
    value = station.error_value()
    assert type(value) is ValueError
    assert value.args == ("only a value",)
