"""References to services in values: their URIs, without the broker's address where the receiver knows it
better.
"""

from __future__ import annotations

from typing import Any

import msgpack

from pyrolab.protocol import codes
from pyrolab.protocol.codec import CODEC, Decoder, Encoder, Unpacking
from pyrolab.protocol.names import URI, Location


def write(encoder: Encoder, uri: URI, location: Location) -> Any:
    """A reference to a service, for a peer at the broker `location`."""
    return encoder.extend(codes.SERVICE, uri.seen_from(location))


def reading_at(location: Location) -> Unpacking:
    """Reads references to services as seen from the broker `location`."""

    def read(decoder: Decoder, payload: bytes) -> Any:
        uri = URI(decoder.nested(payload))
        complete = uri if uri.location is not None else uri.at(location)
        return CODEC.unpacking_of(codes.SERVICE)(decoder, msgpack.packb(str(complete)))

    return read
