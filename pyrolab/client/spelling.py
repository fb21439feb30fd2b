"""How classes are written in a stub: which of them can be imported there, and under which names."""

from __future__ import annotations

import builtins
import keyword
import sys
from collections.abc import Callable, Iterable

#: Packages that every user of a stub has, beside Python's own, and that are typed.
_PACKAGES = frozenset({"numpy", "pyrolab", "pyrolab_drivers", "typing_extensions", *sys.stdlib_module_names})
#: Private modules of classes that have a public one.
_PUBLIC = {
    "_io": "io",
    "concurrent.futures._base": "concurrent.futures",
    "numpy.random._generator": "numpy.random",
}
#: Modules of which single names are imported, because everybody writes them so.
_BY_NAME = frozenset({"typing", "typing_extensions", "collections.abc"})
#: What `typing` has only in newer Pythons.
_NEWER = frozenset({"Self", "Never", "LiteralString"})
#: Words of `typing` that are no types by themselves.
_NO_TYPES = frozenset(
    {
        "AnyStr",
        "ClassVar",
        "Final",
        "TypeAlias",
        "Concatenate",
        "Unpack",
        "Required",
        "NotRequired",
        "ReadOnly",
    }
    | {"Generic", "Protocol", "Optional", "Union", "Annotated", "TypeGuard", "TypeIs"}
)


def is_name(name: str) -> bool:
    """Whether this can be a name in a Python file."""
    return name.isidentifier() and not keyword.iskeyword(name)


def printable(text: str) -> str:
    """Text in one line, without control characters."""
    return "".join(char if char.isprintable() else " " for char in text)


class Spelling:
    """Writes names, and remembers what has to be imported for them.

    `taken` are the names of members and classes: a class's own `list` hides the builtin within it.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = frozenset(taken)
        self._imports: set[str] = set()
        self._unknown: list[str] = []
        #: The classes of the stub itself, by the names of the types that they stand for.
        self.scope: dict[str, str] = {}

    def imports(self, needed: Iterable[str]) -> list[str]:
        """The import statements for all names that have been written, and `needed` ones."""
        return sorted({*self._imports, *needed})

    def written(self, write: Callable[[], str]) -> tuple[str, str]:
        """What `write` returns, and a comment on the classes in it that a stub cannot name."""
        self._unknown = []
        text = write()
        unknown = ", ".join(dict.fromkeys(self._unknown))
        return text, f"  # Any: {printable(unknown)[:200]}" if unknown else ""

    def spell(self, module: str, name: str) -> str:
        """A class by its module and name; `Any` if a stub cannot name it."""
        own = self.scope.get(f"{module}:{name}")
        if own is not None:
            return own
        home = _PUBLIC.get(module, module)
        if not module and name in ("None", "Any"):
            return name
        if not module and _is_builtin(name):
            home = "builtins"
        if home == "typing" and name in _NEWER:
            home = "typing_extensions"
        if not _can_be_imported(home, name):
            self._unknown.append(f"{module}.{name}" if module else name)
            return "Any"
        return self._imported(home, name)

    def _imported(self, home: str, name: str) -> str:
        root = name.partition(".")[0]
        if home == "builtins" and root not in self._taken:
            return name
        if home in _BY_NAME:
            self._imports.add(f"from {home} import {root}{self._alias(root)}")
            return f"_{name}" if root in self._taken else name
        if home == "builtins":
            self._imports.add("import builtins as _builtins")
            return f"_builtins.{name}"
        return f"{self._module(home)}.{name}"

    def _alias(self, name: str) -> str:
        return f" as _{name}" if name in self._taken else ""

    def _module(self, home: str) -> str:
        if home.partition(".")[0] not in self._taken:
            self._imports.add(f"import {home}")
            return home
        alias = f"_{home.replace('.', '_')}"
        self._imports.add(f"import {home} as {alias}")
        return alias


def _can_be_imported(module: str, name: str) -> bool:
    parts = [*module.split("."), *name.split(".")]
    if not all(is_name(part) and not part.startswith("_") for part in parts):
        return False
    if module == "builtins":
        return _is_builtin(name)
    return parts[0] in _PACKAGES and not (module == "typing" and name in _NO_TYPES)


def _is_builtin(name: str) -> bool:
    return isinstance(getattr(builtins, name, None), type)
