"""Tracebacks as Pyro's users print them: what is remote is there, and once."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from pyrolab import errors, tracebacks
from pyrolab.errors import excepthook, format_traceback, get_pyro_traceback
from pyrolab.protocol.exceptions import pack_exception, unpack_exception
from pyrolab.tracebacks import REMOTE_HEADING


def at_the_service() -> None:
    secret_setpoint = 1550  # noqa: F841 - for the detailed traceback
    raise ValueError("too hot")


def from_a_service() -> Exception:
    try:
        at_the_service()
    except ValueError as error:
        return unpack_exception(pack_exception(error))
    raise AssertionError


def at_the_client() -> None:
    local_setpoint = 1551  # noqa: F841
    raise from_a_service()


def printed(*arguments: Any) -> str:
    try:
        at_the_client()
    except ValueError:
        return "".join(get_pyro_traceback(*arguments))
    raise AssertionError


def test_both_sides_are_there_once() -> None:
    text = printed()
    assert text.count(REMOTE_HEADING) == 1
    assert text.count("in at_the_service") == 1
    assert "in at_the_client" in text
    assert "ValueError: too hot" in text


def test_where_python_prints_no_notes_the_remote_part_is_added() -> None:
    error = from_a_service()
    del error.__dict__["__notes__"]
    lines = get_pyro_traceback(error)
    assert all(line.endswith("\n") for line in lines)
    assert "".join(lines).count("in at_the_service") == 1
    assert lines.index(f"{REMOTE_HEADING}\n") > lines.index("ValueError: too hot\n")


def test_an_error_of_here_is_printed_as_python_does() -> None:
    lines: list[str] = []
    others: list[list[str]] = []
    try:
        at_the_service()
    except ValueError as error:
        lines = get_pyro_traceback(type(error), error, error.__traceback__)
        others = [get_pyro_traceback(), get_pyro_traceback(error), format_traceback(error)]
    assert others == [lines] * 3
    assert "in at_the_service" in "".join(lines)
    assert REMOTE_HEADING not in "".join(lines)


def test_outside_of_an_except_there_is_none_to_print() -> None:
    assert get_pyro_traceback() == ["NoneType: None\n"]


@pytest.mark.parametrize("wrong", ["text", 5])
def test_what_is_no_exception_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="is no exception"):
        get_pyro_traceback(wrong)


def test_local_variables_are_shown_on_request() -> None:
    with pytest.raises(ValueError, match="too hot") as caught:
        at_the_client()
    assert "local_setpoint = 1551" in "".join(format_traceback(caught.value, detailed=True))
    assert "1551" not in "".join(format_traceback(caught.value))


def test_a_variable_that_cannot_be_shown_does_not_hide_the_error() -> None:
    class Rude:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    def fail() -> None:
        rude = Rude()  # noqa: F841 - its text is asked for
        raise ValueError("too hot")

    with pytest.raises(ValueError, match="too hot") as caught:
        fail()
    assert "too hot" in "".join(format_traceback(caught.value, detailed=True))


def test_the_hook_prints_to_the_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    error = from_a_service()
    excepthook(type(error), error, error.__traceback__)
    assert capsys.readouterr().err == "".join(get_pyro_traceback(error))


def test_errors_hands_out_the_same_functions_and_no_others() -> None:
    assert errors.get_pyro_traceback is tracebacks.get_pyro_traceback
    with pytest.raises(AttributeError, match="detailed_by_default"):
        _ = errors.detailed_by_default


def test_importing_errors_loads_nothing_for_printing() -> None:
    script = (
        "import sys; before = set(sys.modules); import pyrolab.errors; loaded = set(sys.modules) - before; "
        "print(sorted(name for name in loaded if name.startswith(('pyrolab', 'traceback', 'linecache'))))"
    )
    command = [sys.executable, "-c", script]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert said.stdout.strip() == "['pyrolab', 'pyrolab.errors']"
