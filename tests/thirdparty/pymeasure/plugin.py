"""A plug-in of pytest: PyMeasure's own tests get proxies, over a real broker and worker, for instruments.

`expected_protocol` is where PyMeasure's tests get an instrument that speaks to recorded exchanges. Here it
hosts that instrument, as it is, with a worker, and yields a proxy.

`-p thirdparty.pymeasure.plugin`; with `--pyrolab-report FILE`, says which tests have held a proxy.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pymeasure.test
import pytest
from pymeasure.adapters.protocol import ProtocolAdapter

from thirdparty.host import Host, add_option, report_of


def _make(cls: type, adapter: Any, kwargs: dict[str, Any]) -> Any:
    return cls(adapter, **kwargs)


HOST = Host()


@contextlib.contextmanager
def expected_protocol(
    instrument_cls: type,
    comm_pairs: Sequence[tuple[Any, Any]],
    connection_attributes: dict[str, Any] | None = None,
    connection_methods: dict[str, Any] | None = None,
    **kwargs: Any,
) -> Iterator[Any]:
    """In place of PyMeasure's: the same exchanges, with a proxy of the instrument."""
    protocol = ProtocolAdapter(
        comm_pairs, connection_attributes=connection_attributes, connection_methods=connection_methods
    )
    with HOST.hosting(instrument_cls, partial(_make, adapter=protocol, kwargs=kwargs)) as proxy:
        yield proxy
        left = comm_pairs[protocol._index :]
        assert not left, f"these exchanges have not taken place: {left}"
        assert protocol._write_buffer is None, f"not a whole command: {protocol._write_buffer!r}"
        assert protocol._read_buffer is None, f"nobody has read {protocol._read_buffer!r}"


pymeasure.test.expected_protocol = expected_protocol


def pytest_addoption(parser: pytest.Parser) -> None:
    add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    report_of(HOST, config)


def pytest_unconfigure() -> None:
    HOST.close()
