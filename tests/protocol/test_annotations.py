"""Annotations travel: equal where the classes are known, readable everywhere, and harmless."""

from __future__ import annotations

import collections
import contextlib
import datetime
import enum
import inspect
import pathlib
import sys
import types
import typing
from collections import abc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, Optional, TypeVar, Union

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab.errors import ProtocolError
from pyrolab.protocol import classes, codec
from pyrolab.protocol.annotations import AbsentType, from_data, text_of, to_data

T = TypeVar("T")


class Box(Generic[T]):
    """A generic class of a user's."""


class Colour(enum.Enum):
    RED = 1


@dataclass(frozen=True)
class Unit:
    symbol: str


def travelled(annotation: Any, meaning: Any = None) -> Any:
    data = to_data(annotation) if meaning is None else to_data(annotation, meaning)
    return codec.decode(*codec.encode(data))


# The old spellings are here because they are not equal to the new ones.
KNOWN: dict[str, Any] = {
    "int": int,
    "None": None,
    "Box[int]": Box[int],
    "Colour": Colour,
    "list[int]": list[int],
    "dict[str, X]": dict[str, "X"],  # type: ignore[name-defined]  # noqa: F821
    "tuple[int, ...]": tuple[int, ...],
    "tuple[()]": tuple[()],
    "list": typing.List,  # noqa: UP006
    "list[str]": typing.List[str],  # noqa: UP006
    "tuple[()] ": typing.Tuple[()],  # noqa: UP006
    "dict[str, int]": typing.Dict[str, int],  # noqa: UP006
    "type[int]": typing.Type[int],  # noqa: UP006
    "type[int] ": type[int],
    "Callable[[int], str]": abc.Callable[[int], str],
    "Callable[..., None]": abc.Callable[..., None],
    "Callable[[], str]": typing.Callable[[], str],
    "Callable[..., str]": typing.Callable[..., str],
    "Callable[[Callable[[int], str]], None]": typing.Callable[[typing.Callable[[int], str]], None],
    "Iterator[int]": abc.Iterator[int],
    "Iterator[str]": typing.Iterator[str],
    "Generator[int, None, None]": typing.Generator[int, None, None],
    "contextlib.AbstractContextManager[int]": contextlib.AbstractContextManager[int],
    "collections.deque[int]": collections.deque[int],
    "int | None": int | None,
    "None | list[int]": None | list[int],
    "str | None": Optional[str],  # noqa: UP045
    "int | str | None": Union[int, str, None],  # noqa: UP007
    "Literal['a', 1, None]": Literal["a", 1, None],
    "float": Annotated[float, Unit("nm"), "vacuum"],
    "Any": Any,
    "NoReturn": typing.NoReturn,
    "ClassVar": typing.ClassVar,
    "pathlib.Path": pathlib.Path,
    "datetime.datetime | None": datetime.datetime | None,
    "types.FunctionType": types.FunctionType,
    "numpy.ndarray": np.ndarray,
    "numpy.ndarray[Any, numpy.dtype[numpy.float64]]": np.ndarray[Any, np.dtype[np.float64]],
    "numpy.typing.ArrayLike": npt.ArrayLike,
    "list[numpy.typing.DTypeLike]": list[npt.DTypeLike],
    "np.ndarray": "np.ndarray",
}


@pytest.mark.parametrize("text", KNOWN)
def test_what_is_known_is_equal_after_its_way(text: str) -> None:
    annotation = KNOWN[text]
    data = travelled(annotation)
    assert from_data(data) == annotation
    assert type(from_data(data)) is type(annotation)
    assert inspect.formatannotation(from_data(data)) == inspect.formatannotation(annotation)
    prefix = f"{__name__}." if text.startswith(("Box", "Colour")) else ""
    assert text_of(data) == prefix + text.strip()


def test_arrays_of_one_type() -> None:
    assert from_data(travelled(npt.NDArray[np.float64])) == npt.NDArray[np.float64]
    assert from_data(travelled(npt.NDArray)) is npt.NDArray


def test_literals_of_enums() -> None:
    data = travelled(Literal[Colour.RED])
    assert from_data(data) == Literal[Colour.RED]
    assert text_of(data) == "Literal[<Colour.RED: 1>]"


def test_nothing_is_not_none() -> None:
    assert to_data(inspect.Parameter.empty) is None
    assert from_data(None) is inspect.Parameter.empty
    assert text_of(None) == ""
    assert from_data(to_data(type(None))) is type(None)


def test_the_word_of_a_text_and_its_meaning() -> None:
    data = travelled("Nanometres", Annotated[float, Unit("nm")])
    assert from_data(data) == "Nanometres"
    assert text_of(data) == "float"
    assert to_data("float", float) == "float"


def test_the_plain_forms() -> None:
    assert to_data(int) == ["class", "builtins:int"]
    assert to_data(list[int]) == ["generic", ["class", "builtins:list"], [["class", "builtins:int"]]]
    assert to_data(int | None) == ["union", [["class", "builtins:int"], ["none"]]]
    assert to_data(Any) == ["typing", "Any"]
    assert to_data(pathlib.Path) == ["class", "pathlib:Path"]
    assert to_data(T) == ["text", "~T"]


# -- what is not known here ------------------------------------------------------------------------------

ABSENT = ["class", "optics.lab:Mirror.Mount"]


def test_an_unknown_class_reads_like_itself() -> None:
    found = from_data(ABSENT)
    assert type(found) is AbsentType
    assert repr(found) == inspect.formatannotation(found) == "optics.lab.Mirror.Mount"
    assert from_data(ABSENT) is found


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (["generic", ["class", "builtins:list"], [ABSENT]], "list[optics.lab.Mirror.Mount]"),
        (["generic", ["typing", "List"], [ABSENT]], "List[optics.lab.Mirror.Mount]"),
        (["generic", ABSENT, [["class", "builtins:int"]]], "optics.lab.Mirror.Mount[int]"),
        (["union", [ABSENT, ["none"]]], "optics.lab.Mirror.Mount | None"),
        (["typing-union", [ABSENT, ["none"]]], "Optional[optics.lab.Mirror.Mount]"),
        (["annotated", ABSENT, [["x"]]], "Annotated[optics.lab.Mirror.Mount, 'x']"),
        (["text", "~T"], "~T"),
        (["generic", ["class", "builtins:list"], [["text", "~T"]]], "list[~T]"),
        (["typing-union", ["X", ["none"]]], "Optional[ForwardRef('X')]"),
    ],
)
def test_stand_ins_have_a_place_in_everything(data: Any, text: str) -> None:
    shown = inspect.Signature(return_annotation=from_data(data))
    assert str(shown).replace("typing.", "") == f"() -> {text}"


def test_numpy_is_named_where_it_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = [travelled(each) for each in (np.ndarray, npt.ArrayLike, np.ndarray | None)]
    for name in ("numpy", "numpy.typing"):
        monkeypatch.delitem(sys.modules, name)
    assert [repr(from_data(each)) for each in data] == [
        "numpy.ndarray",
        "numpy.typing.ArrayLike",
        "numpy.ndarray | None",
    ]
    assert "numpy" not in sys.modules


def test_a_class_of_a_function_is_only_shown() -> None:
    class Local:
        pass

    assert repr(from_data(to_data(Local))).endswith("test_a_class_of_a_function_is_only_shown.<locals>.Local")


def test_deep_annotations_end_in_text() -> None:
    annotation: Any = int
    for _ in range(40):
        annotation = list[annotation]
    data = travelled(annotation)
    assert text_of(data) == inspect.formatannotation(from_data(data)) == str(annotation)


def test_strange_objects_are_shown() -> None:
    class Strange:
        def __repr__(self) -> str:
            raise RuntimeError

    assert to_data(Strange()) == ["text", f"<{Strange.__qualname__}>"]
    assert from_data(to_data(5)).__qualname__ == "5"
    assert len(to_data("x" * 5000)[1]) < 1100
    assert to_data(Literal[tuple(range(5000))])[0] == "text"


def test_metadata_that_cannot_travel_is_left_out() -> None:
    found = from_data(travelled(Annotated[int, object(), "x"]))
    assert found == Annotated[int, "x"]
    assert from_data(travelled(Annotated[int, object()])) is int


def test_names_are_spelled_as_a_writer_wants() -> None:
    seen: list[tuple[str, str]] = []

    def spell(module: str, name: str) -> str:
        seen.append((module, name))
        return "Any" if module == "numpy" else name

    data = to_data(dict[str, np.ndarray[Any, Any]] | Box[int], None)
    assert text_of(data, spell) == "dict[str, Any] | Box[int]"
    assert ("numpy", "ndarray") in seen
    assert ("builtins", "dict") in seen
    assert (__name__, "Box") in seen


# -- what a peer may send --------------------------------------------------------------------------------

MANY = [["none"]] * 129
DEEP: Any = ["none"]
for _ in range(30):
    DEEP = ["generic", ["class", "builtins:list"], [DEEP]]


@pytest.mark.parametrize(
    "data",
    [
        5,
        [],
        [5],
        {},
        ["what"],
        ["class"],
        ["class", 5],
        ["class", "int"],
        ["class", ":int"],
        ["class", "a\n:b"],
        ["class", "x:" + "y" * 600],
        ["none", 1],
        ["typing", "TYPE_CHECKING"],
        ["typing", "get_type_hints"],
        ["typing", 5],
        ["generic", None, []],
        ["generic", ["class", "builtins:list"], 5],
        ["generic", ["class", "builtins:list"], MANY],
        ["union", MANY],
        ["literal", 5],
        ["text", 5],
        DEEP,
    ],
    ids=lambda data: str(data)[:40],
)
def test_nonsense_is_refused(data: Any) -> None:
    with pytest.raises(ProtocolError):
        from_data(data)
    with pytest.raises(ProtocolError):
        text_of(data)


@pytest.mark.parametrize(
    "data", [["annotated", ["none"], 5], ["string", 5, ["none"]]], ids=["annotated", "string"]
)
def test_nonsense_is_refused_where_it_matters(data: Any) -> None:
    assert text_of(data) == "None"
    with pytest.raises(ProtocolError):
        from_data(data)


ran: list[Any] = []


class Eager:
    """A class whose `[…]` runs code."""

    def __class_getitem__(cls, item: Any) -> Any:
        ran.append(item)


class Meta(type):
    def __getitem__(cls, item: Any) -> Any:
        ran.append(item)

    def __or__(cls, other: Any) -> Any:
        ran.append(other)

    __ror__ = __or__


class Guarded(Generic[T], metaclass=Meta):
    """A class whose metaclass runs code."""


@pytest.mark.parametrize("cls", [Eager, Guarded])
def test_no_code_of_a_class_is_run(cls: type) -> None:
    data = ["class", classes.name_of(cls)]
    assert from_data(data) is cls
    integer = ["class", "builtins:int"]
    for each in (["generic", data, [integer]], ["union", [data, integer]], ["union", [integer, data]]):
        from_data(each)
    assert not ran


def test_text_is_never_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    listed: Any = typing.List["X"]  # type: ignore[name-defined]  # noqa: F821, UP006

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError(args)

    forms = [
        ["generic", ["typing", "List"], ["x()"]],
        ["typing-union", ["x()", ["none"]]],
        ["annotated", "x()", [[1]]],
        ["generic", ["typing", "Callable"], [["list", ["x()"]], "y()"]],
    ]
    with monkeypatch.context() as patched:
        patched.setattr("builtins.compile", fail)
        patched.setattr("builtins.eval", fail)
        for form in forms:
            from_data(form)
    assert to_data(listed) == ["generic", ["typing", "List"], ["X"]]


def test_nothing_is_imported() -> None:
    module = "xml.dom.pulldom"
    sys.modules.pop(module, None)
    assert type(from_data(["class", f"{module}:PullDOM"])) is AbsentType
    assert module not in sys.modules


names = st.sampled_from(
    ["List", "Dict", "Callable", "Literal", "Annotated", "Union", "Type", "ClassVar", "Unpack"]
)
unions = st.sampled_from(["union", "typing-union", "literal"])
leaves = st.one_of(
    st.none(),
    st.text(max_size=5),
    st.integers(),
    st.sampled_from(["none", "class", "generic", "union", "typing-union", "literal", "annotated", "typing"]),
    st.sampled_from(
        ["builtins:int", "builtins:list", "List", "Callable", "Union", "Optional", "...", "list"]
    ),
)
hostile = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4), max_leaves=20)
formed = st.recursive(
    st.sampled_from([["none"], ["class", "builtins:int"], "X", ["typing", "Any"], ["typing", "Union"]]),
    lambda inner: st.one_of(
        st.builds(lambda origin, args: ["generic", origin, args], inner, st.lists(inner, max_size=3)),
        st.builds(lambda name, args: ["generic", ["typing", name], args], names, st.lists(inner, max_size=3)),
        st.builds(lambda form, args: [form, args], unions, st.lists(inner, max_size=3)),
        st.builds(lambda base, extra: ["annotated", base, extra], inner, st.lists(inner, max_size=2)),
    ),
    max_leaves=10,
)


@given(hostile | formed)
def test_whatever_comes_is_an_annotation_or_refused(data: Any) -> None:
    for read in (from_data, text_of):
        try:
            found = read(data)
        except ProtocolError:
            continue
        str(found)


def _annotations(inner: st.SearchStrategy[Any]) -> Iterator[st.SearchStrategy[Any]]:
    yield st.builds(lambda a, b: dict[a, b], inner, inner)  # type: ignore[valid-type]
    yield st.builds(lambda a: typing.List[a], inner)  # type: ignore[valid-type]  # noqa: UP006
    yield st.builds(lambda a: Optional[a], inner)  # noqa: UP045
    yield st.builds(lambda a, b: abc.Callable[[a], b], inner, inner)
    yield st.builds(lambda a: tuple[a, ...], inner)  # type: ignore[valid-type]
    yield st.builds(lambda a: Annotated[a, "x", 5], inner)
    yield st.builds(lambda a: Box[a], inner)  # type: ignore[valid-type]


plain = st.sampled_from([int, str, None, Colour, np.ndarray, Any, datetime.date])
usual = st.recursive(plain, lambda inner: st.one_of(*_annotations(inner)), max_leaves=6)


@given(usual)
def test_any_annotation_is_equal_after_its_way(annotation: Any) -> None:
    data = travelled(annotation)
    assert from_data(data) == annotation
    assert repr(from_data(data)) == repr(annotation)
    assert to_data(from_data(data)) == data
