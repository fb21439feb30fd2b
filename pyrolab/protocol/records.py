"""Dataclasses, namedtuples and Enum members travel as records: the name of the class, and its fields.

Where the receiver has the class imported, with the same fields, it gets an instance, made without running
`__init__`. Elsewhere it gets a stand-in, which reads the same and encodes back to the same bytes.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any

from pyrolab.errors import ProtocolError, SerializeError
from pyrolab.protocol import classes, codes

if TYPE_CHECKING:
    from msgpack import ExtType

    from pyrolab.protocol.codec import Decoder, Encoder, Packing, Unpacking


class Record:
    """Stand-in for an instance of a class that is not imported here; its fields are attributes, read-only.

    `record["type_name"]` reaches a field that is called like one of the two attributes of every record.
    """

    __slots__ = ("fields", "type_name")

    type_name: str
    fields: dict[str, Any]

    def __init__(self, type_name: str, fields: dict[str, Any]) -> None:
        object.__setattr__(self, "type_name", type_name)
        object.__setattr__(self, "fields", fields)

    def __getattr__(self, name: str) -> Any:
        try:
            return object.__getattribute__(self, "fields")[name]
        except KeyError:
            raise AttributeError(
                f"a {self.type_name} has no field {name!r}; it has {list(self.fields)}"
            ) from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{self.type_name} is not imported here, so its fields can only be read")

    def __delattr__(self, name: str) -> None:
        self.__setattr__(name, None)

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def __dir__(self) -> list[str]:
        return sorted([*object.__dir__(self), *self.fields])

    def __repr__(self) -> str:
        return f"<{self.type_name} {_pairs(self.fields)}>"

    def __eq__(self, other: Any) -> bool:
        same = type(other) is type(self) and other.type_name == self.type_name
        return same and bool(other.fields == self.fields)

    def __hash__(self) -> int:
        return hash((self.type_name, tuple(self.fields.values())))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.type_name, self.fields)


class TupleRecord(tuple[Any, ...]):
    """Stand-in for a namedtuple whose class is not imported here; a tuple with its fields as attributes."""

    type_name: str
    _fields: tuple[str, ...]

    def __new__(cls, type_name: str, fields: dict[str, Any]) -> TupleRecord:
        """A tuple of the values of `fields`."""
        made = super().__new__(cls, fields.values())
        made.__dict__.update(type_name=type_name, _fields=tuple(fields))
        return made

    def __getattr__(self, name: str) -> Any:
        try:
            return self[self._fields.index(name)]
        except ValueError:
            raise AttributeError(f"a {self.type_name} has no field {name!r}; it has {self._fields}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{self.type_name} is not imported here, so its fields can only be read")

    def _asdict(self) -> dict[str, Any]:
        """The fields by name, as of any namedtuple."""
        return dict(zip(self._fields, self, strict=True))

    def __repr__(self) -> str:
        return f"<{self.type_name} {_pairs(self._asdict())}>"

    def __eq__(self, other: Any) -> bool:
        return tuple.__eq__(self, other)

    def __ne__(self, other: Any) -> bool:
        return not self == other

    __hash__ = tuple.__hash__

    def __reduce__(self) -> tuple[Any, ...]:
        return TupleRecord, (self.type_name, self._asdict())


@dataclasses.dataclass(frozen=True, slots=True)
class EnumRecord:
    """Stand-in for a member of an Enum that is not imported here."""

    type_name: str
    name: str | None
    value: Any

    def __repr__(self) -> str:
        return f"<{self.type_name}.{self.name}: {self.value!r}>"


def _pairs(fields: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in fields.items())


def packing_of(kind: type) -> Packing | None:
    """How instances of `kind` are packed, if it is a sort of record."""
    if kind in _STAND_INS:
        return _STAND_INS[kind]
    if issubclass(kind, enum.Enum):
        return _pack_member
    if dataclasses.is_dataclass(kind):
        return _packing_of_dataclass(kind)
    return _packing_of_namedtuple(kind) if is_namedtuple(kind) else None


def is_namedtuple(kind: type) -> bool:
    """Whether the instances of a class are tuples with one name for each item and nothing else."""
    fields = getattr(kind, "_fields", None)
    shaped = issubclass(kind, tuple) and type(fields) is tuple and all(type(name) is str for name in fields)
    return shaped and hasattr(kind, "_make") and hasattr(kind, "_field_defaults")


def _packing_of_dataclass(kind: type) -> Packing:
    if not _is_plain_object(kind):
        raise SerializeError(
            f"{kind.__qualname__} is a dataclass that is also a {_layout(kind).__name__}, and would lose "
            "that; let it hold one in a field instead"
        )
    type_name = classes.name_of(kind)
    names = _field_names(kind)

    def pack(encoder: Encoder, value: Any) -> ExtType:
        _refuse_other_attributes(value, names)
        return _pack_record(encoder, codes.RECORD, type_name, {name: getattr(value, name) for name in names})

    return pack


def _refuse_other_attributes(value: Any, names: tuple[str, ...]) -> None:
    """Only private attributes and cached properties may stay behind unsaid."""
    for name in getattr(value, "__dict__", ()):
        if name not in names and not name.startswith("_") and not hasattr(type(value), name):
            raise SerializeError(
                f"{name!r} is an attribute of a {type(value).__qualname__} but no field of this dataclass, "
                "and would be lost; declare it as a field"
            )


def _packing_of_namedtuple(kind: type) -> Packing:
    type_name = classes.name_of(kind)
    names: tuple[str, ...] = vars(kind).get("_fields") or kind._fields  # type: ignore[attr-defined]

    def pack(encoder: Encoder, value: Any) -> ExtType:
        if getattr(value, "__dict__", None):
            raise SerializeError(
                f"a {type_name} with attributes beside its fields cannot travel; use a dataclass"
            )
        fields = dict(zip(names, tuple.__iter__(value), strict=True))
        return _pack_record(encoder, codes.NAMED_TUPLE, type_name, fields)

    return pack


def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(each.name for each in dataclasses.fields(kind))


def _layout(kind: type) -> type:
    """The nearest base that is not written in Python."""
    return next(base for base in kind.__mro__ if not base.__flags__ & _HEAP_TYPE)


_HEAP_TYPE = 1 << 9


def _is_plain_object(kind: type) -> bool:
    return _layout(kind) is object


def _pack_record(encoder: Encoder, code: int, type_name: str, fields: dict[str, Any]) -> ExtType:
    return encoder.extend(code, [type_name, fields])


def _pack_member(encoder: Encoder, member: enum.Enum) -> ExtType:
    # Pythons differ in what they call a combination of flags.
    name = member._name_ if member._name_ in type(member)._member_map_ else None
    parts = [classes.name_of(type(member)), name, member._value_]
    before = len(encoder.buffers)
    try:
        return encoder.extend(codes.ENUM, parts)
    except (SerializeError, ValueError, TypeError):  # only who lacks the class ever looks at the value
        del encoder.buffers[before:]
        return encoder.extend(codes.ENUM, [*parts[:2], repr(member._value_)])


_STAND_INS: dict[type, Packing] = {
    Record: lambda encoder, value: _pack_record(encoder, codes.RECORD, value.type_name, value.fields),
    TupleRecord: lambda encoder, value: _pack_record(
        encoder, codes.NAMED_TUPLE, value.type_name, value._asdict()
    ),
    EnumRecord: lambda encoder, value: encoder.extend(codes.ENUM, [value.type_name, value.name, value.value]),
}


def _read_record(decoder: Decoder, payload: bytes) -> tuple[str, dict[str, Any]]:
    type_name, fields = decoder.items(payload)
    if type(fields) is not dict or not all(type(name) is str for name in fields):
        raise ProtocolError("the fields of a record are a map with names as keys")
    return classes.checked_name(type_name), fields


def _unpack_record(decoder: Decoder, payload: bytes) -> Any:
    type_name, fields = _read_record(decoder, payload)
    cls = classes.find(type_name)
    if cls is None or not _is_dataclass_with(cls, fields):
        return Record(type_name, fields)
    made: Any = object.__new__(cls)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


def _is_dataclass_with(cls: type, fields: dict[str, Any]) -> bool:
    if not dataclasses.is_dataclass(cls) or not _is_plain_object(cls):
        return False
    return set(_field_names(cls)) == set(fields) and not classes.runs_code_when_dropped(cls)


def _unpack_namedtuple(decoder: Decoder, payload: bytes) -> Any:
    type_name, fields = _read_record(decoder, payload)
    cls = classes.find(type_name)
    if cls is None or not is_namedtuple(cls) or classes.runs_code_when_dropped(cls):
        return TupleRecord(type_name, fields)
    names: tuple[str, ...] = cls._fields  # type: ignore[attr-defined]
    return tuple.__new__(cls, fields.values()) if names == tuple(fields) else TupleRecord(type_name, fields)


def _unpack_member(decoder: Decoder, payload: bytes) -> Any:
    type_name, name, value = decoder.items(payload)
    if name is not None and type(name) is not str:
        raise ProtocolError("the name of an Enum member is text")
    cls = classes.find(classes.checked_name(type_name))
    found = _member(cls, name, value) if cls is not None and issubclass(cls, enum.Enum) else None
    return EnumRecord(type_name, name, value) if found is None else found


def _member(cls: type[enum.Enum], name: str | None, value: Any) -> enum.Enum | None:
    found = cls._member_map_.get(name) if name is not None else None
    if found is None and issubclass(cls, enum.Flag) and type(value) is int and abs(value) < _MAX_FLAG:
        return _combination(cls, value)
    return found


#: Python keeps every combination of flags that it has ever made, so a peer may not invent large ones.
_MAX_FLAG = 1 << 64


def _combination(cls: type[enum.Flag], value: int) -> enum.Flag | None:
    """Members of a flag together, unless making them would run code of the class."""
    if cls._missing_.__func__.__module__ != enum.__name__:  # type: ignore[attr-defined]
        return None
    try:
        return cls(value)
    except ValueError:
        return None


UNPACKING: dict[int, Unpacking] = {
    codes.RECORD: _unpack_record,
    codes.NAMED_TUPLE: _unpack_namedtuple,
    codes.ENUM: _unpack_member,
}
