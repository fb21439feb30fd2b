"""Exceptions keep class, arguments, attributes, notes, causes and the remote traceback."""

from __future__ import annotations

import builtins
import sys
import traceback
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pyrolab import errors
from pyrolab.errors import BusyError, ProtocolError, RemoteError
from pyrolab.protocol.codec import decode, encode
from pyrolab.protocol.exceptions import MAX_CHAIN, REMOTE_HEADING, pack_exception, unpack_exception
from values import samples
from values.samples import Hooked, InstrumentError, Offline, Talkative

GENEROUS = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], max_examples=150
)


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def travelled(error: BaseException) -> Any:
    return unpack_exception(decode(*encode(pack_exception(error))))


def elsewhere(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`error` as it arrives in a process that has not imported its class."""
    body, buffers = encode(pack_exception(error))
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, samples.__name__)
        return unpack_exception(decode(body, buffers))


BUILTIN = [
    ValueError("bad", 3),
    KeyError("key"),
    ZeroDivisionError(),
    StopIteration(4),
    FileNotFoundError(2, "No such file", "f.txt"),
    OSError(5, "Input/output error"),
    OSError("just text"),
    OSError(18, "cross", "a", None, "b"),
    ConnectionResetError(104, "reset"),
    UnicodeDecodeError("utf-8", b"a\xff", 1, 2, "bad byte"),
    UnicodeEncodeError("ascii", "aé", 1, 2, "no"),
    UnicodeTranslateError("aé", 1, 2, "no"),
    SyntaxError("bad", ("f.py", 1, 2, "x y")),
    ImportError("no", name="zz", path="p"),
    ModuleNotFoundError("no", name="zz"),
    NameError("n", name="n"),
    UserWarning("careful"),
    RecursionError("deep"),
]


@pytest.mark.parametrize("error", BUILTIN, ids=repr)
def test_builtin_exceptions_arrive_as_themselves(error: Exception) -> None:
    arrived = travelled(raised(error))
    assert type(arrived) is type(error)
    assert arrived.args == error.args
    assert str(arrived) == str(error)
    for name in (
        "errno",
        "strerror",
        "filename",
        "filename2",
        "name",
        "path",
        "lineno",
        "value",
        "start",
        "object",
    ):
        assert getattr(arrived, name, None) == getattr(error, name, None)


def test_our_own_errors_keep_their_fields() -> None:
    arrived = travelled(BusyError("full", limit=3, retry_after_s=0.5))
    assert type(arrived) is BusyError
    assert (str(arrived), arrived.limit, arrived.retry_after_s) == ("full", 3, 0.5)
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.PyroError):
            assert type(travelled(kind("text"))) is kind


def test_an_imported_class_arrives_as_itself_without_its_constructor() -> None:
    sent = InstrumentError("laser", 5)
    before = InstrumentError.made
    arrived = travelled(sent)
    assert InstrumentError.made == before
    assert type(arrived) is InstrumentError
    assert (str(arrived), arrived.instrument, arrived.code) == ("laser says 5", "laser", 5)
    assert type(travelled(Offline("laser"))) is Offline
    assert str(travelled(Talkative(7))) == "code 7: see the manual"


def test_elsewhere_a_stand_in_keeps_the_bases_that_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    arrived = elsewhere(raised(Offline("laser")), monkeypatch)
    code = arrived.code
    assert type(arrived) is not Offline
    assert isinstance(arrived, ValueError)
    assert isinstance(arrived, ConnectionError)
    assert not isinstance(arrived, LookupError)
    assert (str(arrived), code) == ("laser says -1", -1)
    assert traceback.format_exception_only(arrived)[0] == "values.samples.Offline: laser says -1\n"
    with pytest.raises(ValueError, match="laser says"):
        raise arrived


def test_elsewhere_the_text_is_what_the_class_made_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(elsewhere(Talkative(7), monkeypatch)) == "code 7: see the manual"


def test_stand_ins_of_one_class_share_one_class(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = elsewhere(Talkative(1), monkeypatch), elsewhere(Talkative(2), monkeypatch)
    assert type(one) is type(other)


def test_a_stand_in_that_travels_on_is_recognised_again(monkeypatch: pytest.MonkeyPatch) -> None:
    middle = elsewhere(raised(Offline("laser")), monkeypatch)
    arrived = travelled(raised(middle))
    assert type(arrived) is Offline
    assert (arrived.instrument, str(arrived)) == ("laser", "laser says -1")
    far = elsewhere(middle, monkeypatch)
    assert pack_exception(far)["bases"] == pack_exception(Offline("x"))["bases"]


def test_deriving_from_a_class_that_would_run_code_is_avoided(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pack_exception(Hooked("x"))
    data.update(type="nowhere:Sub", bases=["values.samples:Hooked", "builtins:Exception"])
    arrived = unpack_exception(data)
    assert not isinstance(arrived, Hooked)
    assert Hooked.derived == []
    assert type(travelled(Hooked("x"))) is Hooked


@pytest.mark.parametrize("error", [KeyboardInterrupt("stop"), SystemExit(3), GeneratorExit()], ids=repr)
def test_what_would_end_a_process_arrives_as_an_ordinary_error(error: BaseException) -> None:
    arrived = travelled(raised(error))
    assert arrived.remote_type == f"builtins:{type(error).__name__}"
    assert type(arrived) is RemoteError
    assert type(error).__name__ in str(arrived)


class Fatal(BaseException):
    pass


def test_no_class_of_a_user_ends_a_process_either() -> None:
    arrived = travelled(Fatal("x"))
    assert isinstance(arrived, RemoteError)
    assert type(arrived).__name__ == "Fatal"


def test_the_remote_traceback_comes_as_an_attribute_and_as_the_last_note() -> None:
    error = raised(ValueError("x"))
    error.__dict__["__notes__"] = ["look at the fuse"]
    arrived = travelled(error)
    assert "in raised" in "".join(arrived.remote_traceback)
    assert arrived.__notes__[0] == "look at the fuse"
    assert arrived.__notes__[1].startswith(REMOTE_HEADING)
    if sys.version_info >= (3, 11):
        printed = "".join(traceback.format_exception(arrived))
        assert "look at the fuse" in printed
        assert "in raised" in printed


def test_over_two_hops_both_tracebacks_stay() -> None:
    first = travelled(raised(ValueError("x")))
    arrived = travelled(raised(first))
    assert len(arrived.remote_traceback) == 2 * len(first.remote_traceback)
    assert len(arrived.__notes__) == 2


def chained() -> BaseException:
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise InstrumentError("laser", 1) from inner
    except InstrumentError:
        try:
            raise ValueError("outer")
        except ValueError as outer:
            return outer


def test_causes_and_contexts_travel() -> None:
    arrived = travelled(chained())
    context: Any = arrived.__context__
    assert type(context) is InstrumentError
    assert context.__suppress_context__
    assert repr(context.__cause__) == "KeyError('inner')"
    assert "in chained" in "".join(getattr(context.__cause__, "remote_traceback", []))
    assert not arrived.__suppress_context__
    quiet = ValueError("quiet")
    quiet.__suppress_context__ = True
    assert travelled(quiet).__suppress_context__


def test_long_chains_and_circles_end() -> None:
    error: BaseException = ValueError(0)
    for number in range(1000):
        following = ValueError(number)
        following.__cause__ = error
        error = following
    arrived, length = travelled(error), 0
    while arrived is not None:
        arrived, length = arrived.__cause__, length + 1
    assert length == MAX_CHAIN
    one, other = ValueError(1), ValueError(2)
    one.__cause__, other.__cause__ = other, one
    assert repr(travelled(one).__cause__) == "ValueError(2)"
    one.args = (one,)
    assert "ValueError" in travelled(one).args[0]


ExceptionGroup: Any = getattr(builtins, "ExceptionGroup", None)
BaseExceptionGroup: Any = getattr(builtins, "BaseExceptionGroup", None)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups came with Python 3.11")
def test_groups_keep_their_members() -> None:
    group = ExceptionGroup("two", [InstrumentError("a", 1), ExceptionGroup("in", [KeyError("k")])])
    arrived = travelled(raised(group))
    assert type(arrived) is ExceptionGroup
    assert str(arrived) == str(group)
    assert [type(each) for each in arrived.exceptions] == [InstrumentError, ExceptionGroup]
    assert repr(arrived.exceptions[1].exceptions[0]) == "KeyError('k')"
    fatal = BaseExceptionGroup("bad", [KeyboardInterrupt(), ValueError(1)])
    arrived = travelled(fatal)
    assert [type(each) for each in arrived.exceptions] == [RemoteError, ValueError]
    assert isinstance(arrived, Exception)


def test_what_cannot_travel_in_an_exception_is_replaced_or_left_out() -> None:
    lock = __import__("threading").Lock()
    error = ValueError("x", lock, [lock])
    error.__dict__.update(lock=lock, volts=3)
    arrived = travelled(error)
    assert arrived.args == ("x", repr(lock), repr([lock]))
    assert arrived.volts == 3
    assert not hasattr(arrived, "lock")


class Broken(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def test_an_exception_without_a_text_still_arrives() -> None:
    error = Broken(Broken())
    arrived = travelled(error)
    assert type(arrived) is Broken
    assert arrived.args == ("<a Broken that has no text>",)


def test_each_part_fits_but_not_all_together() -> None:
    deep: Any = 1
    for _ in range(60):
        deep = [deep]
    error: BaseException = ValueError(deep)
    for _ in range(8):
        following = ValueError("later")
        following.__cause__ = error
        error = following
    assert type(travelled(error)) is ValueError


def test_attributes_of_a_peer_cannot_replace_what_exceptions_are_made_of() -> None:
    data = pack_exception(ValueError("x"))
    data["attributes"] = {"__class__": 1, "__cause__": 2, "args": 3, "with_traceback": 4, "ok": 5, "": 6}
    arrived: Any = unpack_exception(data)
    assert (arrived.args, arrived.__cause__, arrived.ok) == (("x",), None, 5)
    assert callable(arrived.with_traceback)


@pytest.mark.parametrize(
    "change",
    [
        {"type": 5},
        {"type": ""},
        {"type": "x" * 1000},
        {"type": "a:\0", "bases": []},
        {"args": "x"},
        {"bases": [1]},
        {"bases": 1},
        {"notes": [1]},
        {"traceback": "x"},
        {"attributes": []},
        {"cause": []},
        {"members": [1]},
        {"text": 1},
        {"type": "builtins:UnicodeDecodeError"},
        {"type": "builtins:UnicodeDecodeError", "state": {"unicode": ["utf-8", b"", 5, 6, "x"]}},
        {"type": "builtins:UnicodeDecodeError", "state": {"unicode": ["utf-8", b"abc", -5, 1, "x"]}},
        {"type": "builtins:UnicodeDecodeError", "state": {"unicode": ["utf-8", 5, 0, 0, "x"]}},
        {"type": "builtins:UnicodeEncodeError", "state": {"unicode": 5}},
        {"state": []},
    ],
    ids=str,
)
def test_bad_data_are_protocol_errors(change: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        unpack_exception({**pack_exception(ValueError("x")), **change})


@pytest.mark.parametrize("data", [None, 1, [], "x", {}, {1: 2}], ids=repr)
def test_what_is_no_exception_is_a_protocol_error(data: Any) -> None:
    with pytest.raises(ProtocolError):
        unpack_exception(data)


@pytest.mark.parametrize(
    "name", ["builtins:print", "os:system", "os:error", "values.samples:Pose", "a", ":", "a:b.c"]
)
def test_names_of_other_things_become_stand_ins(name: str) -> None:
    arrived = unpack_exception({"type": name, "args": ["x"], "text": "x"})
    assert isinstance(arrived, RemoteError)
    assert "x" in str(arrived)


_words = st.text(max_size=6) | st.sampled_from(
    ["builtins:OSError", "builtins:SyntaxError", "builtins:ImportError"]
)
_plain = st.none() | st.booleans() | st.integers() | st.binary(max_size=4) | _words
_data = st.recursive(
    _plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=3),
    max_leaves=6,
)
_PARTS = ["args", "state", "attributes", "notes", "traceback", "cause", "context", "members", "bases", "text"]
_TYPES = [f"builtins:{type(error).__name__}" for error in BUILTIN] + ["values.samples:Offline", "x:Y"]


@GENEROUS
@example("builtins:SyntaxError", {}, ["x", b"1234"])
@given(st.sampled_from(_TYPES), st.dictionaries(st.sampled_from(_PARTS), _data), st.lists(_plain, max_size=5))
def test_any_data_give_an_exception_that_can_be_printed_or_a_protocol_error(
    name: str, parts: dict[str, Any], args: list[Any]
) -> None:
    state = {key: value for key in ("errno", "msg", "text", "lineno", "name", "value") for value in args[:1]}
    for data in ({"type": name, "args": args, "state": state}, {"type": name, **parts}):
        try:
            error = unpack_exception(data)
        except ProtocolError:
            continue
        assert isinstance(error, Exception)
        assert isinstance("".join(traceback.format_exception(error)), str)
