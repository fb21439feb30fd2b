"""Processes and more for the tests of shared memory: `python -m streams.memory_processes WHAT ARGUMENTS`."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import zmq

from live import PATIENCE_S, Process
from pyrolab.streams import memory
from pyrolab.streams.pool import Pool

#: Kinds that this computer has, the best first.
KINDS = ["memfd", "named"] if sys.platform == "linux" else ["named"]
PAGE = 4096

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows what it has as files")
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="only root can be another user, and give files away",
)


def path_of(segment: memory.Segment) -> str:
    """Where Linux shows it."""
    match segment.reference:
        case ["memfd", pid, fd, *_]:
            return f"/proc/{pid}/fd/{fd}"
        case [_, name, _]:
            return f"/dev/shm/{name}"
    raise AssertionError(segment.reference)


def refused(reference: Any) -> str:
    """Why it cannot be opened."""
    with pytest.raises(memory.MemoryUnreachable) as caught:
        memory.open_segment(reference)
    return str(caught.value)


def until(condition: Callable[[], Any]) -> None:
    """Wait for it; fail if it does not come."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@contextlib.contextmanager
def pair(endpoint: str) -> Iterator[tuple[zmq.Socket[bytes], zmq.Socket[bytes]]]:
    """Two connected sockets, of which the first can send as much as it likes."""
    with zmq.Context() as context, context.socket(zmq.PAIR) as source, context.socket(zmq.PAIR) as sink:
        source.linger = sink.linger = 0
        source.sndhwm, sink.rcvhwm = 0, 1
        source.bind(endpoint)
        sink.connect(source.getsockopt_string(zmq.LAST_ENDPOINT))
        yield source, sink


def start(what: str, *arguments: Any) -> Process:
    """One of those below; `ready` is what it has printed."""
    return Process("-m", "streams.memory_processes", what, *map(str, arguments))


def owner(kind: str, size: str, byte: str) -> None:
    """Create a segment, fill it, say its reference, and stay."""
    segment = memory.create(int(size), kind)
    np.frombuffer(segment.view, np.uint8)[:] = int(byte)
    print(json.dumps(segment.reference))
    threading.Event().wait()


def reader(reference: str) -> None:
    """Open a segment, and say its first byte whenever it changes."""
    view = memory.open_segment(json.loads(reference))
    seen = -1
    while True:
        if view[0] != seen:
            seen = view[0]
            print(seen, flush=True)
        time.sleep(0.001)


def guest(reference: str) -> None:
    """Open a segment, and end as programs do."""
    print(memory.open_segment(json.loads(reference))[0])


def stranger(reference: str) -> None:
    """Try it as another user."""
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    guest_or_reason(reference)


def guest_or_reason(reference: str) -> None:
    """Say the first byte, or why not."""
    try:
        guest(reference)
    except memory.MemoryUnreachable as error:
        print(f"unreachable: {error}")


def tight(size: str) -> None:
    """Say what happens where there is hardly any room."""
    try:
        memory.create(int(size), "named")
    except memory.NoSharedMemory as error:
        print(json.dumps(str(error)))
    pool = Pool("named")
    blocks = [pool.take(int(size)) for _ in range(2)]
    for block in blocks:
        np.frombuffer(block.view, np.uint8)[:] = 7  # a lie about the room would end this here
    small = pool.take(65536)
    print(json.dumps([[each.reference for each in blocks], pool.reason, small.reference is not None]))


def limited(kind: str, resource_name: str, limit: str, size: str) -> None:
    """Say why there is none under a limit of this process."""
    import resource

    number = getattr(resource, resource_name)
    resource.setrlimit(number, (int(limit), resource.getrlimit(number)[1]))
    segments: list[memory.Segment] = []
    try:
        while True:
            segments.append(memory.create(int(size), kind))
    except memory.NoSharedMemory as error:
        print(len(segments), error)


def in_turn(kind: str, files: str, times: str) -> None:
    """Create and drop segments one after the other under a limit of open files; say how many."""
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (int(files), resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    print(sum(memory.create(4096, kind).size == 4096 for _ in range(int(times))))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
