"""What travels beside the arguments, and how a script sees it."""

from __future__ import annotations

import contextvars
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pyrolab.errors import ProtocolError, PyroError, SerializeError
from pyrolab.link import context as travelling
from pyrolab.link.context import MAX_ANNOTATION_BYTES, MAX_ANNOTATIONS
from pyrolab.protocol.codec import decode, encode
from pyrolab.protocol.limits import MAX_NAME_CHARS
from pyrolab.pyro.context import current_context
from pyrolab.worker.context import Client, CurrentCall, enter_call

IDENTITY = uuid.UUID(int=7)


@pytest.fixture(autouse=True)
def _own_context() -> Iterator[None]:
    """Each test finds an empty context and leaves one, whichever thread it runs in."""
    yield
    travelling.incoming(None)


def in_a_context(act: Callable[[], None]) -> None:
    contextvars.Context().run(act)


def test_as_a_rule_nothing_travels() -> None:
    assert travelling.outgoing() is None
    assert current_context.annotations == {}
    assert current_context.correlation_id is None
    assert travelling.outgoing() is None


def test_what_is_set_travels_with_each_call_until_it_is_changed() -> None:
    current_context.correlation_id = IDENTITY
    current_context.annotations["USER"] = b"me"
    expected = {"correlation_id": IDENTITY, "annotations": {"USER": b"me"}}
    assert travelling.outgoing() == travelling.outgoing() == expected
    current_context.annotations = {"USER": bytearray(b"you"), "VIEW": memoryview(b"x")}  # type: ignore[dict-item]
    assert travelling.outgoing() == {
        "correlation_id": IDENTITY,
        "annotations": {"USER": b"you", "VIEW": b"x"},
    }
    current_context.correlation_id = None
    current_context.annotations = {}
    assert travelling.outgoing() is None


def test_what_arrives_is_the_context_of_this_call_and_goes_on_from_here() -> None:
    current_context.correlation_id = IDENTITY
    current_context.annotations = {"USER": b"me"}
    sent = decode(*encode(travelling.outgoing()))

    def serve() -> None:
        current_context.response_annotations["OLD"] = b"x"
        travelling.incoming(sent)
        assert (current_context.correlation_id, current_context.annotations) == (IDENTITY, {"USER": b"me"})
        assert current_context.response_annotations == {}
        assert travelling.outgoing() == sent
        travelling.incoming(None)
        assert travelling.outgoing() is None

    in_a_context(serve)


def test_threads_have_contexts_of_their_own() -> None:
    current_context.annotations = {"USER": b"me"}
    seen: list[Any] = []
    thread = threading.Thread(target=lambda: seen.append(current_context.annotations))
    thread.start()
    thread.join()
    assert seen == [{}]


@pytest.mark.parametrize(
    "data",
    [
        5,
        [],
        {"correlation_id": "text"},
        {"correlation_id": IDENTITY, "annotations": []},
        {"annotations": {1: b"x"}},
        {"annotations": {"": b"x"}},
        {"annotations": {"x" * (MAX_NAME_CHARS + 1): b"x"}},
        {"annotations": {"x": "text"}},
        {"annotations": {"x": bytearray(b"x")}},
        {"annotations": {f"n{number}": b"" for number in range(MAX_ANNOTATIONS + 1)}},
        {"annotations": {"x": b"x" * MAX_ANNOTATION_BYTES, "y": b"x"}},
    ],
    ids=lambda data: repr(data)[:40],
)
def test_what_is_no_context_is_refused_and_leaves_none(data: Any) -> None:
    current_context.correlation_id = IDENTITY
    with pytest.raises(ProtocolError):
        travelling.incoming(data)
    assert travelling.outgoing() is None


def test_as_much_as_is_allowed_arrives() -> None:
    notes = {f"n{number}": b"" for number in range(MAX_ANNOTATIONS - 1)}
    notes["x" * MAX_NAME_CHARS] = b"x" * MAX_ANNOTATION_BYTES
    travelling.incoming({"annotations": notes, "from a later version": 1})
    assert current_context.annotations == notes


@pytest.mark.parametrize("notes", [{"x": "text"}, {1: b"x"}, [1], {"x": b"x" * (MAX_ANNOTATION_BYTES + 1)}])
def test_what_cannot_travel_is_the_callers_own_error(notes: Any) -> None:
    current_context.annotations = notes
    with pytest.raises(SerializeError):
        travelling.outgoing()
    current_context.response_annotations = notes
    with pytest.raises(SerializeError):
        travelling.outgoing_response()


def test_a_correlation_id_is_a_uuid() -> None:
    current_context.correlation_id = "job 5"  # type: ignore[assignment]
    with pytest.raises(SerializeError, match=r"uuid\.UUID"):
        travelling.outgoing()


def test_an_answer_has_annotations_too() -> None:
    assert travelling.outgoing_response() is None
    current_context.response_annotations = {"DATA": b"x"}
    sent = travelling.outgoing_response()
    assert sent == {"DATA": b"x"}
    current_context.response_annotations = {}
    travelling.incoming_response(sent)
    assert current_context.response_annotations == {"DATA": b"x"}
    with pytest.raises(ProtocolError):
        travelling.incoming_response([1])
    assert current_context.response_annotations == {}
    travelling.incoming_response(sent)
    travelling.incoming_response(None)
    assert current_context.response_annotations == {}


class Resource:
    pass


def test_in_a_call_its_client_and_number_are_there() -> None:
    client = Client(5, user="ada")
    resource = Resource()

    def serve() -> None:
        enter_call(CurrentCall(5, 9, client=client))
        assert (current_context.client, current_context.seq) == (client, 9)
        assert "call 9 of ada" in repr(current_context)
        current_context.track_resource(resource)
        assert set(client.tracked_resources) == {resource}
        current_context.untrack_resource(resource)
        current_context.untrack_resource(resource)
        assert not client.tracked_resources

    in_a_context(serve)


def test_outside_of_a_call_there_is_neither() -> None:
    def look() -> None:
        assert (current_context.client, current_context.seq) == (None, 0)
        assert current_context.client_sock_addr is None
        assert "no call" in repr(current_context)
        with pytest.raises(PyroError, match="no call"):
            current_context.track_resource(Resource())

    in_a_context(look)


def test_another_thread_can_take_it_over() -> None:
    taken: list[dict[str, Any]] = []

    def serve() -> None:
        enter_call(CurrentCall(5, 9, client=Client(5)))
        travelling.incoming({"correlation_id": IDENTITY, "annotations": {"USER": b"me"}})
        taken.append(current_context.to_global())

    def help_out() -> None:
        current_context.from_global(taken[0])
        assert current_context.to_global() == taken[0]
        assert current_context.seq == 9

    in_a_context(serve)
    in_a_context(help_out)
    assert taken[0]["correlation_id"] == IDENTITY
