"""Functions that a client has passed to a service, and the service's questions to them.

They run in a thread of their own, in the order of the questions. A function is kept until the service lets it
go or the connection ends.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Any

import msgpack

from pyrolab.client.runner import Runner
from pyrolab.errors import CommunicationError, ProtocolError, SerializeError
from pyrolab.link import waiting
from pyrolab.protocol.codec import Codec
from pyrolab.protocol.envelope import Envelope, Flag, Kind
from pyrolab.protocol.exceptions import pack_exception
from pyrolab.protocol.names import CALLBACK_MARK

log = logging.getLogger("pyrolab.client")

#: Sends an answer: the question, the kind of the answer, and its frames.
Reply = Callable[[Envelope, Kind, list[Any]], None]


class Callables:
    """The functions of one attachment that its service may call."""

    def __init__(self) -> None:
        self._functions: dict[int, Callable[..., Any]] = {}
        #: What was offered and has not gone out yet.
        self.unsent: list[int] = []
        self._of_session: dict[int, set[int]] = {}
        self._runner = Runner("pyrolab-callbacks")

    def __len__(self) -> int:
        return len(self._functions)

    def offer(self, function: Callable[..., Any]) -> int:
        """Let the service call a function; returns the number by which it refers to it."""
        number = secrets.randbits(63)
        self._functions[number] = function
        self.unsent.append(number)
        return number

    def sent(self, session: int) -> None:
        """What was offered goes out in this session now."""
        while self.unsent:
            self._of_session.setdefault(session, set()).add(self.unsent.pop())

    def session_ended(self, session: int) -> None:
        """The service of this session will ask no more."""
        for number in self._of_session.pop(session, ()):
            self._functions.pop(number, None)

    def asked(self, envelope: Envelope, frames: list[Any], codec: Codec, service: str, reply: Reply) -> None:
        """A question has come; it is answered soon, in another thread."""
        self._runner.put(lambda: self._answer(envelope, frames, codec, service, reply))

    def _answer(
        self, envelope: Envelope, frames: list[Any], codec: Codec, service: str, reply: Reply
    ) -> None:
        try:
            number, verb, args, kwargs = _question(codec.decode(frames[0], frames[1:]))
        except ProtocolError as error:
            reply(envelope, Kind.RAISED, _packed_error(error, codec))
            return
        if verb == "drop":
            self._functions.pop(number, None)
            return
        function = self._functions.get(number)
        if function is None:
            refused = {"code": "gone", "text": "the client does not have this function any longer"}
            reply(envelope, Kind.REFUSED, [msgpack.packb(refused)])
            return
        with waiting.waits(service if envelope.token else None):
            kind, answer = _outcome(function, args, kwargs, codec)
        if not envelope.flags & Flag.ONEWAY:
            try:
                reply(envelope, kind, answer)
            except CommunicationError:
                log.info("the answer of %r found nobody: the connection has ended", function)


def _question(data: Any) -> tuple[int, str, list[Any], dict[str, Any]]:
    if type(data) is not list or [type(part) for part in data] != [int, str, list, dict]:
        raise ProtocolError("a question is an array of a number, a verb, arguments and keyword arguments")
    number, verb, args, kwargs = data
    return number, verb, args, kwargs


def _outcome(
    function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], codec: Codec
) -> tuple[Kind, list[Any]]:
    try:
        body, buffers = codec.encode(function(*args, **kwargs), path=f"the result of {function!r:.100}")
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        if getattr(function, CALLBACK_MARK, False):
            log.exception("%r failed when a service called it", function)
        return Kind.RAISED, _packed_error(error, codec)
    return Kind.RESULT, [body, *buffers]


def _packed_error(error: BaseException, codec: Codec) -> list[Any]:
    try:
        body, buffers = codec.encode(pack_exception(error))
    except SerializeError:
        body, buffers = codec.encode(pack_exception(RuntimeError(str(error))))
    return [body, *buffers]
