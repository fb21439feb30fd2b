"""Streams of a service, as a proxy has them."""

from __future__ import annotations

from typing import Any

from pyrolab.client.reached import Reached
from pyrolab.client.stream_subscription import StreamSubscription
from pyrolab.protocol.interface import StreamType
from pyrolab.streams.compression import require
from pyrolab.streams.options import Options
from pyrolab.streams.variants import Variant


class RemoteStream:
    """A stream of a service; `described` if its interface does not say."""

    def __init__(self, node: Reached, name: str, described: StreamType | None = None) -> None:
        self._node = node
        self._name = name
        self._given = described

    def subscribe(
        self,
        policy: str = "latest",
        limit: int | None = None,
        *,
        region: Any = None,
        stride: int | tuple[int, ...] = 1,
        binning: int | tuple[int, ...] = 1,
        every: int = 1,
        max_rate: float | None = None,
        compression: str | None = None,
        quality: int = 85,
        path: str | None = None,
    ) -> StreamSubscription:
        """Get its frames from now on: use it in a `with`, and iterate over it.

        `policy`: "latest" gives the newest frame whenever you ask for one, "queue" keeps the `limit` newest
        (16), "lossless" gives all of them, and makes the publisher wait. `region` (`np.s_[100:200, 50:80]`),
        `stride` (every n-th pixel) and `binning` (means of n × n pixels) make frames smaller, `every` and
        `max_rate` (frames/s) fewer. `compression`, used on the network only: "zstd" or "blosc2", exact, or
        "jpeg", lossy, with a `quality` to 100. `path` insists on "shared memory", "direct" or "relay".
        Raises `ValueError` for what makes no sense, `ImportError` if a library for `compression` is missing
        at one of the ends, and what calls raise.
        """
        variant = Variant.of(region, stride, binning, compression, quality)
        require(variant.compression)
        options = Options(policy, limit, every, max_rate, variant)
        return StreamSubscription(self._node, self._name, options, path)

    @property
    def unit(self) -> str:
        """The symbol of the unit of its values."""
        return self._described.unit

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return self._described.doc

    @property
    def _described(self) -> StreamType:
        return self._given or self._node._known_shape().interface.streams[self._name]

    def __repr__(self) -> str:
        return f"<remote stream {self._name} of {self._node._label}>"
