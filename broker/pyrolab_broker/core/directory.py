"""Which object a target stands for, and what to say where there is none."""

from __future__ import annotations

from pyrolab.errors import NamingError
from pyrolab.protocol.names import NAME_SERVICE, URI
from pyrolab_broker.core.bodies import as_text
from pyrolab_broker.core.state import State


def resolve(state: State, target: str) -> bytes:
    """The object id that a target stands for: `PYRONAME:name`, `PYROMETA:tag,tag`, or the id itself.

    Raises `NamingError`.
    """
    if target.startswith("PYRONAME:"):
        return _object_of(state.names.entry(target[len("PYRONAME:") :]).uri)
    if target.startswith("PYROMETA:"):
        return _by_tags(state, target[len("PYROMETA:") :].split(","))
    return target.encode()


def nobody_offers(state: State, object_id: bytes) -> str:
    """The text for a call to an object that is not there."""
    shown = as_text(object_id)
    names = state.names.of_object(shown)
    known_as = f", registered as {', '.join(names)}," if names else ""
    return (
        f"no worker offers {shown}{known_as} now; its process may have ended or been restarted "
        "under a new id: look the name up again, or see `pyrolab ps`"
    )


def _by_tags(state: State, tags: list[str]) -> bytes:
    found = state.names.with_metadata(tags)
    for entry in found.values():
        object_id = _object_of(entry.uri)
        if object_id in state.services or object_id == NAME_SERVICE.encode():
            return object_id
    raise NamingError(f"no live service has the tags {', '.join(tags)}; `pyrolab nslist` shows them all")


def _object_of(uri: str) -> bytes:
    parsed = URI(uri)
    if parsed.location is not None:
        raise NamingError(f"this name stands for {uri}, a service of another broker; use that URI")
    return parsed.object.encode()
