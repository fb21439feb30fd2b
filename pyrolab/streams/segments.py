"""What every kind of shared memory has in common: `Segment`, the errors, and how memory is mapped.

Nothing here unmaps anything: a mapping goes with the last view of it, so no view can outlive its memory.
"""

from __future__ import annotations

import errno
import itertools
import mmap
import os
import stat
import sys
import weakref
from collections.abc import Callable
from typing import Any

from pyrolab.protocol.limits import MAX_FRAME_BYTES

#: A segment holds one frame at most.
MAX_SEGMENT_BYTES = MAX_FRAME_BYTES
#: What of the files that a process may have open can be segments; each needs two before Python 3.13.
_SHARE_OF_FILES = 8

_numbers = itertools.count()
#: The segments of this process that others can open.
_open: set[int] = set()


class NoSharedMemory(OSError):
    """There is no shared memory to be had; the text says what is missing and what to do."""


class NotOffered(NoSharedMemory):
    """This computer does not let this process have this kind of shared memory."""


class MemoryUnreachable(OSError):
    """Memory of another process cannot be looked at from here; the text says why."""


class Segment:
    """Memory that other processes of this computer can open by its `reference`, until it is closed.

    `reference` is plain data for the wire, `view` the memory itself (bytes, writable).
    """

    def __init__(
        self, view: memoryview, reference: list[Any], end: Callable[..., object], *arguments: Any
    ) -> None:
        self.size = view.nbytes
        self.view = view
        self.reference = reference
        number = next(_numbers)
        _open.add(number)
        self._close = weakref.finalize(self, _end, number, end, *arguments)

    def close(self) -> None:
        """Nobody can open it from now on. Whoever has mapped it keeps it, and so does every view here."""
        self._close()

    def __repr__(self) -> str:
        return f"<segment {self.reference}{'' if self._close.alive else ', closed'}>"


def _end(number: int, end: Callable[..., object], *arguments: Any) -> None:
    _open.discard(number)
    end(*arguments)


# -- making ----------------------------------------------------------------------------------------------


def check_files() -> None:
    """Raise `NoSharedMemory` if more segments would leave too few files for everything else."""
    if sys.platform == "win32":
        return
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and len(_open) >= max(soft // _SHARE_OF_FILES, 1):
        raise NoSharedMemory(
            f"{len(_open)} blocks of shared memory are in use, as many as a process with at most {soft} open "
            "files may have here; raise that limit (ulimit -n), or let fewer frames wait and be held"
        )


def reserve(descriptor: int, size: int) -> None:
    """Have the memory now: otherwise the first write could end the process (SIGBUS). Raises `OSError`."""
    os.posix_fallocate(descriptor, 0, size)


def missing(size: int, error: OSError, remedy: str) -> NoSharedMemory:
    """What to raise if a segment could not be made; `remedy` is what makes room for more."""
    if error.errno in (errno.ENOSPC, errno.ENOMEM):
        return NoSharedMemory(f"there is no room for {size} more bytes of shared memory; {remedy}")
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return NoSharedMemory("too many files are open for more shared memory; raise the limit (ulimit -n)")
    if error.errno == errno.EFBIG:
        return NoSharedMemory(f"files of {size} bytes are not allowed here; raise the limit (ulimit -f)")
    return NoSharedMemory(f"shared memory of {size} bytes cannot be had: {error}")


def mapped(descriptor: int, size: int, writable: bool = False) -> memoryview:
    """The memory behind a descriptor, which may be closed afterwards. Raises `OSError`."""
    access = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
    # All pages at once: a fault for each of them costs more than the copy of a frame.
    flags = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
    if sys.version_info >= (3, 13):
        memory = mmap.mmap(descriptor, size, flags=flags, prot=access, trackfd=False)
    else:
        memory = mmap.mmap(descriptor, size, flags=flags, prot=access)
    return memoryview(memory)


# -- opening ---------------------------------------------------------------------------------------------

#: What a peer has named is opened without waiting, and without becoming this process's terminal.
_CAREFULLY = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


def opened(path: str, size: int, check: Callable[[os.stat_result], None], flags: int = 0) -> int:
    """A descriptor to read a file of at least `size` bytes. Raises `MemoryUnreachable`, also from `check`.

    It is looked at before it is opened, because opening a device can do something.
    """
    try:
        _check_file(os.stat(path), size, check)
        descriptor = os.open(path, os.O_RDONLY | _CAREFULLY | flags)
    except MemoryUnreachable:
        raise
    except OSError as error:
        raise unreachable(error) from None
    try:
        _check_file(os.fstat(descriptor), size, check)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_file(found: os.stat_result, size: int, check: Callable[[os.stat_result], None]) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise MemoryUnreachable("what the publisher names is no memory")
    check(found)
    if found.st_size < size:
        raise MemoryUnreachable(f"the publisher's memory has {found.st_size} bytes, not {size}")


def unreachable(error: OSError) -> MemoryUnreachable:
    """What to raise if opening or mapping has failed."""
    if isinstance(error, FileNotFoundError):
        return MemoryUnreachable("the publisher's memory has gone, or is on another computer")
    if isinstance(error, PermissionError):
        return MemoryUnreachable("the publisher's memory belongs to another user of this computer")
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return MemoryUnreachable("too many files are open here to look at more memory; raise ulimit -n")
    return MemoryUnreachable(f"the publisher's memory cannot be looked at: {error}")
