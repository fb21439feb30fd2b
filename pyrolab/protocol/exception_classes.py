"""What becomes of an exception's class at the other side: itself, or a stand-in with its nearest known bases.

Instances are made by the constructors of builtin classes only; no `__new__`, `__init__` or
`__init_subclass__` of anybody else runs because a peer names a class.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pyrolab.errors import ProtocolError, RemoteError
from pyrolab.protocol import classes

#: The builtin exceptions that arrive as themselves; none that would end a process (`KeyboardInterrupt`).
BUILTIN: dict[str, type[Exception]] = {
    f"builtins:{name}": kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, Exception)
}
#: The class of groups; absent before Python 3.11.
GROUP: type[Any] | None = getattr(builtins, "ExceptionGroup", None)
if GROUP is not None:
    BUILTIN["builtins:BaseExceptionGroup"] = GROUP

_TEXT = (str, type(None))
_NUMBER = (int, type(None))
#: What builtin exceptions keep outside of `args` and `__dict__`, and of which types it may be.
STATE: dict[type[BaseException], dict[str, tuple[type, ...]]] = {
    OSError: {
        "errno": (int, str),
        "strerror": (str,),
        "filename": (str, bytes, int),
        "filename2": (str, bytes, int),
    },
    ImportError: {"name": _TEXT, "path": _TEXT, "msg": _TEXT},
    SyntaxError: {
        **dict.fromkeys(("msg", "filename", "text"), _TEXT),
        **dict.fromkeys(("lineno", "offset", "end_lineno", "end_offset"), _NUMBER),
    },
    AttributeError: {"name": _TEXT},
    NameError: {"name": _TEXT},
    StopIteration: {"value": (object,)},
}
#: These are useless without what their constructor checks: `(encoding, object, start, end, reason)`.
UNICODE = (UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError)


def names_of_bases(kind: type[BaseException]) -> list[str]:
    """The names of all bases, nearest first, up to the first that everybody knows."""
    names = []
    for base in kind.__mro__[1:]:
        if base in (BaseException, object):
            break
        names.append(classes.name_of(base))
        if base is Exception:
            break
    return names


def known(name: str) -> type[Exception] | None:
    """The exception class of this name, if it is builtin or its module is imported here."""
    found = BUILTIN.get(name) or classes.find(name)
    if found is None or not issubclass(found, Exception) or classes.runs_code_when_dropped(found):
        return None
    return found


def class_for(name: str, names_of_its_bases: Sequence[str]) -> type[Exception]:
    """The class that an exception of class `name` gets here."""
    found = known(name)
    if found is not None:
        return found
    bases = [base for base in map(known, names_of_its_bases) if base is not None and _may_be_base(base)]
    nearest = [
        base for base in bases if not any(issubclass(other, base) for other in bases if other is not base)
    ]
    unique = tuple(dict.fromkeys(nearest))
    try:
        return _stand_in(name, unique or (RemoteError,))
    except TypeError:  # bases that do not go together; the sender's Python was of another opinion
        return _stand_in(name, unique[:1])


def _may_be_base(kind: type[Exception]) -> bool:
    """Whether deriving from a class runs no code of its own."""
    return type(kind) is type and not any("__init_subclass__" in vars(base) for base in kind.__mro__[:-1])


@lru_cache(maxsize=256)
def _stand_in(name: str, bases: tuple[type[Exception], ...]) -> type[Exception]:
    module, _, qualified = name.partition(":")
    namespace = {
        "__module__": module,
        "__qualname__": qualified,
        "__doc__": f"Stand-in for {name}, which is not imported here.",
        "__str__": _remote_text,
        "remote_type": name,
    }
    return type(qualified.rpartition(".")[2] or "RemoteError", bases, namespace)


def _remote_text(error: BaseException) -> str:
    """What the exception said where it was raised: its class may have worked that out."""
    text = error.__dict__.get("_remote_text")
    return text if type(text) is str else str(error.args[0] if len(error.args) == 1 else error.args)


def is_stand_in(error: BaseException) -> bool:
    """Whether the class of an exception was made here."""
    return vars(type(error)).get("__str__") is _remote_text


def instance(kind: type[Exception], args: tuple[Any, ...], state: dict[str, Any]) -> Exception:
    """An exception of class `kind`, with `args` and what builtin classes keep beside them."""
    family = next((each for each in UNICODE if issubclass(kind, each)), None)
    if family is not None:
        return _unicode_error(family, kind, args, state)
    base = _builtin_base(kind)
    # A SyntaxError takes its second argument apart without looking; what it finds there comes with the state.
    known_to_fit = args[:1] if issubclass(kind, SyntaxError) else args
    try:
        made: Exception = base.__new__(kind, *known_to_fit)
        base.__init__(made, *known_to_fit)
    except (TypeError, ValueError, OverflowError):
        made = base.__new__(kind)
    _set(BaseException, made, "args", args)
    for owner, name, value in _checked_state(kind, state):
        _set(owner, made, name, value)
    return made


_new_group: Any = getattr(GROUP, "__new__", None)


def group(kind: type[Exception], message: str, members: list[Exception]) -> Exception:
    """An exception group, or what stands for one before Python 3.11."""
    if GROUP is not None and issubclass(kind, GROUP):
        made: Exception = _new_group(kind, message, members)
        return made
    made = instance(kind, (message, members), {})
    made.__dict__.update(message=message, exceptions=tuple(members))
    return made


def _builtin_base(kind: type[Exception]) -> Any:
    """The builtin class whose constructor fits; of several bases, the one that decides the memory layout."""
    base: Any = kind
    while BUILTIN.get(classes.name_of(base)) is not base:
        base = base.__base__
    return base


def _set(owner: type, error: BaseException, name: str, value: Any) -> None:
    vars(owner)[name].__set__(error, value)


def _checked_state(kind: type[Exception], state: dict[str, Any]) -> list[tuple[type, str, Any]]:
    return [
        (owner, name, state[name])
        for owner, allowed in STATE.items()
        if issubclass(kind, owner)
        for name, types in allowed.items()
        if name in state and name in vars(owner) and isinstance(state[name], types)
    ]


def _unicode_error(
    family: Any, kind: type[Exception], args: tuple[Any, ...], state: dict[str, Any]
) -> Exception:
    try:
        *encoding, text, start, end, reason = state["unicode"]
        if not 0 <= start <= end <= len(text):  # older Pythons read there when they print the error
            raise ProtocolError("a Unicode error points outside of its text")
        made: Exception = family.__new__(kind)
        family.__init__(made, *encoding, text, start, end, reason)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ProtocolError("a Unicode error lacks what it is about") from None
    _set(BaseException, made, "args", args)
    return made
