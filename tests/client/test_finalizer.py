"""A proxy that nobody holds any longer."""

from __future__ import annotations

import signal
from types import FrameType

import pytest

from live import Process
from pyrolab.api import Proxy
from pyrolab.client.connection import Connection


def test_ctrl_c_that_comes_while_a_proxy_is_collected_is_not_lost(
    bench_bus: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        heard.append(number)

    close = Connection.close

    def interrupted(connection: Connection) -> None:
        close(connection)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        proxy = Proxy(f"PYRONAME:bench@localhost:{bench_bus.ready}")
        assert proxy.ping()
        monkeypatch.setattr(Connection, "close", interrupted)
        del proxy
        while not heard:  # the test's own deadline ends this
            pass
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIGINT]
