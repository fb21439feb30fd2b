"""The source text of annotation data, as in documentation and `.pyi` files: `list[numpy.ndarray] | None`."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any, TypeAlias

from pyrolab.errors import ProtocolError
from pyrolab.protocol.annotation_names import HIDDEN, TYPING_NAMES
from pyrolab.protocol.classes import checked_name

#: Annotations within annotations.
MAX_DEPTH = 12
#: Arguments of a generic class, members of a union.
MAX_ITEMS = 128
_CALLABLES = (["class", "collections.abc:Callable"], ["typing", "Callable"])
_LITERALS = (type(None), bool, int, str, bytes)

#: Writes a name in a text, given its module ("" for what is known as text only) and its name there.
Spell: TypeAlias = "Callable[[str, str], str]"


def spelled(module: str, name: str) -> str:
    """As people write it: without the module where everybody knows it."""
    return name if module in ("", "builtins", "typing", "collections.abc") else f"{module}.{name}"


def text_of(data: Any, spell: Spell = spelled) -> str:
    """The source text of an annotation, "" if there is none.

    `spell(module, name)` writes each name in it, and so learns what has to be imported; where it answers
    "Any", no arguments follow. Aliases read as what they stand for, `Optional[X]` as `X | None`, and
    `Annotated[X, …]` as `X`. Raises `ProtocolError` if the data describe no annotation.
    """
    if data is None:
        return ""
    try:
        return _write(data, spell, MAX_DEPTH + 1)
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise ProtocolError(f"this is no annotation: {error!r:.200}") from None


def form_of(data: Any) -> str:
    """The word with which the array of an annotation begins."""
    form = data[0] if type(data) is list and data else None
    if type(form) is not str or form not in _WRITE:
        raise ProtocolError(f"{data!r:.60} is no annotation")
    return form


def items_of(data: Any) -> list[Any]:
    """`data` if it is an array of parts of an annotation."""
    if type(data) is not list or len(data) > MAX_ITEMS:
        raise ProtocolError(f"the parts of an annotation are an array of at most {MAX_ITEMS}")
    return data


def checked_text(data: Any) -> str:
    """`data` if it is text."""
    if type(data) is not str:
        raise ProtocolError(f"{data!r:.60} is no text")
    return data


def split_name(name: Any) -> tuple[str, str]:
    """The module and the qualified name of a class."""
    module, _, qualname = checked_name(name).partition(":")
    if not module or not qualname or not name.isprintable():
        raise ProtocolError(f"{name!r:.60} is no name of a class")
    return module, qualname


def _write(data: Any, spell: Spell, depth: int) -> str:
    if type(data) is str:
        return spell("", data)
    form = form_of(data)
    if depth <= 0:
        raise ProtocolError(f"annotations are nested deeper than {MAX_DEPTH} levels")
    return _WRITE[form](spell, depth - 1, *data[1:])


def _write_class(spell: Spell, depth: int, name: Any) -> str:
    module, qualname = split_name(name)
    if name == "builtins:NoneType":
        return "None"
    return spell("types", HIDDEN[name][0]) if name in HIDDEN else spell(module, qualname)


def _write_typing(spell: Spell, depth: int, name: Any) -> str:
    if checked_text(name) not in TYPING_NAMES:
        raise ProtocolError(f"{name!r:.60} is no name in `typing`")
    stands_for = getattr(getattr(typing, name, None), "__origin__", None)
    if isinstance(stands_for, type):
        return spell(stands_for.__module__, stands_for.__qualname__)
    return spell("typing", name)


def _write_generic(spell: Spell, depth: int, origin: Any, args: Any) -> str:
    written = _write(origin, spell, depth)
    inner = [_write_arg(each, spell, depth) for each in items_of(args)]
    if origin in _CALLABLES and inner and not inner[0].startswith(("[", "...")):  # a ParamSpec
        inner[0] = "..."
    return "Any" if written == "Any" else f"{written}[{', '.join(inner) or '()'}]"


def _write_arg(data: Any, spell: Spell, depth: int) -> str:
    if data == ["..."]:
        return "..."
    if type(data) is list and len(data) == 2 and data[0] == "list":
        return f"[{', '.join(_write(each, spell, depth) for each in items_of(data[1]))}]"
    return _write(data, spell, depth)


def _write_union(spell: Spell, depth: int, members: Any) -> str:
    return " | ".join(dict.fromkeys(_write(each, spell, depth) for each in items_of(members)))


def _write_literal(spell: Spell, depth: int, values: Any) -> str:
    known = [each[0] for each in items_of(values) if len(each) == 1]
    if len(known) == len(values) and all(type(value) in _LITERALS for value in known):
        return f"{spell('typing', 'Literal')}[{', '.join(map(repr, known))}]"
    texts = (repr(each[0]) if len(each) == 1 else checked_text(each[1]) for each in values)
    return spell("", f"Literal[{', '.join(texts)}]")


#: Data form → writer of what follows in the array.
_WRITE: dict[str, Callable[..., str]] = {
    "none": lambda spell, depth: "None",
    "class": _write_class,
    "named": lambda spell, depth, name: spell(*split_name(name)),
    "typing": _write_typing,
    "generic": _write_generic,
    "union": _write_union,
    "typing-union": _write_union,
    "literal": _write_literal,
    "annotated": lambda spell, depth, base, metadata: _write(base, spell, depth),
    "string": lambda spell, depth, text, meaning: _write(meaning, spell, depth),
    "text": lambda spell, depth, text: spell("", checked_text(text)),
}
