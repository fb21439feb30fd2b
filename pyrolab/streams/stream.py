"""`Stream`: what a class declares to publish frames or values. It works without any bus as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from pyrolab.protocol.interface import StreamType
from pyrolab.streams.options import MAX_LIMIT
from pyrolab.streams.publisher import PATIENCE_S, Publisher

Hook = TypeVar("Hook", bound=Callable[[Any], object])

_STORE = "_pyrolab_streams"


class Stream:
    """A stream of a class: `frames = Stream(buffer=16, doc="What the camera sees.")`.

    `camera.frames.publish(image, exposure_ms=90)` publishes a frame. `buffer` is how many frames are kept for
    a lossless subscriber that is behind; then `publish` waits until it has taken some, up to 10 s (or as many
    as `waits` says; False: not at all) after it took the last one, and then its subscription ends. `unit` is
    the symbol of the unit of its values. With `on_demand`, the methods marked by `on_start` and `on_stop` are
    called for the first subscriber and after the last one, in the service's own thread.
    Raises `ValueError` if `buffer` is no number from 1 to 100,000.
    """

    __pyrolab_stream__: ClassVar[bool] = True

    def __init__(
        self,
        buffer: int = 16,
        *,
        on_demand: bool = False,
        waits: bool | float = True,
        unit: str = "",
        doc: str = "",
    ) -> None:
        if type(buffer) is not int or not 1 <= buffer <= MAX_LIMIT:
            raise ValueError(f"a stream buffers from 1 to {MAX_LIMIT} frames, not {buffer!r}")
        self.described = StreamType(doc, unit, on_demand)
        self.__doc__ = doc
        self._buffer = buffer
        self._patience_s = PATIENCE_S if waits is True else float(waits)
        self._name = ""
        self._hooks: dict[bool, str] = {}

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        made: dict[str, Publisher] = instance.__dict__.setdefault(_STORE, {})
        found = made.get(self._name)
        return found or made.setdefault(
            self._name, Publisher(self._name, self.described, self._buffer, self._patience_s)
        )

    def on_start(self, method: Hook) -> Hook:
        """Mark the method that starts the source, for the first subscriber."""
        return self._mark(True, method)

    def on_stop(self, method: Hook) -> Hook:
        """Mark the method that stops the source, after the last subscriber has gone."""
        return self._mark(False, method)

    def _mark(self, starts: bool, method: Hook) -> Hook:
        if not self.described.on_demand:
            raise TypeError("only a stream with on_demand=True is started and stopped")
        self._hooks[starts] = method.__name__
        return method

    def hook(self, instance: Any, starts: bool) -> Callable[[], object] | None:
        """The method of `instance` that starts or stops the source, if one is marked."""
        name = self._hooks.get(starts)
        return getattr(instance, name) if name is not None else None
