"""Taps: the moments at which one process of a brokered call takes a message, hands it on, or does its work.

They are put around PyroLab's own functions and pyzmq's sockets, in the processes of `profile_call` only.
`perf_counter_ns` reads one clock for all processes of a computer, so that moments can be set side by side.
"""

from __future__ import annotations

import cProfile
import functools
import io
import pstats
import threading
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import zmq

from pyrolab.link import frames

#: (when in ns, what)
Moment = tuple[int, str]

#: The beginning and end of a message's sending, its first frame's arrival, the end of a sleep.
SEND, SENT, GOT, WOKE = "send", "sent", "got", "woke"
ENTER, LEAVE = "enter", "leave"
CALL, DONE = "call", "done"


class Tape:
    """The moments of this process, as they come."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []

    def mark(self, what: str) -> None:
        """Note a moment."""
        self.moments.append((perf_counter_ns(), what))


def tap_sockets(tape: Tape) -> None:
    """Note when messages leave and arrive, by pyzmq's own methods or by the link's short cuts past them."""
    leaving: set[int] = set()
    arriving: set[int] = set()
    for owner, send, receive in ((zmq.Socket, "send", "recv"), (frames, "_send", "_recv")):
        setattr(owner, send, _tapped_send(getattr(owner, send), tape, leaving))
        setattr(owner, receive, _tapped_receive(getattr(owner, receive), tape, arriving))


def _tapped_send(original: Callable[..., Any], tape: Tape, midway: set[int]) -> Callable[..., Any]:
    def send(socket: zmq.Socket[bytes], data: Any, flags: int = 0, *others: Any, **named: Any) -> Any:
        if id(socket) not in midway:
            tape.mark(SEND)
        (midway.add if flags & frames.SNDMORE else midway.discard)(id(socket))
        done = original(socket, data, flags, *others, **named)
        if not flags & frames.SNDMORE:
            tape.mark(SENT)
        return done

    return send


def _tapped_receive(original: Callable[..., Any], tape: Tape, midway: set[int]) -> Callable[..., Any]:
    def receive(socket: zmq.Socket[bytes], flags: int = 0, copy: bool = True, track: bool = False) -> Any:
        frame = original(socket, flags, copy=False)
        if id(socket) not in midway:
            tape.mark(GOT)
        (midway.add if frame.more else midway.discard)(id(socket))
        return frame.bytes if copy else frame

    return receive


def tap_after(owner: Any, name: str, tape: Tape, leaving: str, entering: str = "") -> None:
    """Note each return of a function, and each beginning if that has a name."""
    original: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(original)
    def tapped(*arguments: Any, **named: Any) -> Any:
        if entering:
            tape.mark(entering)
        try:
            return original(*arguments, **named)
        finally:
            tape.mark(leaving)

    setattr(owner, name, tapped)


class Profiles:
    """cProfile in every thread of this process that starts later, and in this one."""

    def __init__(self) -> None:
        self._profiles: list[cProfile.Profile] = []
        original = threading.Thread.run

        def run(thread: threading.Thread) -> None:
            self.begin()
            original(thread)

        setattr(threading.Thread, "run", run)  # noqa: B010 - a plain assignment is what mypy forbids

    def begin(self) -> None:
        """Profile this thread from now on; since Python 3.12, only the first that asks."""
        profile = cProfile.Profile(perf_counter_ns, 1e-9)
        try:
            profile.enable()
        except ValueError:
            return  # another thread is being profiled
        self._profiles.append(profile)

    def table(self, lines: int) -> str:
        """The functions that took longest themselves, over all threads."""
        text = io.StringIO()
        stats = None
        for profile in self._profiles:
            profile.create_stats()
            if stats is None:
                stats = pstats.Stats(profile, stream=text)
            else:
                stats.add(profile)
        if stats is not None:
            stats.strip_dirs().sort_stats("tottime").print_stats(lines)
        return text.getvalue()
