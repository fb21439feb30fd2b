"""Where the two sides of the bus meet in one process: a worker that is passed a service sees a proxy of the
client's.
"""

from __future__ import annotations

from importlib import import_module

from pyrolab.protocol import codes, later


def join_client_and_worker() -> None:
    """Have references to services read as proxies; the client side is loaded when the first one comes."""
    later.provide(codes.SERVICE, lambda: import_module("pyrolab.client.proxy"))
