"""Functions of clients that services call back: questions that go out, and their answers.

A client passes a function as an argument; the service gets a `RemoteCallable`. Calling it sends a question
to the client over the connection that is there anyway, and waits. It ends with the client, with the call in
whose course it is asked, and with the connection; it never waits for somebody who has gone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from pyrolab.errors import (
    CallCancelled,
    CallTimedOut,
    ConnectionClosedError,
    ProtocolError,
    SerializeError,
    ServiceGone,
)
from pyrolab.link.link import refusal
from pyrolab.protocol import codec
from pyrolab.protocol.envelope import Envelope, Flag, Kind, pack
from pyrolab.protocol.exceptions import unpack_exception
from pyrolab.worker.context import CurrentCall

#: Nothing wakes a thread that waits for an answer so late, unless nothing at all happens.
_LOOK_S = 1.0


class Question:
    """A question that is out; `answered` once `kind` and `frames`, or `error`, say how it ended."""

    def __init__(self, session: int) -> None:
        self.session = session
        self.answered = threading.Event()
        self.kind = 0
        self.frames: list[Any] = []
        self.error: Exception | None = None

    def settle(self, kind: int, frames: list[Any]) -> None:
        """The client has answered."""
        self.kind, self.frames = kind, frames
        self.answered.set()

    def fail(self, error: Exception) -> None:
        """There will be no answer."""
        self.error = error
        self.answered.set()

    def value(self) -> Any:
        """The answer. Raises what the function raised, or why there is no answer."""
        if self.error is not None:
            raise self.error
        if self.kind == Kind.REFUSED:
            raise _as_ended(refusal(self.frames[0]))
        value = codec.decode(self.frames[0], self.frames[1:])
        if self.kind == Kind.RAISED:
            raise unpack_exception(value)
        return value


def _as_ended(error: Exception) -> Exception:
    """That nobody is there any longer is the end of a connection to whoever calls a client's function."""
    if isinstance(error, ServiceGone):
        return ConnectionClosedError(f"the client whose function this is has gone: {error}")
    return error


class Post(Protocol):
    """The connection over which questions go out."""

    def send(self, frames: Sequence[Any]) -> bool:
        """Send now; whether there is a connection."""
        ...

    def read_until(self, question: Question, timeout_s: float) -> None:
        """Read the connection if nobody else does, else wait; return when answered, or after a while."""


class Questions:
    """All questions of a worker that are out."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._open: dict[tuple[int, int], Question] = {}
        self._newest = 0
        self._lock = threading.Lock()

    def ask(self, object_id: bytes, session: int, body: Any, current: CurrentCall | None) -> Any:
        """Ask a client; returns the answer. `current` is the call in whose course this is asked, if any."""
        question = Question(session)
        with self._lock:
            self._newest += 1
            number = self._newest
            self._open[session, number] = question
        try:
            self._send(object_id, session, number, body, current)
            self._await(question, current)
            return question.value()
        finally:
            self._open.pop((session, number), None)

    def _send(
        self,
        object_id: bytes,
        session: int,
        number: int,
        body: Any,
        current: CurrentCall | None,
        flags: int = Flag.NONE,
    ) -> None:
        packed, buffers = codec.encode(body, path="args")
        token = current.number if current is not None else 0
        header = pack(Kind.ASK, flags, len(buffers), session, number, token=token, target=object_id)
        if not self._post.send([header, packed, *buffers]):
            raise ConnectionClosedError("there is no connection to the broker, so the client cannot be asked")

    def _await(self, question: Question, current: CurrentCall | None) -> None:
        if current is not None:
            current.on_cancel(lambda: question.fail(CallCancelled("the client no longer wants an answer")))
        deadline = current.deadline if current is not None else None
        while not question.answered.is_set():
            remaining = _LOOK_S if deadline is None else deadline - time.monotonic()
            if remaining <= 0:
                raise CallTimedOut("the call's deadline passed while its client's function was running")
            self._post.read_until(question, min(remaining, _LOOK_S))

    def let_go(self, object_id: bytes, session: int, number: int) -> None:
        """Tell a client that one of its functions is needed no longer."""
        try:
            self._send(object_id, session, 0, [number, "drop", [], {}], None, Flag.ONEWAY)
        except (ConnectionClosedError, SerializeError):
            pass  # then its client knows already

    def answered(self, envelope: Envelope, frames: list[Any]) -> bool:
        """A message about a question has come; whether there is such a question."""
        question = self._open.get((envelope.session, envelope.call))
        if question is not None:
            question.settle(envelope.kind, frames)
        return question is not None

    def session_ended(self, session: int) -> None:
        """A client has gone: it answers no longer."""
        for (asked, _), question in list(self._open.items()):
            if asked == session:
                question.fail(ConnectionClosedError("the client whose function this is has gone"))

    def lost(self) -> None:
        """The connection has gone, and with it every session."""
        for question in list(self._open.values()):
            question.fail(ConnectionClosedError("the connection to the broker was lost during a callback"))


class RemoteCallable:
    """A function of a client. Calling it runs it there; raises what it raises, or `ConnectionClosedError`."""

    def __init__(self, name: str, ask: Callable[[list[Any]], Any], let_go: Callable[[], None]) -> None:
        self.__name__ = self.__qualname__ = name
        self._ask = ask
        self._let_go = let_go

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it at the client."""
        return self._ask(["call", list(args), kwargs])

    def __repr__(self) -> str:
        return f"<function {self.__name__} of a client>"

    def __del__(self) -> None:
        if hasattr(self, "_let_go"):
            self._let_go()


def read_reference(data: Any) -> tuple[int, str]:
    """The number and name in a reference to a client's function. Raises `ProtocolError`."""
    if type(data) is not list or len(data) != 2 or type(data[0]) is not int or type(data[1]) is not str:
        raise ProtocolError("a function is referred to by a number and a name")
    return data[0], data[1][:100]
