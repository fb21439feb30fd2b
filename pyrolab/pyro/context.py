"""`current_context`: what is known of the call that runs here, and what goes with calls made from here.

Each thread and each asyncio task has its own. In a service it is about the call that is carried out, and
what came with it goes on with the calls that the service makes itself.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID
from weakref import WeakSet

from pyrolab.errors import PyroError
from pyrolab.link import context as travelling
from pyrolab.worker.context import Client, CurrentCall, current_call, enter_call


class CallContext:
    """Looks at the context of the thread or task that asks; `current_context` is the only one."""

    __slots__ = ()

    #: There is no socket to a client: calls come through the broker.
    client_sock_addr: None = None
    msg_flags: int = 0
    serializer_id: int = 0

    @property
    def client(self) -> Client | None:
        """Who calls; None outside of a call."""
        call = _call()
        return None if call is None else call.client

    @property
    def seq(self) -> int:
        """The number of the call in its client's session; 0 outside of a call."""
        call = _call()
        return 0 if call is None else call.number

    @property
    def correlation_id(self) -> UUID | None:
        """Names what calls belong together; travels with each call and those that follow from it."""
        return travelling.correlation_id.get()

    @correlation_id.setter
    def correlation_id(self, identity: UUID | None) -> None:
        travelling.correlation_id.set(identity)

    @property
    def annotations(self) -> dict[str, bytes]:
        """Bytes by name. In a service: what came with the call. They go with each call made from here."""
        return _kept_in(travelling.call_annotations)

    @annotations.setter
    def annotations(self, notes: dict[str, bytes]) -> None:
        travelling.call_annotations.set(notes)

    @property
    def response_annotations(self) -> dict[str, bytes]:
        """In a service: what goes with the answer. In a client: what came with the last answer."""
        return _kept_in(travelling.response_annotations)

    @response_annotations.setter
    def response_annotations(self, notes: dict[str, bytes]) -> None:
        travelling.response_annotations.set(notes)

    def track_resource(self, resource: Any) -> None:
        """Have `resource.close()` called when the calling client goes. Raises `PyroError` without a call."""
        self._resources().add(resource)

    def untrack_resource(self, resource: Any) -> None:
        """Leave `resource` alone when the calling client goes."""
        self._resources().discard(resource)

    def _resources(self) -> WeakSet[Any]:
        client = self.client
        if client is None:
            raise PyroError("resources are tracked for the client of a call, and no call is carried out here")
        return client.tracked_resources

    def to_global(self) -> dict[str, Any]:
        """All of it, for `from_global` in another thread that works on the same call."""
        own = {name: getattr(self, name) for name in _ITEMS}
        return own | {"call": _call()}

    def from_global(self, values: dict[str, Any]) -> None:
        """Take over what `to_global` returned in another thread."""
        if values.get("call") is not None:
            enter_call(values["call"])
        self.correlation_id = values["correlation_id"]
        self.annotations = values["annotations"]
        self.response_annotations = values["response_annotations"]

    def __repr__(self) -> str:
        return f"<context of {'no call' if self.client is None else f'call {self.seq} of {self.client}'}>"


_ITEMS = (
    "client",
    "client_sock_addr",
    "seq",
    "msg_flags",
    "serializer_id",
    "annotations",
    "response_annotations",
    "correlation_id",
)


def _call() -> CurrentCall | None:
    try:
        return current_call()
    except LookupError:
        return None


def _kept_in(variable: Any) -> dict[str, bytes]:
    """The dict in a context variable, so that a change of it lasts; an empty one is put there first."""
    notes: dict[str, bytes] | None = variable.get()
    if notes is None:
        notes = {}
        variable.set(notes)
    return notes


current_context = CallContext()
