"""What is hosted, and under which names."""

from __future__ import annotations

from typing import Any

import pytest

from core_table import Sent, Table
from pyrolab.errors import NamingError
from pyrolab.protocol.envelope import Kind
from pyrolab_broker.core.names import Entry, NameTable


@pytest.fixture
def table() -> Table:
    table = Table()
    table.join("ana")
    table.join("worker", "other", role="worker")
    return table


def test_an_object_has_one_worker(table: Table) -> None:
    assert table.offer("worker") == [Sent("worker", Kind.RESULT, 1)]
    assert table.offer("other") == [Sent("other", Kind.REFUSED, 1, "in-use")]
    assert table.offer("worker") == [Sent("worker", Kind.RESULT, 1)], "its own worker may offer it anew"


def test_an_object_that_is_offered_again_keeps_what_waits_for_it(table: Table) -> None:
    table.offer("worker")
    table.call("ana", 1)
    table.call("ana", 2)
    table.message("worker", Kind.OFFER, b"\xa3new", call=2, number=1, target=b"stage")
    table.check()
    assert table.answer("worker", "ana", 1)[1:] == [Sent("worker", Kind.CALL, 2)]
    assert table.message("ana", Kind.DESCRIBE, call=3, target=b"stage") == [
        Sent("ana", Kind.RESULT, 3, "new")
    ]
    table.check()


@pytest.mark.parametrize("object_id", ["Pyro.NameServer", "", "two words", "a@b"])
def test_some_object_ids_cannot_be_offered(table: Table, object_id: str) -> None:
    assert table.offer("worker", object_id)[0].kind == Kind.REFUSED


def test_a_client_cannot_offer(table: Table) -> None:
    assert table.offer("ana") == [Sent("ana", Kind.REFUSED, 1, "denied")]


def test_describe_resolves_names_and_tags(table: Table) -> None:
    table.offer("worker")
    table.ask_names("ana", 1, "register", "axis", "PYRO:stage@localhost:9", metadata=["motion", "x"])
    for target in (b"stage", b"PYRONAME:axis", b"PYROMETA:x,motion", b"Pyro.NameServer"):
        assert table.message("ana", Kind.DESCRIBE, call=5, target=target)[0].kind == Kind.RESULT
    for target, code in [(b"nobody", "gone"), (b"PYRONAME:axes", "naming"), (b"PYROMETA:y", "naming")]:
        assert table.message("ana", Kind.DESCRIBE, call=5, target=target)[0].body == code


def test_a_name_of_a_live_object_is_kept_without_its_address(table: Table) -> None:
    table.offer("worker")
    table.ask_names("ana", 1, "register", "axis", "PYRO:stage@labserver:9090")
    assert table.ask_names("ana", 2, "lookup", "axis") == (Kind.RESULT, "PYRO:stage")
    table.ask_names("ana", 3, "register", "far", "PYRO:laser@elsewhere:9090")
    assert table.ask_names("ana", 4, "lookup", "far") == (Kind.RESULT, "PYRO:laser@elsewhere:9090")


def test_the_name_service_answers_mistakes_with_exceptions(table: Table) -> None:
    number = 0
    mistakes: list[tuple[str, list[Any]]] = [
        ("lookup", ["nothing"]),
        ("lookup", []),
        ("register", ["two words", "PYRO:x"]),
        ("register", ["x", "no uri"]),
        ("__init__", []),
        ("yplookup", []),
        ("list", [3]),
    ]
    for method, arguments in mistakes:
        number += 1
        assert table.ask_names("ana", number, method, *arguments)[0] == Kind.RAISED, method
    assert table.ask_names("ana", number + 1, "ping") == (Kind.RESULT, None)


def test_names() -> None:
    names = NameTable(3)
    names.register("laser.red", "PYRO:a", {"laser", "red"})
    names.register("laser.blue", "PYRO:b", {"laser", "blue"})
    with pytest.raises(NamingError, match="taken"):
        names.register("laser.red", "PYRO:c", safe=True)
    names.register("laser.red", "PYRO:c", {"laser"})
    assert names.entry("laser.red") == Entry("PYRO:c", frozenset({"laser"}))
    assert list(names.list("laser.")) == ["laser.blue", "laser.red"]
    assert list(names.with_metadata({"laser"})) == ["laser.blue", "laser.red"]
    assert list(names.with_metadata(any_of={"blue", "green"})) == ["laser.blue"]
    with pytest.raises(NamingError, match=r"did you mean 'laser\.red'"):
        names.entry("laser.rde")
    with pytest.raises(NamingError, match="not one string"):
        names.set_metadata("laser.red", "word")
    names.register("stage", "PYRO:d")
    with pytest.raises(NamingError, match="its limit"):
        names.register("camera", "PYRO:e")
    assert names.remove("stage", "nothing") == 1
    assert len(names) == 2
