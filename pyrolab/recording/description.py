"""What a recording says of where its frames come from, and of how it ended."""

from __future__ import annotations

import socket
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from pyrolab import __version__
from pyrolab.client.deadlines import timeout
from pyrolab.client.nameservice import NameService
from pyrolab.errors import PyroError
from pyrolab.recording.settings import Settings, read_settings

if TYPE_CHECKING:
    from pyrolab.client.reached import Reached
    from pyrolab.client.streams import RemoteStream

#: The version of how recordings are laid out.
FORMAT = 1
#: How long the broker may take to say where a service runs.
_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Description:
    """Where frames come from: `host` is the computer of the service, `recorded_on` that of the recorder."""

    service: str
    stream: str
    uri: str = ""
    type: str = ""
    host: str = ""
    unit: str = ""
    doc: str = ""
    recorded_on: str = field(default_factory=socket.gethostname)
    pyrolab: str = __version__
    started: str = field(default_factory=lambda: now_text())
    #: How frames were subscribed to, as JSON.
    options: str = "{}"
    settings: dict[str, Any] = field(default_factory=dict)
    #: The settings that could not be read, and why.
    unread: dict[str, str] = field(default_factory=dict)

    def source(self) -> dict[str, str]:
        """All that is text."""
        texts = asdict(self)
        del texts["settings"], texts["unread"], texts["pyrolab"], texts["started"]
        return texts


@dataclass(frozen=True, slots=True)
class Counts:
    """How many frames a recording has, and how many it lacks."""

    recorded: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a recording has ended; `properly` if that was wanted, `because` in words."""

    properly: bool
    because: str
    ended: str = field(default_factory=lambda: now_text())


def now_text() -> str:
    """The time, in UTC by ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def describe(stream: RemoteStream, options: str, with_settings: bool) -> Description:
    """Ask a service for what a recording says of it. Raises what calls raise if it cannot be reached."""
    node = stream._node
    shape = node._known_shape()
    described = shape.interface.streams[stream._name]
    found = read_settings(node) if with_settings else Settings()
    return Description(
        service=node._label,
        stream=stream._name,
        uri=str(node._attachment.uri),
        type=shape.interface.type_name,
        host=_host_of(node),
        unit=described.unit,
        doc=described.doc,
        options=options,
        settings=found.values,
        unread=found.unread,
    )


def _host_of(node: Reached) -> str:
    """The computer that a service runs on; empty if the broker cannot say."""
    attachment = node._attachment
    location = attachment.uri.location
    if location is None:
        return ""
    try:
        with timeout(_PATIENCE_S), NameService(location) as names:
            workers = names.load()["services"][attachment.target.decode()]["workers"]
            return ", ".join(sorted({str(worker["host"]) for worker in workers}))
    except (PyroError, AttributeError, LookupError, TypeError):  # an older broker does not say it so
        return ""
