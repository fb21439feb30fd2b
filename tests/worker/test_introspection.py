"""What a class offers is learned from the class, under both policies, and nothing else is offered."""

from __future__ import annotations

import enum
import functools
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Optional

import pint
import pytest

from pyrolab.protocol import classes, codec
from pyrolab.protocol.annotations import text_of, to_data
from pyrolab.protocol.interface import SELF, EventType, Interface, Parameter
from pyrolab.worker.events import Event, watchable
from pyrolab.worker.exposure import expose, oneway, readonly
from pyrolab.worker.introspection import MAX_TYPES, exposed_members, interface_of

if TYPE_CHECKING:
    from pathlib import PurePosixPath as Unimported


@dataclass(frozen=True)
class Unit:
    symbol: str


Nanometres = Annotated[float, Unit("nm")]
ureg: Any = pint.application_registry


def names(cls: type, policy: str = "marked") -> list[str]:
    return interface_of(cls, policy).names()


# -- what is exposed -------------------------------------------------------------------------------------


class Plain:
    """Knows nothing of PyroLab."""

    LIMIT = 5
    Vector = list[float]
    hint: int

    class Inner:
        pass

    def move(self, x: float) -> None:
        """Move there."""

    def _private(self) -> None: ...

    def __mangled(self) -> None: ...

    @property
    def speed(self) -> float:
        return 1.0

    @property
    def _hidden(self) -> float:
        return 1.0

    @staticmethod
    def detect() -> list[str]:
        return []

    @classmethod
    def make(cls) -> Plain:
        return cls()

    def __len__(self) -> int:
        return 1

    def __repr__(self) -> str:
        return "Plain"

    def __add__(self, other: Any) -> Any:
        return other

    def __dunder__(self) -> None: ...

    def items(self) -> Iterator[int]:
        yield 1


class Derived(Plain):
    def stop(self) -> None: ...


def test_nothing_is_exposed_without_a_mark() -> None:
    assert names(Plain) == []


def test_the_public_policy_exposes_what_is_public_and_inherited() -> None:
    expected = ["__len__", "detect", "items", "make", "move", "speed", "stop"]
    assert names(Derived, "public") == expected
    assert [name for name, _ in exposed_members(Derived, "public")] == expected


def test_containers_offer_their_items_under_the_public_policy() -> None:
    class Rack(dict[str, int]):
        pass

    found = names(Rack, "public")
    assert {"__getitem__", "__setitem__", "__delitem__", "__contains__", "__iter__", "keys", "pop"} <= set(
        found
    )
    assert not {"__init__", "__hash__", "__reduce__", "__or__", "__class_getitem__"} & set(found)


@expose
class Marked(Plain):
    LIMIT = 6
    other: ClassVar[Any] = object()

    class Other:
        pass

    def turn(self) -> None: ...

    def __call__(self) -> None: ...

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1

    def __radd__(self, other: Any) -> Any:
        return other

    def __dunder__(self) -> None: ...

    def __deepcopy__(self, memo: Any) -> Any: ...

    def _private(self) -> None: ...

    ratio = functools.partialmethod(Plain.move, 5)
    sqrt = math.sqrt

    @functools.cached_property
    def serial(self) -> str:
        """The serial number."""
        return "1"

    @functools.singledispatchmethod
    def take(self, value: Any) -> None:
        """Take it."""


def test_a_marked_class_exposes_its_own_public_members() -> None:
    expected = ["__call__", "__dunder__", "__eq__", "ratio", "serial", "sqrt", "take", "turn"]
    assert names(Marked) == expected


def test_the_nearest_class_decides() -> None:
    class Quiet(Marked):
        def turn(self) -> None: ...

    assert "turn" in names(Marked)
    assert "turn" not in names(Quiet)
    assert "serial" in names(Quiet)


def test_single_members_can_be_marked() -> None:
    class Single:
        @expose
        def shown(self) -> None: ...

        @property
        @expose
        def level(self) -> float:
            return 1.0

        @expose
        @classmethod
        def make(cls) -> None: ...

        def hidden(self) -> None: ...

    assert names(Single) == ["level", "make", "shown"]


def test_marks_of_a_mock_do_not_count() -> None:
    from unittest.mock import Mock

    class Mocked:
        thing = Mock()

    assert names(Mocked) == []


def test_slots_of_a_marked_class_are_attributes() -> None:
    @expose
    class Slotted:
        __slots__ = ("_b", "a")
        a: Nanometres

    (found,) = interface_of(Slotted).properties.items()
    assert found[0] == "a"
    assert (found[1].access, found[1].unit) == ("rwd", "nm")


# -- methods ---------------------------------------------------------------------------------------------


def logged(function: Any) -> Any:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


class Methods:
    def plain(self, x: int, y: Any = None) -> None:
        """One line."""

    @oneway
    def later(self) -> None: ...

    @readonly
    def again(self) -> None: ...

    @classmethod
    def made(cls, x: int) -> None: ...

    @staticmethod
    def free(x: int) -> None: ...

    def any(*args: Any) -> None: ...

    def only(self, /) -> None: ...

    def nothing() -> None:  # type: ignore[misc]
        ...

    @logged
    def wrapped(self, x: int) -> None: ...

    partial = functools.partialmethod(plain, y=5)
    sqrt = math.sqrt
    append = list.append
    bound_to = functools.partial(print, "x")


METHODS = interface_of(Methods, "public").methods


@pytest.mark.parametrize(
    ("name", "qualname", "bound", "receiver", "parameters"),
    [
        ("plain", "Methods.plain", True, SELF, ["x", "y"]),
        ("made", "Methods.made", True, Parameter("cls", "POSITIONAL_OR_KEYWORD"), ["x"]),
        ("free", "Methods.free", False, SELF, ["x"]),
        ("any", "Methods.any", True, Parameter("args", "VAR_POSITIONAL"), ["args"]),
        ("only", "Methods.only", True, Parameter("self", "POSITIONAL_ONLY"), []),
        ("wrapped", "", True, SELF, ["x"]),
        ("partial", "", True, SELF, ["x", "y"]),
        ("sqrt", "", False, SELF, ["x"]),
        ("append", "", True, Parameter("self", "POSITIONAL_ONLY"), ["object"]),
        ("bound_to", "", False, SELF, None),
    ],
)
def test_how_a_method_takes_its_object(
    name: str, qualname: str, bound: bool, receiver: Parameter, parameters: list[str] | None
) -> None:
    found = METHODS[name]
    assert (found.qualname, found.bound, found.receiver) == (qualname, bound, receiver)
    if parameters is not None:
        assert found.parameters is not None
        assert [each.name for each in found.parameters] == parameters


def test_a_method_that_takes_no_object_says_nothing() -> None:
    assert METHODS["nothing"].parameters is None


def test_marks_and_documentation() -> None:
    assert METHODS["plain"].doc == "One line."
    assert [name for name, each in METHODS.items() if each.oneway] == ["later"]
    assert [name for name, each in METHODS.items() if each.readonly] == ["again"]


def test_what_an_annotation_means_goes_along() -> None:
    class Hinted:
        class Mode(enum.Enum):
            FAST = 1

        def one(self, a: float, b: Nanometres, c: Mode, d: Unimported, e: nowhere) -> Nanometres | None: ...  # type: ignore[name-defined] # noqa: F821

    (method,) = interface_of(Hinted, "public").methods.values()
    assert method.parameters is not None
    a, b, c, d, e = (each.annotation for each in method.parameters)
    assert (a, d, e) == ("float", "Unimported", "nowhere")
    assert b == ["string", "Nanometres", to_data(Nanometres)]
    assert c[:2] == ["string", "Mode"]
    assert text_of(c).endswith("Hinted.Mode")
    assert text_of(method.returns) == "float | None"


# -- properties ------------------------------------------------------------------------------------------


class Volts:
    """A descriptor."""

    def __get__(self, instance: Any, owner: Any = None) -> float:
        return 1.0

    def __set__(self, instance: Any, value: float) -> None: ...


class Properties:
    volts = Volts()
    annotated: ClassVar[Any] = Volts()

    @property
    def wavelength(self) -> Nanometres:
        """The wavelength."""
        return 1.0

    @wavelength.setter
    def wavelength(self, value: Nanometres) -> None: ...

    @wavelength.deleter
    def wavelength(self) -> None: ...

    @property
    def maybe(self) -> Optional[Nanometres]:  # noqa: UP045
        return 1.0

    @property
    def perhaps(self) -> Nanometres | None:
        return 1.0

    @watchable
    def power(self) -> Annotated[float, ureg.milliwatt]:
        return 1.0

    def _set(self, value: Nanometres) -> None: ...

    target = property(None, _set, doc="Where to go.")

    @property
    def broken(self) -> Nowhere:  # type: ignore[name-defined]  # noqa: F821
        return 1.0

    @property
    def failing(self) -> 1 / 0:  # type: ignore[valid-type]
        return 1.0

    @property
    def bare(self):  # type: ignore[no-untyped-def]
        return 1.0

    @property
    def pair(self) -> tuple[Nanometres, Nanometres]:
        return 1.0, 2.0


PROPERTIES = interface_of(Properties, "public").properties


@pytest.mark.parametrize(
    ("name", "access", "unit", "text"),
    [
        ("wavelength", "rwd", "nm", "float"),
        ("maybe", "r", "nm", "float | None"),
        ("perhaps", "r", "nm", "float | None"),
        ("power", "r", "milliwatt", "float"),
        ("target", "w", "nm", "float"),
        ("broken", "r", "", "Nowhere"),
        ("failing", "r", "", "1 / 0"),
        ("bare", "r", "", ""),
        ("pair", "r", "", "tuple[float, float]"),
        ("volts", "rw", "", ""),
        ("annotated", "rw", "", "ClassVar[Any]"),
    ],
)
def test_properties(name: str, access: str, unit: str, text: str) -> None:
    found = PROPERTIES[name]
    assert (found.access, found.unit, text_of(found.annotation)) == (access, unit, text)


def test_documentation_of_properties() -> None:
    assert PROPERTIES["wavelength"].doc == "The wavelength."
    assert PROPERTIES["target"].doc == "Where to go."
    assert PROPERTIES["volts"].doc == ""


def test_setting_alone_can_be_exposed() -> None:
    class Sink:
        def _set(self, value: float) -> None: ...

        level = property(None, expose(lambda self, value: None))

    assert interface_of(Sink).properties["level"].access == "w"


# -- events ----------------------------------------------------------------------------------------------


def test_events_are_exposed_as_other_members_are() -> None:
    class Emitter:
        moved = Event("position_mm", doc="It has moved.")
        _secret = Event()

    described = {"moved": EventType("It has moved.", ("position_mm",))}
    assert interface_of(Emitter).events == {}
    assert interface_of(Emitter, "public").events == described
    assert interface_of(expose(Emitter)).events == described


# -- sub-objects -----------------------------------------------------------------------------------------


@expose
class Axis:
    """One axis."""

    @property
    def stage(self) -> Stage:
        return Stage()

    @property
    def position(self) -> float:
        return 1.0


class Hidden:
    def secret(self) -> None: ...


@expose
@dataclass
class Reading:
    value: float

    def show(self) -> str:
        return ""


@expose
class Stage:
    """Has axes."""

    @property
    def x(self) -> Axis:
        return Axis()

    @property
    def y(self) -> Annotated[Axis, "the other"]:
        return Axis()

    @property
    def maybe(self) -> Axis | None:
        return None

    @property
    def hidden(self) -> Hidden:
        return Hidden()

    @property
    def reading(self) -> Reading:
        return Reading(1.0)

    @property
    def many(self) -> list[Axis]:
        return []


AXIS, STAGE, HIDDEN, READING = (classes.name_of(cls) for cls in (Axis, Stage, Hidden, Reading))


def nodes(interface: Interface) -> dict[str, str]:
    return {name: each.node for name, each in interface.properties.items() if each.node}


def test_sub_objects_are_described_once_and_in_full() -> None:
    found = interface_of(Stage)
    assert nodes(found) == {"x": AXIS, "y": AXIS, "reading": READING}
    assert set(found.types) == {AXIS, STAGE, READING}
    assert nodes(found.types[AXIS]) == {"stage": STAGE}
    assert nodes(found.types[STAGE]) == nodes(found)
    assert all(not each.types for each in found.types.values())
    assert found.types[AXIS].doc == "One axis."


def test_under_the_public_policy_a_value_stays_a_value() -> None:
    found = interface_of(Stage, "public")
    assert nodes(found) == {"x": AXIS, "y": AXIS, "hidden": HIDDEN}
    assert set(found.types) == {AXIS, STAGE, HIDDEN}


def test_classes_of_the_library_are_no_sub_objects() -> None:
    class Holder:
        @property
        def log(self) -> Any: ...

        @property
        def text(self) -> str:
            return ""

    Holder.log.fget.__annotations__["return"] = sys.modules["logging"].Logger  # type: ignore[attr-defined]
    assert nodes(interface_of(Holder, "public")) == {}


def test_there_is_an_end_to_sub_objects() -> None:
    made: list[type] = [Axis]
    for number in range(MAX_TYPES + 20):
        inner = made[-1]

        class Next:
            @property
            def next(self) -> Any: ...

        Next.next.fget.__annotations__["return"] = inner  # type: ignore[attr-defined]
        Next.__qualname__ = f"Next{number}"
        made.append(expose(Next))
    assert len(interface_of(made[-1]).types) == MAX_TYPES


@pytest.mark.parametrize(
    "cls", [Plain, Marked, Methods, Properties, Stage, Interface, dict, enum.Enum, ureg.Unit]
)
@pytest.mark.parametrize("policy", ["marked", "public"])
def test_an_interface_is_the_same_after_its_way(cls: type, policy: str) -> None:
    interface = interface_of(cls, policy)
    body, buffers = codec.encode(interface.to_data())
    assert not buffers
    assert (
        Interface.from_data(codec.decode_plain(body)) == interface
    )  # no class is looked up, no library loaded
