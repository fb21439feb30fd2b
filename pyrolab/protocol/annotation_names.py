"""What annotations call by name: the words of `typing`, and classes that are not where they seem to be."""

from __future__ import annotations

import types

from pyrolab.protocol import classes

#: What is known by its name in `typing`: the special forms, and the aliases of classes.
# fmt: off
TYPING_NAMES = frozenset({
    "Any", "AnyStr", "NoReturn", "Never", "Self", "LiteralString", "Optional", "Union", "ClassVar",
    "Final", "Literal", "Annotated", "Concatenate", "TypeAlias", "TypeGuard", "TypeIs", "Unpack",
    "Required", "NotRequired", "ReadOnly", "List", "Dict", "Set", "FrozenSet", "Tuple", "Type", "Deque",
    "DefaultDict", "OrderedDict", "Counter", "ChainMap", "Callable", "Iterable", "Iterator",
    "Reversible", "Container", "Collection", "Hashable", "Sized", "Awaitable", "Coroutine",
    "AsyncIterable", "AsyncIterator", "AsyncGenerator", "AsyncContextManager", "ContextManager",
    "Generator", "KeysView", "ItemsView", "ValuesView", "MappingView", "Mapping", "MutableMapping",
    "Sequence", "MutableSequence", "AbstractSet", "MutableSet", "Pattern", "Match",
})
# fmt: on
#: Names for large unions, by which everybody writes them, in modules that may be loaded or not.
NAMED = {"numpy.typing": ("ArrayLike", "DTypeLike", "NDArray")}
#: The builtin classes that have no name in `builtins`: `builtins:function` is `types.FunctionType`.
HIDDEN = {
    classes.name_of(cls): (name, cls)
    for name, cls in reversed(list(vars(types).items()))  # the first of two names counts
    if isinstance(cls, type) and cls.__module__ == "builtins"
}
#: Where Pythons differ in what they call the module of a class, the name that is sent.
MOVED = {"pathlib._local": "pathlib"}
