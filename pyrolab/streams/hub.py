"""Where the streams of a process leave it: one port for all its subscribers, and one thread that sends.

It listens as soon as somebody has subscribed, at the address that leads to the broker. Whoever attaches shows
the ticket that the call which subscribed was answered with; everybody else gets nothing.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgpack
import zmq

from pyrolab.errors import ProtocolError, SerializeError
from pyrolab.link.frames import POLLIN, events, receive_message, send_frames
from pyrolab.link.sockets import address_towards, hasten_local, new_listener
from pyrolab.protocol.envelope import Envelope, Kind, check_frames, parse
from pyrolab.protocol.names import Location
from pyrolab.streams import memory
from pyrolab.streams.bell import Bell
from pyrolab.streams.feeds import Feed
from pyrolab.streams.options import Options, Ticket, as_mapping
from pyrolab.streams.publisher import Publisher
from pyrolab.streams.relayed import RelayRoad, Shipment
from pyrolab.streams.tickets import Tickets
from pyrolab.streams.viewers import DirectRoad, Header, Viewer, refusal_body
from pyrolab.streams.workshop import Workshop

log = logging.getLogger("pyrolab.streams")

#: What a viewer sends is small.
_MAX_REQUEST_BYTES = 65536
_HEARTBEAT_S, _SILENCE_S = 2.0, 7.0
_NAP_S = 0.25
#: How many messages are read before frames are sent again.
_AT_A_TIME = 64


class Hub:
    """The streams of one process, on their way to all who have subscribed.

    `about` says what the HELLO of a relay through the broker at `location` says: whose it is.
    """

    def __init__(self, location: Location, name: str, about: Callable[[], dict[str, Any]]) -> None:
        self._location = location
        self._relay = RelayRoad(location, name, about)
        self._starting = threading.Lock()
        self._tickets = Tickets()
        self._roused: deque[Viewer] = deque()
        self._tasks: deque[Callable[[], object]] = deque()
        self._direct: dict[bytes, Viewer] = {}
        self._thread: threading.Thread | None = None
        self._endpoint: Location | None = None
        self._probe: memory.Segment | None = None
        self._asleep = False
        self._ending = False
        self._workshop = Workshop(self._rouse)

    # -- from any thread ---------------------------------------------------------------------------------

    def admit(self, publisher: Publisher, options: Options, relayed: bool) -> Ticket:
        """A ticket for a new subscriber of `publisher`; with `relayed`, for one that comes by the broker."""
        self._start()
        secret = self._tickets.issue(publisher, options)
        relay = self._relay_session() if relayed else 0
        probe = self._probe.reference if self._probe is not None else None
        return Ticket(secret, self._endpoint, memory.here(), probe, relay)

    def close_publisher(self, publisher: Publisher, why: str) -> None:
        """A stream has ended: so do its subscriptions."""
        self._tickets.cancel(publisher)
        publisher.close()
        self._do(lambda: self._dismiss_all(publisher, "gone", why))

    def fail(self, publisher: Publisher, why: str) -> None:
        """The source of a stream could not be started: tell those who wait for it."""
        self._do(lambda: self._dismiss_all(publisher, "failed", why))

    def close(self) -> None:
        """End all subscriptions, and the thread."""
        self._ending = True
        self._wake()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(5)
        self._workshop.close()

    def _do(self, task: Callable[[], object]) -> None:
        """Have something done in the hub's thread, if there is one."""
        if self._thread is not None:
            self._tasks.append(task)
            self._wake()

    def _rouse(self, viewer: Viewer) -> None:
        """There is something to send to a viewer."""
        self._roused.append(viewer)
        if self._asleep:
            self._wake()

    def _wake(self) -> None:
        if self._thread is not None:
            self._asleep = False
            self._bell.ring()

    # -- its thread --------------------------------------------------------------------------------------

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None:
                return
            host = address_towards(self._location)
            self._router = new_listener(host, 0, _MAX_REQUEST_BYTES, _HEARTBEAT_S, _SILENCE_S)
            self._router.setsockopt(zmq.SNDHWM, 1000)
            bound = self._router.getsockopt_string(zmq.LAST_ENDPOINT)
            self._endpoint = Location(host, int(bound.rpartition(":")[2]))
            self._road = DirectRoad(self._router)
            self._bell = Bell()
            try:
                self._probe = memory.create(1)
            except OSError as error:
                log.warning("frames go by the network on this computer, too: %s", error)
            self._thread = threading.Thread(target=self._run, name="pyrolab-streams", daemon=True)
            self._thread.start()

    def _relay_session(self) -> int:
        """The session of the connection to the broker for those who cannot come straight here."""
        opened = threading.Event()

        def open_relay() -> None:
            self._relay.open()
            opened.set()

        self._do(open_relay)
        opened.wait(5)
        return self._relay.session

    def _run(self) -> None:
        try:
            while not self._ending:
                self._round()
            self._farewell()
        except Exception:
            log.exception("no more frames can be sent from here")
        finally:
            for viewer in [*self._direct.values(), *self._relay.viewers.values()]:
                viewer.leave()
            self._router.close(200)
            self._relay.close()
            self._bell.close()

    def _round(self) -> None:
        self._sleep()
        while self._tasks:
            self._tasks.popleft()()
        self._read_direct()
        self._relay.read(self._heard, self._left)
        self._send_frames()
        self._tell_tallies()

    def _sleep(self) -> None:
        """Until something comes, or is to be sent."""
        self._asleep = True
        if self._roused or self._tasks or self._ending or events(self._router) & POLLIN:
            self._asleep = False
            return
        self._bell.wait([self._router, *self._relay.sockets], _NAP_S)
        self._asleep = False

    # -- what comes --------------------------------------------------------------------------------------

    def _read_direct(self) -> None:
        for _ in range(_AT_A_TIME):
            try:
                peer = self._router.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            header, frames = receive_message(self._router)
            try:
                envelope = parse(header)
                check_frames(envelope, frames)
            except ProtocolError as error:
                self._answer(peer, Header(Kind.REFUSED), [refusal_body("protocol", str(error))])
                continue
            self._see_to(peer, envelope, frames)

    def _see_to(self, peer: bytes, envelope: Envelope, frames: list[Any]) -> None:
        viewer = self._direct.get(peer)
        if envelope.kind == Kind.HELLO:
            if viewer is None:
                hasten_local(frames[0].get(zmq.SRCFD))
                viewer = self._direct[peer] = Viewer(self._road, peer, secrets.randbits(63) or 1)
            welcome = {"broker": "", "version": 1, "heartbeat_s": _HEARTBEAT_S, "silence_s": _SILENCE_S}
            self._answer(peer, Header(Kind.WELCOME), [msgpack.packb(welcome)], viewer.session)
        elif viewer is None:
            self._answer(peer, Header(Kind.REFUSED), [refusal_body("protocol", "say HELLO first")])
        elif envelope.kind == Kind.PING:
            self._answer(peer, Header(Kind.PONG, envelope.call), [], viewer.session)
        elif envelope.kind == Kind.BYE:
            self._answer(peer, Header(Kind.BYE, envelope.call), [], viewer.session)
            self._left(viewer)
        else:
            self._heard(viewer, envelope, frames)

    def _answer(self, peer: bytes, header: Header, frames: Sequence[Any], session: int = 0) -> None:
        try:
            send_frames(self._router, [header.packed(session), *frames], peer)
        except zmq.ZMQError:
            pass  # it has gone: the next tally finds that out

    def _heard(self, viewer: Viewer, envelope: Envelope, frames: list[Any]) -> None:
        """A message of a viewer, whichever way it came; whatever is wrong with it, the others go on."""
        viewer.heard()
        try:
            self._see_to_stream(viewer, envelope, frames)
        except Exception:
            log.exception("a message of kind %d of a viewer could not be seen to", envelope.kind)

    def _see_to_stream(self, viewer: Viewer, envelope: Envelope, frames: list[Any]) -> None:
        match envelope.kind:
            case Kind.ATTACH:
                self._attach(viewer, frames[0])
            case Kind.CREDIT if viewer.feed is not None and viewer.publisher is not None:
                viewer.publisher.granted(viewer.feed, envelope.number, envelope.call)
                self._roused.append(viewer)
            case Kind.DETACH if viewer.feed is not None:
                last = viewer.tally(Kind.DETACH)
                viewer.leave()
                viewer.road.send([viewer], last, [])
            case _:
                pass

    def _attach(self, viewer: Viewer, body: Any) -> None:
        try:
            said = as_mapping(msgpack.unpackb(memoryview(body), max_map_len=16))
            publisher, options = self._tickets.redeem(said.get("ticket"))
        except (ValueError, TypeError, KeyError, ProtocolError, RecursionError, msgpack.UnpackException):
            self._dismiss(viewer, "denied", "this ticket is not known here; subscribe again")
            return
        viewer.leave()
        local = said.get("local") is True
        viewer.feed = Feed(options, publisher.buffer, publisher.patience_s > 0, local)
        viewer.publisher = publisher
        publisher.add(viewer.feed, lambda: self._rouse(viewer))
        self._tell(viewer, time.monotonic())

    # -- what goes ---------------------------------------------------------------------------------------

    def _send_frames(self) -> None:
        """Send what can be sent; what several want by way of the broker goes there once."""
        shipment = Shipment()
        for viewer in self._take_roused():
            while (made := self._next_message(viewer)) is not None:
                header, frames = made
                if viewer.road.shares:
                    shipment.add(viewer, header, frames)
                else:
                    self._drop(viewer.road.send([viewer], header, frames))
        for header, frames, viewers in shipment:
            self._drop(self._relay.send(viewers, header, frames))

    def _take_roused(self) -> list[Viewer]:
        found = dict.fromkeys(self._roused.popleft() for _ in range(len(self._roused)))
        return list(found)

    def _next_message(self, viewer: Viewer) -> tuple[Header, Sequence[Any]] | None:
        """The next frame of a viewer, as it is sent; None if there is none, or it is not worked out yet."""
        feed, publisher = viewer.feed, viewer.publisher
        if feed is None or publisher is None:
            return None
        taken = viewer.working or publisher.taken(feed)
        if taken is None:
            if feed.is_at_its_end:
                self._break(viewer, feed, publisher)
            return None
        frame, skipped = taken
        stays = feed.is_local and frame.is_shared
        try:
            message = frame.shared_message() if stays else frame.ready_message(feed.variant)
        except (ValueError, ImportError, SerializeError) as error:
            self._dismiss(viewer, "failed", f"{publisher.name}: {error}")
            return None
        if message is None:
            viewer.working = taken
            self._workshop.order(frame, feed.variant, viewer)
            return None
        viewer.working = None
        body, buffers = message
        header = Header(Kind.FRAME, frame.sequence, skipped, publisher.epoch, len(buffers))
        return header, [body, *buffers]

    def _break(self, viewer: Viewer, feed: Feed, publisher: Publisher) -> None:
        first, last = feed.broken_at, publisher.published
        text = (
            f"{publisher.name}: frames {first} to {last} are lost: {publisher.buffer} were waiting for this "
            "subscriber, and the publisher could not wait longer; read faster, or take policy 'queue'"
        )
        self._dismiss(viewer, "frames-lost", text, first=first, last=last)

    def _dismiss(self, viewer: Viewer, code: str, text: str, **fields: Any) -> None:
        viewer.leave()
        viewer.road.send([viewer], Header(Kind.REFUSED), [refusal_body(code, text, **fields)])

    def _dismiss_all(self, publisher: Publisher, code: str, why: str) -> None:
        for viewer in self._viewers():
            if viewer.publisher is publisher:
                self._dismiss(viewer, code, why)

    def _viewers(self) -> list[Viewer]:
        return [*self._direct.values(), *self._relay.viewers.values()]

    def _tell_tallies(self) -> None:
        """Say how many frames there have been, which shows as well who is not there any more."""
        now = time.monotonic()
        for viewer in self._viewers():
            if viewer.feed is not None and now >= viewer.tally_at:
                self._tell(viewer, now)

    def _tell(self, viewer: Viewer, now: float) -> None:
        viewer.tell_again(now)
        self._drop(viewer.road.send([viewer], viewer.tally(), []))

    def _drop(self, viewers: Sequence[Viewer]) -> None:
        for viewer in viewers:
            self._left(viewer)

    def _left(self, viewer: Viewer) -> None:
        viewer.leave()
        self._direct.pop(viewer.key, None)
        self._relay.viewers.pop(viewer.key, None)

    def _farewell(self) -> None:
        for viewer in self._viewers():
            if viewer.feed is not None:
                self._dismiss(viewer, "gone", "the process that publishes this stream is ending")
