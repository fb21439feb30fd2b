"""One hosted object: its instances, and what a call to it means. It knows nothing of connections.

Everything here happens in the service's own thread, from making an instance to closing it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from pyrolab.errors import ProtocolError, SerializeError
from pyrolab.link import context as travelling
from pyrolab.link import waiting
from pyrolab.protocol import call_body
from pyrolab.protocol.call_body import CallBody, Step, path_text
from pyrolab.protocol.codec import Buffer
from pyrolab.protocol.envelope import Flag
from pyrolab.protocol.exceptions import pack_exception
from pyrolab.protocol.interface import Interface
from pyrolab.protocol.names import CALLBACK_MARK, Location
from pyrolab.worker import iteration
from pyrolab.worker.context import Client, CurrentCall
from pyrolab.worker.exposure import Behavior, behavior_of
from pyrolab.worker.held import Held, Keepsake
from pyrolab.worker.instances import Instances, end
from pyrolab.worker.stand_ins import Node, StandIns
from pyrolab.worker.topics import Topics
from pyrolab.worker.views import Views, not_offered

log = logging.getLogger("pyrolab.worker")


#: Flags, body and buffers of an answer.
Answer: TypeAlias = "tuple[int, bytes, list[Buffer]]"


class Guard(Protocol):
    """Says who may do what."""

    def check(self, call: CallBody, current: CurrentCall, reads: bool) -> None:
        """Raise for a call that must not be carried out now."""


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
    ) -> None:
        self.object_id = object_id
        cls = subject if isinstance(subject, type) else type(subject)
        self.behavior = behavior or behavior_of(cls)
        self.instances = Instances(subject, self.behavior, weak)
        self._views = Views(self.behavior.exposure)
        self.interface: Interface = self._views.of_class(cls)
        self._held = Held()
        self._call = CurrentCall(0, 0)
        self._root: Any = None
        self._body = CallBody([], "call", [], {})
        #: Refuses what somebody must not do now; None lets everything through.
        self.lock: Guard | None = None
        #: What a daemon adds to each answer; None if it adds nothing.
        self.annotations: Callable[[], dict[str, bytes]] | None = None
        self.on_session_ended: list[Callable[[Client], None]] = []
        self.topics = Topics(self._views)
        self._stand_ins = StandIns(self._views, location, self._hold, self._reach)
        self.codec = self._stand_ins.codec

    # -- answering -----------------------------------------------------------------------------------

    def answer(self, body: Any, buffers: Sequence[Any], current: CurrentCall) -> Answer:
        """Do what a call asks for, and return its answer, packed. Raises what the service raises."""
        self._call = current
        call = self.codec.decode_call(body, buffers)
        travelling.incoming(call.context)
        waiting.enter(self.object_id, call.context)
        try:
            value = self._carry_out(call)
            return self._packed(call, value)
        finally:
            root, self._root = self._root, None
            self.instances.call_ended(root)

    def _packed(self, call: CallBody, value: Any) -> Answer:
        try:
            self._body = call
            notes = travelling.outgoing_response() if self.annotations is None else self.annotations()
            if notes:
                return Flag.ANNOTATED, *self.codec.encode([value, notes])
            return Flag.NONE, *self.codec.encode(value)
        except SerializeError as error:
            if call.verb != "next":
                raise _renamed(error, "value", _name_of(call)) from None
            kept = self._keepsake(call.steps)
            if len(value[0]) == 1:
                raise _renamed(error, "value[0][0]", f"an item of {kept.origin}") from None
            return self._packed(call, iteration.put_back_half(kept, value))

    def _carry_out(self, call: CallBody) -> Any:
        if self.lock is not None:
            self.lock.check(call, self._call, self._only_reads(call))
        act = _ACTS.get(call.verb)
        if act is not None:
            owner = self._owner(call.steps)
            return act(self, owner, call.steps[-1], call)
        return _OTHER_ACTS[call.verb](self, call)

    def _only_reads(self, call: CallBody) -> bool:
        """Whether a call is of a method of the service itself that is marked as changing nothing."""
        step = call.steps[0] if len(call.steps) == 1 else None
        method = self.interface.methods.get(step) if isinstance(step, str) else None
        return call.verb == "batch" or (call.verb == "call" and method is not None and method.readonly)

    def _owner(self, steps: Sequence[Step]) -> Any:
        """The object whose member the last step is."""
        if not steps or isinstance(steps[-1], int):
            raise not_offered(self.interface, path_text(steps), "reach")
        if len(steps) == 1:
            return self._instance()
        return self._reach(steps[:-1])

    def _reach(self, steps: Sequence[Step]) -> Any:
        """The object to which steps lead."""
        if steps and isinstance(steps[0], int):
            return self._views.walk(self._keepsake(steps[:1]).value, steps[1:])
        return self._views.walk(self._instance(), steps)

    def _keepsake(self, steps: Sequence[Step]) -> Keepsake:
        if len(steps) != 1 or not isinstance(steps[0], int):
            raise not_offered(self.interface, path_text(steps), "iterate over")
        return self._held.keepsake(self._call.session, steps[0])

    # -- verbs ---------------------------------------------------------------------------------------

    def _invoke(self, owner: Any, step: Step, call: CallBody) -> Any:
        args = call.args if step != "__exit__" else _as_exit_takes(call.args)
        method = self._views.method(owner, step)
        try:
            value = method(*args, **call.kwargs)
        except Exception:
            if getattr(method, CALLBACK_MARK, False):  # whoever calls back may not show it to anybody
                log.exception("%s failed when it was called back", path_text(call.steps))
            raise
        if step in ("__enter__", "__exit__"):
            self._note_entering(call.steps, step)
        self.topics.doubt()
        return Node([], value) if value is self._root and value is not None else value

    def _note_entering(self, steps: Sequence[Step], step: Step) -> None:
        if len(steps) == 2 and isinstance(steps[0], int):
            kept = self._held.keepsake(self._call.session, steps[0])
            kept.entered += 1 if step == "__enter__" else -min(kept.entered, 1)

    def _get(self, owner: Any, step: Step, call: CallBody) -> Any:
        return self._stand_ins.of_property(self._views.get(owner, step), call.steps)

    def _set(self, owner: Any, step: Step, call: CallBody) -> None:
        (value,) = call.args
        self._views.set(owner, step, value)
        self.topics.changed(owner, step)

    def _delete(self, owner: Any, step: Step, call: CallBody) -> None:
        self._views.delete(owner, step)
        self.topics.changed(owner, step)

    def _join(self, owner: Any, step: Step, call: CallBody) -> Any:
        return self.topics.join(owner, step, self._call.session, *call.args)

    def _part(self, owner: Any, step: Step, call: CallBody) -> None:
        self.topics.part(owner, step, self._call.session)

    def _next(self, call: CallBody) -> list[Any]:
        return iteration.take(self._keepsake(call.steps), self._call, *call.args)

    def _drop(self, call: CallBody) -> None:
        for number in call.args:
            self._held.drop(self._call.session, number)

    def _describe(self, call: CallBody) -> Any:
        return self._views.of_class(type(self._reach(call.steps))).to_data()

    def _batch(self, call: CallBody) -> list[Any]:
        """The outcomes of several calls, up to the first that fails unless all are wanted."""
        calls, to_the_end = call.args
        outcomes: list[Any] = []
        for each in calls:
            if self._call.cancelled:
                break
            outcomes.append(self._outcome_of(call_body.checked(each)))
            if not (outcomes[-1][0] or to_the_end):
                break
        return outcomes

    def _outcome_of(self, call: CallBody) -> list[Any]:
        if call.verb not in _ACTS:
            raise ProtocolError(f"a batch holds calls and properties, not {call.verb!r}")
        try:
            return [True, self._carry_out(call)]
        except Exception as error:  # noqa: BLE001 - it belongs to the caller
            return [False, pack_exception(error)]

    # -- the instance, and what is kept of it --------------------------------------------------------

    def _instance(self) -> Any:
        """The instance for the current call."""
        if self._root is None:
            self._root = self.instances.for_session(self._call.session)
        return self._root

    def _hold(self, value: Any) -> int:
        """Keep an object for the client of the current call; returns its number."""
        keeps_root = self.instances.is_percall and self._root is not None
        on_end = self.instances.use(self._root) if keeps_root else None
        return self._held.hold(self._call.session, value, _name_of(self._body), on_end)

    def session_ended(self, client: Client) -> None:
        """A client has gone: end whatever was made, held or tracked for it."""
        self.topics.end_session(client.session)
        self._held.end_session(client.session)
        for tell in self.on_session_ended:
            tell(client)
        for resource in list(client.tracked_resources):
            end(resource)
        self.instances.session_ended(client.session)

    def close(self) -> None:
        """End all that is kept for clients, and all instances that were made here."""
        for session in {*self._held.sessions, *self.topics.sessions}:
            self.session_ended(Client(session))
        self.instances.close()


_ACTS: dict[str, Callable[[Hosted, Any, Step, CallBody], Any]] = {
    "call": Hosted._invoke,
    "get": Hosted._get,
    "set": Hosted._set,
    "del": Hosted._delete,
    "join": Hosted._join,
    "part": Hosted._part,
}
_OTHER_ACTS: dict[str, Callable[[Hosted, CallBody], Any]] = {
    "next": Hosted._next,
    "drop": Hosted._drop,
    "describe": Hosted._describe,
    "batch": Hosted._batch,
}


def _as_exit_takes(args: list[Any]) -> list[Any]:
    """The arguments of `__exit__`: of an exception, only its value has travelled."""
    error = args[1] if len(args) == 3 else None
    return [type(error), error, error.__traceback__] if isinstance(error, BaseException) else args


def _name_of(call: CallBody) -> str:
    """What is called, as a person would write it: `get_trace()`."""
    return path_text(call.steps) + ("()" if call.verb == "call" else "")


def _renamed(error: SerializeError, start: str, name: str) -> SerializeError:
    """The same error, with the path beginning at what was called: `get_trace()[0]` for `value[0]`."""
    path = name + error.path.removeprefix(start)
    return SerializeError(path + str(error).removeprefix(error.path), path=path)
