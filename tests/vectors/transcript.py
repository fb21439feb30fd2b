"""A conversation between a client, the broker's core and a worker, with every kind of message in it.

What a peer says is packed here; what the broker says is the core's own, with its random numbers and its clock
set by hand. `python tests/vectors/write.py` keeps it as `messages.json` and in the pages of `docs/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import msgpack
import numpy as np

from pyrolab.protocol import codec, codes
from pyrolab.protocol.envelope import Envelope, Flag, Kind, parse
from pyrolab.protocol.exceptions import pack_exception
from pyrolab.protocol.interface import EventType, Interface, Method, Parameter, Property
from pyrolab_broker.core.core import Core
from pyrolab_broker.core.events import Received, Send, Stopping, Tick
from pyrolab_broker.settings import BrokerSettings

CLIENT_SESSION = 0x5C1A6E90B7D2F348
WORKER_SESSION = 0x21F0A9C4D86B357E
LINE_SESSION = 0x6D20B1F57C98E34A
WATCH_SESSION = 0x0F8E35A2C6714BD9
SOURCE_SESSION = 0x3D51C08E9A27F46B
VIEWER_SESSION = 0x72E4A6190D5C83BF
#: What a worker's publisher gives itself.
EPOCH = 0x19C7D2E405B3A86F
WORKER_KEY = bytes.fromhex("c0ffee00c0ffee01c0ffee02c0ffee03")
OBJECT_ID = "obj_0123456789abcdef0123456789abcdef"
NAME_SERVICE = "Pyro.NameServer"

LIBRARY = Interface(
    "catalog:Library",
    "Books and how many copies of each are in.",
    {
        "checkin": Method("Bring one copy back.", (Parameter("title", "POSITIONAL_OR_KEYWORD", (), "str"),)),
        "cover": Method("A picture of the cover.", (), "np.ndarray", readonly=True),
        "reserve": Method(
            "Call ready(title) when a copy is in.",
            (Parameter("title", "POSITIONAL_OR_KEYWORD"), Parameter("ready", "POSITIONAL_OR_KEYWORD")),
        ),
    },
    {"open": Property("Whether readers may come in.", "rw")},
    {"returned": EventType("A copy is back.", ("title",))},
)
#: 64 × 64 pixels of 16 bits: 8192 bytes, so it travels beside the body.
COVER = np.arange(64 * 64, dtype="<u2").reshape(64, 64)


@dataclass(frozen=True)
class Message:
    """One message of the conversation; `frames` are those after the header."""

    name: str
    sender: str
    receiver: str
    about: str
    header: bytes
    frames: tuple[bytes, ...]

    @property
    def envelope(self) -> Envelope:
        return parse(self.header)


class Conversation:
    """Messages so far, and the broker's core that takes part."""

    def __init__(self) -> None:
        self.core = Core(BrokerSettings(), "7b4f19ac02d35e86", random_bits=lambda bits: 0x5EED)
        self.now = 86_400.0
        self.messages: list[Message] = []

    def say(
        self,
        sender: str,
        name: str,
        about: str,
        answers: dict[str, str] | None = None,
        body: bytes | None = None,
        buffers: tuple[bytes, ...] = (),
        header: bytes = b"",
        **fields: Any,
    ) -> None:
        """`sender` sends a message to the broker, which then sends `answers` (name and meaning)."""
        packed = header or Envelope(buffers=len(buffers), **fields).pack()
        frames = buffers if body is None else (body, *buffers)
        self.messages.append(Message(name, sender, "broker", about, packed, frames))
        self._take(Received(sender.encode(), packed, list(frames)), answers or {})

    def happens(self, event: Tick | Stopping, answers: dict[str, str]) -> None:
        """Something happens to the broker, which then sends `answers`."""
        self._take(event, answers)

    def _take(self, event: Any, answers: dict[str, str]) -> None:
        sent = [each for each in self.core.handle(event, self.now) if isinstance(each, Send)]
        assert len(sent) == len(answers), (sent, answers)
        for (name, about), (peer, frames) in zip(answers.items(), sent, strict=True):
            header, *rest = [bytes(frame) for frame in frames]
            self.messages.append(Message(name, "broker", peer.decode(), about, header, tuple(rest)))


def plain(**entries: Any) -> bytes:
    """A map of plain msgpack, as HELLO has it."""
    return bytes(msgpack.packb(entries))


def plain_list(*values: Any) -> bytes:
    """An array of plain msgpack."""
    return bytes(msgpack.packb(values))


def transcript() -> list[Message]:
    """The whole conversation."""
    with _fixed_sessions():
        conversation = Conversation()
        for part in (_arrive, _find, _call, _fail, _call_back, _listen, _reserve, _stop, _watch, _leave):
            part(conversation)
    return conversation.messages


@contextmanager
def _fixed_sessions() -> Iterator[None]:
    sessions = [WORKER_SESSION, CLIENT_SESSION, LINE_SESSION, WATCH_SESSION, SOURCE_SESSION, VIEWER_SESSION]
    with patch("secrets.randbits", side_effect=sessions):
        yield


def _arrive(talk: Conversation) -> None:
    about = {"name": "daemon", "user": "ada", "host": "stage-pc", "pid": 4711, "software": "pyrolab 0.1.0"}
    talk.say(
        "worker",
        "hello-worker",
        "a worker introduces itself",
        {"welcome-worker": "the broker gives it a session"},
        plain(role="worker", key=WORKER_KEY, **about),
        kind=Kind.HELLO,
        stamp=5_000,
    )
    interface, _ = codec.encode(LIBRARY.to_data())
    talk.say(
        "worker",
        "offer",
        "the worker hosts an object, one call at a time (number = credit)",
        {"offered": "the broker has taken the offer"},
        interface,
        kind=Kind.OFFER,
        session=WORKER_SESSION,
        call=1,
        stamp=5_001,
        number=1,
        target=OBJECT_ID.encode(),
    )
    talk.say(
        "client",
        "hello-client",
        "a client introduces itself",
        {"welcome-client": "the broker gives it a session and says its limits"},
        plain(role="client", user="ada", host="desk"),
        kind=Kind.HELLO,
        stamp=900,
    )


def _ask(
    call: int, *steps: str, args: tuple[Any, ...] = (), verb: str = "call", **more: Any
) -> dict[str, Any]:
    body, buffers = codec.encode_call(list(steps), args, {}, verb)
    return {
        "body": body,
        "buffers": tuple(map(bytes, buffers)),
        "kind": Kind.CALL,
        "session": CLIENT_SESSION,
        "call": call,
        "stamp": 86_400_000,
        **more,
    }


def _find(talk: Conversation) -> None:
    uri = f"PYRO:{OBJECT_ID}"
    talk.say(
        "client",
        "register",
        "a name for the object",
        {"registered": "the name service answers None"},
        **_ask(1, "register", args=("library", uri), target=NAME_SERVICE.encode()),
    )
    talk.say(
        "client",
        "lookup",
        "what does the name stand for?",
        {"lookup-answer": "a URI without a location is an object of this broker"},
        **_ask(2, "lookup", args=("library",), flags=Flag.READ, target=NAME_SERVICE.encode()),
    )
    talk.say(
        "client",
        "describe",
        "what does the object behind this name offer?",
        {"described": "its object id in the target field, its interface in the body"},
        kind=Kind.DESCRIBE,
        session=CLIENT_SESSION,
        call=3,
        stamp=86_400_000,
        target=b"PYRONAME:library",
    )
    talk.say(
        "client",
        "ping",
        "a sign of life",
        {"pong": "and one of the broker"},
        kind=Kind.PING,
        session=CLIENT_SESSION,
        stamp=2_900,
    )


def _answer(
    talk: Conversation, call: int, name: str, about: str, value: Any, kind: Kind, flags: int = 0
) -> None:
    body, buffers = codec.encode(value)
    talk.say(
        "worker",
        name,
        about,
        {f"{name}-delivered": "the same, from the broker to the client"},
        body,
        tuple(map(bytes, buffers)),
        kind=kind,
        flags=flags,
        session=CLIENT_SESSION,
        call=call,
        stamp=7_000 + call,
        target=OBJECT_ID.encode(),
    )


def _call(talk: Conversation) -> None:
    target = OBJECT_ID.encode()
    talk.say(
        "client",
        "call-property",
        "read a property, within 10 s",
        {
            "begun": "the worker hears whose calls these are, once, before the first of them",
            "call-property-delivered": "the broker hands it to the worker; stamp is the worker's own clock",
        },
        **_ask(4, "open", verb="get", flags=Flag.READ, budget_ms=10_000, target=target),
    )
    _answer(talk, 4, "result-property", "the value", True, Kind.RESULT, Flag.READ)
    talk.say(
        "client",
        "call-array",
        "a call that is answered with an array",
        {"call-array-delivered": "handed to the worker"},
        **_ask(5, "cover", flags=Flag.READ, target=target),
    )
    _answer(talk, 5, "result-array", "64 × 64 uint16, in a buffer of its own", COVER, Kind.RESULT, Flag.READ)


def _fail(talk: Conversation) -> None:
    target = OBJECT_ID.encode()
    talk.say(
        "client",
        "call-raising",
        "a call that raises",
        {"call-raising-delivered": "handed to the worker"},
        **_ask(6, "checkin", args=("Dune",), target=target),
    )
    error = pack_exception(LookupError("the library has no 'Dune'"))
    error["traceback"] = ['  File "catalog.py", line 31, in checkin\n    self._known(title)\n']
    _answer(talk, 6, "raised", "what the method raised", error, Kind.RAISED)
    talk.say(
        "client",
        "call-again",
        "a call number that was used before",
        {"refused-again": "the broker does not carry it out twice"},
        **_ask(6, "checkin", args=("Dune",), target=target),
    )
    talk.say(
        "client",
        "call-nobody",
        "a call to an object that nobody hosts",
        {"refused-gone": "it certainly did not run"},
        **_ask(7, "ping", target=b"obj_gone"),
    )
    talk.say(
        "client",
        "other-version",
        "a message of a version to come",
        {"refused-version": "answered in this version, without a call number"},
        header=b"PYRL\x02" + Envelope(Kind.CALL).pack()[5:],
    )
    talk.say(
        "client",
        "call-slow",
        "a call that takes long",
        {"call-slow-delivered": "handed to the worker"},
        **_ask(8, "checkin", args=("The Hobbit",), budget_ms=60_000, target=target),
    )
    talk.say(
        "client",
        "cancel",
        "the client gives it up",
        {"cancel-delivered": "it runs already, so the worker is told"},
        kind=Kind.CANCEL,
        session=CLIENT_SESSION,
        call=8,
    )
    body = plain(code="cancelled", text="cancelled while it waited at the worker; it did not run")
    talk.say(
        "worker",
        "refused-by-worker",
        "it had not started",
        {"refused-by-worker-delivered": "passed on to the client"},
        body,
        kind=Kind.REFUSED,
        session=CLIENT_SESSION,
        call=8,
        stamp=7_100,
    )


def _call_back(talk: Conversation) -> None:
    ready = msgpack.ExtType(codes.CALLABLE, plain_list(1, "ready"))
    talk.say(
        "client",
        "call-callback",
        "a call with a function among its arguments: number 1, named ready",
        {"call-callback-delivered": "handed to the worker"},
        **_ask(
            9,
            "reserve",
            body=plain_list(["reserve"], "call", ["Dune", ready], {}),
            target=OBJECT_ID.encode(),
        ),
    )
    talk.say(
        "worker",
        "ask",
        "in the course of call 9 (token), the worker calls the function",
        {"ask-delivered": "from the broker to the client; the target says where the answer goes"},
        plain_list(1, "call", ["Dune"], {}),
        kind=Kind.ASK,
        session=CLIENT_SESSION,
        call=1,
        stamp=7_200,
        token=9,
        target=OBJECT_ID.encode(),
    )
    talk.say(
        "client",
        "answer",
        "what the function returned; call and target are those of the question",
        {"answer-delivered": "the same, from the broker to the worker"},
        msgpack.packb("on my way"),
        kind=Kind.RESULT,
        session=CLIENT_SESSION,
        call=1,
        stamp=86_400_000,
        target=b"%016x" % WORKER_SESSION,
    )
    _answer(talk, 9, "result-callback", "the call itself is done", None, Kind.RESULT)


def _listen(talk: Conversation) -> None:
    _join(talk, 10, "returned", 1, [1, 0, 1_764_072_000.0, []])
    talk.say(
        "worker",
        "event",
        "something has happened: what is told first on topic 1, and when",
        {"event-delivered": "from the broker to every client that has joined topic 1 of this object"},
        plain_list(1, 1_764_072_001.5, ["Dune"]),
        kind=Kind.EVENT,
        session=WORKER_SESSION,
        stamp=7_300,
        number=1,
        target=OBJECT_ID.encode(),
    )
    _of_topic(talk, Kind.PART, "part", "the client does not listen any longer", 1)
    _join(talk, 11, "open", 2, [2, 0, 1_764_072_002.0, [True]])


def _join(talk: Conversation, call: int, name: str, topic: int, answer: list[Any]) -> None:
    talk.say(
        "client",
        f"call-join-{name}",
        f"the client wants to hear of {name}",
        {f"call-join-{name}-delivered": "handed to the worker"},
        **_ask(call, name, verb="join", target=OBJECT_ID.encode()),
    )
    about = f"the worker has a topic for it, number {topic}, and says who gets it; this is not answered"
    _of_topic(talk, Kind.JOIN, f"join-{name}", about, topic)
    _answer(talk, call, f"result-join-{name}", "the topic, and what is known so far", answer, Kind.RESULT)


def _of_topic(talk: Conversation, kind: Kind, name: str, about: str, topic: int) -> None:
    talk.say(
        "worker",
        name,
        about,
        kind=kind,
        session=CLIENT_SESSION,
        stamp=7_250,
        number=topic,
        target=OBJECT_ID.encode(),
    )


def _reserve(talk: Conversation) -> None:
    talk.say(
        "client",
        "reserve",
        "the client wants an object for itself, and waits for it up to 10 s",
        {"reserved": "the broker grants it; the token opens it"},
        plain(services=[OBJECT_ID], user="ada"),
        kind=Kind.RESERVE,
        session=CLIENT_SESSION,
        call=12,
        stamp=86_400_000,
        budget_ms=10_000,
    )
    token = talk.messages[-1].envelope.token
    talk.say(
        "client",
        "release",
        "the client gives it back",
        {"released": "the broker agrees"},
        kind=Kind.RELEASE,
        session=CLIENT_SESSION,
        call=13,
        stamp=86_400_000,
        token=token,
    )


def _stop(talk: Conversation) -> None:
    talk.say(
        "line",
        "hello-line",
        "the worker opens its line",
        {"welcome-line": "the broker knows its key", "reset-line": "no emergency stop is on"},
        plain(role="line", worker=WORKER_SESSION, key=WORKER_KEY),
        kind=Kind.HELLO,
        stamp=7_400,
    )
    talk.say(
        "watch",
        "hello-watch",
        "the supervisor of a computer introduces itself",
        {"welcome-watch": "the broker gives it a session", "reset-watch-new": "no emergency stop is on"},
        plain(role="watch", name="supervisor", host="stage-pc", pid=4700),
        kind=Kind.HELLO,
        stamp=61_000,
    )
    talk.say(
        "watch",
        "report",
        "what the watch sees of a process on its computer; this is not answered",
        {},
        plain(pid=4711, state="responsive", for_s=0.0, name="daemon"),
        kind=Kind.REPORT,
        session=WATCH_SESSION,
        stamp=61_001,
    )
    body, _ = codec.encode_call(["emergency_stop"], ("smoke",), {"user": "ada"})
    talk.say(
        "client",
        "call-emergency-stop",
        "the client stops everything",
        {"stop-line": "the line hears first", "stop-watch": "so does the watch"},
        body,
        kind=Kind.CALL,
        session=CLIENT_SESSION,
        call=14,
        stamp=86_400_000,
        target=NAME_SERVICE.encode(),
    )
    talk.say(
        "line",
        "stopped",
        "the stop hook of the object runs now",
        {"result-emergency-stop": "all hooks have begun"},
        plain(state="begun", hook="stop", text=""),
        kind=Kind.STOPPED,
        session=LINE_SESSION,
        stamp=7_401,
        number=talk.messages[-1].envelope.number,
        target=OBJECT_ID.encode(),
    )
    talk.say(
        "client",
        "call-reset",
        "all is safe again",
        {
            "reset-worker": "calls may run, so the worker hears",
            "reset-line-again": "also by its line",
            "reset-watch": "so the watch hears",
            "result-reset": "there was a stop",
        },
        codec.encode_call(["reset_emergency_stop"], (), {})[0],
        kind=Kind.CALL,
        session=CLIENT_SESSION,
        call=15,
        stamp=86_400_000,
        target=NAME_SERVICE.encode(),
    )


def _watch(talk: Conversation) -> None:
    """Frames go by way of the broker."""
    source, viewer = b"%016x" % SOURCE_SESSION, b"%016x" % VIEWER_SESSION
    talk.say(
        "source",
        "hello-source",
        "the worker opens a connection for its streams",
        {"welcome-source": "the broker gives it a session"},
        plain(role="source", worker=WORKER_SESSION, key=WORKER_KEY),
        kind=Kind.HELLO,
        stamp=8_000,
    )
    talk.say(
        "viewer",
        "hello-viewer",
        "somebody comes to watch; its ticket it has from a call",
        {"welcome-viewer": "the broker gives it a session"},
        plain(role="viewer"),
        kind=Kind.HELLO,
        stamp=910,
    )
    ticket = plain(ticket=bytes(range(16)), local=False)
    _pass(
        talk, "viewer", "attach", "it shows its ticket to the source", ticket, kind=Kind.ATTACH, target=source
    )
    of_stream: dict[str, Any] = {"token": EPOCH, "target": viewer}
    _pass(
        talk, "source", "tally", "41 frames have been published", None, kind=Kind.TALLY, call=41, **of_stream
    )
    _pass(talk, "viewer", "credit", "it can take one frame", None, kind=Kind.CREDIT, number=1, target=source)
    body, buffers = codec.encode([1_790_000_000.5, {"exposure_ms": 90}, ["value", COVER]])
    _pass(
        talk,
        "source",
        "frame",
        "frame 42, 64 × 64 uint16, in a buffer of its own",
        body,
        *map(bytes, buffers),
        kind=Kind.FRAME,
        call=42,
        **of_stream,
    )
    _pass(talk, "viewer", "detach", "it has seen enough", None, kind=Kind.DETACH, target=source)
    _pass(talk, "source", "detach-answer", "43 there were", None, kind=Kind.DETACH, call=43, **of_stream)
    talk.say(
        "viewer",
        "bye-viewer",
        "the viewer leaves",
        {"ended-viewer": "its source is told", "bye-viewer-answer": "the broker agrees"},
        kind=Kind.BYE,
        session=VIEWER_SESSION,
    )


def _pass(
    talk: Conversation, sender: str, name: str, about: str, body: bytes | None, *buffers: bytes, **fields: Any
) -> None:
    to = "source" if sender == "viewer" else "viewer"
    talk.say(sender, name, about, {f"{name}-delivered": f"the same, to the {to}"}, body, buffers, **fields)


def _leave(talk: Conversation) -> None:
    talk.say(
        "worker",
        "withdraw",
        "the worker hosts the object no longer; this is not answered",
        {"ended-service": "the clients that had joined its topics are told"},
        kind=Kind.WITHDRAW,
        session=WORKER_SESSION,
        target=OBJECT_ID.encode(),
    )
    talk.say(
        "client",
        "bye",
        "the client leaves",
        {"ended": "the workers that have seen its calls are told", "bye-answer": "the broker agrees"},
        kind=Kind.BYE,
        session=CLIENT_SESSION,
    )
    talk.now += 1
    about = "the broker ends"
    names = ("bye-broker", "bye-broker-line", "bye-broker-watch", "bye-broker-source")
    talk.happens(Stopping(), dict.fromkeys(names, about))
