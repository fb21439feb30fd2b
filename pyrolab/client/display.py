"""What a notebook shows of an object of a service: a small table of its properties, with values and units."""

from __future__ import annotations

from html import escape
from typing import Any

from pyrolab.client.batch import read_properties
from pyrolab.client.deadlines import timeout
from pyrolab.client.reached import Reached
from pyrolab.errors import PyroError

#: A notebook must not hang because an instrument is busy.
_PATIENCE_S = 2.0
_MOST_ROWS = 100
_MOST_CHARS = 80


def html_of(node: Reached) -> str:
    """A table in HTML; it says so if the service cannot be asked now."""
    try:
        with timeout(_PATIENCE_S):
            return _table(node)
    except PyroError as error:
        return f"<pre>{escape(repr(node))}\n{escape(str(error))}</pre>"


def _table(node: Reached) -> str:
    properties = node._known_shape().properties
    readable = [name for name, each in properties.items() if "r" in each.access and not each.node]
    values = read_properties(node, readable[:_MOST_ROWS])
    rows = "".join(
        f"<tr><td style='text-align:left'>{escape(name)}</td>"
        f"<td style='text-align:left'>{escape(_text(value))}</td>"
        f"<td style='text-align:left'>{escape(properties[name].unit)}</td></tr>"
        for name, value in values.items()
    )
    head = "".join(f"<th style='text-align:left'>{each}</th>" for each in ("property", "value", "unit"))
    caption = escape(repr(node))
    return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _text(value: Any) -> str:
    if isinstance(value, Exception):
        return f"cannot be read: {type(value).__name__}: {value}"[:_MOST_CHARS]
    shape = getattr(value, "shape", None)
    text = f"array {shape} of {value.dtype}" if shape else repr(value)
    return text if len(text) <= _MOST_CHARS else text[: _MOST_CHARS - 1] + "…"
