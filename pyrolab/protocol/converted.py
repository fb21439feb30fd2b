"""Instances of classes that say for themselves how they travel: as the name of a class, and attributes.

One side registers what makes a dict of an instance, the other what makes an instance of a dict; both tables
are filled by the program, never by a peer. Who has no converter gets a stand-in, which reads alike and
encodes back to the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from pyrolab.errors import ProtocolError, SerializeError
from pyrolab.protocol import classes, codes, kinds
from pyrolab.protocol.codec import CODEC
from pyrolab.protocol.records import Record

if TYPE_CHECKING:
    from msgpack import ExtType

    from pyrolab.protocol.codec import Decoder, Encoder, Packing, Unpacking

ToDict: TypeAlias = Callable[[Any], dict[str, Any]]
FromDict: TypeAlias = Callable[[str, dict[str, Any]], Any]

#: The entry of a converter's dict that names the class.
CLASS = "__class__"

_to_dict: dict[type, ToDict] = {}
_from_dict: dict[str, FromDict] = {}


class DictRecord(Record):
    """Stand-in for an instance of a class for which no converter is registered here."""

    __slots__ = ()


# -- the tables ----------------------------------------------------------------------------------------


def register_class(cls: type, convert: ToDict | None = None) -> None:
    """Let instances of `cls`, and of its subclasses, travel as the dict that `convert` makes of them.

    Without `convert` it is their attributes. The dict's entry `__class__` is the name under which they
    travel, `module.Class` if there is none. Register a class before its first instance is sent.
    """
    if not isinstance(cls, type):
        raise TypeError(f"register the class itself, not {cls!r:.60}")
    _to_dict[cls] = convert or attributes_of
    for known in [kind for kind in CODEC.packing if issubclass(kind, cls)]:
        del CODEC.packing[known]


def unregister_class(cls: type) -> None:
    """From now on, let instances of `cls` travel as if it had never been registered."""
    _to_dict.pop(cls, None)


def register_name(name: str, convert: FromDict) -> None:
    """Make what arrives under `name` an instance: `convert(name, attributes)`.

    Here, instances of the class `module.Class` of this name can be sent from now on, by their attributes.
    """
    _from_dict[classes.checked_name(name)] = convert


def unregister_name(name: str) -> None:
    """From now on, let what arrives under `name` be a stand-in."""
    _from_dict.pop(name, None)


# -- packing -------------------------------------------------------------------------------------------


def packing_of(kind: type) -> Packing | None:
    """How instances of `kind` are packed, if their class is registered or is the stand-in."""
    if kind is DictRecord:
        return _pack_stand_in
    return _pack if _registered_for(kind) is not None else None


def packing_of_named(kind: type) -> Packing | None:
    """How instances of `kind` are packed that could not travel but for the name registered here."""
    return _pack if _name_of(kind) in _from_dict else None


def attributes_of(value: Any) -> dict[str, Any]:
    """What `__getstate__` of its class returns, if that is a dict, or all attributes of `value`."""
    get_state = getattr(type(value), "__getstate__", None)
    if get_state is not getattr(object, "__getstate__", None):
        state = value.__getstate__()
        if isinstance(state, dict):
            return state
    found = {name: getattr(value, name) for name in _slots_of(type(value)) if hasattr(value, name)}
    return found | getattr(value, "__dict__", {})


def _slots_of(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        yield from (name for name in ([slots] if isinstance(slots, str) else slots) if name[:2] != "__")


def _registered_for(kind: type) -> ToDict | None:
    return next((_to_dict[base] for base in kind.__mro__ if base in _to_dict), None)


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _pack(encoder: Encoder, value: Any) -> ExtType:
    kind = type(value)
    convert = _registered_for(kind)
    if convert is None and _name_of(kind) not in _from_dict:  # unregistered since
        return kinds.packing_of(kind)(encoder, value)
    fields = (convert or attributes_of)(value)
    if not isinstance(fields, dict) or not all(type(name) is str for name in fields):
        raise SerializeError(f"the converter of {_name_of(kind)} must return a dict with names as keys")
    name = fields.get(CLASS, _name_of(kind))
    if type(name) is not str or not 0 < len(name) <= classes.MAX_CLASS_NAME_CHARS:
        raise SerializeError(f"{name!r:.60} is no name of a class; a converter of {_name_of(kind)} gave it")
    return encoder.extend(codes.DICT, [name, {key: item for key, item in fields.items() if key != CLASS}])


def _pack_stand_in(encoder: Encoder, value: DictRecord) -> ExtType:
    return encoder.extend(codes.DICT, [value.type_name, value.fields])


# -- unpacking -----------------------------------------------------------------------------------------


def _unpack(decoder: Decoder, payload: bytes) -> Any:
    name, fields = decoder.items(payload)
    classes.checked_name(name)
    if type(fields) is not dict or not all(type(key) is str for key in fields):
        raise ProtocolError("the attributes of an instance are a map with names as keys")
    convert = _from_dict.get(name)
    if convert is None:
        return DictRecord(name, fields)
    try:
        return convert(name, {**fields, CLASS: name})
    except Exception as error:  # a converter of the user's may raise anything, and it must be told which
        raise ProtocolError(
            f"the converter for {name!r} failed with {type(error).__name__}: {error!s:.200}"
        ) from error


UNPACKING: dict[int, Unpacking] = {codes.DICT: _unpack}
