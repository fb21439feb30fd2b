"""Quantities and units of pint: a magnitude, and powers of named units.

They arrive in the application's registry. Powers travel as numbers rather than as text, because pint's
parser would work out whatever power a text asks for.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pyrolab.errors import ProtocolError
from pyrolab.protocol import codes, foreign

if TYPE_CHECKING:
    from msgpack import ExtType

    from pyrolab.protocol.codec import Decoder, Encoder, Packing, Unpacking

_UNIT_NAME = re.compile(r"[^\W\d]\w{0,99}")
_MAX_UNITS = 32


def packing_of(kind: type) -> Packing | None:
    """How instances of `kind` are packed, if they are pint's."""
    pint = foreign.library("pint")
    if issubclass(kind, pint.Quantity):
        return _pack_quantity
    return _pack_unit if issubclass(kind, pint.Unit) else None


def _pack_quantity(encoder: Encoder, value: Any) -> ExtType:
    return encoder.extend(codes.QUANTITY, ["Quantity", dict(value.unit_items()), value.magnitude])


def _pack_unit(encoder: Encoder, value: Any) -> ExtType:
    return encoder.extend(codes.QUANTITY, ["Unit", dict((1 * value).unit_items())])


def _unpack(decoder: Decoder, payload: bytes) -> Any:
    data = decoder.items(payload)
    kind, units, *magnitude = data
    _check_units(units)
    if (kind, len(magnitude)) not in (("Quantity", 1), ("Unit", 0)):
        raise ProtocolError("a quantity has units and one magnitude, a unit none")
    pint = foreign.library("pint")
    registry = pint.get_application_registry() if pint else None
    if registry is None or not _knows(registry, units):
        return foreign.Foreign.of("pint", data)
    container = registry.UnitsContainer(units)
    return registry.Unit(container) if kind == "Unit" else registry.Quantity(magnitude[0], container)


def _check_units(units: Any) -> None:
    if type(units) is not dict or len(units) > _MAX_UNITS:
        raise ProtocolError(f"units are a map of at most {_MAX_UNITS} names to powers")
    for name, power in units.items():
        if (
            type(name) is not str
            or not _UNIT_NAME.fullmatch(name)
            or type(power) not in (int, float, Fraction)
        ):
            raise ProtocolError(f"{name!r:.40} to the power of {power!r:.40} is no unit")


def _knows(registry: Any, units: dict[str, Any]) -> bool:
    """Whether these are names of the registry, as they stand in its own quantities."""
    try:
        return all(registry.get_name(name) == name for name in units)
    except AttributeError:  # pint's UndefinedUnitError is one
        return False


UNPACKING: dict[int, Unpacking] = {codes.QUANTITY: _unpack}
