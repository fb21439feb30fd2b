"""Exceptions as plain values and back: class, arguments, attributes, notes, causes, groups, remote traceback.

Packing never fails: what cannot travel is replaced by its `repr`, or left out. Unpacking returns an
`Exception` of the caller's side, never one that would end its process. That is how an exception is raised
at the caller, and how one that is an argument or a result travels, as the extension `EXCEPTION`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pyrolab.errors import ProtocolError, RemoteError, SerializeError
from pyrolab.protocol import classes, codes
from pyrolab.protocol.codec import CODEC, Codec
from pyrolab.protocol.exception_classes import (
    BUILTIN,
    STATE,
    UNICODE,
    class_for,
    group,
    instance,
    is_stand_in,
    names_of_bases,
)
from pyrolab.tracebacks import REMOTE_HEADING as REMOTE_HEADING

if TYPE_CHECKING:
    from msgpack import ExtType

    from pyrolab.protocol.codec import Encoder, Packing, Unpacking

#: Causes of causes, and members of groups, that travel with an exception.
MAX_CHAIN = 12
MAX_EXCEPTIONS = 64
#: Frames of a remote traceback, the innermost ones.
MAX_FRAMES = 50
MAX_TEXT_CHARS = 10_000
MAX_NOTES = 100


def pack_exception(error: BaseException, codec: Codec = CODEC) -> dict[str, Any]:
    """`error` as values that `codec` can encode."""
    data = _Packing(codec).pack(error, ())
    if (
        data is None or codec.reason_against(data) is not None
    ):  # each part may travel and the whole be too large
        return _bare(error)
    return data


def _bare(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    text = _text(error)[:1000]
    return {"type": classes.name_of(kind)[: classes.MAX_CLASS_NAME_CHARS], "text": text, "args": [text]}


class _Parts(Codec):
    """What an exception may hold: no others, which could hold it again; of those the text travels."""

    def packing_of(self, kind: type) -> Packing:
        if issubclass(kind, BaseException):
            raise SerializeError("an exception within an exception travels as a text")
        return super().packing_of(kind)


class _Packing:
    """Packs one exception with all that hang on it, and counts them."""

    def __init__(self, codec: Codec) -> None:
        self._codec = _Parts(codec)
        self._left = MAX_EXCEPTIONS

    def pack(self, error: BaseException | None, above: tuple[int, ...]) -> dict[str, Any] | None:
        """The data of `error`; None where a chain is too long, or bites its own tail."""
        if error is None or id(error) in above or len(above) >= MAX_CHAIN or self._left <= 0:
            return None
        self._left -= 1
        inside = (*above, id(error))
        parts = {
            **_identity(error),
            "args": [self._portable(each) for each in _arguments(error)],
            "state": {name: value for name, value in _state_of(error) if self._travels(value)},
            "attributes": {name: value for name, value in _attributes(error) if self._travels(value)},
            "notes": [note[:MAX_TEXT_CHARS] for note in _notes(error)],
            "traceback": _traceback(error),
            "cause": self.pack(error.__cause__, inside),
            "context": None if error.__cause__ else self.pack(error.__context__, inside),
            "suppress": error.__suppress_context__,
            "members": [self.pack(each, inside) for each in _members(error)],
        }
        return {name: part for name, part in parts.items() if part or name == "args"}

    def _travels(self, value: Any) -> bool:
        return self._codec.reason_against(value) is None

    def _portable(self, value: Any) -> Any:
        return value if self._travels(value) else _text(value, repr)


def _identity(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    name, bases = classes.name_of(kind), names_of_bases(kind)
    if is_stand_in(error):  # it goes on under the name of what it stands for
        name, bases = vars(kind)["remote_type"], error.__dict__.get("_remote_bases", bases)
    return {"type": name, "bases": bases, "text": _text(error)}


def _text(value: Any, to_text: Any = str) -> str:
    try:
        text: str = to_text(value)
    except Exception:  # noqa: BLE001 - an exception whose own text fails must still arrive
        text = f"<a {type(value).__qualname__} that has no text>"
    return text[:MAX_TEXT_CHARS]


def _arguments(error: BaseException) -> tuple[Any, ...]:
    return error.args[:1] if _members(error) else error.args


def _members(error: BaseException) -> tuple[BaseException, ...]:
    members = getattr(error, "exceptions", ())
    is_group = type(members) is tuple and all(isinstance(each, BaseException) for each in members)
    return members if is_group else ()


def _attributes(error: BaseException) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in vars(error).items() if _may_be_set(name))


def _may_be_set(name: Any) -> bool:
    return (
        type(name) is str
        and not name.startswith("__")
        and name not in _OWN
        and not hasattr(BaseException, name)
    )


#: What this file itself keeps in exceptions.
_OWN = frozenset({"_remote_text", "_remote_bases", "_pyroTraceback", "message", "exceptions"})


def _state_of(error: BaseException) -> Iterator[tuple[str, Any]]:
    if isinstance(error, UNICODE):
        parts = (error.object, error.start, error.end, error.reason)
        yield "unicode", list(parts if isinstance(error, UnicodeTranslateError) else (error.encoding, *parts))
    for owner, allowed in STATE.items():
        if isinstance(error, owner):
            values = ((name, vars(owner)[name].__get__(error)) for name in allowed if name in vars(owner))
            yield from ((name, value) for name, value in values if value is not None)


def _notes(error: BaseException) -> list[str]:
    notes = getattr(error, "__notes__", None)
    return [note for note in notes if type(note) is str][:MAX_NOTES] if type(notes) is list else []


def _traceback(error: BaseException) -> list[str]:
    import traceback

    return [line[:MAX_TEXT_CHARS] for line in traceback.extract_tb(error.__traceback__, -MAX_FRAMES).format()]


def unpack_exception(data: Any) -> Exception:
    """The exception of data that a peer sent.

    It has `remote_traceback`, a list of lines, which is also its last note, and is called `_pyroTraceback`
    too. Raises `ProtocolError` if the data are not of an exception, and nothing else.
    """
    try:
        return _unpack(data)
    except ProtocolError:
        raise
    except Exception as error:  # noqa: BLE001 - a peer chose the data; no error of theirs may surprise us
        raise ProtocolError(f"this is no exception: {type(error).__name__}: {error!s:.200}") from None


def _unpack(data: dict[str, Any]) -> Exception:
    name = classes.checked_name(_expect(str, data.get("type")))
    error = _make(name, data)
    for link in ("cause", "context"):
        if data.get(link) is not None:
            BaseException.__setattr__(error, f"__{link}__", _unpack(data[link]))
    BaseException.__setattr__(error, "__suppress_context__", bool(data.get("suppress")))
    attributes = _expect(dict, data.get("attributes", {}))
    error.__dict__.update({key: value for key, value in attributes.items() if _may_be_set(key)})
    _remember_where(error, data)
    return error


def _make(name: str, data: dict[str, Any]) -> Exception:
    args = tuple(_expect(list, data.get("args", [])))
    text = _expect(str, data.get("text", ""))
    members = [_unpack(each) for each in _expect(list, data.get("members", []))]
    if name.startswith("builtins:") and name not in BUILTIN and not members:
        what = name.removeprefix("builtins:")
        return RemoteError(f"the service raised {what}: {text}", remote_type=name)
    bases = [_expect(str, base) for base in _expect(list, data.get("bases", []))]
    kind = class_for(name, bases)
    if members:
        error = group(kind, _expect(str, args[0]), members)
    else:
        error = instance(kind, args, _expect(dict, data.get("state", {})))
    if is_stand_in(error):
        error.__dict__.update(_remote_text=text, _remote_bases=bases)
    return error


def _remember_where(error: Exception, data: dict[str, Any]) -> None:
    """Keep the remote traceback as an attribute and, where Python prints it, as a note."""
    lines = [_expect(str, line) for line in _expect(list, data.get("traceback", []))]
    notes = [_expect(str, note) for note in _expect(list, data.get("notes", []))]
    if lines:
        notes.append("\n".join([REMOTE_HEADING, "".join(lines).rstrip()]))
    if notes:
        error.__dict__["__notes__"] = notes  # what `add_note` does, which Python 3.10 lacks
    earlier = error.__dict__.get("remote_traceback")
    everywhere = (earlier if type(earlier) is list else []) + lines
    error.__dict__.update(remote_traceback=everywhere, _pyroTraceback=everywhere)


def _expect(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise ProtocolError(f"a {kind.__name__} is missing in the data of an exception")
    return value


def packing_of(kind: type) -> Packing | None:
    """How instances of `kind` are packed as values, if they are exceptions."""
    return _pack if issubclass(kind, BaseException) else None


def _pack(encoder: Encoder, error: BaseException) -> ExtType:
    return encoder.extend(codes.EXCEPTION, pack_exception(error))


UNPACKING: dict[int, Unpacking] = {
    codes.EXCEPTION: lambda decoder, payload: unpack_exception(decoder.nested(payload)),
}
