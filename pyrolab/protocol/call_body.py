"""What a call asks for: where to go from the service (`steps`), what to do there (`verb`), and with what.

A step is a name, or a list of one index or key. The first may also be the number of an object that the
worker holds for this session, such as a generator that is being read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from pyrolab.errors import ProtocolError
from pyrolab.protocol.limits import MAX_NAME_CHARS, MAX_STEPS

#: A name, `[key]`, or, first only, the number of a held object.
Step: TypeAlias = "str | list[Any] | int"

#: call a method; get, set, delete a property or item; take the `next` items of an iterator; `drop` a held
#: object; `describe` a sub-object; do a `batch` of calls; `join` and `part` from an event or a watched
#: property; `subscribe` to a stream; ask for the `status` of an earlier call.
VERBS = frozenset(
    {"call", "get", "set", "del", "next", "drop", "describe", "batch", "join", "part", "subscribe", "status"}
)
#: What changes nothing in the service, whatever it is about. To go on with a generator is not among it: its
#: next item may be the next move.
READING_VERBS = frozenset({"get", "describe", "join", "part", "subscribe", "drop", "status"})
#: Python's own methods that change nothing.
READING_DUNDERS = frozenset(
    {
        *("__len__", "__contains__", "__getitem__", "__iter__", "__reversed__", "__bool__", "__int__"),
        *("__float__", "__index__", "__str__", "__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__"),
    }
)


class CallBody(NamedTuple):
    """The body of a CALL. `context` is what the caller's own code sends along, such as a correlation id."""

    steps: list[Step]
    verb: str
    args: list[Any]
    kwargs: dict[str, Any]
    context: dict[str, Any] | None = None


def checked(call: Any) -> CallBody:
    """The call in received data. Raises `ProtocolError` if it is none."""
    if type(call) is not list or not 4 <= len(call) <= 5:
        raise ProtocolError("a call is an array of steps, verb, arguments, keyword arguments and context")
    steps, verb, args, kwargs = call[:4]
    context = call[4] if len(call) == 5 else None
    _check_steps(steps)
    if type(verb) is not str or verb not in VERBS:
        raise ProtocolError(f"{verb!r:.40} is no verb; a call knows {', '.join(sorted(VERBS))}")
    if type(args) is not list or type(kwargs) is not dict or (kwargs and not all(map(_is_name, kwargs))):
        raise ProtocolError("the arguments of a call are an array, and a map with names as keys")
    if context is not None and type(context) is not dict:
        raise ProtocolError("the context of a call is a map")
    return CallBody(steps, verb, args, kwargs, context)


def _check_steps(steps: Any) -> None:
    if type(steps) is not list or len(steps) > MAX_STEPS:
        raise ProtocolError(f"the steps of a call are an array of at most {MAX_STEPS}")
    inner = steps[1:] if steps and type(steps[0]) is int else steps
    if not all(map(_is_step, inner)):
        raise ProtocolError("the steps of a call are names or arrays of one index")


def _is_name(name: Any) -> bool:
    return type(name) is str and 0 < len(name) <= MAX_NAME_CHARS


def _is_step(step: Any) -> bool:
    return _is_name(step) if type(step) is str else type(step) is list and len(step) == 1


def parts(call: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """The parts of a call, each under the name by which an error is to speak of it."""
    steps, _, args, kwargs = call[:4]
    yield "steps", steps
    yield from ((f"args[{index}]", value) for index, value in enumerate(args))
    yield from kwargs.items()
    if len(call) == 5:
        yield "context", call[4]


def path_text(steps: Sequence[Step]) -> str:
    """Steps as a person would write them: `axes['x'].move`."""
    text = ""
    for step in steps:
        if isinstance(step, list):
            text += f"[{step[0]!r:.60}]"
        else:
            text += f".{step}" if text else str(step)
    return text
