"""Which names leave a class at all."""

from __future__ import annotations

import pytest

from pyrolab.protocol.interface import Interface
from pyrolab.worker.exposure import (
    OFFERED_DUNDERS,
    behavior,
    behavior_of,
    emergency_stop,
    expose,
    is_private,
    is_stop_hook,
    is_urgent,
    urgent,
)
from pyrolab.worker.introspection import interface_of

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


def test_methods_and_properties_can_be_urgent() -> None:
    class Laser:
        @property
        @expose
        @urgent
        def power(self) -> float:
            return 0.0

        @expose
        @urgent
        def off(self) -> None: ...

        @expose
        @staticmethod
        @urgent
        def interlock() -> None: ...

        @expose
        def on(self) -> None: ...

        @emergency_stop
        def dark(self) -> None: ...

    members = vars(Laser)
    assert [name for name in members if is_urgent(members[name])] == ["power", "off", "interlock"]
    assert [name for name in members if is_stop_hook(members[name])] == ["dark"]
    interface = interface_of(Laser)
    assert [name for name, each in interface.methods.items() if each.urgent] == ["interlock", "off"]
    data = interface.to_data()
    assert [name for name, each in data["methods"].items() if "urgent" in each] == ["interlock", "off"]
    assert Interface.from_data(data) == interface


def test_a_class_says_that_it_may_be_in_a_pool() -> None:
    @behavior(pool=True, instance_mode="single")
    class Fit: ...

    assert behavior_of(Fit).pool
    assert not behavior_of(object).pool
