"""Shared memory with a name, for where there is none without: macOS, Windows, and a Linux that refuses it.

Names say whose a segment is. Python's resource tracker unlinks those of a process that was killed; `sweep`
does it if the tracker was killed as well.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory

from pyrolab.streams.segments import (
    MemoryUnreachable,
    Segment,
    mapped,
    missing,
    opened,
    reserve,
    unreachable,
)

#: pyrolab, the process, its namespace of process numbers, at random. macOS allows 30 characters.
_NAME = re.compile(r"pyrolab-([1-9][0-9]{0,8})-([0-9]{1,20})-[0-9a-f]{8}")
#: Where Linux keeps them; elsewhere they cannot be seen.
_FOLDER = "/dev/shm" if sys.platform == "linux" else None  # noqa: S108 - it is no place for files
_REMEDY = "make /dev/shm larger (docker run --shm-size=1g), or let fewer frames wait and be held"


class _Named(SharedMemory):
    """A name, and its memory: which stays as long as any view of it."""

    def __del__(self) -> None:
        # Not what the base does: it would unmap what arrays still look at, or complain that they do.
        descriptor: int = getattr(self, "_fd", -1)
        if descriptor >= 0:
            os.close(descriptor)


def create(size: int) -> Segment:
    """A new one. Raises `NoSharedMemory`."""
    name = f"pyrolab-{os.getpid()}-{_namespace()}-{secrets.token_hex(4)}"
    try:
        shared = _Named(name, create=True, size=size)
    except OSError as error:
        raise missing(size, error, _REMEDY) from None
    try:
        _reserve(name, size)
    except OSError as error:
        shared.unlink()
        raise missing(size, error, _REMEDY) from None
    return Segment(_view(shared, size), ["named", name, size], _unlink, shared, os.getpid())


def _view(shared: SharedMemory, size: int) -> memoryview:
    memory = shared.buf
    assert memory is not None  # it has not been closed, and never is
    return memory[:size]


def _namespace() -> int:
    """The namespace of this process's number; containers may share /dev/shm and not the numbers."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def _reserve(name: str, size: int) -> None:
    if _FOLDER is None:
        return
    descriptor = os.open(f"{_FOLDER}/{name}", os.O_RDWR | os.O_CLOEXEC)
    try:
        reserve(descriptor, size)
    finally:
        os.close(descriptor)


def _unlink(shared: SharedMemory, creator: int) -> None:
    if os.getpid() != creator:  # a forked child ends: its parent still needs the name
        return
    try:
        shared.unlink()
    except FileNotFoundError:
        pass  # somebody has cleared /dev/shm


# -- opening ---------------------------------------------------------------------------------------------


def is_name(name: str) -> bool:
    """Whether a segment can have this name."""
    return _NAME.fullmatch(name) is not None


def open_memory(name: str, size: int) -> memoryview:
    """Another process's memory, to read. Raises `MemoryUnreachable`."""
    return _attached(name, size) if _FOLDER is None else _opened(f"{_FOLDER}/{name}", size)


def _opened(path: str, size: int) -> memoryview:
    descriptor = opened(path, size, _check_owner, os.O_NOFOLLOW)
    try:
        return mapped(descriptor, size)
    except OSError as error:
        raise unreachable(error) from None
    finally:
        os.close(descriptor)


def _check_owner(found: os.stat_result) -> None:
    """Somebody else's could be cut short while it is looked at, which would end this process."""
    if found.st_uid != os.geteuid():
        raise MemoryUnreachable("the publisher's memory belongs to another user of this computer")


def _attached(name: str, size: int) -> memoryview:
    """Where Python is the only way to it."""
    try:
        shared = _attach(name)
    except (OSError, ValueError) as error:
        raise unreachable(error if isinstance(error, OSError) else OSError(str(error))) from None
    if shared.size < size:
        raise MemoryUnreachable(f"the publisher's memory has {shared.size} bytes, not {size}")
    return _view(shared, size).toreadonly()


def _attach(name: str) -> SharedMemory:
    if sys.version_info >= (3, 13):
        return _Named(name, track=False)
    shared = _Named(name)
    if os.name == "posix" and not name.startswith(f"pyrolab-{os.getpid()}-"):
        # Or it would be unlinked when this process ends.
        resource_tracker.unregister(f"/{name}", "shared_memory")
    return shared


# -- what others have left -------------------------------------------------------------------------------


def sweep() -> None:
    """Unlink what processes of this user have left that no longer live."""
    if _FOLDER is None:
        return
    here = _namespace()
    with contextlib.suppress(OSError):
        for name in os.listdir(_FOLDER):
            match = _NAME.fullmatch(name)
            if match and int(match[2]) == here and not _lives(int(match[1])):
                _remove(f"{_FOLDER}/{name}")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove(path: str) -> None:
    try:
        if os.lstat(path).st_uid == os.geteuid():
            os.unlink(path)
    except OSError:
        pass  # somebody else was faster
