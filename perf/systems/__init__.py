"""The systems under test, one module each, and where to find them.

A system whose library is not installed is reported as such; it does not stop the others.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from importlib.util import find_spec

from perf.systems.base import System


@dataclass(frozen=True, slots=True)
class Entry:
    """A system under test, before its module is imported."""

    #: As in the table.
    label: str
    #: Its module here, and the class in it.
    module: str
    name: str
    #: The library without which it cannot run, and what it is called when it is installed.
    requires: str
    distribution: str

    @property
    def installed(self) -> bool:
        """Whether it can run here."""
        return find_spec(self.requires) is not None

    def load(self) -> type[System]:
        """The system itself."""
        found: type[System] = getattr(importlib.import_module(f"perf.systems.{self.module}"), self.name)
        return found


#: In the order of the table. The first is the baseline.
SYSTEMS: dict[str, Entry] = {
    "raw_proxy": Entry("raw zmq.proxy", "raw_proxy", "RawProxy", "zmq", "pyzmq"),
    "raw_direct": Entry("raw direct", "raw_direct", "RawDirect", "zmq", "pyzmq"),
    "pyrolab": Entry("PyroLab", "pyrolab_bus", "PyroLabBus", "pyrolab", "pyrolab"),
    "pyro5": Entry("Pyro5", "pyro5", "Pyro", "Pyro5", "Pyro5"),
    "rpyc": Entry("RPyC", "rpyc", "Rpyc", "rpyc", "rpyc"),
    "pyleco": Entry("pyleco", "pyleco", "Pyleco", "pyleco", "pyleco"),
}
BASELINE = "raw_proxy"
