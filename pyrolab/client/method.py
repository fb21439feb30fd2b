"""A method of a service, ready to be called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyrolab.client.futures import RemoteFuture
from pyrolab.client.reached import Reached
from pyrolab.client.shape import Shape
from pyrolab.protocol.envelope import Flag
from pyrolab.protocol.interface import Method

if TYPE_CHECKING:
    import inspect


def flags_of(method: Method) -> int:
    """What the broker must know of a call of this method."""
    flags = Flag.ONEWAY if method.oneway else Flag.NONE
    if method.readonly:
        flags |= Flag.READ
    if method.urgent:
        flags |= Flag.URGENT
    return flags


class RemoteMethod:
    """A method of a service. Wrong arguments are a `TypeError` here, in Python's words, and nothing is
    sent.
    """

    __slots__ = ("_flags", "_method", "_name", "_node", "_shape")

    def __init__(self, node: Reached, name: str, method: Method, shape: Shape) -> None:
        self._node = node
        self._name = name
        self._method = method
        self._shape = shape
        self._flags = flags_of(method)

    def _check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        shape = self._shape
        check = shape.checkers.get(self._name) or shape.checker(self._name)
        check(*args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it there."""
        shape = self._shape
        (shape.checkers.get(self._name) or shape.checker(self._name))(*args, **kwargs)
        node = self._node
        return node._attachment.invoke(
            [*node._steps, self._name], "call", args, kwargs, self._flags, node._session
        )

    def future(self, *args: Any, **kwargs: Any) -> RemoteFuture:
        """Call it there, and get its answer from the future that this returns at once."""
        self._check(args, kwargs)
        attachment = self._node._attachment
        message = attachment.packed([*self._node._steps, self._name], "call", args, kwargs)
        return attachment.begin(message, self._flags & ~Flag.ONEWAY, self._node._session)

    @property
    def __name__(self) -> str:
        return self._name

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return self._method.doc

    @property
    def __signature__(self) -> inspect.Signature:
        from pyrolab.client.signatures import signature_of

        return signature_of(self._method)

    def __get__(self, instance: Any, owner: type | None = None) -> RemoteMethod:
        """Itself: what has `__get__` is a routine to `help()`, and is shown with its signature."""
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemoteMethod) and (self._node, self._name) == (other._node, other._name)

    def __hash__(self) -> int:
        return hash((self._node, self._name))

    def __repr__(self) -> str:
        return f"<remote method {self._name!r} of {self._node._label}>"
