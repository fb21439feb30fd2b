"""`Proxy`: the client-side stand-in of a service.

It connects at its first use, gives its place in the broker's pool back at the end of `with`, and connects
again by itself when it is used after that. Any number of threads may use one proxy at once.
"""

from __future__ import annotations

import time
from typing import Any

from typing_extensions import Self

from pyrolab.client.attachment import Attachment
from pyrolab.client.node import Node
from pyrolab.client.references import codec_for
from pyrolab.client.shape import Shape
from pyrolab.errors import CommunicationError, NotExecuted
from pyrolab.protocol import codes
from pyrolab.protocol.codec import CODEC
from pyrolab.protocol.interface import Interface
from pyrolab.protocol.names import URI

_RECONNECT_PAUSE_S = 0.5


class Proxy(Node):
    """A service, as if it were here.

    `uri` is a `URI` or its text: `PYRO:object@host:port`, `PYRONAME:name[@host[:port]]` or
    `PYROMETA:tag,tag[@host[:port]]`. Attributes with a leading underscore belong to the proxy, all others
    to the service. Raises `NamingError` at once if `uri` is none, `ConnectionError`s when it is used.
    """

    def __init__(self, uri: str | URI) -> None:
        attachment = Attachment(URI(uri))
        attachment.codec = codec_for(attachment)
        super().__init__(attachment, (), None)

    # -- settings ------------------------------------------------------------------------------------

    @property
    def _pyroUri(self) -> URI:
        """The URI, with the broker's address."""
        return self._attachment.uri

    @property
    def _pyroTimeout(self) -> float | None:
        """Seconds that each call may take, or None. `with timeout(5):` does the same for a while."""
        return self._attachment.timeout_s

    @_pyroTimeout.setter
    def _pyroTimeout(self, seconds: float | None) -> None:
        self._attachment.timeout_s = seconds

    @property
    def _pyroMaxRetries(self) -> int:
        """How often what only reads is tried again after a failure."""
        return self._attachment.max_retries

    @_pyroMaxRetries.setter
    def _pyroMaxRetries(self, retries: int) -> None:
        self._attachment.max_retries = retries

    @property
    def _pyroOneway(self) -> set[str]:
        """The methods that are not waited for."""
        return {name for name, method in self._known_shape().methods.items() if method.oneway}

    # -- connecting ----------------------------------------------------------------------------------

    @property
    def _pyroConnected(self) -> bool:
        """Whether this proxy holds a place in the broker's pool now."""
        return self._attachment.connection is not None

    @property
    def _pyroInterface(self) -> Interface:
        """What the service offers; connects if that is not known yet."""
        return self._known_shape().interface

    def _pyroBind(self) -> bool:
        """Connect now. Returns whether there was no connection before."""
        if self._pyroConnected:
            return False
        self._attachment.connected()
        return True

    def _pyroRelease(self) -> None:
        """Give the place in the broker's pool back; the next use connects again."""
        self._attachment.release()

    def _pyroReconnect(self, tries: int = 100_000_000) -> None:
        """Connect again, trying up to `tries` times, with pauses. Raises what the last try raised."""
        self._pyroRelease()
        for left in range(tries - 1, -1, -1):
            try:
                self._attachment.connected()
                return
            except (CommunicationError, NotExecuted):
                if not left:
                    raise
                time.sleep(_RECONNECT_PAUSE_S)

    def _pyroClaimOwnership(self) -> None:
        """Nothing to do: a proxy belongs to all threads."""

    def _known_shape(self) -> Shape:
        """What the service offers."""
        shape = self._shape
        if shape is None:
            shape = self._shape = self._attachment.known_shape()
        return shape

    # -- being a Python object -----------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._pyroRelease()

    def __repr__(self) -> str:
        state = "connected" if self._pyroConnected else "not connected"
        shape = self._shape
        kind = f" of {shape.type_name}" if shape is not None else ""
        return f"<{type(self).__name__}{kind} at {self._pyroUri}, {state}>"

    def __copy__(self) -> Self:
        return type(self)(self._pyroUri)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self._pyroUri),)


#: Wherever a service is passed on, it arrives as a proxy.
CODEC.register_extension(codes.SERVICE, Proxy, lambda proxy: str(proxy._pyroUri), Proxy)
