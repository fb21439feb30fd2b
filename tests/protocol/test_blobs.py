"""Values that stay encoded on their way."""

from __future__ import annotations

import sys
import threading
from typing import Any

import msgpack
import numpy as np
import pytest

from pyrolab.errors import ProtocolError, SerializeError
from pyrolab.protocol import codes
from pyrolab.protocol.blobs import Encoded, SerializedBlob
from pyrolab.protocol.codec import CODEC, Codec, decode, encode
from pyrolab.protocol.limits import MAX_BUFFERS
from values import samples
from values.samples import Pose


def test_the_sender_can_read_what_it_packs() -> None:
    data = [1, Pose(1, 2)]
    blob = SerializedBlob("topic", data)
    assert blob.info == "topic"
    assert blob.deserialized() is data
    assert repr(blob) == "<SerializedBlob 'topic'>"


def test_what_arrives_is_decoded_when_it_is_asked_for() -> None:
    arrived = decode(*encode({"x": SerializedBlob(("a", 1), [Pose(1, 2), bytearray(b"x"), "\udcff"])}))["x"]
    assert arrived.info == ("a", 1)
    assert arrived.deserialized() == [Pose(1, 2), bytearray(b"x"), "\udcff"]
    assert arrived.deserialized() is not arrived.deserialized()


def test_who_passes_it_on_neither_knows_its_classes_nor_copies_its_arrays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image, other = np.arange(10_000.0), np.zeros(1000)
    body, buffers = encode(SerializedBlob("image", [Pose(1, 2), image, image[:9]]))
    assert [each.nbytes for each in buffers] == [image.nbytes]
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, samples.__name__)
        passed_on, passed_buffers = encode([other, decode(body, buffers), other])
    assert [each.nbytes for each in passed_buffers] == [other.nbytes, image.nbytes, other.nbytes]
    assert np.shares_memory(np.frombuffer(passed_buffers[1]), image)
    pose, first, second = decode(passed_on, passed_buffers)[1].deserialized()
    assert pose == Pose(1, 2)
    assert (first == image).all()
    assert (second == image[:9]).all()


def test_who_passes_it_on_does_not_even_look_whether_it_can_be_decoded() -> None:
    body = body_of(["topic", b"\xc1 no msgpack", []])
    assert encode(decode(body)) == (body, [])


def test_buffers_that_find_no_room_beside_the_message_travel_within() -> None:
    arrays = [np.full(600, float(number)) for number in range(5)]
    taken = [np.zeros(600)] * (MAX_BUFFERS - 2)
    body, buffers = encode([taken, SerializedBlob("many", arrays)])
    assert len(buffers) == MAX_BUFFERS
    arrived = decode(body, buffers)[1].deserialized()
    assert [each[0] for each in arrived] == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_blob_in_a_blob() -> None:
    inner = SerializedBlob("inner", np.arange(1000))
    arrived = decode(*encode(SerializedBlob("outer", [inner, np.arange(2000)]))).deserialized()
    assert arrived[0].info == "inner"
    assert (arrived[0].deserialized() == np.arange(1000)).all()
    assert (arrived[1] == np.arange(2000)).all()


def test_a_blob_that_holds_itself_is_refused() -> None:
    blob = SerializedBlob("x", [])
    blob.deserialized().append(blob)
    with pytest.raises(SerializeError, match="deeper"):
        encode(blob)


def test_what_cannot_travel_cannot_travel_in_a_blob() -> None:
    lock = threading.Lock()
    with pytest.raises(SerializeError, match=r"value\[1\]: .*lock"):
        encode([1, SerializedBlob("x", lock)])
    with pytest.raises(SerializeError, match="lock"):
        encode(SerializedBlob(lock, 1))
    assert decode(*encode(SerializedBlob("x", 1))).deserialized() == 1


def test_its_arrays_are_writable_where_those_of_the_message_are() -> None:
    body, buffers = encode(SerializedBlob("x", np.zeros(3)))
    assert not decode(body, buffers).deserialized().flags.writeable
    assert decode(body, buffers, writable=True).deserialized().flags.writeable


def test_it_is_read_by_the_codec_that_the_message_came_to() -> None:
    class Valve:
        pass

    mine = Codec(CODEC)
    mine.register_extension(100, Valve, lambda valve: 1, lambda data: "mine")
    body, buffers = mine.encode(SerializedBlob("x", Valve()))
    assert mine.decode(body, buffers).deserialized() == "mine"
    with pytest.raises(ProtocolError, match="100 means nothing"):
        decode(body, buffers).deserialized()


def test_an_encoded_value_can_be_given() -> None:
    assert SerializedBlob("x", Encoded(*encode(5)), is_blob=True).deserialized() == 5
    with pytest.raises(TypeError, match="is_blob"):
        SerializedBlob("x", 5, is_blob=True)


def body_of(payload: Any) -> bytes:
    packed: Any = msgpack.packb(msgpack.ExtType(codes.BLOB, msgpack.packb(payload)))
    return bytes(packed)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        [1, b"\xc0"],
        [1, b"\xc0", [], 2],
        [1, "text", []],
        [1, b"\xc0", 5],
        [1, b"\xc0", [1]],
        [1, b"\xc0", [-1]],
        [1, b"\xc0", [True]],
        [1, b"\xc0", ["x"]],
        [1, b"\xc0", [0, 0]],
    ],
    ids=str,
)
def test_other_payloads_are_refused(payload: Any) -> None:
    with pytest.raises(ProtocolError):
        decode(body_of(payload), [b"12345678"])


@pytest.mark.parametrize(
    "inner", [b"", b"\xc1", b"\x91" * 100 + b"\xc0", b"\xdd\xff\xff\xff\xff", b"\xc0\xc0"]
)
def test_bad_bytes_within_are_found_by_who_asks_for_the_data(inner: bytes) -> None:
    blob = decode(body_of(["x", inner, []]))
    assert blob.info == "x"
    with pytest.raises(ProtocolError):
        blob.deserialized()


def test_a_process_that_passes_values_on_takes_none() -> None:
    with pytest.raises(ProtocolError):
        decode(body_of([1, b"\xc0", []]), plain=True)
