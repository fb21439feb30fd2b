"""Bytes from those who do not even speak ZeroMQ, or only half of it."""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import time
from collections.abc import Iterator

import psutil
import pytest

from live import PATIENCE_S, Process
from pyrolab.protocol.envelope import Kind, pack
from pyrolab.protocol.limits import MAX_FRAME_BYTES
from security.peers import HonestClient
from security.raw_zmtp import SIGNATURE, RawPeer, frame, greeting, message, ready

TLS_HELLO = bytes.fromhex(
    "160301007a010000760303"  # a record with a ClientHello of TLS 1.2
    + "5a" * 32
    + "00001a13011302c02bc02fc02cc030009c009d002f0035000a00ff01000033"
    + "0000000e000c0000096c6f63616c686f7374000b000403000102000a000a0008001d001700180019"
    + "002300000016000000170000"
)
PYRO5_HELLO = (
    b"PYRO\x01\xf6\x01\x04\x00\x00\x00\x00\x00\x00\x00\x2e\x00\x00\x00\x00M\xe9"
    + bytes(24)
    + b'{"handshake": "hello"}'
)

STRANGERS: dict[str, bytes] = {
    "http get": b"GET / HTTP/1.1\r\nHost: localhost:9090\r\nAccept: */*\r\n\r\n",
    "http post": b"POST /api HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 5000,
    "tls": TLS_HELLO,
    "pyro5": PYRO5_HELLO,
    "ssh": b"SSH-2.0-OpenSSH_9.6\r\n",
    "zeros": bytes(10_000),
    "ones": b"\xff" * 10_000,
    "zmtp 1": b"\x01\x00\x01\x00" + b"\x06hello!" * 100,
    "zmtp 2": SIGNATURE + b"\x01\x05\x00\x00" + message(b"hello"),
    "another mechanism": greeting(mechanism=b"CURVE") + frame(b"\x05HELLO" + bytes(194)),
    "plain mechanism": greeting(mechanism=b"PLAIN") + frame(b"\x05HELLO\x05admin\x05admin"),
    "a message instead of ready": greeting() + message(pack(Kind.HELLO), b"\x81\xa4role\xa6client"),
    "ready of a publisher": greeting() + ready(b"PUB"),
    "ready that is cut short": greeting() + ready()[:-5] + b"\xff\xff\xff\xff",
    "a command of 2^63 bytes": greeting() + b"\x06" + (2**63).to_bytes(8, "big"),
    "part of a greeting": greeting()[:33],
    "nothing at all": b"",
}


@contextlib.contextmanager
def connections(broker: Process, contents: list[bytes]) -> Iterator[list[socket.socket]]:
    """One connection for each content, which is sent as far as the broker takes it."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(RawPeer(broker.ready, shake_hands=False)) for _ in contents]
        for peer, content in zip(sockets, contents, strict=True):
            with contextlib.suppress(ConnectionError):
                peer.send(content)
        yield [peer.socket for peer in sockets]


def all_are_cut(sockets: list[socket.socket]) -> bool:
    """Whether the other side closes every one of them before our patience ends."""
    left = set(sockets)
    end = time.monotonic() + PATIENCE_S
    with selectors.DefaultSelector() as selector:
        for each in sockets:
            selector.register(each, selectors.EVENT_READ)
        while left and time.monotonic() < end:
            for key, _ in selector.select(1):
                try:
                    closed = not key.fileobj.recv(65536)  # type: ignore[union-attr]
                except ConnectionError:
                    closed = True
                if closed:
                    selector.unregister(key.fileobj)
                    left.discard(key.fileobj)
    return not left


def test_whoever_does_not_speak_zeromq_is_cut_off(attacked: Process, honest: HonestClient) -> None:
    with connections(attacked, list(STRANGERS.values())) as sockets:
        assert all_are_cut(sockets)


@pytest.mark.parametrize("seed", [1, 2])
def test_random_bytes_are_cut_off(attacked: Process, honest: HonestClient, seed: int) -> None:
    chance = random.Random(seed)
    contents = [chance.randbytes(chance.randrange(1, 3000)) for _ in range(150)]
    contents += [greeting() + chance.randbytes(chance.randrange(2, 500)) for _ in range(50)]
    contents += [b"\x00" + chance.randbytes(chance.randrange(70, 500)) for _ in range(50)]
    with connections(attacked, contents) as sockets:
        honest.check()
        assert all_are_cut(sockets)


def _descriptors(broker: Process) -> int:
    process = psutil.Process(broker.pid)
    count = getattr(process, "num_fds", None) or getattr(process, "num_handles")  # noqa: B009 - one is there
    return int(count())


def test_half_open_handshakes_are_freed(attacked: Process, honest: HonestClient) -> None:
    before = _descriptors(attacked)
    parts = [b"", SIGNATURE, greeting()[:40], greeting(), greeting() + ready()[:10]]
    with connections(attacked, parts * 40) as sockets:
        honest.check()
        assert all_are_cut(sockets)
    end = time.monotonic() + PATIENCE_S
    while _descriptors(attacked) > before:
        assert time.monotonic() < end, "connections are not freed"
        time.sleep(0.05)


@pytest.mark.parametrize("exponent", [29, 32, 40, 62, 63])
def test_a_frame_that_claims_too_much_cuts_the_connection(
    attacked: Process, honest: HonestClient, exponent: int
) -> None:
    with RawPeer(attacked.ready) as peer:
        peer.send(frame(b"some of it", declared=2**exponent))
        assert peer.is_cut()


@pytest.mark.parametrize("declared", [2**20, 2**26, MAX_FRAME_BYTES])
def test_frames_that_are_claimed_and_never_come_cost_nothing(
    attacked: Process, honest: HonestClient, declared: int
) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            peer = stack.enter_context(RawPeer(attacked.ready))
            peer.send(frame(b"some of it", declared=declared))
        honest.check()


def test_a_handshake_that_claims_too_much_is_cut_off(attacked: Process, honest: HonestClient) -> None:
    contents = [
        greeting() + b"\x06" + size.to_bytes(8, "big") + bytes(2000) for size in (2**31, 2**40, 2**64 - 1)
    ]
    with connections(attacked, contents) as sockets:
        assert all_are_cut(sockets)


def test_messages_that_are_cut_short_do_no_harm(attacked: Process, honest: HonestClient) -> None:
    whole = message(pack(Kind.HELLO), b"\x81\xa4role\xa6client")
    for length in range(0, len(whole), 5):
        with RawPeer(attacked.ready) as peer:
            peer.send(whole[:length])
    honest.check()
