"""One call to a hosted object, from its body to its answer.

What belongs to this call alone is kept here, so that an urgent call never disturbs the one that runs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from pyrolab.errors import DaemonError, ProtocolError, SerializeError
from pyrolab.link import context as travelling
from pyrolab.link import waiting
from pyrolab.protocol import call_body
from pyrolab.protocol.call_body import READING_VERBS, CallBody, Step, path_text
from pyrolab.protocol.codec import Buffer
from pyrolab.protocol.envelope import Flag
from pyrolab.protocol.exceptions import pack_exception
from pyrolab.protocol.names import CALLBACK_MARK
from pyrolab.worker import allowing, iteration, refusing
from pyrolab.worker.auditing import action_of
from pyrolab.worker.cancel_tokens import tokens
from pyrolab.worker.context import CurrentCall
from pyrolab.worker.held import Keepsake
from pyrolab.worker.refusing import NotRun
from pyrolab.worker.stand_ins import Node
from pyrolab.worker.views import not_offered

if TYPE_CHECKING:
    from pyrolab.worker.hosting import Hosted

log = logging.getLogger("pyrolab.worker")

#: Flags, body and buffers of an answer.
Answer: TypeAlias = "tuple[int, bytes, list[Buffer]]"

_NOTHING = CallBody([], "call", [], {})


class Turn:
    """Carries out one call in the service's own thread."""

    __slots__ = ("_asked", "_body", "_root", "current", "flags", "hosted")

    def __init__(self, hosted: Hosted, current: CurrentCall, flags: int = Flag.NONE) -> None:
        self.hosted = hosted
        self.current = current
        #: What the caller says of the call: that it reads, that it may run beside another one.
        self._asked = flags & (Flag.READ | Flag.URGENT)
        #: Of the answer.
        self.flags: int = Flag.NONE
        self._root: Any = None
        self._body = _NOTHING

    # -- answering -----------------------------------------------------------------------------------

    def answer(self, body: Any, buffers: Sequence[Any]) -> Answer:
        """Do what the call asks for, and return its answer, packed.

        Raises what the service raises, and `NotRun` for what it must not do.
        """
        _now.set(self)
        hosted = self.hosted
        try:
            call = self._body = hosted.codec.decode_call(body, buffers)
            travelling.incoming(call.context)
            waiting.enter(hosted.object_id, call.context)
            return self._packed(call, self._carry_out(call))
        finally:
            root, self._root, self._body = self._root, None, _NOTHING
            hosted.instances.call_ended(root)

    def _packed(self, call: CallBody, value: Any) -> Answer:
        codec, annotations = self.hosted.codec, self.hosted.annotations
        try:
            notes = travelling.outgoing_response() if annotations is None else annotations()
            body, buffers = codec.encode([value, notes] if notes else value)
            return self.flags | (Flag.ANNOTATED if notes else 0), body, buffers
        except SerializeError as error:
            if call.verb != "next":
                raise _renamed(error, "value", _name_of(call)) from None
            kept = self._keepsake(call.steps)
            if len(value[0]) == 1:
                raise _renamed(error, "value[0][0]", f"an item of {kept.origin}") from None
            return self._packed(call, iteration.put_back_half(kept, value))

    def _carry_out(self, call: CallBody, part: str = "") -> Any:
        """`part` names one call of several."""
        act = _ACTS.get(call.verb)
        if act is None:
            return self._carry_out_other(call, part)
        owner = self._owner(call.steps)
        step = call.steps[-1]
        if self._asked:
            allowing.check(self.hosted.views, self._asked, call, owner)
        if self._asked & Flag.READ or not self.hosted.is_watched:
            return act(self, owner, step, call)
        return self._watched(call, part, partial(act, self, owner, step, call))

    def _carry_out_other(self, call: CallBody, part: str) -> Any:
        act = _OTHER_ACTS[call.verb]
        if self._asked:
            allowing.check_other(self._asked, call)
        if call.verb == "next" and self.hosted.is_watched:
            return self._watched(call, part, partial(act, self, call))
        return act(self, call)

    def _watched(self, call: CallBody, part: str, act: Callable[[], Any]) -> Any:
        """Do what may change something, unless it must not be done now; and have it written down."""
        if call.verb in READING_VERBS:
            return act()
        premises = self.hosted.premises
        stop = premises.latch.stop
        if stop is not None:  # it came while the instance was being made, or between two calls of a batch
            raise refusing.stopped(stop)
        action = action_of(call, self._origin(call.steps))
        return premises.recorder.carry_out(self.current, part, self.hosted.object_id, action, call, act)

    # -- where a call leads --------------------------------------------------------------------------

    def _owner(self, steps: Sequence[Step]) -> Any:
        """The object whose member the last step is."""
        if not steps or isinstance(steps[-1], int):
            raise not_offered(self.hosted.interface, path_text(steps), "reach")
        if len(steps) == 1:
            return self._instance()
        return self.reach(steps[:-1])

    def reach(self, steps: Sequence[Step]) -> Any:
        """The object to which steps lead."""
        if steps and isinstance(steps[0], int):
            return self.hosted.views.walk(self._keepsake(steps[:1]).value, steps[1:])
        return self.hosted.views.walk(self._instance(), steps)

    def _keepsake(self, steps: Sequence[Step]) -> Keepsake:
        if len(steps) != 1 or not isinstance(steps[0], int):
            raise not_offered(self.hosted.interface, path_text(steps), "iterate over")
        return self.hosted.held.keepsake(self.current.session, steps[0])

    def _origin(self, steps: Sequence[Step]) -> str:
        """Where the held object came from at which a call begins, if it begins at one."""
        return self._keepsake(steps[:1]).origin if steps and isinstance(steps[0], int) else ""

    def _instance(self) -> Any:
        """The instance for this call."""
        if self._root is None:
            self._root = self.hosted.instances.for_session(self.current.session)
        return self._root

    def hold(self, value: Any) -> int:
        """Keep an object for the client of this call; returns its number."""
        hosted = self.hosted
        keeps_root = hosted.instances.is_percall and self._root is not None
        on_end = hosted.instances.use(self._root) if keeps_root else None
        self._binds()
        return hosted.held.hold(self.current.session, value, _name_of(self._body), on_end)

    def _binds(self) -> None:
        """From now on, the calls of this client have to come here, not to another worker of a pool."""
        if self.hosted.behavior.pool:
            self.flags |= Flag.HELD

    # -- verbs ---------------------------------------------------------------------------------------

    def _invoke(self, owner: Any, step: Step, call: CallBody) -> Any:
        args = call.args if step != "__exit__" else _as_exit_takes(call.args)
        method = self.hosted.views.method(owner, step)
        view = self.hosted.views.of_class(type(owner))
        more = tokens(view.methods[str(step)], args, call.kwargs, self.current) if view.is_open else {}
        try:
            value = method(*args, **call.kwargs, **more)
        except Exception:
            if getattr(method, CALLBACK_MARK, False):  # whoever calls back may not show it to anybody
                log.exception("%s failed when it was called back", path_text(call.steps))
            raise
        if step in ("__enter__", "__exit__"):
            self._note_entering(call.steps, step)
        self.hosted.topics.doubt()
        return Node([], value) if value is self._root and value is not None else value

    def _note_entering(self, steps: Sequence[Step], step: Step) -> None:
        if len(steps) == 2 and isinstance(steps[0], int):
            kept = self._keepsake(steps[:1])
            kept.entered += 1 if step == "__enter__" else -min(kept.entered, 1)

    def _get(self, owner: Any, step: Step, call: CallBody) -> Any:
        return self.hosted.stand_ins.of_property(self.hosted.views.get(owner, step), call.steps)

    def _set(self, owner: Any, step: Step, call: CallBody) -> None:
        (value,) = call.args
        self.hosted.views.set(owner, step, value)
        self.hosted.topics.changed(owner, step)

    def _delete(self, owner: Any, step: Step, call: CallBody) -> None:
        self.hosted.views.delete(owner, step)
        self.hosted.topics.changed(owner, step)

    def _join(self, owner: Any, step: Step, call: CallBody) -> Any:
        self._binds()
        return self.hosted.topics.join(owner, step, self.current.session, *call.args)

    def _part(self, owner: Any, step: Step, call: CallBody) -> None:
        self.hosted.topics.part(owner, step, self.current.session)

    def _subscribe(self, owner: Any, step: Step, call: CallBody) -> Any:
        instances = self.hosted.instances
        if instances.is_percall:
            raise DaemonError("an object made for each call has no streams; let it be 'single' or 'session'")
        self._binds()
        return self.hosted.streams.subscribe(owner, step, instances.owner_of(self._root), *call.args)

    def _next(self, call: CallBody) -> list[Any]:
        return iteration.take(self._keepsake(call.steps), self.current, *call.args)

    def _drop(self, call: CallBody) -> None:
        for number in call.args:
            self.hosted.held.drop(self.current.session, number)

    def _describe(self, call: CallBody) -> Any:
        return self.hosted.views.of(self.reach(call.steps)).to_data()

    def _status(self, call: CallBody) -> str:
        """What has become of an earlier call of any session: whoever asks may have a new one by now."""
        if len(call.args) != 2 or not all(type(each) is int for each in call.args):
            raise ProtocolError("the status of a call is asked for by its session and number")
        return self.hosted.premises.journal.state(*call.args)

    def _batch(self, call: CallBody) -> list[Any]:
        """The outcomes of several calls, up to the first that fails unless all are wanted."""
        given, to_the_end = call.args
        calls = [_checked_part(each) for each in given]
        if self._asked & Flag.READ:
            self._check_all(calls)
        outcomes: list[Any] = []
        for index, each in enumerate(calls):
            if self.current.cancelled:
                break
            outcome, goes_on = self._outcome_of(each, f".{index}")
            outcomes.append(outcome)
            if not (outcome[0] or (to_the_end and goes_on)):
                break
        return outcomes

    def _check_all(self, calls: Sequence[CallBody]) -> None:
        """Raise `NotRun`, before anything is done, if one of these calls is no read."""
        for call in calls:
            if call.verb in READING_VERBS:
                continue
            try:
                allowing.check(self.hosted.views, self._asked, call, self._owner(call.steps))
            except NotRun:
                raise
            except Exception:  # noqa: BLE001, S110 - what leads nowhere fails in its turn
                pass

    def _outcome_of(self, call: CallBody, part: str) -> tuple[list[Any], bool]:
        """What a call of a batch has come to, and whether others may follow."""
        try:
            return [True, self._carry_out(call, part)], True
        except NotRun as refused:
            return [False, pack_exception(refused.as_error())], False
        except Exception as error:  # noqa: BLE001 - it belongs to the caller
            return [False, pack_exception(error)], True


_ACTS: dict[str, Callable[[Turn, Any, Step, CallBody], Any]] = {
    "call": Turn._invoke,
    "get": Turn._get,
    "set": Turn._set,
    "del": Turn._delete,
    "join": Turn._join,
    "part": Turn._part,
    "subscribe": Turn._subscribe,
}
_OTHER_ACTS: dict[str, Callable[[Turn, CallBody], Any]] = {
    "next": Turn._next,
    "drop": Turn._drop,
    "describe": Turn._describe,
    "batch": Turn._batch,
    "status": Turn._status,
}

_now: ContextVar[Turn] = ContextVar("pyrolab_turn")
#: The call for which values are packed and unpacked in this thread.
this_turn = _now.get


def _checked_part(data: Any) -> CallBody:
    """One call of a batch. Raises `ProtocolError` if it is none that can be in one."""
    call = call_body.checked(data)
    if call.verb not in _ACTS:
        raise ProtocolError(f"a batch holds calls and properties, not {call.verb!r}")
    return call


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
