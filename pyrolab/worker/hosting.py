"""One hosted object: what it offers, its instances, and what is kept for its clients.

It knows nothing of connections. Instances are made, and closed, in the service's own thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyrolab.protocol.interface import Interface
from pyrolab.protocol.names import Location
from pyrolab.worker.context import Client
from pyrolab.worker.exposure import Behavior, behavior_of
from pyrolab.worker.held import Held
from pyrolab.worker.instances import Instances, end
from pyrolab.worker.premises import Premises
from pyrolab.worker.stand_ins import StandIns
from pyrolab.worker.stop_hooks import stop_hook_of
from pyrolab.worker.streams import Streams
from pyrolab.worker.topics import Topics
from pyrolab.worker.turn import this_turn
from pyrolab.worker.views import Views


class Hosted:
    """An object, or a class whose instances are made as its behavior says."""

    def __init__(
        self,
        object_id: str,
        subject: Any,
        location: Location,
        behavior: Behavior | None = None,
        *,
        weak: bool = False,
        premises: Premises | None = None,
    ) -> None:
        self.object_id = object_id
        cls = subject if isinstance(subject, type) else type(subject)
        self.behavior = behavior or behavior_of(cls)
        self.premises = premises or Premises()
        self._latch, self._recorder = self.premises.latch, self.premises.recorder
        self.instances = Instances(subject, self.behavior, weak)
        self.views = Views(self.behavior.exposure)
        self.interface: Interface = self.views.of_class(cls)
        self.held = Held()
        #: What a daemon adds to each answer; None if it adds nothing.
        self.annotations: Callable[[], dict[str, bytes]] | None = None
        self.on_session_ended: list[Callable[[Client], None]] = []
        #: Told why the instance cannot be had, and with "" when it can.
        self.on_offline: Callable[[str], object] = lambda reason: None
        self.topics = Topics(self.views)
        self.streams = Streams(self.views)
        self.stand_ins = StandIns(
            self.views,
            location,
            hold=lambda value: this_turn().hold(value),
            find=lambda steps: this_turn().reach(steps),
        )
        self.codec = self.stand_ins.codec
        #: The highest token that a call has come with, for a broker that may have forgotten it.
        self.fence = 0
        self._stop_hooks = {cls: stop_hook_of(cls)}

    def stop_hook_of(self, instance: Any) -> str:
        """The name of the method of an instance that an emergency stop calls; empty if there is none."""
        cls = type(instance)
        found = self._stop_hooks.get(cls)
        if found is None:
            found = self._stop_hooks[cls] = stop_hook_of(cls)
        return found

    @property
    def is_watched(self) -> bool:
        """Whether there is more to a call that may change something than to carry it out."""
        return self._recorder.trail is not None or self._latch.stop is not None

    def session_ended(self, client: Client) -> None:
        """A client has gone: end whatever was made, held or tracked for it."""
        self.topics.end_session(client.session)
        self.streams.end_session(client.session)
        self.held.end_session(client.session)
        for tell in self.on_session_ended:
            tell(client)
        for resource in list(client.tracked_resources):
            end(resource)
        self.instances.session_ended(client.session)

    def close(self) -> None:
        """End all that is kept for clients, and all instances that were made here."""
        for session in {*self.held.sessions, *self.topics.sessions}:
            self.session_ended(Client(session))
        self.streams.close()
        self.instances.close()
