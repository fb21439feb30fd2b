"""Shared memory without a name (Linux): others open it as /proc/PID/fd/N, and no death leaves any behind.

It is sealed, which is checked when it is opened: it never shrinks, so no reader can be ended by it (SIGBUS),
and only its creator can ever write to it.
"""

from __future__ import annotations

import errno
import fcntl
import os

from pyrolab.streams.segments import (
    MemoryUnreachable,
    NotOffered,
    Segment,
    mapped,
    missing,
    opened,
    reserve,
    unreachable,
)

#: Of the kernel (linux/memfd.h, linux/fcntl.h); Python names them from 3.13 on, or not at all.
_MFD_NOEXEC_SEAL = 0x0008
_F_SEAL_FUTURE_WRITE = 0x0010

#: What a kernel says that has no such thing, or must not give it.
_NOT_OFFERED = (errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EINVAL)
_REMEDY = "free memory of this computer, or let fewer frames wait and be held"


def create(size: int) -> Segment:
    """A new one. Raises `NoSharedMemory`."""
    descriptor = _new_descriptor(size)
    try:
        reserve(descriptor, size)
        os.fchmod(descriptor, 0o400)
        view = mapped(descriptor, size, writable=True)
        _seal(descriptor)
        found = os.fstat(descriptor)
    except OSError as error:
        os.close(descriptor)
        raise missing(size, error, _REMEDY) from None
    reference = ["memfd", os.getpid(), descriptor, found.st_dev, found.st_ino, size]
    return Segment(view, reference, os.close, descriptor)


def _new_descriptor(size: int) -> int:
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        try:
            return os.memfd_create("pyrolab", flags | _MFD_NOEXEC_SEAL)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return os.memfd_create("pyrolab", flags)  # before Linux 6.3
    except OSError as error:
        if error.errno in _NOT_OFFERED:
            raise NotOffered(f"this computer gives this process no memory without a name: {error}") from None
        raise missing(size, error, _REMEDY) from None


def _seal(descriptor: int) -> None:
    """It keeps its size; only the mapping that there is now may write."""
    size = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
    try:
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, size | _F_SEAL_FUTURE_WRITE | fcntl.F_SEAL_SEAL)
    except OSError:
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, size | fcntl.F_SEAL_SEAL)  # before Linux 5.1


def open_memory(pid: int, number: int, device: int, inode: int, size: int) -> memoryview:
    """Another process's memory, to read. Raises `MemoryUnreachable`."""

    def check(found: os.stat_result) -> None:
        if (found.st_dev, found.st_ino) != (device, inode):
            raise MemoryUnreachable("the publisher's memory has gone: something else has its place")

    descriptor = opened(f"/proc/{pid}/fd/{number}", size, check)
    try:
        _check_sealed(descriptor)
        return mapped(descriptor, size)
    except MemoryUnreachable:
        raise
    except OSError as error:
        raise unreachable(error) from None
    finally:
        os.close(descriptor)


def _check_sealed(descriptor: int) -> None:
    try:
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError:
        raise MemoryUnreachable("what the publisher names is a file, not memory") from None
    if not seals & fcntl.F_SEAL_SHRINK:
        raise MemoryUnreachable("the publisher could take its memory away while it is looked at")
