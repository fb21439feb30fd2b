"""Signatures and errors of remote methods are those of the real ones, word for word."""

from __future__ import annotations

import enum
import functools
import inspect
import keyword
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, Optional

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab.client.signatures import checker_of, signature_of
from pyrolab.errors import ProtocolError
from pyrolab.protocol import codec
from pyrolab.protocol.interface import SELF, Interface, Method, Parameter
from pyrolab.protocol.shown_values import ValueText
from pyrolab.worker.introspection import interface_of


def as_received(cls: type, policy: str = "public") -> Interface:
    """The interface of a class, after its way over the wire."""
    return Interface.from_data(codec.decode(*codec.encode(interface_of(cls, policy).to_data())))


# -- the same errors -------------------------------------------------------------------------------------

NAMES = ["a", "b", "c", "d", "self", "cls", "x"]


class Shape(NamedTuple):
    """A method as text, and how it is decorated."""

    parameters: str
    decorator: str

    def made(self) -> type:
        """A class with this method, made by Python itself."""
        namespace: dict[str, Any] = {}
        lines = ["class Stage:"]
        if self.decorator:
            lines.append(f"    @{self.decorator}")
        lines.append(f"    def move({self.parameters}): pass")
        exec("\n".join(lines), namespace)
        made: type = namespace["Stage"]
        return made


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Methods of all kinds, with parameters of all kinds."""
    decorator = draw(st.sampled_from(["", "", "classmethod", "staticmethod"]))
    names: Iterator[str] = iter(draw(st.permutations(NAMES)))
    positional = draw(st.integers(0, 4))
    required = draw(st.integers(0, positional))
    parts = [next(names) + ("" if index < required else "=0") for index in range(positional)]
    if draw(st.booleans()) and parts:
        parts.insert(draw(st.integers(1, len(parts))), "/")
    keywords = [next(names) + draw(st.sampled_from(["", "=0"])) for _ in range(draw(st.integers(0, 2)))]
    starred = draw(st.sampled_from(["", "*rest"])) or ("*" if keywords else "")
    parts += [starred, *keywords] if starred else []
    if draw(st.booleans()):
        parts.append("**named")
    return Shape(", ".join(parts), decorator)


arguments = st.tuples(
    st.lists(st.integers(), max_size=6),
    st.dictionaries(st.sampled_from([*NAMES, "rest", "named", "speed", "xx"]), st.integers(), max_size=4),
)


def outcome(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> str | None:
    try:
        function(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return None


@given(shapes(), st.lists(arguments, min_size=1, max_size=8))
def test_wrong_arguments_are_the_error_that_python_has_for_them(
    shape: Shape, calls: list[tuple[list[int], dict[str, int]]]
) -> None:
    stage = shape.made()()
    method = as_received(type(stage)).methods["move"]
    checker = checker_of(method)
    for args, kwargs in calls:
        unknown = method.parameters is None
        assert outcome(checker, args, kwargs) == (None if unknown else outcome(stage.move, args, kwargs))


@given(shapes())
def test_signatures_are_those_of_the_bound_method(shape: Shape) -> None:
    stage = shape.made()()
    try:
        expected: Any = inspect.signature(stage.move)
    except ValueError:
        expected = ValueError
    method = as_received(type(stage)).methods["move"]
    if expected is ValueError:
        with pytest.raises(ValueError, match="no signature found"):
            signature_of(method)
    else:
        assert signature_of(method) == expected
        assert str(signature_of(method)) == str(expected)


class Stage:
    def move(self, x_mm: float, /, y_mm: float = 0.0, *, speed: float) -> None: ...

    def home(self) -> None: ...


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((), {}, "Stage.move() missing 1 required positional argument: 'x_mm'"),
        ((1.0,), {}, "Stage.move() missing 1 required keyword-only argument: 'speed'"),
        ((1, 2, 3), {}, "Stage.move() takes from 2 to 3 positional arguments but 4 were given"),
        (
            (),
            {"x_mm": 1, "speed": 2},
            "Stage.move() got some positional-only arguments passed as keyword arguments: 'x_mm'",
        ),
        ((1, 2), {"y_mm": 3, "speed": 1}, "Stage.move() got multiple values for argument 'y_mm'"),
    ],
)
def test_errors_name_the_method_and_count_the_object(args: Any, kwargs: Any, text: str) -> None:
    with pytest.raises(TypeError) as caught:
        checker_of(as_received(Stage).methods["move"])(*args, **kwargs)
    assert str(caught.value) == text
    assert outcome(Stage().move, args, kwargs) == text


def test_an_inherited_method_is_called_by_the_name_of_its_class() -> None:
    class Slow(Stage):
        pass

    with pytest.raises(TypeError, match=r"^Stage\.home\(\) takes 1 positional argument but 2 were given$"):
        checker_of(as_received(Slow).methods["home"])(1)


def lends_a_connection(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, "connection", *args, **kwargs)

    return call


class Wrapped:
    @lends_a_connection
    def ask(self, connection: str, question: str) -> str:
        return connection + question

    @functools.lru_cache  # noqa: B019
    def cached(self, key: int) -> int:
        return key

    keep = list.append


def test_what_a_decorator_may_change_is_left_to_the_service() -> None:
    interface = as_received(Wrapped)
    checker_of(interface.methods["ask"])("*IDN?")
    checker_of(interface.methods["cached"])()
    checker_of(interface.methods["keep"])(1, 2, 3)
    assert signature_of(interface.methods["ask"]) == inspect.signature(Wrapped().ask)


def test_anything_goes_where_nothing_is_known() -> None:
    unknown = Method("", None, qualname="Stage.move")
    checker_of(unknown)(1, 2, x=3)
    checker_of(Method("", (Parameter("x", "POSITIONAL_ONLY"),)))(1, 2, x=3)
    with pytest.raises(ValueError, match=r"no signature found for Stage\.move"):
        signature_of(unknown)


# -- the same signatures ---------------------------------------------------------------------------------


class Mode(enum.Enum):
    FAST = 1
    SLOW = 2


class Thing:
    def __repr__(self) -> str:
        return "<a thing>"


HALF = np.float32(0.5)


class Many:
    def text(
        self, a: np.ndarray[Any, Any], b: int | None = None, *rest: str, c: Mode = Mode.FAST
    ) -> None: ...

    def defaults(
        self,
        nothing: Any = None,
        pair: Any = (1, (2.5, "x")),
        scalar: Any = HALF,
        where: Any = ...,
        many: Any = frozenset({1}),
    ) -> Any: ...

    def bare(self, x, y=1, **more):  # type: ignore[no-untyped-def]
        ...

    @classmethod
    def of(cls, name: str) -> Many:
        return cls()

    @staticmethod
    def count(start: int = 0) -> int:
        return start

    def thing(self, x: Any = Thing(), y: Any = np.zeros(5000), z: Any = print) -> None: ...  # noqa: B008

    turned = functools.partialmethod(text, b=5)


# The same with annotations that are no text.
Many.of.__func__.__annotations__ = {"name": Optional[str], "return": Many}  # type: ignore[attr-defined] # noqa: UP045
Many.count.__annotations__ = {"start": Literal[1, "x"], "return": Callable[[int], dict[str, "Many"]]}


@pytest.mark.parametrize("name", ["text", "defaults", "bare", "of", "count", "turned"])
def test_a_signature_is_equal_to_that_of_the_instance(name: str) -> None:
    expected = inspect.signature(getattr(Many(), name))
    found = signature_of(as_received(Many).methods[name])
    assert found == expected
    assert str(found) == str(expected)


def test_a_default_that_cannot_travel_is_shown() -> None:
    found = signature_of(as_received(Many).methods["thing"])
    assert found.parameters["x"].default == ValueText("<a thing>")
    assert {found.parameters["x"].default} == {ValueText("<a thing>")}
    assert "x: 'Any' = <a thing>, y: 'Any' = array([0., 0., " in str(found)
    assert "z: 'Any' = <built-in function print>" in str(found)


# -- nonsense --------------------------------------------------------------------------------------------

X = Parameter("x", "POSITIONAL_OR_KEYWORD")
NONSENSE: dict[str, Method] = {
    "twice": Method("", (X, X), qualname="f"),
    "no identifier": Method("", (Parameter("x y", "KEYWORD_ONLY"),), qualname="f"),
    "empty": Method("", (Parameter("", "KEYWORD_ONLY"),), qualname="f"),
    "long": Method("", (Parameter("x" * 256, "KEYWORD_ONLY"),), qualname="f"),
    "kind": Method("", (Parameter("x", "SOMEHOW"),), qualname="f"),
    "order": Method("", (Parameter("x", "KEYWORD_ONLY"), Parameter("y", "POSITIONAL_ONLY")), qualname="f"),
    "defaults": Method("", (Parameter("x", "POSITIONAL_ONLY", (1,)), Parameter("y", "POSITIONAL_ONLY"))),
    "stars": Method("", (Parameter("x", "VAR_POSITIONAL"), Parameter("y", "VAR_POSITIONAL")), qualname="f"),
    "many": Method("", tuple(Parameter(f"x{n}", "KEYWORD_ONLY") for n in range(256)), qualname="f"),
    "name": Method("", (X,), qualname="f\n" * 9),
    "long name": Method("", (X,), qualname="f" * 600),
}


@pytest.mark.parametrize("method", NONSENSE.values(), ids=list(NONSENSE))
def test_nonsense_is_refused(method: Method) -> None:
    with pytest.raises(ProtocolError):
        signature_of(method)
    if method.qualname:
        with pytest.raises(ProtocolError):
            checker_of(method)


def test_the_receiver_is_checked_as_well() -> None:
    with pytest.raises(ProtocolError):
        checker_of(Method("", (Parameter("self", "KEYWORD_ONLY"),), qualname="f", receiver=SELF))
    with pytest.raises(ProtocolError):
        checker_of(Method("", (), qualname="f", receiver=Parameter("os.system()", "POSITIONAL_ONLY")))


parts = st.builds(
    Parameter,
    st.sampled_from([*NAMES, *keyword.kwlist[:3], "a b", "\0", "é"]) | st.text(max_size=4),
    st.sampled_from(["POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD", "VAR_POSITIONAL", "KEYWORD_ONLY", "X"]),
    st.sampled_from([(), (1,), (None, "text"), (None, 5), (None, "x", b"\xc1"), (None, "x", 5)]),
    st.sampled_from([None, "x", 5, [], ["class", "x"], ["union", [["none"], ["none"]]], ["literal", [[]]]]),
)


@given(st.builds(Method, st.just(""), st.lists(parts, max_size=4).map(tuple), qualname=st.text(max_size=5)))
def test_whatever_a_peer_says_ends_in_a_function_or_an_error(method: Method) -> None:
    for make in (signature_of, checker_of):
        try:
            made: Any = make(method)
        except ProtocolError:
            continue
        str(made)
