"""Stand-ins for the values of libraries that are not installed here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pyrolab.protocol import codes
from pyrolab.protocol.records import Record

if TYPE_CHECKING:
    from msgpack import ExtType

    from pyrolab.protocol.codec import Encoder, Packing

_CODES = {"pandas": codes.PANDAS, "pint": codes.QUANTITY}


class Foreign(Record):
    """A value of `library`, which is not installed here; `data` is what travelled in its place.

    It encodes back to the same bytes, so that it can be passed on.
    """

    __slots__ = ()

    @classmethod
    def of(cls, library: str, data: Any) -> Foreign:
        """The stand-in for a payload that only `library` can read."""
        return cls(f"{library}:{data[0]}" if data else library, {"library": library, "data": data})


def library(name: str) -> Any:
    """The library of this name, which is one of our own code's choice, or None."""
    try:
        return import_module(name)
    except ImportError:
        return None


def _pack(encoder: Encoder, value: Foreign) -> ExtType:
    return encoder.extend(_CODES[value.fields["library"]], value.fields["data"])


PACKING: dict[type, Packing] = {Foreign: _pack}
