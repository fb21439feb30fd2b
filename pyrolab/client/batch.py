"""Several calls in one message: collected first, carried out together in their order, answered at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typing_extensions import Self

from pyrolab.client.reached import Reached
from pyrolab.protocol.envelope import Flag
from pyrolab.protocol.exceptions import unpack_exception


class BatchProxy:
    """Collects calls of a proxy's methods; `batch()` has them carried out and gives their results.

    The calls run one after the other with nobody else's in between, up to the first that raises.
    """

    def __init__(self, proxy: Reached) -> None:
        self._proxy = proxy
        self._calls: list[list[Any]] = []
        #: Whether nothing that was collected changes anything.
        self._reads = True

    def __getattr__(self, name: str) -> _Collecting:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        shape = self._proxy._known_shape()
        if name not in shape.methods:
            raise shape.unknown(name, self._proxy._label)
        return _Collecting(self, name)

    def __call__(self, oneway: bool = False) -> Iterator[Any] | None:
        """Carry out what was collected; an iterator of the results, which raises where a call has raised.

        With `oneway`, nobody waits for them and None is returned. The batch is empty then, and can be used
        again.
        """
        calls, self._calls = self._calls, []
        node = self._proxy
        flags, self._reads = (Flag.READ if self._reads else Flag.NONE), True
        flags |= Flag.ONEWAY if oneway else Flag.NONE
        outcomes = node._attachment.invoke((), "batch", (calls, False), None, flags, node._session)
        return None if oneway else _results(outcomes)

    def _collect(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        shape = self._proxy._known_shape()
        (shape.checkers.get(name) or shape.checker(name))(*args, **kwargs)
        self._reads = self._reads and shape.methods[name].readonly
        self._calls.append([[*self._proxy._steps, name], "call", list(args), kwargs])

    def __len__(self) -> int:
        return len(self._calls)

    def __bool__(self) -> bool:
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._calls.clear()
        self._reads = True

    def __copy__(self) -> BatchProxy:
        copied = type(self)(self._proxy)
        copied._calls, copied._reads = list(self._calls), self._reads
        return copied

    def __repr__(self) -> str:
        return f"<batch of {len(self._calls)} calls for {self._proxy!r}>"


class _Collecting:
    """A method of a batch: calling it makes a note of the call."""

    def __init__(self, batch: BatchProxy, name: str) -> None:
        self._batch = batch
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        self._batch._collect(self._name, args, kwargs)


def _results(outcomes: list[Any]) -> Iterator[Any]:
    for succeeded, value in outcomes:
        if not succeeded:
            raise unpack_exception(value)
        yield value


def read_properties(node: Reached, names: list[str]) -> dict[str, Any]:
    """The values of several properties, in one message; an exception in the place of what could not be
    read.
    """
    calls = [[[*node._steps, name], "get", [], {}] for name in names]
    outcomes = node._attachment.invoke((), "batch", (calls, True), None, Flag.READ, node._session)
    return {
        name: value if succeeded else unpack_exception(value)
        for name, (succeeded, value) in zip(names, outcomes, strict=False)
    }
