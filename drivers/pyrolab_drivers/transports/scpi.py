"""SCPI, IEEE 488.2 included: commands, queries, blocks, the error queue, and getting back into step.

After a lost, late or wrong reply, the next command first asks a marker, `*IDN?`, whose answer nothing else
looks like, and drops what comes before that answer. Where the bus has a device clear, that is used instead.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from typing import TypeVar

from pyrolab_drivers.quantities import Seconds
from pyrolab_drivers.transports.blocks import BLOCK_MOST, encode_block, read_block
from pyrolab_drivers.transports.errors import BadReply, ReplyTimeout, shown
from pyrolab_drivers.transports.transport import Transport

Value = TypeVar("Value")

IDENTITY = "*IDN?"
#: Asked instead if the answer to `*IDN?` is what was lost: mandatory as well, and changes nothing either.
ENABLED = "*ESE?"
#: How many errors are read at most: a queue that is never empty is a broken instrument.
_MOST_ERRORS = 100
#: SCPI-99, volume 1: what stands for "not a number", and from where on it is infinity.
_NAN, _INFINITY = 9.91e37, 9.9e37
_WORDS = {"1": True, "ON": True, "0": False, "OFF": False}
_ERROR = re.compile(r'([+-]?\d+)\s*,?\s*"?(.*?)"?$', re.DOTALL)


class InstrumentErrors(RuntimeError):
    """The instrument's error queue was not empty; `errors` is what was in it: codes and texts."""

    errors: tuple[tuple[int, str], ...]

    def __init__(self, message: str, errors: tuple[tuple[int, str], ...] = ()) -> None:
        super().__init__(message)
        self.errors = errors


class Scpi:
    """SCPI over a transport, one for each connection. Each exchange holds the transport's lock.

    `terminator` ends replies, and commands unless `write_terminator` is given. `ieee488` is False for an
    instrument that knows neither `*IDN?` nor `*ESE?`: then silence has to do, and a reply that comes after
    that is taken for the next one's. Replies are `encoding`; anything else in them is refused. All timeouts
    are the transport's unless given, and are for the whole command, but for up to `Transport.settle_s` of
    waiting for silence after a lost reply.
    """

    def __init__(
        self,
        transport: Transport,
        terminator: str = "\n",
        *,
        write_terminator: str | None = None,
        ieee488: bool = True,
        encoding: str = "ascii",
        error_query: str = "SYST:ERR?",
    ) -> None:
        self.transport = transport
        self._terminator = terminator.encode("ascii")
        self._end = self._terminator if write_terminator is None else write_terminator.encode("ascii")
        self._ieee488 = ieee488
        self._encoding = encoding
        self._error_query = error_query
        self._identity: str | None = None
        #: How many answers to each marker may still come.
        self._unanswered = {IDENTITY: 0, ENABLED: 0}

    def write(self, command: str) -> None:
        """Send a command that has no answer. Raises `ReplyTimeout` if out of step, and no way back."""
        self._tell(command.encode(self._encoding))

    def write_block(self, command: str, data: bytes) -> None:
        """Send a command whose argument is a block of bytes."""
        self._tell(command.encode(self._encoding) + b" " + encode_block(data))

    def query(self, command: str, timeout_s: Seconds | None = None) -> str:
        """Return the answer to `command`, without white space around it.

        Raises `ReplyTimeout` if none comes, `BadReply` if it is not text; the next command is answered
        properly again.
        """
        return self._ask(command, timeout_s, str)

    def query_float(self, command: str, timeout_s: Seconds | None = None) -> float:
        """Return the number that `command` is answered with; 9.91E37 is NaN, 9.9E37 infinity."""
        return self._ask(command, timeout_s, number)

    def query_floats(self, command: str, timeout_s: Seconds | None = None) -> list[float]:
        """Return the numbers, with commas between them, that `command` is answered with."""
        return self._ask(command, timeout_s, lambda text: [number(each) for each in text.split(",")])

    def query_int(self, command: str, timeout_s: Seconds | None = None) -> int:
        """Return the whole number that `command` is answered with; "+1.000E+00" is one."""
        return self._ask(command, timeout_s, _integer)

    def query_bool(self, command: str, timeout_s: Seconds | None = None) -> bool:
        """Return True if `command` is answered with 1 or ON, False for 0 or OFF."""
        return self._ask(command, timeout_s, lambda text: _WORDS[text.upper()])

    def query_block(self, command: str, timeout_s: Seconds | None = None, most: int = BLOCK_MOST) -> bytes:
        """Return the block of bytes that `command` is answered with; see `blocks.read_block`.

        `timeout_s` is for each of its parts: a large block takes its time, so give it enough.
        """
        transport = self.transport
        with transport.lock:
            self._send(command.encode(self._encoding), self._limit(timeout_s))
            return read_block(transport, self._terminator, timeout_s, most)

    def complete(self, timeout_s: Seconds) -> None:
        """Wait until the instrument has done what it was told (`*OPC?`), or raise `ReplyTimeout`."""
        self._ask("*OPC?", timeout_s, _integer)

    def errors(self) -> list[tuple[int, str]]:
        """Return what is in the error queue, oldest first, and empty it."""
        found: list[tuple[int, str]] = []
        while len(found) < _MOST_ERRORS:
            error = self._ask(self._error_query, None, _error)
            if error[0] == 0:
                break
            found.append(error)
        return found

    def check_errors(self) -> None:
        """Raise `InstrumentErrors` with what is in the error queue, if it is not empty."""
        found = tuple(self.errors())
        if found:
            listed = "; ".join(f"{code} {text}" for code, text in found)
            raise InstrumentErrors(f"{self.transport.name} reports {listed}", found)

    def resynchronise(self, timeout_s: Seconds | None = None) -> None:
        """Make sure that the next answer belongs to the next question.

        The next command does it by itself after a lost or wrong reply. Raises `ReplyTimeout` if the
        instrument answers nothing at all, or not the marker.
        """
        with self.transport.lock:
            self._resynchronise(self._limit(timeout_s))

    def _limit(self, timeout_s: Seconds | None) -> float:
        return time.monotonic() + (self.transport.timeout_s if timeout_s is None else timeout_s)

    def _tell(self, command: bytes) -> None:
        with self.transport.lock:
            self._send(command, self._limit(None))

    def _ask(self, command: str, timeout_s: Seconds | None, convert: Callable[[str], Value]) -> Value:
        with self.transport.lock:
            limit = self._limit(timeout_s)
            limit += self._send(command.encode(self._encoding), limit)
            self._count(command, +1)
            line = self.transport.read_until(self._terminator, max(0.0, limit - time.monotonic()))
            self._count(command, -1)
            try:
                text = line.decode(self._encoding).strip()
                value = convert(text)
            except (ValueError, KeyError) as error:
                raise self._nonsense(command, line) from error
            if command.upper() == IDENTITY and text.count(",") >= 3:
                self._identity = text
            return value

    def _count(self, command: str, change: int) -> None:
        """Count the answers to markers that are still to come."""
        if command.upper() in self._unanswered:
            self._unanswered[command.upper()] += change

    def _nonsense(self, command: str, line: bytes) -> BadReply:
        self.transport.doubt()
        return BadReply(
            f"{self.transport.name} answered {shown(line)} to {command}, which is no answer to that",
            command,
            line,
        )

    def _send(self, command: bytes, limit: float) -> float:
        """Send `command` once everything before it is dealt with; return how long silence was waited for."""
        transport = self.transport
        transport.begin_exchange()
        waited = self._resynchronise(limit) if transport.doubtful else 0.0
        transport.write(command + self._end)
        return waited

    def _resynchronise(self, limit: float) -> float:
        """Return how long silence was waited for; the marker's time counts as the command's."""
        begun = time.monotonic()
        cleared = self.transport.settle()
        waited = time.monotonic() - begun
        if self._ieee488 and not cleared:
            self._mark(limit + waited)
        self._unanswered = dict.fromkeys(self._unanswered, 0)
        return waited

    def _mark(self, limit: float) -> None:
        """Ask for a marker, and read until all answers to it have come that can come."""
        waiting = self._unanswered
        marker = min(waiting, key=waiting.__getitem__)
        waiting[marker] += 1
        came = False
        self.transport.write(marker.encode("ascii") + self._end)
        try:
            while waiting[marker]:
                line = self.transport.read_until(self._terminator, max(0.0, limit - time.monotonic()))
                answered = self._marked(line.decode(self._encoding, "replace").strip(), marker)
                if waiting.get(answered):
                    waiting[answered] -= 1
                came = came or answered == marker
        except ReplyTimeout:
            if came:  # the others were lost for good
                waiting[marker] = 0
            raise

    def _marked(self, text: str, marker: str) -> str:
        """Return which marker `text` answers, if any; a number can be anything if none is waited for."""
        if self._is_identity(text):
            return IDENTITY
        return ENABLED if marker == ENABLED and _is_enabled(text) else ""

    def _is_identity(self, text: str) -> bool:
        if self._identity is not None:
            return text == self._identity
        if text.count(",") < 3:
            return False
        try:
            number(text.split(",", 1)[0])
        except ValueError:
            return True
        return False


def number(text: str) -> float:
    """Return the number in `text`, as SCPI writes it. Raises `ValueError` if it is none."""
    value = float(text)
    if value == _NAN:
        return math.nan
    return math.copysign(math.inf, value) if abs(value) >= _INFINITY else value


def _integer(text: str) -> int:
    value = float(text)
    if value != int(value):
        raise ValueError(f"{text!r} is not a whole number")
    return int(value)


def _is_enabled(text: str) -> bool:
    return text.lstrip("+").isdigit() and int(text) < 256


def _error(text: str) -> tuple[int, str]:
    match = _ERROR.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not an entry of an error queue")
    return int(match[1]), match[2]
