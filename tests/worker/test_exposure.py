"""Which names leave a class at all."""

from __future__ import annotations

import pytest

from pyrolab.worker.exposure import OFFERED_DUNDERS, expose, is_private

SPECIAL = """
    init new del getattr getattribute setattr delattr dict class reduce reduce_ex getstate setstate
    init_subclass subclasshook class_getitem get set delete set_name prepare slots weakref module doc
    annotations await aiter anext aenter aexit copy deepcopy getnewargs getnewargs_ex sizeof dir format
    hash repr mro_entries fspath buffer array array_interface array_ufunc array_function array_struct
    post_init replace missing length_hint bytes complex round trunc instancecheck subclasscheck add radd
    iadd matmul rpow neg invert divmod release_buffer wrapped signature func self code globals dlpack
"""


@pytest.mark.parametrize("name", ["move", "x", *OFFERED_DUNDERS, "__dunder__", "__measure__"])
def test_names_that_may_leave(name: str) -> None:
    assert not is_private(name)


@pytest.mark.parametrize(
    "name",
    [
        "_x",
        "__x",
        "_",
        "__",
        "____",
        "_pyrolab_events",
        *(each for each in dir(object) if each not in OFFERED_DUNDERS),
        *(each for each in dir(type) if each not in OFFERED_DUNDERS and each.startswith("_")),
        *(f"__{word}__" for word in SPECIAL.split()),
    ],
)
def test_names_that_stay(name: str) -> None:
    assert is_private(name)


def test_a_private_name_cannot_be_exposed() -> None:
    def _secret() -> None: ...

    def __reduce__() -> None: ...

    for function in (_secret, __reduce__):
        with pytest.raises(AttributeError, match="is private and can't be exposed"):
            expose(function)


def test_what_python_adds_to_a_class_is_not_exposed() -> None:
    from dataclasses import dataclass

    @expose
    @dataclass
    class Pose:
        x: float = 0.0

        def __post_init__(self) -> None: ...

    exposed = Pose._pyro_exposed_names  # type: ignore[attr-defined]
    assert exposed == {"__eq__"}
