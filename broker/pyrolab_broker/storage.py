"""What the broker still knows after a restart: one SQLite file, which one broker at a time has for itself.

What is stored is safe from the end of the process at once, and in time from a power cut; facts, which are
few and which nobody could tell again, are safe from that at once, too.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import msgpack

from pyrolab.errors import CommunicationError

log = logging.getLogger("pyrolab.broker")

#: Stands in the file's header and says whose it is: "PyLb".
_APPLICATION = 0x50794C62
_VERSION = 1
#: Its changes are forced to the disk before `store` returns.
_FORCED = "facts"
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
#: How long another program may take to let go of the file.
_PATIENCE_S = 1.0
_ADVICE = "write 'storage: sql:FILE' or 'storage: memory' (or say so with --storage)"


class _Unreadable(Exception):
    """The file is damaged, or was never one of SQLite's."""


class Storage:
    """Tables of values by keys. Values are what msgpack knows: dict, list, str, int, float, bytes, None.

    A file that cannot be read is set aside under another name, which is logged, and an empty one begun.
    Raises `CommunicationError` if another broker uses the file, another program's data are in it, or it
    cannot be written. One thread at a time may use it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._unwritten: dict[tuple[str, str], bytes | None] = {}
        self._lock = _Lock(path)
        try:
            self._database = self._open()
        except BaseException:
            self._lock.release()
            raise

    def load(self) -> dict[str, dict[str, Any]]:
        """All that is stored: tables, and in them values by their keys."""
        return _read(self._database)

    def store(self, table: str, key: str, value: Any | None) -> None:
        """Keep a value, or with None forget it, from now on.

        Raises `OSError` if that cannot be written now; then it is tried again with whatever comes next.
        """
        self._unwritten[table, key] = None if value is None else msgpack.packb(value)
        self.commit()

    def commit(self) -> None:
        """Write what could not be written before. Raises `OSError` if it still cannot."""
        if not self._unwritten:
            return
        forced = any(table == _FORCED for table, _ in self._unwritten)
        try:
            self._database.execute(f"PRAGMA synchronous = {'FULL' if forced else 'NORMAL'}")
            self._database.execute("BEGIN")
            for (table, key), packed in self._unwritten.items():
                self._write(table, key, packed)
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo()
            raise OSError(f"{self.path} cannot be written: {error}") from None
        self._unwritten.clear()

    def close(self) -> None:
        """Let another broker have the file. May be called again."""
        try:
            self._database.close()
        finally:
            self._lock.release()

    def _write(self, table: str, key: str, packed: bytes | None) -> None:
        if packed is None:
            self._database.execute("DELETE FROM kept WHERE section = ? AND name = ?", (table, key))
        else:
            self._database.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", (table, key, packed))

    def _undo(self) -> None:
        try:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
        except sqlite3.Error as error:
            log.warning("%s: %s", self.path, error)

    # -- opening -------------------------------------------------------------------------------------

    def _open(self) -> sqlite3.Connection:
        try:
            os.close(os.open(self.path, _FLAGS, 0o600))  # SQLite would let everybody read it
            try:
                return _connect(self.path)
            except _Unreadable as error:
                aside = _set_aside(self.path)
                log.error(
                    "the names and reservations in %s cannot be read: %s. The file is now %s, and the broker "
                    "begins without them",
                    self.path,
                    error,
                    aside,
                )
                return _connect(self.path)
        except (OSError, sqlite3.Error, _Unreadable) as error:
            if isinstance(error, CommunicationError):
                raise
            raise _refusal(self.path, str(error)) from None


def _connect(path: Path) -> sqlite3.Connection:
    """A connection that has the file for itself. Raises `_Unreadable`."""
    database = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        _prepare(database, path)
        _read(database)
    except (sqlite3.DatabaseError, ValueError, TypeError, RecursionError) as error:
        database.close()
        if isinstance(error, sqlite3.DatabaseError) and type(error) is not sqlite3.DatabaseError:
            raise  # locked, full, not writable: the file itself may be sound
        raise _Unreadable(str(error)) from None
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    """Make sure that the file is ours and sound, and has its table."""
    owner, version = (_pragma(database, name) for name in ("application_id", "user_version"))
    tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if owner != _APPLICATION and (owner or tables):
        raise _refusal(path, "it is the database of another program")
    if owner and version > _VERSION:
        raise _refusal(path, "it was written by a newer PyroLab")
    damage = _pragma(database, "quick_check(1)")
    if damage != "ok":
        raise _Unreadable(damage)
    _pragma(database, "journal_mode = WAL")
    if not owner:
        database.execute("BEGIN IMMEDIATE")
        database.execute(
            "CREATE TABLE kept (section TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, "
            "PRIMARY KEY (section, name)) WITHOUT ROWID"
        )
        database.execute(f"PRAGMA application_id = {_APPLICATION}")
        database.execute(f"PRAGMA user_version = {_VERSION}")
        database.execute("COMMIT")


def _pragma(database: sqlite3.Connection, name: str) -> Any:
    return database.execute(f"PRAGMA {name}").fetchone()[0]


def _read(database: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {}
    for table, key, value in database.execute("SELECT section, name, value FROM kept"):
        tables.setdefault(table, {})[key] = msgpack.unpackb(value, strict_map_key=False)
    return tables


def _set_aside(path: Path) -> Path:
    """Give the file, and what SQLite keeps beside it, a name that nobody uses. Returns it."""
    moment, count = time.strftime("%Y%m%d-%H%M%S"), 0
    while True:
        more = f"-{count}" if count else ""
        aside = path.with_name(f"{path.stem}.unreadable-{moment}{more}{path.suffix}")
        if not aside.exists():
            break
        count += 1
    for ending in ("-wal", "-shm", "-journal", ""):
        beside = path.with_name(path.name + ending)
        if beside.exists():
            beside.replace(aside.with_name(aside.name + ending))
    return aside


def _refusal(path: Path, why: str, **fields: Any) -> CommunicationError:
    text = f"the broker cannot keep its names in {path}: {why}. To have them elsewhere, {_ADVICE}"
    return CommunicationError(text, path=str(path), **fields)


class _Lock:
    """The right to use a file: the operating system's, so it ends with the process, however that ends.

    It is on a file beside it, which says who has it.
    """

    def __init__(self, path: Path) -> None:
        beside = path.with_name(path.name + ".lock")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor: int | None = os.open(beside, _FLAGS, 0o600)
        except OSError as error:
            raise _refusal(path, error.strerror or str(error)) from None
        if not _take(self._descriptor):
            holder = os.read(self._descriptor, 20).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise CommunicationError(
                f"{path} is in use by the broker of process {holder or '(unknown)'}. End that one, or "
                f"{_ADVICE}",
                path=str(path),
                used_by=holder,
            )
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Give it back. May be called again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


if sys.platform == "win32":
    import msvcrt

    #: Where nothing is written: what is locked there cannot even be read.
    _LOCKED_AT = 1 << 30

    def _take(descriptor: int) -> bool:
        os.lseek(descriptor, _LOCKED_AT, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return True
else:
    import fcntl

    def _take(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
