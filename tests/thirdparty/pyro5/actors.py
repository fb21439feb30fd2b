"""The processes of an example: what they print is kept, and they are ended by their ids."""

from __future__ import annotations

import codecs
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

URI = re.compile(r"PYRO:[^\s'\"]+@[^\s'\",)]+")
#: How long a process may take to end when it is asked to.
_FAREWELL_S = 5.0
#: How often whoever waits looks at the rest of the world.
_LOOK_S = 0.1


class Trouble(Exception):
    """An example did not go as it should; the text says how."""


def readable(wanted: re.Pattern[str]) -> str:
    """A pattern as it was written in the table, or nearly."""
    return re.sub(r"\\([^\w])", r"\1", wanted.pattern)


class Uris:
    """The URIs that a process has printed: as text the last one, by index each."""

    def __init__(self, found: Sequence[str]) -> None:
        if not found:
            raise Trouble("no URI has been printed")
        self._found = found

    def __str__(self) -> str:
        return self._found[-1]

    def __getitem__(self, index: int) -> str:
        return self._found[index]


class Actor:
    """A process, called `name`."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        self.name = name
        self._printed = ""
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=dict(env),
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        """Keep what is printed as it comes: prompts end without a line."""
        assert self._process.stdout is not None
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while chunk := os.read(self._process.stdout.fileno(), 1 << 16):
            with self._news:
                self._printed += decoder.decode(chunk).replace("\r\n", "\n")
                self._news.notify_all()

    @property
    def printed(self) -> str:
        """All that it has printed, errors among it."""
        with self._news:
            return self._printed

    @property
    def uris(self) -> Uris:
        """The URIs that it has printed. Raises `Trouble` if there are none."""
        return Uris(URI.findall(self.printed))

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def wait_for(
        self, pattern: re.Pattern[str], deadline: float, look: Callable[[], None] = lambda: None
    ) -> None:
        """Return when it has printed this. Raises `Trouble` if it ends, or the time does, before.

        `look` is called now and then, and may raise as well.
        """
        while not pattern.search(self.printed):
            if not self.alive:
                self._listener.join(_FAREWELL_S)
                if pattern.search(self.printed):
                    return
                raise Trouble(
                    f"{self.name} ended without printing {readable(pattern)!r}; {self._last_words()}"
                )
            if time.monotonic() > deadline:
                raise Trouble(
                    f"{self.name} has not printed {readable(pattern)!r} in time; {self._last_words()}"
                )
            look()
            with self._news:
                self._news.wait(_LOOK_S)

    def wait(self, deadline: float, look: Callable[[], None] = lambda: None) -> int:
        """Its exit code, when it has ended by itself. Raises `Trouble` if it does not in time."""
        while True:
            try:
                code = self._process.wait(_LOOK_S)
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    raise Trouble(f"{self.name} has not ended in time; {self._last_words()}") from None
                look()
                continue
            self._listener.join(_FAREWELL_S)
            return code

    def type(self, line: str) -> None:
        """Type a line at it."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Trouble(
                f"{self.name} ended before it could be told {line!r}; {self._last_words()}"
            ) from None

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> None:
        """End it, whatever it is doing."""
        if self.alive:
            self._process.terminate()
        try:
            self._process.wait(_FAREWELL_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join(_FAREWELL_S)
        for stream in (self._process.stdin, self._process.stdout):
            try:
                assert stream is not None
                stream.close()
            except BrokenPipeError:
                pass  # something was typed that nobody read

    def _last_words(self) -> str:
        lines = [line.strip() for line in self.printed.splitlines() if line.strip()]
        return f"its last line: {lines[-1][-200:]!r}" if lines else "it printed nothing"
