"""Keys that are pressed in the terminal, without the return key and without waiting for one."""

from __future__ import annotations

import os
import sys

from typing_extensions import Self

if sys.platform == "win32":
    import msvcrt
else:
    import select
    import termios
    import tty


class Keys:
    """Within `with`, `pressed` gives what was typed; nothing where there is no keyboard."""

    def __init__(self) -> None:
        self._is_typed_at = sys.stdin is not None and sys.stdin.isatty()

    if sys.platform == "win32":

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *reason: object) -> None:
            pass

        def pressed(self) -> str:
            """What was typed since it was last asked for."""
            found = ""
            while self._is_typed_at and msvcrt.kbhit():
                found += msvcrt.getwch()
            return found

    else:

        def __enter__(self) -> Self:
            if self._is_typed_at:
                self._before = termios.tcgetattr(sys.stdin)
                tty.setcbreak(sys.stdin)
            return self

        def __exit__(self, *reason: object) -> None:
            if self._is_typed_at:
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

        def pressed(self) -> str:
            """What was typed since it was last asked for."""
            if self._is_typed_at and select.select([sys.stdin], [], [], 0)[0]:
                found = os.read(sys.stdin.fileno(), 1024).decode("utf-8", "replace")
                self._is_typed_at = bool(found)  # nothing: the terminal has gone
                return found
            return ""
