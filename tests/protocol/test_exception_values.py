"""Exceptions as arguments and results: values like others, with the guarantees of raised ones."""

from __future__ import annotations

import sys
from typing import Any

import msgpack
import numpy as np
import pytest

from pyrolab.errors import BusyError, ProtocolError, RemoteError
from pyrolab.protocol import codes
from pyrolab.protocol.codec import decode, encode
from pyrolab.protocol.exceptions import pack_exception, unpack_exception
from values import samples
from values.samples import InstrumentError, Pose, Talkative


def travelled(value: Any) -> Any:
    return decode(*encode(value))


def test_an_exception_arrives_as_itself_with_all_it_holds() -> None:
    error = InstrumentError("laser", 5)
    error.__cause__ = KeyError("fuse")
    made = InstrumentError.made
    first, second = travelled([error, {"x": BusyError("full", limit=3)}])
    assert InstrumentError.made == made
    assert (type(first), first.args, first.code) == (InstrumentError, error.args, 5)
    assert repr(first.__cause__) == "KeyError('fuse')"
    assert (type(second["x"]), second["x"].limit) == (BusyError, 3)


def test_one_that_was_raised_brings_its_traceback() -> None:
    try:
        raise ValueError("here")
    except ValueError as error:
        arrived = travelled(error)
    assert "raise ValueError" in "".join(arrived.remote_traceback)


def test_elsewhere_it_is_a_stand_in_that_travels_on(monkeypatch: pytest.MonkeyPatch) -> None:
    body, buffers = encode(Talkative(7))
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, samples.__name__)
        middle = decode(body, buffers)
        assert isinstance(middle, LookupError)
        assert str(middle) == "code 7: see the manual"
    assert type(travelled(middle)) is Talkative


@pytest.mark.parametrize("error", [KeyboardInterrupt("stop"), SystemExit(3)], ids=repr)
def test_none_of_them_ends_a_process(error: BaseException) -> None:
    assert type(travelled(error)) is RemoteError


def test_arrays_in_it_travel_as_buffers() -> None:
    error = ValueError("no fit", np.arange(1000.0), Pose(1, 2))
    body, buffers = encode([np.zeros(1000), error])
    assert len(buffers) == 2
    arrived = decode(body, buffers)[1]
    assert (arrived.args[1] == np.arange(1000.0)).all()
    assert arrived.args[2] == Pose(1, 2)


def test_exceptions_within_the_arguments_of_one_arrive_as_text() -> None:
    inner = KeyError("fuse")
    error = ValueError("x", inner, [1, inner])
    error.__dict__["reason"] = inner
    for arrived in (travelled(error), unpack_exception(decode(*encode(pack_exception(error))))):
        assert arrived.args == ("x", repr(inner), repr([1, inner]))
        assert not hasattr(arrived, "reason")


def test_circles_and_towers_end() -> None:
    one = ValueError("one")
    one.args = (one, [one], {"again": one})
    one.__cause__ = one
    assert type(travelled(one)) is ValueError
    tower: BaseException = ValueError(0)
    for number in range(200):
        tower = ValueError(number, [tower])
    assert travelled(tower).args[0] == 199


def test_its_remote_traceback_does_not_travel_twice() -> None:
    try:
        raise ValueError("here")
    except ValueError as error:
        middle = travelled(error)
    assert middle._pyroTraceback == middle.remote_traceback
    again = pack_exception(middle)
    assert "_pyroTraceback" not in again["attributes"]
    assert travelled(middle)._pyroTraceback == middle.remote_traceback


def test_a_peer_cannot_choose_the_remote_traceback_by_its_other_name() -> None:
    data = {**pack_exception(ValueError("x")), "attributes": {"_pyroTraceback": "lies"}}
    assert getattr(unpack_exception(data), "_pyroTraceback", None) == []


def body_of(payload: Any) -> bytes:
    packed: Any = msgpack.packb(msgpack.ExtType(codes.EXCEPTION, msgpack.packb(payload)))
    return bytes(packed)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        {},
        {"type": 5, "args": []},
        {"type": "builtins:ValueError", "args": "x"},
        {"type": "builtins:ValueError", "args": [], "cause": msgpack.ExtType(codes.EXCEPTION, b"\x80")},
        {"type": "builtins:ValueError", "args": [], "members": [1]},
    ],
    ids=str,
)
def test_other_payloads_are_refused(payload: Any) -> None:
    with pytest.raises(ProtocolError):
        decode(body_of(payload))


def test_an_exception_that_a_peer_packed_into_another_is_only_a_value_of_it() -> None:
    inner = {"type": "builtins:KeyError", "args": ["fuse"]}
    extension = msgpack.ExtType(codes.EXCEPTION, msgpack.packb(inner))
    arrived = decode(body_of({"type": "builtins:ValueError", "args": [extension]}))
    assert repr(arrived.args[0]) == "KeyError('fuse')"


def test_a_process_that_passes_values_on_takes_none() -> None:
    with pytest.raises(ProtocolError):
        decode(body_of({"type": "builtins:ValueError", "args": []}), plain=True)
