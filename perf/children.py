"""Child processes: started as modules, asked in lines of JSON, and ended by their own process number.

A child says one line when it is ready. It ends when its standard input closes, so that it cannot outlive
a harness that was killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
_GRACE_S = 3.0


class Child:
    """`python -m module *arguments`, ready for use. Raises `RuntimeError` if it ends before it is."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
        )
        try:
            self.facts = self._answer()
        except BaseException:
            self.end()
            raise

    def ask(self, **question: Any) -> dict[str, Any]:
        """Send a question and wait for its answer."""
        self.tell(**question)
        return self._answer()

    def tell(self, **question: Any) -> None:
        """Send a question; `answer` fetches what comes of it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """The answer to the oldest question that was told."""
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.module} ended before it answered; its own error is above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        """Close its input, and end it by force if that does not suffice."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended already
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def say(**facts: Any) -> None:
    """In a child: one line to the harness."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def end_with_parent() -> None:
    """In a child: end this process as soon as its standard input closes."""
    threading.Thread(target=_until_closed, name="parent", daemon=True).start()


def _until_closed() -> None:
    sys.stdin.read()
    os._exit(0)
