"""Exceptions as text, those from a service with what happened there; `pyrolab.errors` has the same names.

This module imports nothing of ours, and the library behind it only when something is printed.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, TypeAlias

#: The line above a remote traceback in the notes of an exception.
REMOTE_HEADING = "Remote traceback (most recent call last):"

#: Whether tracebacks show the values of local variables, unless a caller says otherwise.
detailed_by_default = False

_Exception: TypeAlias = "type[BaseException] | BaseException | None"


def get_pyro_traceback(
    ex_type: _Exception = None,
    ex_value: BaseException | None = None,
    ex_tb: TracebackType | None = None,
) -> list[str]:
    """The lines of an exception's traceback, which end with the remote one if it came from a service.

    Without arguments it is the exception that is being handled. An exception alone will do as the argument.
    """
    ex_type, ex_value, ex_tb = _complete(ex_type, ex_value, ex_tb)
    lines = format_traceback(ex_type, ex_value, ex_tb, detailed_by_default)
    shown = any(REMOTE_HEADING in line for line in lines)  # as a note, from Python 3.11 on
    return lines if shown else [*lines, *_remote_lines(ex_value)]


def format_traceback(
    ex_type: _Exception = None,
    ex_value: BaseException | None = None,
    ex_tb: TracebackType | None = None,
    detailed: bool = False,
) -> list[str]:
    """The lines of an exception's traceback as Python prints it, with the local variables if `detailed`.

    Without arguments it is the exception that is being handled.
    """
    import traceback

    ex_type, ex_value, ex_tb = _complete(ex_type, ex_value, ex_tb)
    if detailed and ex_value is not None:
        try:
            shown = traceback.TracebackException(type(ex_value), ex_value, ex_tb, capture_locals=True)
            return list(shown.format())
        except Exception:  # noqa: BLE001, S110 - a variable whose repr fails; the error itself matters more
            pass
    kind: Any = ex_type
    return traceback.format_exception(kind, ex_value, ex_tb)


def excepthook(ex_type: type[BaseException], ex_value: BaseException, ex_tb: TracebackType | None) -> None:
    """Print an exception with its remote traceback: `sys.excepthook = pyrolab.errors.excepthook`.

    From Python 3.11 on, Python prints it without that.
    """
    sys.stderr.write("".join(get_pyro_traceback(ex_type, ex_value, ex_tb)))


def _complete(
    ex_type: _Exception, ex_value: BaseException | None, ex_tb: TracebackType | None
) -> tuple[Any, BaseException | None, TracebackType | None]:
    if isinstance(ex_type, BaseException):
        return type(ex_type), ex_type, ex_tb or ex_type.__traceback__
    if ex_type is None and ex_value is None and ex_tb is None:
        return sys.exc_info()
    if ex_type is not None and not isinstance(ex_type, type):
        raise TypeError(f"{ex_type!r:.60} is no exception; give one, or no arguments while one is handled")
    return ex_type or type(ex_value), ex_value, ex_tb


def _remote_lines(error: BaseException | None) -> list[str]:
    lines = getattr(error, "remote_traceback", None)
    if not isinstance(lines, list) or not lines:
        return []
    return [f"{REMOTE_HEADING}\n", *(f"{line}".rstrip("\n") + "\n" for line in lines)]
