"""A small SCPI instrument on the wire: bytes in, bytes out.

A device lists its commands by their SCPI names (`SOURce<n>:VOLTage[:LEVel]`); short and long forms, optional
nodes, compound messages, the error queue, the status registers and binary blocks work as in IEEE 488.2 and
SCPI-99.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

#: What a handler gets: the numbers in the header (1 where none was given), and the parameters.
Handler = Callable[[tuple[int, ...], list[str]], "str | bytes | None"]
#: A program message may have so many bytes; what is longer is dropped.
MESSAGE_MOST = 1 << 20

_TEXTS = {
    -102: "Syntax error",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -113: "Undefined header",
    -221: "Settings conflict",
    -222: "Data out of range",
    -224: "Illegal parameter value",
    -350: "Queue overflow",
}
_QUEUE_MOST = 20
_NODE = re.compile(r"(\[)?:?([A-Za-z|]+)(<n>)?(\])?")


class ScpiError(Exception):
    """A command that the instrument does not execute; it goes into the error queue."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.text = _TEXTS[code] + (f";{detail}" if detail else "")


@dataclass(frozen=True, slots=True)
class _Command:
    header: re.Pattern[str]
    write: Handler | None
    read: Handler | None


def compiled(pattern: str) -> re.Pattern[str]:
    """Return what matches the headers, in upper case, that a pattern in the notation of SCPI stands for."""
    if pattern.startswith("*"):
        return re.compile(re.escape(pattern))
    parts = []
    for optional, words, number, _ in _NODE.findall(pattern):
        names = "|".join(_forms(word) for word in words.split("|"))
        node = f":(?:{names})" + (r"(\d*)" if number else "")
        parts.append(f"(?:{node})?" if optional else node)
    return re.compile("".join(parts))


def _forms(name: str) -> str:
    """Short and long form of a name such as `CHANnel1`, as a pattern; a number at its end belongs to both."""
    stem = name.rstrip("0123456789")
    short = "".join(letter for letter in stem if letter.isupper())
    return f"{short}(?:{stem[len(short) :].upper()})?{name[len(stem) :]}"


def parts_of(text: str, separator: str) -> list[str]:
    """Split `text` at `separator` where it is not inside quotes or parentheses."""
    parts, start, depth, quote = [], 0, 0, ""
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "()":
            depth += 1 if letter == "(" else -1
        elif letter == separator and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def block(data: bytes) -> bytes:
    """`data` as an IEEE 488.2 block of definite length."""
    length = str(len(data))
    return f"#{len(length)}{length}".encode() + data


def number(text: str, low: float = float("-inf"), high: float = float("inf")) -> float:
    """The number that a parameter is. Raises `ScpiError` if it is none, or lies outside."""
    try:
        value = float(text)
    except ValueError:
        raise ScpiError(-104, text) from None
    if not low <= value <= high:
        raise ScpiError(-222, text)
    return value


def boolean(text: str) -> bool:
    """The truth value that a parameter is. Raises `ScpiError` if it is none."""
    try:
        return {"ON": True, "OFF": False, "1": True, "0": False}[text.upper()]
    except KeyError:
        raise ScpiError(-224, text) from None


def word(text: str, *choices: str) -> str:
    """The short form of the one of `choices` that a parameter is. Raises `ScpiError` if it is none."""
    for choice in choices:
        if re.fullmatch(_forms(choice), text.upper()):
            return "".join(letter for letter in choice if not letter.islower())
    raise ScpiError(-224, text)


class ScpiDevice:
    """A simulated instrument. `receive` takes bytes from the wire and returns the answer.

    `identity` is what `*IDN?` answers, `terminator` what ends messages both ways. `received` are the
    commands that came, in order, for tests to look at.
    """

    def __init__(self, identity: str, terminator: bytes = b"\n") -> None:
        self.identity = identity
        self.terminator = terminator
        self.received: list[str] = []
        self._errors: list[tuple[int, str]] = []
        self._commands: list[_Command] = []
        self._kept: dict[tuple[str, tuple[int, ...]], str] = {}
        self._defaults: dict[str, str] = {}
        self._buffer = b""
        self._lock = threading.Lock()
        self._masks = {"*ESE": 0, "*SRE": 0}
        self._events = 128  # power on
        self._awaited = False
        self._common()

    # What a device is made of

    def command(self, pattern: str, write: Handler | None = None, read: Handler | None = None) -> None:
        """Add a command: what setting it does, what its query answers. A later one takes precedence."""
        self._commands.insert(0, _Command(compiled(pattern), write, read))

    def value(self, pattern: str, default: str, convert: Callable[[str], str] = str) -> None:
        """Add a setting that is kept; `convert` checks it, and brings it into the form of a reply."""
        self._defaults[pattern] = default

        def write(suffixes: tuple[int, ...], arguments: list[str]) -> None:
            if not arguments:
                raise ScpiError(-109)
            self._kept[pattern, suffixes] = convert(",".join(arguments))

        self.command(pattern, write, lambda suffixes, _: self.get(pattern, *suffixes))

    def get(self, pattern: str, *suffixes: int) -> str:
        """What a setting of `value` is now."""
        return self._kept.get((pattern, suffixes), self._defaults[pattern])

    def put(self, pattern: str, value: str, *suffixes: int) -> None:
        """Change a setting of `value` from inside the instrument."""
        self._kept[pattern, suffixes] = value

    def reset(self) -> None:
        """What `*RST` does: every setting as it was in the beginning."""
        self._kept.clear()

    def busy(self) -> bool:
        """True while an operation is under way; what `*OPC?` answers 0 for, where a device overrides it."""
        return False

    def fail(self, code: int, detail: str = "") -> None:
        """Put an error into the queue."""
        self._note(ScpiError(code, detail))

    # The wire

    def due(self) -> bytes:
        """What the device says by itself: nothing."""
        return b""

    def receive(self, data: bytes) -> bytes:
        """Take what came from the wire; return what goes back, nothing if a message is not complete yet."""
        with self._lock:
            self._buffer += data
            answers = [self._message(message) for message in self._messages()]
            return b"".join(answer + self.terminator for answer in answers if answer is not None)

    def _messages(self) -> Iterator[bytes]:
        while (end := self._message_end()) is not None:
            message, self._buffer = self._buffer[:end], self._buffer[end + len(self.terminator) :]
            yield message.strip(b"\r\n\0 ")
        if len(self._buffer) > MESSAGE_MOST:
            self._buffer = b""

    def _message_end(self) -> int | None:
        """Where the first message ends; a terminator inside a block of data is none."""
        start = 0
        while True:
            end = self._buffer.find(self.terminator, start)
            found = re.search(rb"#([1-9])", self._buffer[start : end if end >= 0 else None])
            if found is None:
                return end if end >= 0 else None
            digits = self._buffer[start + found.end() :][: int(found[1])]
            if len(digits) < int(found[1]) or not digits.isdigit():
                return end if end >= 0 and not digits.isdigit() else None
            start += found.end() + len(digits) + int(digits)

    def _message(self, message: bytes) -> bytes | None:
        answers: list[bytes] = []
        path = ""
        for unit in parts_of(message.decode("latin-1"), ";"):
            text = unit.strip()
            if not text:
                continue
            self.received.append(text)
            try:
                path, answer = self._unit(text, path)
            except ScpiError as error:
                self._note(error)
                return b";".join(answers) if answers else None
            if answer is not None:
                answers.append(answer.encode("latin-1") if isinstance(answer, str) else answer)
        return b";".join(answers) if answers else None

    def _unit(self, text: str, path: str) -> tuple[str, str | bytes | None]:
        """Execute one command; return the path that the next one continues, and the answer."""
        head, _, rest = text.partition(" ")
        query, head = head.endswith("?"), head.rstrip("?").upper()
        arguments = [part.strip() for part in parts_of(rest, ",")] if rest.strip() else []
        if not head.startswith(("*", ":")):
            head = f"{path}:{head}"
        for command in self._commands:
            if found := command.header.fullmatch(head):
                suffixes = tuple(int(each) if each else 1 for each in found.groups())
                path = path if head.startswith("*") else head.rpartition(":")[0]
                return path, self._execute(command, query, suffixes, arguments)
        raise ScpiError(-113, head)

    def _execute(
        self, command: _Command, query: bool, suffixes: tuple[int, ...], arguments: list[str]
    ) -> str | bytes | None:
        handler = command.read if query else command.write
        if handler is None:
            raise ScpiError(-113)
        try:
            return handler(suffixes, arguments)
        except (ValueError, IndexError):
            raise ScpiError(-108 if len(arguments) > 1 else -109) from None

    # IEEE 488.2

    def _common(self) -> None:
        self.command("*IDN", read=lambda *_: self.identity)
        self.command("*OPC", lambda *_: self._await(), lambda *_: "0" if self.busy() else "1")
        self.command("*ESR", read=lambda *_: self._take_events())
        self.command("*STB", read=lambda *_: str(self._status()))
        self.command("*CLS", lambda *_: self._clear())
        self.command("*RST", lambda *_: self.reset())
        self.command("*WAI", lambda *_: None)
        self.command("*TST", read=lambda *_: "0")
        self.command("*OPT", lambda *_: None, lambda *_: "0")
        for mask in self._masks:
            self.command(mask, self._mask_writer(mask), self._mask_reader(mask))
        self.command("SYSTem:ERRor[:NEXT]", read=lambda *_: self._next_error())
        self.command("SYSTem:ERRor:COUNt", read=lambda *_: str(len(self._errors)))
        self.command("SYSTem:ERRor:ALL", read=lambda *_: self._all_errors())

    def _mask_writer(self, mask: str) -> Handler:
        return lambda _, arguments: self._masks.__setitem__(mask, int(number(arguments[0], 0, 255)))

    def _mask_reader(self, mask: str) -> Handler:
        return lambda *_: str(self._masks[mask])

    def _event(self, bits: int) -> None:
        self._events |= bits

    def _await(self) -> None:
        self._awaited = True
        self._look()

    def _look(self) -> None:
        """Note that the operation is complete, if `*OPC` wanted to know, and it is."""
        if self._awaited and not self.busy():
            self._awaited = False
            self._event(1)

    def _take_events(self) -> str:
        self._look()
        events, self._events = self._events, 0
        return str(events)

    def _status(self) -> int:
        self._look()
        status = 4 * bool(self._errors) | 32 * bool(self._events & self._masks["*ESE"])
        return status | 64 * bool(status & self._masks["*SRE"])

    def _clear(self) -> None:
        self._errors.clear()
        self._events = 0
        self._awaited = False

    def _note(self, error: ScpiError) -> None:
        self._event(32 if error.code > -200 else 16 if error.code > -300 else 8)
        if len(self._errors) < _QUEUE_MOST:
            self._errors.append((error.code, error.text))
        else:
            self._errors[-1] = (-350, _TEXTS[-350])

    def _next_error(self) -> str:
        code, text = self._errors.pop(0) if self._errors else (0, "No error")
        return f'{code},"{text}"'

    def _all_errors(self) -> str:
        return ",".join(self._next_error() for _ in range(max(1, len(self._errors))))
