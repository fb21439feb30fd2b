"""`pyrolab stubs`: write a `.pyi` from what runs, for editors and type checkers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyrolab.cli.tables import console

if TYPE_CHECKING:
    from pyrolab.protocol.interface import Interface
    from pyrolab.protocol.names import URI


def stubs(names: Sequence[str], out: Path | None, host: str | None, port: int | None) -> int:
    """Write a stub of services, to a file or to the terminal."""
    from pyrolab.client.stubs import stub_of
    from pyrolab.link.finding import broker_location
    from pyrolab.protocol.names import URI

    location = broker_location(host, port)
    services = {name: _interface(URI(f"PYRONAME:{name}").at(location)) for name in names}
    if out is None:
        print(stub_of(services), end="")
        return 0
    out.write_text(stub_of(services, out.stem), encoding="utf-8")
    console(error=True).print(f"{out} describes {', '.join(sorted(services))}")
    return 0


def _interface(uri: URI) -> Interface:
    """What a service offers."""
    from pyrolab.client.proxy import Proxy

    with Proxy(uri) as service:
        return service._pyroInterface
