"""What the parts of a proxy know of each other: something of a service that steps have reached."""

from __future__ import annotations

from typing import Protocol

from pyrolab.client.attachment import Attachment
from pyrolab.client.shape import Shape
from pyrolab.protocol.call_body import Step


class Reached(Protocol):
    """A proxy, or a sub-object of one."""

    _attachment: Attachment
    _steps: tuple[Step, ...]
    #: The session in which the service holds this object; 0 for what can be reached anew at any time.
    _session: int

    @property
    def _label(self) -> str:
        """What a person calls it: `station.ch_a`."""
        ...

    def _known_shape(self) -> Shape:
        """What it offers; connects if that is not known yet."""
        ...
