"""`pyrolab wiretap` and `pyrolab new-driver`: for those who write drivers, or wonder what one says."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyrolab.cli.tables import console
from pyrolab.errors import NamingError, PyroError
from pyrolab.link.finding import broker_location

if TYPE_CHECKING:
    from pyrolab_drivers.transports.wire_log import Entry

#: How often is looked for news, and how many exchanges may be new then.
_LOOK_S, _MOST = 0.2, 1000


def wiretap(name: str, to: Path | None, entries: int | None, host: str | None, port: int | None) -> int:
    """Print what goes over an instrument's wire until Ctrl-C, or until there were so many entries."""
    from pyrolab_drivers.transports.wire_log import write_wire_file

    if to is not None and to.exists():
        raise PyroError(f"{to} is there already; choose another name")
    seen: list[Entry] = []
    with contextlib.suppress(KeyboardInterrupt):
        for entry in _overheard(name, host, port):
            console().print(str(entry), markup=False)
            seen.append(entry)
            if entries is not None and len(seen) >= entries:
                break
    if to is not None:
        write_wire_file(to, seen, name)
    return 0


def _overheard(name: str, host: str | None, port: int | None) -> Iterator[Entry]:
    from pyrolab.client.proxy import Proxy
    from pyrolab_drivers.transports.wire_log import Entry

    with Proxy(f"PYRONAME:{name}@{broker_location(host, port)}") as instrument:
        if "wiretap_start" not in instrument._known_shape().methods:
            raise NamingError(
                f"{name} has no wire that could be listened to: it is no driver of pyrolab_drivers with a "
                "connection of its own. What its library logs is in the daemon's log: `pyrolab ps` says where"
            )
        instrument.wiretap_start()
        try:
            last: tuple[Any, ...] | None = None
            while True:
                heard = [tuple(each) for each in instrument.wiretap_read(_MOST)]
                for time_s, direction, data in _after(heard, last):
                    yield Entry(time_s, direction, data)
                last = heard[-1] if heard else last
                time.sleep(_LOOK_S)
        finally:
            instrument.wiretap_stop()


def _after(heard: Sequence[tuple[Any, ...]], last: tuple[Any, ...] | None) -> Sequence[tuple[Any, ...]]:
    """What came after the `last` one that is known."""
    for place in range(len(heard), 0, -1):
        if heard[place - 1] == last:
            return heard[place:]
    return heard


def new_driver(name: str, base: str, folder: Path) -> int:
    """Write a driver, its simulator and its test, to be changed. Nothing is written over."""
    from pyrolab_drivers import templates

    try:
        files = templates.render(name, base)
    except (ValueError, LookupError) as error:
        raise PyroError(str(error)) from None
    there = [str(folder / each) for each in files if (folder / each).exists()]
    if there:
        raise PyroError(f"{', '.join(there)} is there already; choose another name or folder")
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (folder / file).write_text(text, encoding="utf-8")
        console().print(f"{folder / file}")
    module = templates.module_name(name)
    console().print(f"Try it:  python -m pytest {folder / f'test_{module}.py'}")
    return 0
