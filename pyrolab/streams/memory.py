"""Memory that processes of one computer share: one creates it and writes, the others open it and read.

What comes over the wire is a reference. Whatever it says, opening it gives memory that stays, or raises.
"""

from __future__ import annotations

import functools
import os
import platform
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyrolab.streams import named
from pyrolab.streams.lease import lease
from pyrolab.streams.named import sweep
from pyrolab.streams.segments import (
    MAX_SEGMENT_BYTES,
    MemoryUnreachable,
    NoSharedMemory,
    NotOffered,
    Segment,
    check_files,
)

__all__ = [
    "MAX_SEGMENT_BYTES",
    "MemoryUnreachable",
    "NoSharedMemory",
    "Segment",
    "create",
    "here",
    "lease",
    "open_segment",
    "sweep",
]

#: What makes segments, and opens them by what follows the kind in a reference; the best first.
_MAKERS: dict[str, Callable[[int], Segment]] = {}
_OPENERS: dict[str, Callable[[list[Any]], memoryview]] = {}


def create(size: int, kind: str | None = None) -> Segment:
    """`size` bytes that others can open, and that are really there. `kind`: "memfd", "named", or the best.

    Raises `NoSharedMemory` if there are not so many, or not of this kind here.
    """
    if not 1 <= size <= MAX_SEGMENT_BYTES:
        raise NoSharedMemory(f"shared memory comes in 1 to {MAX_SEGMENT_BYTES} bytes, not {size}")
    check_files()
    _sweep_once()
    if kind is not None:
        return _maker(kind)(size)
    *better, last = _MAKERS.values()
    for make in better:
        try:
            return make(size)
        except NotOffered:
            pass  # a container forbids it, or the kernel is too old
    return last(size)


_sweep_once = functools.cache(sweep)


def _maker(kind: str) -> Callable[[int], Segment]:
    if kind not in ("memfd", "named"):
        raise ValueError(f"shared memory is 'memfd' or 'named', not {kind!r}")
    if kind not in _MAKERS:
        raise NotOffered("only Linux has memory without a name; take 'named'")
    return _MAKERS[kind]


def open_segment(reference: Any) -> memoryview:
    """Somebody else's segment, to read (bytes); it stays as long as any view of it.

    Raises `MemoryUnreachable` if that cannot be, whatever `reference` is.
    """
    match reference:
        case [str(kind), *details] if kind in _OPENERS:
            return _OPENERS[kind](details)
        case [str(kind), *_]:
            raise MemoryUnreachable(f"shared memory of kind {kind!r:.40} cannot be opened on this computer")
    raise MemoryUnreachable("this is no reference to shared memory")


def _open_named(details: list[Any]) -> memoryview:
    match details:
        case [str(name), size] if named.is_name(name) and _is_size(size):
            return named.open_memory(name, size)
    raise MemoryUnreachable("this names no shared memory of ours")


def _is_size(size: Any) -> bool:
    return type(size) is int and 1 <= size <= MAX_SEGMENT_BYTES


if sys.platform == "linux":
    from pyrolab.streams import memfd

    def _open_memfd(details: list[Any]) -> memoryview:
        match details:
            case [pid, fd, device, inode, size] if all(map(_is_number, details)) and _is_size(size):
                return memfd.open_memory(pid, fd, device, inode, size)
        raise MemoryUnreachable("this describes no shared memory")

    def _is_number(number: Any) -> bool:
        return type(number) is int and 0 <= number < 1 << 64

    _OPENERS["memfd"] = _open_memfd
    if hasattr(os, "memfd_create"):
        _MAKERS["memfd"] = memfd.create

_OPENERS["named"] = _open_named
_MAKERS["named"] = named.create


@functools.cache
def here() -> str:
    """Names this computer, the same for all its processes that may be able to share memory."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{uuid.getnode():012x} {platform.node()}"
