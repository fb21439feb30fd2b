from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab_drivers.itla.frames import BadFrame, Request, Response, Status, bip4

VECTORS = {
    "81 32 00 08": Request(0x32, 0x0008),
    "00 00 00 00": Request(0x00),
    "a1 35 00 c1": Request(0x35, 193),
    "61 31 03 e8": Request(0x31, 1000),
    "60 42 00 00": Request(0x42),
}


@pytest.mark.parametrize("frame", VECTORS)
def test_requests_are_those_that_several_sources_have(frame: str) -> None:
    assert VECTORS[frame].encode().hex(" ") == frame
    assert Request.decode(bytes.fromhex(frame)) == VECTORS[frame]


def test_the_last_answer_can_be_asked_for_again() -> None:
    frame = Request(0x00, last_response=True).encode()
    assert frame == bytes.fromhex("88 00 00 00")
    assert Request.decode(frame).last_response


@given(st.integers(0, 255), st.none() | st.integers(0, 0xFFFF), st.booleans())
def test_a_request_comes_back_as_it_was(register: int, data: int | None, last: bool) -> None:
    request = Request(register, data, last)
    assert Request.decode(request.encode()) == request


@given(st.sampled_from(Status), st.integers(0, 255), st.binary(min_size=2, max_size=2), st.booleans())
def test_a_response_comes_back_as_it_was(status: Status, register: int, data: bytes, bad: bool) -> None:
    response = Response(status, register, data, bad)
    assert Response.decode(response.encode()) == response


@given(st.binary(min_size=4, max_size=4), st.integers(0, 31))
def test_a_flipped_bit_is_noticed(data: bytes, bit: int) -> None:
    frame = bytes([(bip4(data) << 4) | (data[0] & 0x0F)]) + data[1:]
    damaged = (int.from_bytes(frame, "big") ^ 1 << bit).to_bytes(4, "big")
    with pytest.raises(BadFrame, match="checksum"):
        Response.decode(damaged)


def test_a_frame_of_another_length_is_none() -> None:
    with pytest.raises(BadFrame, match="not 3"):
        Request.decode(b"\0\0\0")


def test_numbers_have_a_sign_where_they_need_one() -> None:
    response = Response(Status.OK, 0x31, b"\xfc\x18")
    assert (response.signed, response.unsigned) == (-1000, 64536)
