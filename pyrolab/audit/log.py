"""`AuditLog`: one process's record of who did what, as JSON lines in a file that is only appended to.

A line is one `write`, so it is whole in the file when the process dies after it, whatever kills the process.
It is not forced to the disk: the last lines may be lost with the power.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pyrolab.audit.brief import MAX_ALL_CHARS, MAX_DEPTH, brief, brief_arguments, cut

log = logging.getLogger("pyrolab.audit")

#: Characters of a user, host, service, action or call id.
_MAX_WORD = 255
#: Entries of one list or dictionary in the facts of a note.
_MAX_FACTS = 100
#: After so many lines it is looked at what others have done to the file.
_LOOK_AFTER = 32
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)


class AuditLog:
    """Writes `<directory>/<name>.jsonl`; when it is `max_bytes` long, it becomes `<name>.1.jsonl`, and so on.

    There are `keep` files at most. The files are the user's alone. Nothing is touched before the first
    line. Any number of threads may write, and so may other processes that use the same name.
    """

    def __init__(self, directory: Path, name: str, max_bytes: int = 10 << 20, keep: int = 20) -> None:
        self.directory = directory
        self.name = name
        self._stem = file_stem(name)
        self._max_bytes = self._rotate_at = max_bytes
        self._keep = keep
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        #: Its length as far as we know, and the lines since it was last looked at.
        self._size = self._unseen = 0
        #: Whether the file ends within a line.
        self._torn = False
        self._failing = self._closed = False

    @property
    def path(self) -> Path:
        """The file that is written now."""
        return self._numbered(0)

    def begun(
        self,
        *,
        call: str,
        user: str,
        host: str,
        pid: int,
        service: str,
        action: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> None:
        """Note a call that is about to run. Raises `OSError` if it cannot be noted: then it must not run."""
        self._append(
            # By hand: with a JSON encoder, two lines for each call would cost half as much again.
            f'{{"time":"{_now()}","kind":"begun","call":{_word(call)},"user":{_word(user)},'
            f'"host":{_word(host)},"pid":{_whole(pid)},"service":{_word(service)},'
            f'"action":{_word(action)},"arguments":{quoted(brief_arguments(args, kwargs))}}}\n'
        )

    def ended(self, *, call: str, outcome: str, seconds: float, text: str = "") -> None:
        """Note how a call ended: `outcome` is a word, `text` what there is to say. Never raises."""
        more = f',"text":{quoted(_said(text))}' if text else ""
        self._try_to_append(
            f'{{"time":"{_now()}","kind":"ended","call":{_word(call)},"outcome":{_word(outcome)},'
            f'"seconds":{_duration(seconds)}{more}}}\n'
        )

    def note(self, what: str, **facts: Any) -> None:
        """Note anything else that happened, such as a reservation or an emergency stop. Never raises."""
        told = json.dumps(_plain(facts), separators=(",", ":"))
        self._try_to_append(f'{{"time":"{_now()}","kind":"note","what":{_word(what)},"facts":{told}}}\n')

    def close(self) -> None:
        """Write no more."""
        with self._lock:
            self._closed = True
            self._close_file()

    # -- the file ------------------------------------------------------------------------------------

    def _try_to_append(self, line: str) -> None:
        try:
            self._append(line)
        except OSError as error:  # what it tells of has happened, so refusing would be too late
            log.debug("lost a line of %s: %s", self.path, error)

    def _append(self, line: str) -> None:
        with self._lock:
            try:
                self._write(line.encode("ascii"))
            except OSError as error:
                self._say_once(error)
                raise OSError(error.errno, error.strerror or str(error), str(self.path)) from None
            if self._failing:
                self._failing = False
                log.warning("the audit log %s is written again; there may be lines missing", self.path)

    def _write(self, line: bytes) -> None:
        descriptor = self._ready(len(line))
        if self._torn:
            line = b"\n" + line
        written = os.write(descriptor, line)
        self._torn = written < len(line)
        if self._torn:
            raise OSError(errno.ENOSPC, "only a part of a line could be written")

    def _say_once(self, error: OSError) -> None:
        if not self._failing:
            self._failing = True
            log.error("the audit log %s cannot be written: %s", self.path, error.strerror or error)

    def _ready(self, more: int) -> int:
        """The descriptor to write `more` bytes to; opens the file, or changes to a new one, if need be."""
        if self._closed:
            raise OSError(errno.EBADF, "the audit log is closed")
        descriptor = self._descriptor
        self._size += more
        self._unseen += 1
        if descriptor is not None and self._unseen < _LOOK_AFTER and self._size <= self._rotate_at:
            return descriptor
        return self._look(more)

    def _look(self, more: int) -> int:
        """The descriptor, after a look at the file."""
        self._unseen = 0
        if self._descriptor is None:
            return self._open(more)
        state = os.fstat(self._descriptor)
        if not state.st_nlink:  # somebody has deleted it: nobody would ever read what goes there
            return self._open(more)
        if state.st_size + more > self._rotate_at and state.st_size:
            return self._rotate(more)
        self._size = state.st_size + more
        return self._descriptor

    def _open(self, more: int) -> int:
        self._close_file()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = descriptor = os.open(self.path, _FLAGS, 0o600)
        self._size = os.fstat(descriptor).st_size + more
        self._torn = _ends_within_a_line(descriptor)
        return descriptor

    def _close_file(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _rotate(self, more: int) -> int:
        """Begin a new file, unless another process has just done so."""
        assert self._descriptor is not None
        with _alone_in(self.directory):
            size = os.fstat(self._descriptor).st_size
            mine = _is_at(self._descriptor, self.path)
            self._close_file()  # on Windows, an open file cannot be renamed
            self._rotate_at = self._max_bytes
            if mine:
                try:
                    self._shift()
                except OSError as error:  # on Windows, while another process has it open
                    self._rotate_at = size + self._max_bytes // 10
                    log.info("%s grows on: %s", self.path, error)
            return self._open(more)

    def _shift(self) -> None:
        if self._keep <= 1:
            self.path.unlink(missing_ok=True)
        for number in range(self._keep - 1, 0, -1):
            try:
                self._numbered(number - 1).replace(self._numbered(number))
            except FileNotFoundError:
                pass  # there are not so many yet

    def _numbered(self, number: int) -> Path:
        return self.directory / (f"{self._stem}.{number}.jsonl" if number else f"{self._stem}.jsonl")


def file_stem(name: str) -> str:
    """What the files of the log called `name` start with: it leads nowhere else and into no other log's."""
    return re.sub(r"\.(?=\d+$)|^\.", "%2E", quote(name, safe="@ ")) or "%20"


_second = (0, "")


def _now() -> str:
    """The time in UTC, as ISO 8601 writes it; most calls find the second's text ready."""
    global _second
    second, microsecond = divmod(time.time_ns() // 1000, 1_000_000)
    known, text = _second
    if second != known:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        _second = (second, text)
    return f"{text}.{microsecond:06d}+00:00"


def _word(value: str) -> str:
    """A short text as JSON."""
    return quoted(_said(value, _MAX_WORD))


def _whole(value: int) -> str:
    return int.__repr__(value) if isinstance(value, int) and int.bit_length(value) < 64 else "0"


def _duration(seconds: float) -> str:
    return f"{seconds:.6f}" if type(seconds) in (float, int) and 0 <= seconds < 1e12 else "null"


def _said(text: str, limit: int = MAX_ALL_CHARS) -> str:
    return cut(text if type(text) is str else brief(text), limit)


def _plain(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Facts as JSON can say them; the rest in words."""
    kind = type(value)
    if value is None or kind is bool or (kind is int and -(2**63) <= value < 2**64):
        return value
    if kind is float:
        return value if abs(value) < float("inf") else repr(value)  # JSON has no words for nan and inf
    if kind is str:
        return cut(value, MAX_ALL_CHARS)
    if kind in (list, tuple) and depth:
        return [_plain(each, depth - 1) for each in value[:_MAX_FACTS]]
    if kind is dict and depth and len(value) <= _MAX_FACTS:
        return {
            key if type(key) is str else brief(key): _plain(each, depth - 1) for key, each in value.items()
        }
    return brief(value)


def _ends_within_a_line(descriptor: int) -> bool:
    if not os.fstat(descriptor).st_size:
        return False
    os.lseek(descriptor, -1, os.SEEK_END)
    return os.read(descriptor, 1) != b"\n"


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


if sys.platform == "win32":

    @contextmanager
    def _alone_in(directory: Path) -> Iterator[None]:
        """Nothing to do: whoever has the file open keeps others from renaming it."""
        yield
else:
    import fcntl

    @contextmanager
    def _alone_in(directory: Path) -> Iterator[None]:
        """Hold other processes off while files get other names."""
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
