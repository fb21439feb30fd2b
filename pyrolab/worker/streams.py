"""The streams of one service: who may subscribe to what, and when a source starts and stops."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyrolab.errors import DaemonError, ProtocolError
from pyrolab.protocol.call_body import Step
from pyrolab.worker import attributes
from pyrolab.worker.views import QUEUES, Views, not_offered

if TYPE_CHECKING:
    from pyrolab.streams.hub import Hub
    from pyrolab.streams.publisher import Publisher

log = logging.getLogger("pyrolab.worker")


class Streams:
    """Of one hosted object. `subscribe` may run beside a call."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._lock = threading.Lock()
        #: The publishers to which somebody has subscribed, and for whom their instances exist (0: for all).
        self._publishers: dict[Publisher, int] = {}
        #: Of queues, with the queue, by its id.
        self._of_queues: dict[int, tuple[Any, Publisher]] = {}
        #: Where frames leave this process; made by whoever hosts the service.
        self.hub: Callable[[], Hub] | None = None
        self.in_service: Callable[[Callable[[], object]], None] = lambda act: None

    def subscribe(self, owner: Any, step: Step, session: int, said: Any) -> dict[str, Any]:
        """The ticket for a new subscription, as plain values; `session` is 0 if `owner` belongs to nobody."""
        from pyrolab.streams.compression import require
        from pyrolab.streams.options import Options

        if type(said) is not dict:
            raise ProtocolError("the options of a subscription are a map")
        view = self._views.of_class(type(owner))
        queued = self._queue_of(owner, step) if view.is_open else None
        if not isinstance(step, str) or (step not in view.streams and queued is None):
            raise not_offered(view, step, "subscribe to")
        if self.hub is None:
            raise DaemonError("the streams of an object can be had only where it is hosted")
        options = Options.from_data(said)
        try:
            require(options.variant.compression)
        except ImportError as error:
            raise ModuleNotFoundError(f"where the service runs, {error}") from None
        hub = self.hub()
        with self._lock:
            publisher: Publisher = getattr(owner, step) if queued is None else self._queued(queued, step)
            if publisher not in self._publishers:
                self._publishers[publisher] = session
                if queued is None:
                    self._let_start(hub, publisher, owner, step)
        return hub.admit(publisher, options, said.get("relay") is True).to_data()

    def _queue_of(self, owner: Any, step: Step) -> Any:
        """The queue that an object without any marks has in this attribute; None if it has none."""
        if not isinstance(step, str) or step not in attributes.public_names(owner):
            return None
        value = getattr(owner, step)
        return value if isinstance(value, QUEUES) else None

    def _queued(self, items: Any, name: str) -> Publisher:
        from pyrolab.worker.queues import publisher_of

        found = self._of_queues.get(id(items))
        if found is None:
            found = self._of_queues[id(items)] = (items, publisher_of(items, name))
        return found[1]

    def _let_start(self, hub: Hub, publisher: Publisher, owner: Any, name: str) -> None:
        """Have the source start and stop when it is wanted, in the service's own thread."""
        declared = getattr(type(owner), name)
        if not publisher.described.on_demand:
            return

        def turn(starts: bool) -> None:
            if publisher.wanted is not starts:
                return  # it has changed again since
            hook = declared.hook(owner, starts)
            try:
                if hook is not None:
                    hook()
            except Exception as error:
                log.exception("%s could not be %s", name, "started" if starts else "stopped")
                if starts:
                    hub.fail(publisher, f"{name} could not be started: {type(error).__name__}: {error}")

        publisher.on_demand = lambda starts: self.in_service(lambda: turn(starts))

    def end_session(self, session: int) -> None:
        """A client has gone, and with it the instance that was made for it."""
        self._close([each for each, whose in self._publishers.items() if whose == session])

    def close(self) -> None:
        """The service is hosted no longer."""
        self._close(list(self._publishers))

    def _close(self, publishers: list[Publisher]) -> None:
        for publisher in publishers:
            with self._lock:
                self._publishers.pop(publisher, None)
                kept = self._of_queues.items()
                self._of_queues = {key: each for key, each in kept if each[1] is not publisher}
            if self.hub is not None:
                self.hub().close_publisher(publisher, "the service that publishes this stream has ended")
