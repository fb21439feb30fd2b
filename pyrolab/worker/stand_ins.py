"""What goes to a client in place of an object that stays here: a reference to a service, or to a sub-object.

A sub-object is named by the steps that lead to it, or, where no steps do, by the number under which it is
held for the client. The receiver gets the name of its type as well, whose interface it may ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pyrolab.errors import SerializeError
from pyrolab.protocol import codes, services
from pyrolab.protocol.call_body import Step
from pyrolab.protocol.codec import CODEC, Codec, Encoder, Packing
from pyrolab.protocol.names import Location
from pyrolab.worker import registry
from pyrolab.worker.views import CONTAINERS, Views, elements, type_key

#: Types that are always values; looked at first, because most results are of one of these.
_VALUES = frozenset({type(None), bool, int, float, str, bytes, complex})


@dataclass(frozen=True, slots=True)
class Node:
    """A sub-object of a service, by the way to it."""

    steps: Sequence[Step]
    value: Any


class StandIns:
    """The codec of one service at the broker `location`.

    `hold` keeps an object for the current client and returns its number; `find` follows steps.
    """

    def __init__(
        self,
        views: Views,
        location: Location,
        hold: Callable[[Any], int],
        find: Callable[[list[Step]], Any],
    ) -> None:
        self._views = views
        self._location = location
        self._hold = hold
        self.codec = Codec(CODEC, first=self._first, otherwise=self._otherwise)
        self.codec.register_extension(codes.NODE, Node, _never, lambda data: find(_steps_in(data)))
        self.codec.prefer(Node, self._pack_node)
        self.codec.read_with(codes.SERVICE, services.reading_at(location))

    def of_property(self, value: Any, steps: Sequence[Step]) -> Any:
        """The value of a property, with the way to it where it, or an element of it, is a sub-object."""
        if type(value) in _VALUES:
            return value
        if type(value) in CONTAINERS:
            return self._of_container(value, steps)
        return Node(steps, value) if self._is_node(value) else value

    def _of_container(self, value: Any, steps: Sequence[Step]) -> Any:
        if not any(self._is_node(item) for _, item in elements(value)):
            return value
        made = {
            key: Node([*steps, [key]], item) if self._is_node(item) else item for key, item in elements(value)
        }
        return made if type(value) is dict else type(value)(made.values())

    def _is_node(self, value: Any) -> bool:
        kind = type(value)
        if kind in _VALUES or not self._views.offers(kind) or registry.uri_of(value) is not None:
            return False
        return self._views.policy == "marked" or not _travels(kind)

    # -- packing -------------------------------------------------------------------------------------

    def _first(self, kind: type) -> Packing | None:
        """A class that exposes members stays here even if it could travel as a record."""
        if hasattr(kind, "_pyroUri"):
            return self._pack_proxy
        marked = self._views.policy == "marked" and self._views.offers(kind)
        return self._pack_object if marked else None

    def _otherwise(self, kind: type) -> Packing | None:
        if hasattr(kind, "__next__") or self._views.offers(kind):
            return self._pack_object
        return None

    def _pack_object(self, encoder: Encoder, value: Any) -> Any:
        uri = registry.uri_of(value)
        if uri is not None:
            return services.write(encoder, uri, self._location)
        return self._pack_node(encoder, Node([self._hold(value)], value))

    def _pack_proxy(self, encoder: Encoder, proxy: Any) -> Any:
        return services.write(encoder, proxy._pyroUri, self._location)

    def _pack_node(self, encoder: Encoder, node: Node) -> Any:
        kind = type(node.value)
        name = type_key(kind) if self._views.offers(kind) else ""
        is_iterator = hasattr(kind, "__next__")
        is_held = len(node.steps) == 1 and isinstance(node.steps[0], int)
        steps = [self._hold(node.value)] if is_iterator and not is_held else list(node.steps)
        return encoder.extend(codes.NODE, [steps, name, is_iterator])


def _travels(kind: type) -> bool:
    try:
        CODEC.packing_of(kind)
    except SerializeError:
        return False
    return True


def _never(value: Any) -> Any:
    raise AssertionError("nodes have a packing of their own")


def _steps_in(data: Any) -> list[Step]:
    """The steps in a reference that a client sent back."""
    from pyrolab.protocol.call_body import checked

    return checked([data[0] if type(data) is list and data else None, "get", [], {}]).steps
