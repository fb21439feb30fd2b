"""The room on a disk: a recording ends before it is used up, and says in one sentence why it cannot go on."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from pyrolab.errors import PyroError

#: What is left free, so that the file can be closed well.
_RESERVE_BYTES = 1 << 25
#: After so many bytes it is looked at again.
_LOOK_BYTES = 1 << 23


class DiskFull(OSError):
    """There is not enough room to go on recording."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.errno = errno.ENOSPC


class Room:
    """The room for a file that grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unseen_bytes = 0

    def take(self, size: int, recorded: int) -> None:
        """So many bytes will be written. Raises `DiskFull` if there is hardly room."""
        self._unseen_bytes += size
        if self._unseen_bytes >= _LOOK_BYTES:
            self.look(size, recorded)

    def look(self, size: int, recorded: int) -> None:
        """See whether there is room for so many bytes, and some more. Raises `DiskFull` if not."""
        self._unseen_bytes = 0
        free = shutil.disk_usage(self._path.absolute().parent).free
        if free < _RESERVE_BYTES + size:
            raise DiskFull(
                f"the disk of {self._path} is full ({free / 1e6:.0f} MB left); the recording has ended with "
                f"{recorded} frames, all of which are kept"
            )


def told(error: Exception, path: Path, recorded: int) -> Exception:
    """An error of the disk in one sentence, whatever the libraries say of it; others as they are."""
    if not isinstance(error, OSError) or isinstance(error, (DiskFull, PyroError)):
        return error
    reason = os.strerror(error.errno) if error.errno else str(error).partition("\n")[0]
    said = OSError(
        f"{path} cannot be written to ({reason}); the recording has ended after {recorded} frames, and those "
        "up to the last flush are kept"
    )
    said.errno = error.errno
    return said
