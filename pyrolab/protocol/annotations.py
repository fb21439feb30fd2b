"""Annotations of methods and properties as plain data, and back to what `inspect` would show.

A class is named, never sent: the receiver takes its own one if that is loaded, else a stand-in which reads as
Python would print the class. Nothing is imported, evaluated or compiled because a peer named it.
"""

from __future__ import annotations

import collections.abc
import functools
import inspect
import operator
import sys
import types
import typing
import weakref
from collections.abc import Callable
from typing import Any

from pyrolab.errors import ProtocolError
from pyrolab.protocol import classes
from pyrolab.protocol.annotation_names import HIDDEN, MOVED, NAMED, TYPING_NAMES
from pyrolab.protocol.annotation_text import (
    MAX_DEPTH,
    MAX_ITEMS,
    Spell,
    checked_text,
    form_of,
    items_of,
    split_name,
    text_of,
)
from pyrolab.protocol.shown_values import MAX_TEXT, shown, travels, value_from_data, value_to_data

__all__ = ["UNKNOWN", "AbsentType", "Spell", "from_data", "text_of", "to_data"]

#: What `to_data` is told about the meaning of a text when nobody knows it.
UNKNOWN: Any = object()


# -- from annotations to data --------------------------------------------------------------------------


def to_data(annotation: Any, meaning: Any = UNKNOWN) -> Any:
    """An annotation as plain data; None if it is `inspect.Parameter.empty`.

    For an annotation that is text, `meaning` is what it evaluates to where it was written, if that is known.
    """
    if meaning is UNKNOWN or type(annotation) is not str or annotation in _SELF_EVIDENT:
        return _to_data(annotation, MAX_DEPTH)
    return ["string", annotation[:MAX_TEXT], _to_data(meaning, MAX_DEPTH)]


#: Text that means the same everywhere.
_SELF_EVIDENT = frozenset({"bool", "bytes", "complex", "float", "int", "object", "str", "None"})


def _to_data(annotation: Any, depth: int) -> Any:
    if annotation is inspect.Parameter.empty:
        return None
    if type(annotation) is str and len(annotation) <= MAX_TEXT:
        return annotation
    data = _described(annotation, depth - 1) if depth else None
    return data or ["text", shown(annotation, inspect.formatannotation)]


def _described(annotation: Any, depth: int) -> Any:
    """The data of what is known by its structure or its name, else None."""
    if annotation is None:
        return ["none"]
    if type(annotation) is type:
        return _describe_class(annotation)
    if isinstance(annotation, typing.ForwardRef):
        return annotation.__forward_arg__[:MAX_TEXT]
    name = _name_in_typing(annotation)
    if name is not None:
        return ["typing", name]
    name = _name_in_library(annotation)
    if name is not None:
        return ["named", name]
    origin = typing.get_origin(annotation)
    if origin is not None:
        for form, describe in _DESCRIBE.items():
            if origin is form:
                return describe(annotation, depth)
        return _describe_generic(annotation, origin, depth)
    return _describe_class(annotation) if isinstance(annotation, type) else None


@functools.cache
def _typing_names() -> dict[int, str]:
    return {id(getattr(typing, name)): name for name in TYPING_NAMES if hasattr(typing, name)}


def _name_in_typing(annotation: Any) -> str | None:
    return _typing_names().get(id(annotation))


def _name_in_library(annotation: Any) -> str | None:
    for module, names in NAMED.items():
        loaded = vars(sys.modules[module]) if module in sys.modules else {}
        for name in names:
            if annotation is loaded.get(name):
                return f"{module}:{name}"
    return None


def _describe_class(cls: type) -> Any:
    module, qualname = cls.__module__, cls.__qualname__
    name = f"{MOVED.get(module, module)}:{qualname}"
    return ["class", name] if len(name) <= classes.MAX_CLASS_NAME_CHARS else None


def _describe_generic(annotation: Any, origin: Any, depth: int) -> Any:
    args = typing.get_args(annotation)
    if getattr(annotation, "__unpacked__", False) or len(args) > MAX_ITEMS:
        return None
    if args == ((),):  # Python 3.10's `typing.Tuple[()]`
        args = ()
    return ["generic", _origin_to_data(annotation, origin, depth), [_arg_to_data(arg, depth) for arg in args]]


def _origin_to_data(annotation: Any, origin: Any, depth: int) -> Any:
    """`list` for `list[int]`, but `typing.List`, which is not equal to it, for `typing.List[int]`."""
    if not isinstance(annotation, types.GenericAlias):
        name = getattr(annotation, "__name__", None)
        if name in TYPING_NAMES and getattr(getattr(typing, name), "__origin__", None) is origin:
            return ["typing", name]
    return _to_data(origin, depth)


def _arg_to_data(arg: Any, depth: int) -> Any:
    if arg is ...:
        return ["..."]
    if type(arg) is list:  # the parameters of a Callable
        return ["list", [_to_data(each, depth) for each in arg]]
    return _to_data(arg, depth)


def _describe_union(form: str) -> Callable[[Any, int], Any]:
    def describe(annotation: Any, depth: int) -> Any:
        members = [None if arg is type(None) else arg for arg in typing.get_args(annotation)]
        return [form, [_to_data(each, depth) for each in members]] if len(members) <= MAX_ITEMS else None

    return describe


def _describe_literal(annotation: Any, depth: int) -> Any:
    values = typing.get_args(annotation)
    return ["literal", list(map(value_to_data, values))] if len(values) <= MAX_ITEMS else None


def _describe_annotated(annotation: Any, depth: int) -> Any:
    metadata = [value_to_data(each) for each in annotation.__metadata__ if travels(each)]
    return ["annotated", _to_data(annotation.__origin__, depth), metadata[:MAX_ITEMS]]


_DESCRIBE: dict[Any, Callable[[Any, int], Any]] = {
    types.UnionType: _describe_union("union"),
    typing.Union: _describe_union("typing-union"),
    typing.Literal: _describe_literal,
    typing.Annotated: _describe_annotated,
}


# -- from data to annotations --------------------------------------------------------------------------


def from_data(data: Any) -> Any:
    """The annotation that `to_data` described, with stand-ins for what is not loaded here.

    Raises `ProtocolError` if the data describe none.
    """
    if data is None:
        return inspect.Parameter.empty
    try:
        return _read(data, MAX_DEPTH + 1)
    except ProtocolError:
        raise
    except Exception as error:  # a peer chose these data; no error of theirs may surprise us
        raise ProtocolError(f"this is no annotation: {type(error).__name__}: {error!s:.200}") from error


class AbsentType(type):
    """The class of stand-ins for what is not known here; they only read like it."""

    def __repr__(cls) -> str:
        return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


_absent: weakref.WeakValueDictionary[tuple[str, str], AbsentType] = weakref.WeakValueDictionary()


def _stand_in(module: str, qualname: str) -> AbsentType:
    """A class that is shown like this, and the same one as long as somebody holds it."""
    found = _absent.get((module, qualname))
    if found is None:
        names = {"__module__": module, "__qualname__": qualname}
        found = _absent[module, qualname] = AbsentType("Absent", (), names)
    return found


def _read(data: Any, depth: int) -> Any:
    if type(data) is str:
        return data
    form = form_of(data)
    if depth <= 0:
        raise ProtocolError(f"annotations are nested deeper than {MAX_DEPTH} levels")
    return _READ[form](depth - 1, *data[1:])


def _read_all(data: Any, depth: int) -> list[Any]:
    return [_read(each, depth) for each in items_of(data)]


def _read_class(depth: int, name: Any) -> Any:
    module, qualname = split_name(name)
    if name in HIDDEN:
        return HIDDEN[name][1]
    homes = [module, *(now for now, sent in MOVED.items() if sent == module)]
    found = (classes.find(f"{home}:{qualname}") for home in homes)
    return next(filter(None, found), None) or _stand_in(module, qualname)


def _read_named(depth: int, name: Any) -> Any:
    module, qualname = split_name(name)
    loaded = vars(sys.modules[module]) if qualname in NAMED.get(module, ()) and module in sys.modules else {}
    return loaded[qualname] if qualname in loaded else _stand_in(module, qualname)


def _read_typing(depth: int, name: Any) -> Any:
    if checked_text(name) not in TYPING_NAMES:
        raise ProtocolError(f"{name!r:.60} is no name in `typing`")
    return getattr(typing, name, None) or _stand_in("typing", name)


def _read_generic(depth: int, origin_data: Any, args_data: Any) -> Any:
    origin = _read(origin_data, depth)
    args = tuple(_read_arg(each, depth) for each in items_of(args_data))
    if type(origin) is AbsentType or type(origin) is str:
        return types.GenericAlias(_as_class(origin), args)
    if form_of(origin_data) == "typing" or _is_plain_generic(origin):
        args = _for_typing(args)
        return _or_text(
            lambda: origin[args[0] if len(args) == 1 else args], ["generic", origin_data, args_data]
        )
    if origin is collections.abc.Callable:
        return _or_text(lambda: origin[args], ["generic", origin_data, args_data])
    return types.GenericAlias(origin, args)


def _read_arg(data: Any, depth: int) -> Any:
    if data == ["..."]:
        return ...
    if type(data) is list and len(data) == 2 and data[0] == "list":
        return _read_all(data[1], depth)
    return _read(data, depth)


def _is_plain_generic(origin: Any) -> bool:
    """Whether `origin[…]` runs code of `typing`, and none of the class or its metaclass."""
    if not isinstance(origin, type) or _own_operators(origin, "__getitem__"):
        return False
    owner = next((each for each in origin.__mro__ if "__class_getitem__" in vars(each)), None)
    return owner is typing.Generic


def _for_typing(args: Any) -> Any:
    """Arguments in which no text is left that `typing` would compile."""
    if isinstance(args, (tuple, list)):
        return type(args)(map(_for_typing, args))
    return _as_class(args)


def _as_class(arg: Any) -> Any:
    return _stand_in("builtins", f"ForwardRef({arg[:MAX_TEXT]!r})") if type(arg) is str else arg


def _or_text(build: Callable[[], Any], data: Any) -> Any:
    """What `build` makes, or the text where this Python makes nothing of such arguments."""
    try:
        return build()
    except (TypeError, ValueError):
        return _stand_in("builtins", text_of(data)[:MAX_TEXT])


def _read_union(depth: int, members: Any) -> Any:
    operands = [_operand(each) for each in _read_all(members, depth)]
    return _or_text(lambda: functools.reduce(operator.or_, operands), ["union", members])


def _operand(member: Any) -> Any:
    """`member`, unless its metaclass has a `|` of its own, which a peer must not set off."""
    if issubclass(type(member), type) and _own_operators(member, "__or__", "__ror__"):
        return _stand_in(member.__module__, member.__qualname__)
    return _as_class(member)


def _own_operators(cls: type, *names: str) -> bool:
    """Whether the metaclass of a class has operators that `type` would not have."""
    meta: type = type(cls)
    return any(name in vars(each) for each in meta.__mro__ if each is not type for name in names)


def _read_typing_union(depth: int, members: Any) -> Any:
    found = tuple(map(_as_class, _read_all(members, depth)))
    return _or_text(lambda: typing.Union[found], ["typing-union", members])  # noqa: UP007 - not equal to X | Y


def _read_literal(depth: int, values: Any) -> Any:
    found = tuple(map(value_from_data, items_of(values)))
    return _or_text(lambda: typing.Literal[found], ["literal", values])


def _read_annotated(depth: int, base: Any, metadata: Any) -> Any:
    parts = (_as_class(_read(base, depth)), *map(value_from_data, items_of(metadata)))
    if len(parts) == 1:
        return parts[0]
    return _or_text(lambda: typing.Annotated[parts], base)


#: Data form → reader of what follows in the array.
_READ: dict[str, Callable[..., Any]] = {
    "none": lambda depth: None,
    "class": _read_class,
    "named": _read_named,
    "typing": _read_typing,
    "generic": _read_generic,
    "union": _read_union,
    "typing-union": _read_typing_union,
    "literal": _read_literal,
    "annotated": _read_annotated,
    "string": lambda depth, text, meaning: checked_text(text),
    "text": lambda depth, text: _stand_in("builtins", checked_text(text)[: MAX_TEXT + 1]),
}
