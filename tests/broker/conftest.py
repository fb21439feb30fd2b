"""The core is tested without sockets; this makes sure of it."""

from __future__ import annotations

from typing import NoReturn

import pytest
import zmq


@pytest.fixture(autouse=True)
def _no_sockets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> NoReturn:
        raise AssertionError("the core opened a ZeroMQ socket")

    if "server" not in request.path.name:
        monkeypatch.setattr(zmq.Context, "socket", refuse)
