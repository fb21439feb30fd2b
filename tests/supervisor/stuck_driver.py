"""A service whose library holds the interpreter, as a vendor's DLL may."""

from __future__ import annotations

import ctypes
import os

from pyrolab.api import behavior, expose


@expose
@behavior(instance_mode="single")
class StuckDriver:
    def hold(self, seconds: int) -> None:
        ctypes.PyDLL(None).sleep(seconds)

    def pid(self) -> int:
        return os.getpid()
