"""A plug-in of pytest: InstrumentKit's own tests get proxies, over a real broker and worker, for instruments.

Its tests open an instrument on two streams in memory with `Instrument.open_test`, most of them by way of
their `expected_protocol`. Here, `open_test` hosts that instrument, as it is, with a worker, and returns a
proxy; the streams stay in this process. Needs InstrumentKit's source first on the path.

`-p thirdparty.instrumentkit.plugin`; with `--pyrolab-report FILE`, says which tests have held a proxy.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import instruments  # type: ignore[import-not-found]
import pytest

import tests  # the library's own
from thirdparty.host import Host, add_option, report_of

HOST = Host()
_native_open = instruments.Instrument.open_test.__func__
_native_protocol = tests.expected_protocol  # type: ignore[attr-defined]
#: What a test has opened, until it ends or leaves the block in which it did.
_opened: list[contextlib.ExitStack] = [contextlib.ExitStack()]


def _open(cls: type, stdin: Any = None, stdout: Any = None) -> Any:
    return _opened[-1].enter_context(HOST.hosting(cls, partial(_native_open, stdin=stdin, stdout=stdout)))


@contextlib.contextmanager
def expected_protocol(*args: Any, **kwargs: Any) -> Iterator[Any]:
    """InstrumentKit's, whose instrument is hosted no longer than the block lasts."""
    with contextlib.ExitStack() as opened:
        _opened.append(opened)
        try:
            protocol = opened.enter_context(_native_protocol(*args, **kwargs))
        finally:
            _opened.pop()
        yield protocol


instruments.Instrument.open_test = classmethod(_open)
tests.expected_protocol = expected_protocol  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _all_closed() -> Iterator[None]:
    yield
    _opened[-1].close()


def pytest_addoption(parser: pytest.Parser) -> None:
    add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    report_of(HOST, config)


def pytest_unconfigure() -> None:
    HOST.close()
