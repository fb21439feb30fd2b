"""The header frame: its bytes, the golden vectors, and everything that is no header."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab.errors import ProtocolError, VersionMismatch
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import (
    HEADER_BYTES,
    MAX_BUDGET_MS,
    NO_DEADLINE,
    WITH_BODY,
    Envelope,
    Kind,
    check_frames,
    pack,
    parse,
)
from pyrolab.protocol.exceptions import unpack_exception
from pyrolab.protocol.limits import MAX_NAME_CHARS
from vectors.transcript import COVER, Message, transcript
from vectors.write import VECTORS

GOLDEN: list[dict[str, Any]] = json.loads(Path(VECTORS).read_text(encoding="utf-8"))
_named = {each["name"]: each for each in GOLDEN}
golden = pytest.mark.parametrize("vector", GOLDEN, ids=list(_named))

u8, u32, u64 = (st.integers(0, 2**bits - 1) for bits in (8, 32, 64))
envelopes = st.builds(Envelope, u8, u8, u8, u64, u64, u64, u32, u32, u64, st.binary(max_size=MAX_NAME_CHARS))


def _frames(vector: dict[str, Any]) -> list[bytes]:
    return [bytes.fromhex(frame) for frame in vector["frames"]]


def _fields(vector: dict[str, Any]) -> Envelope:
    header = vector["header"]
    return Envelope(**header | {"session": int(header["session"], 16), "target": header["target"].encode()})


@golden
def test_a_golden_header_is_what_pack_and_parse_say(vector: dict[str, Any]) -> None:
    header = _frames(vector)[0]
    if vector["name"] == "other-version":
        with pytest.raises(VersionMismatch, match="version 2"):
            parse(header)
    else:
        assert _fields(vector).pack() == header
        assert parse(header) == _fields(vector)


@golden
def test_a_golden_message_has_the_frames_that_its_header_states(vector: dict[str, Any]) -> None:
    header, *rest = _frames(vector)
    if vector["name"] != "other-version":
        check_frames(parse(header), rest)
        for wrong in (rest[:-1], [*rest, b""]) if rest else ([b""],):
            with pytest.raises(ProtocolError, match="frames"):
                check_frames(parse(header), wrong)


def test_the_golden_vectors_hold_every_kind() -> None:
    kinds = {vector["header"].get("kind") for vector in GOLDEN}
    assert kinds - {None} == set(Kind)


def _comparable(frames: list[bytes]) -> list[Any]:
    """The wording of a refusal may change without a change of the protocol."""
    header, *rest = frames
    if header[:6] == b"PYRL\x01\x06":
        refusal = msgpack.unpackb(rest[0])
        assert refusal.pop("text")
        return [header, refusal]
    return frames


def test_the_broker_still_speaks_as_the_golden_conversation() -> None:
    now: list[Message] = transcript()
    assert [message.name for message in now] == list(_named)
    for message in now:
        told = _comparable([message.header, *message.frames])
        kept = _comparable(_frames(_named[message.name]))
        assert told == kept, f"{message.name} has changed; if that is meant, run tests/vectors/write.py"


def test_the_golden_bodies_mean_what_the_conversation_says() -> None:
    def value(name: str) -> Any:
        _, body, *buffers = _frames(_named[name])
        return codec.decode(body, buffers)

    assert value("offered") is None
    assert value("lookup-answer") == "PYRO:obj_0123456789abcdef0123456789abcdef"
    assert value("described") == value("offer")
    assert value("lookup") == [["lookup"], "call", ["library"], {}]
    assert value("result-property-delivered") is True
    cover = value("result-array-delivered")
    assert cover.dtype == COVER.dtype
    assert (cover == COVER).all()
    error = unpack_exception(value("raised-delivered"))
    assert type(error) is LookupError
    assert error.args == ("the library has no 'Dune'",)


@given(envelopes)
def test_what_is_packed_is_parsed(envelope: Envelope) -> None:
    assert parse(envelope.pack()) == envelope


@given(st.binary(max_size=2 * HEADER_BYTES))
def test_bytes_are_a_header_or_a_protocol_error(data: bytes) -> None:
    for header in (data, b"PYRL\x01" + data):
        try:
            assert parse(header).pack() == header
        except ProtocolError:
            pass


@pytest.mark.parametrize("length", range(HEADER_BYTES))
def test_a_truncated_header_is_none(length: int) -> None:
    with pytest.raises(ProtocolError, match="not a PyroLab message"):
        parse(pack(Kind.PING)[:length])


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\0" * 64,
        b"GET / HTTP/1.1\r\nHost: localhost:9090\r\nAccept: */*\r\n\r\n",
        b"pyrl\x01" + bytes(43),
    ],
)
def test_something_else_is_no_header(header: bytes) -> None:
    with pytest.raises(ProtocolError, match="not a PyroLab message"):
        parse(header)


@pytest.mark.parametrize("version", [0, 2, 255])
@pytest.mark.parametrize("length", [6, HEADER_BYTES, 4096])
def test_another_version_is_recognised_whatever_follows(version: int, length: int) -> None:
    with pytest.raises(VersionMismatch, match="same PyroLab release") as caught:
        parse((b"PYRL" + bytes([version, Kind.CALL])).ljust(length, b"\xff"))
    assert caught.value.__dict__ == {"theirs": version, "ours": 1}


def test_a_target_has_a_longest_length() -> None:
    longest = b"x" * MAX_NAME_CHARS
    assert parse(pack(Kind.CALL, target=longest)).target == longest
    with pytest.raises(ProtocolError, match=f"{MAX_NAME_CHARS + 1} bytes"):
        parse(pack(Kind.CALL, target=longest + b"x"))


@pytest.mark.parametrize("field", [{"session": -1}, {"session": 2**64}, {"flags": 256}, {"budget_ms": 2**32}])
def test_a_field_that_does_not_fit_is_never_sent(field: dict[str, Any]) -> None:
    with pytest.raises(struct.error):
        Envelope(Kind.CALL)._replace(**field).pack()


@given(kind=u8, buffers=u8, frames=st.integers(0, 300))
def test_the_number_of_frames_follows_from_the_header(kind: int, buffers: int, frames: int) -> None:
    fits = frames == buffers + (kind in WITH_BODY) or kind not in set(Kind)
    try:
        check_frames(Envelope(kind, buffers=buffers), [b""] * frames)
        assert fits
    except ProtocolError:
        assert not fits


def test_no_deadline_is_beyond_the_longest_one() -> None:
    assert MAX_BUDGET_MS + 1 == NO_DEADLINE == 2**32 - 1
