"""Names with two underscores on both sides: which of Python's a service may offer, and which not."""

from __future__ import annotations

#: Methods that Python itself calls and that a service may offer.
OFFERED_DUNDERS = frozenset(
    {
        "__len__",
        "__contains__",
        "__getitem__",
        "__setitem__",
        "__delitem__",
        "__iter__",
        "__next__",
        "__reversed__",
        "__call__",
        "__enter__",
        "__exit__",
        "__lt__",
        "__le__",
        "__gt__",
        "__ge__",
        "__eq__",
        "__ne__",
        "__bool__",
        "__int__",
        "__float__",
        "__index__",
        "__str__",
    }
)

_OPERATORS = """
    add sub mul matmul truediv floordiv divmod mod pow lshift rshift and or xor neg pos abs invert round trunc
    floor ceil complex
"""
#: Beside the attributes of `object` and `type`: what Python, its library or NumPy look for on a class or an
#: instance. Letting a peer call one would let it make, copy, pickle or rebuild what it was only to use.
_OTHERS = """
    aenter aexit aiter all anext annotate annotations args await bound buffer builtins bytes cached cause
    class_getitem classcell classdict classdictcell closure cmp code coerce conform constraints context
    copy dataclass_fields dataclass_params deepcopy defaults del delattr delete delslice div file final
    firstlineno fspath func get getattr getformat getinitargs getnewargs getnewargs_ex getslice getstate
    globals hex idiv import instancecheck isabstractmethod kwdefaults length_hint loader long match_args
    members metadata missing mro_entries new_member nonzero notes objclass oct orig_bases orig_class
    origin override package parameters partialmethod path post_init prepare rdiv reduce release_buffer
    replace self set set_name setformat setslice setstate signature slotnames slots spec static_attributes
    subclasscheck supertype suppress_context text_signature traceback type_params typing_prepare_subst
    typing_subst unicode unpacked value version weakref wrapped
    array array_finalize array_function array_interface array_namespace array_prepare array_priority
    array_struct array_ufunc array_wrap cuda_array_interface dlpack dlpack_device
"""
_PYTHONS = frozenset(
    [
        *dir(object),
        *dir(type),
        *(f"__{word}__" for word in _OTHERS.split()),
        *(f"__{side}{word}__" for word in _OPERATORS.split() for side in ("", "r", "i")),
    ]
)


def is_dunder(name: str) -> bool:
    """Whether a name has two underscores on both sides, and something in between."""
    return len(name) > 4 and name.startswith("__") and name.endswith("__")


def is_pythons_own(name: str) -> bool:
    """Whether a dunder means something to Python, and is not one that a service may offer."""
    return name in _PYTHONS and name not in OFFERED_DUNDERS
