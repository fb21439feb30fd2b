"""`Node`: an object of a service, as if it were here. Proxies are nodes, and so are their sub-objects.

Whatever Python does with an object is done there, as far as it is exposed there. Names with a leading
underscore belong to the node itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pyrolab.client.any_service import FALLBACKS, AnyService
from pyrolab.client.attachment import Attachment
from pyrolab.client.deadlines import timeout
from pyrolab.client.method import RemoteMethod
from pyrolab.client.shape import Shape
from pyrolab.errors import PyroError
from pyrolab.protocol.call_body import READING_DUNDERS, Step, path_text
from pyrolab.protocol.envelope import Flag
from pyrolab.protocol.interface import Interface

#: Whoever presses the tab key does not wait for a busy instrument.
_SOON_S = 0.5


class Node(AnyService):
    """An object of a service, reached by steps from it."""

    _attachment: Attachment
    _steps: tuple[Step, ...]
    _shape: Shape | None
    #: The session in which the service holds this object; 0 for what can be reached anew at any time.
    _session = 0

    def __init__(self, attachment: Attachment, steps: Sequence[Step], shape: Shape | None) -> None:
        self._attachment = attachment
        self._steps = tuple(steps)
        self._shape = shape

    # -- members -------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            return self._dunder(name)
        shape = self._shape or self._known_shape()
        method = shape.methods.get(name)
        if method is not None:
            return RemoteMethod(self, name, method, shape)
        found = shape.properties.get(name)
        if found is not None:
            if found.node:
                return self._static_child(name, found.node)
            return self._read(name, Flag.READ | Flag.URGENT if found.urgent else Flag.READ)
        if name in shape.interface.events:
            return self._event(name)
        if name in shape.interface.streams:
            return self._stream(name)
        if name in FALLBACKS:  # unless the service has something of this name itself
            return getattr(self, FALLBACKS[name])
        if shape.interface.is_open:
            return self._read(name)
        raise shape.unknown(name, self._label)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
            return
        self._require(name, "w", "no setter")
        self._invoke([*self._steps, name], "set", (value,))

    def __delattr__(self, name: str) -> None:
        if name.startswith("_"):
            object.__delattr__(self, name)
            return
        self._require(name, "d", "no deleter")
        self._invoke([*self._steps, name], "del")

    def __dir__(self) -> list[str]:
        own = object.__dir__(self)
        try:
            return sorted({*own, *self._all_names()})
        except PyroError:  # whoever presses the tab key does not want a traceback
            return sorted(own)

    def _all_names(self) -> list[str]:
        """What is offered; an open object is asked for what is in it besides, if it answers soon."""
        interface = self._known_shape().interface
        if interface.is_open:
            with timeout(_SOON_S):
                described = self._attachment.invoke(
                    self._steps, "describe", flags=Flag.READ, session=self._session
                )
            return Interface.from_data(described).names()
        return interface.names()

    def _watch(self, name: str, every: float | None = None) -> Any:
        """The changes of a property, as a `Subscription`: iterate over it, or connect functions to it.

        The value of now comes first, then each change that a client or the class itself makes. `every` has
        the service look so often (in s) as well, for what changes by itself, such as a temperature.
        Raises `AttributeError` if there is no such property.
        """
        from pyrolab.client.subscriptions import Watch

        self._require(name, "r", "no getter")
        return Watch(self, name, every)

    def _read(self, name: str, flags: int = Flag.READ) -> Any:
        return self._invoke([*self._steps, name], "get", flags=flags)

    def _require(self, name: str, access: str, lack: str) -> None:
        """Raise `AttributeError`, as Python would, for a property that cannot be used so."""
        shape = self._known_shape()
        found = shape.properties.get(name)
        if found is None:
            if name in shape.methods or name in shape.interface.events:
                raise AttributeError(f"{name!r} of {shape.type_name!r} object is not a property")
            if shape.interface.is_open:
                return  # the service knows
            raise shape.unknown(name, self._label)
        if access not in found.access:
            raise AttributeError(f"property {name!r} of {shape.type_name!r} object has {lack}")

    def _static_child(self, name: str, type_name: str) -> Node:
        """A sub-object of which the interface says that it is one: nobody need be asked."""
        shape = self._attachment.shapes.get(type_name)
        return SubProxy(self._attachment, (*self._steps, name), shape, type_name, self._session)

    def _event(self, name: str) -> Any:
        from pyrolab.client.subscriptions import RemoteEvent

        return RemoteEvent(self, name)

    def _stream(self, name: str) -> Any:
        from pyrolab.client.streams import RemoteStream

        return RemoteStream(self, name)

    def _dunder(self, name: str) -> Any:
        """A method that a class calls `__something__`; Python and tools probe for many that are not there."""
        shape = self._shape
        if shape is not None and name in shape.methods:
            return RemoteMethod(self, name, shape.methods[name], shape)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _known_shape(self) -> Shape:
        raise NotImplementedError

    @property
    def _label(self) -> str:
        return ".".join(filter(None, [self._attachment.uri.object, path_text(self._steps)]))

    def _invoke(
        self,
        steps: Sequence[Step],
        verb: str,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
        flags: int = Flag.NONE,
    ) -> Any:
        """One call; raises what the service raised."""
        return self._attachment.invoke(steps, verb, args, kwargs, flags, self._session)

    # -- what Python does with objects -----------------------------------------------------------------

    def _offers(self, dunder: str) -> bool:
        return dunder in self._known_shape().methods

    def _do(self, dunder: str, *args: Any) -> Any:
        flags = Flag.READ if dunder in READING_DUNDERS else Flag.NONE
        return self._invoke([*self._steps, dunder], "call", args, None, flags)

    def _cannot(self, what: str) -> TypeError:
        return TypeError(f"{self._known_shape().type_name!r} object {what}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As the object itself does."""
        if not self._offers("__call__"):
            raise self._cannot("is not callable")
        return RemoteMethod(self, "__call__", self._known_shape().methods["__call__"], self._known_shape())(
            *args, **kwargs
        )

    def __len__(self) -> int:
        if not self._offers("__len__"):
            raise TypeError(f"object of type {self._known_shape().type_name!r} has no len()")
        return int(self._do("__len__"))

    def __bool__(self) -> bool:
        """Like any object: true, unless its class says something else."""
        shape = self._shape
        if shape is None:
            return True
        if "__bool__" in shape.methods:
            return bool(self._do("__bool__"))
        return bool(self._do("__len__")) if "__len__" in shape.methods else True

    def __getitem__(self, key: Any) -> Any:
        if not self._offers("__getitem__"):
            raise self._cannot("is not subscriptable")
        return self._invoke([*self._steps, [key]], "get", flags=Flag.READ)

    def __setitem__(self, key: Any, value: Any) -> None:
        if not self._offers("__setitem__"):
            raise self._cannot("does not support item assignment")
        self._invoke([*self._steps, [key]], "set", (value,))

    def __delitem__(self, key: Any) -> None:
        if not self._offers("__delitem__"):
            raise self._cannot("does not support item deletion")
        self._invoke([*self._steps, [key]], "del")

    def __contains__(self, item: Any) -> bool:
        if self._offers("__contains__"):
            return bool(self._do("__contains__", item))
        return any(each is item or each == item for each in self)

    def __iter__(self) -> Iterator[Any]:
        if self._offers("__iter__"):
            return iter(self._do("__iter__"))
        if self._offers("__getitem__"):
            return self._items()
        raise self._cannot("is not iterable")

    def _items(self) -> Iterator[Any]:
        """The items of what has only indices, up to the first `IndexError`, as Python does it."""
        index = 0
        while True:
            try:
                item = self[index]
            except IndexError:
                return
            yield item
            index += 1

    def __next__(self) -> Any:
        if not self._offers("__next__"):
            raise self._cannot("is not an iterator")
        return self._do("__next__")

    def __reversed__(self) -> Iterator[Any]:
        if self._offers("__reversed__"):
            return iter(self._do("__reversed__"))
        return (self[index] for index in range(len(self) - 1, -1, -1))

    def _compared(self, dunder: str, other: Any) -> Any:
        return self._do(dunder, other) if self._offers(dunder) else NotImplemented

    def __lt__(self, other: Any) -> Any:
        return self._compared("__lt__", other)

    def __le__(self, other: Any) -> Any:
        return self._compared("__le__", other)

    def __gt__(self, other: Any) -> Any:
        return self._compared("__gt__", other)

    def __ge__(self, other: Any) -> Any:
        return self._compared("__ge__", other)

    def __eq__(self, other: Any) -> Any:
        shape = self._shape
        if isinstance(other, Node):
            if self._same_as(other):
                return True
            if other._attachment is self._attachment:  # two ways may lead to what its class calls equal
                shape = self._known_shape()
        if shape is not None and "__eq__" in shape.methods:
            return self._do("__eq__", other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self._attachment.uri, path_text(self._steps)))

    def _same_as(self, other: Node) -> bool:
        here, there = (self._attachment.uri, self._session), (other._attachment.uri, other._session)
        return here == there and self._steps == other._steps

    def __int__(self) -> int:
        return int(self._number("__int__", "int() argument must be a number"))

    def __float__(self) -> float:
        return float(self._number("__float__", "float() argument must be a number"))

    def _number(self, dunder: str, otherwise: str) -> Any:
        if not self._offers(dunder):
            raise TypeError(f"{otherwise}, not {self._known_shape().type_name!r}")
        return self._do(dunder)

    def _repr_html_(self) -> str | None:
        """What Jupyter shows: a table of the properties."""
        from pyrolab.client.display import html_of

        return html_of(self)


class SubProxy(Node):
    """A sub-object of a service, such as a channel; it is reached by steps, or held by the service."""

    def __init__(
        self,
        attachment: Attachment,
        steps: Sequence[Step],
        shape: Shape | None,
        type_name: str,
        session: int = 0,
    ) -> None:
        super().__init__(attachment, steps, shape)
        self._type_name = type_name
        self._session = session

    def _known_shape(self) -> Shape:
        if self._shape is None:
            self._shape = self._attachment.shape_of(self._type_name, self._steps)
        return self._shape

    def __enter__(self) -> Any:
        if not self._offers("__enter__"):
            raise self._cannot("does not support the context manager protocol")
        entered = self._do("__enter__")
        return self if isinstance(entered, Node) and self._same_as(entered) else entered

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        shown = error if isinstance(error, Exception) else None
        return bool(self._do("__exit__", None, shown, None))

    def __repr__(self) -> str:
        name = self._type_name.rpartition(":")[2] or "object"
        return " ".join(
            filter(None, ["<remote", name, path_text(self._steps), f"of {self._attachment.uri}>"])
        )


class HeldProxy(SubProxy):
    """A sub-object that the service holds for this client, until it is needed no longer."""

    def __del__(self) -> None:
        attachment = self.__dict__.get("_attachment")
        if attachment is not None and isinstance(self._steps[0], int):
            attachment.dropped.append((self._session, self._steps[0]))
