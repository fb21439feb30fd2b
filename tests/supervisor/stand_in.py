"""A supervised process that does as it is told: come up, print, refuse, crash, ignore its end."""

from __future__ import annotations

import ctypes
import os
import sys
import threading

from pyrolab.supervisor.lifeline import Lifeline
from pyrolab.supervisor.process_setup import log_to_stderr


def main() -> int:
    lifeline = Lifeline()
    log_to_stderr()
    plan = lifeline.plan
    ended = threading.Event()
    lifeline.when_cut(ended.set)
    match plan["do"]:
        case "refuse":
            lifeline.report("refused", reason="the stand-in does not want to")
            return 1
        case "crash":
            print("about to crash", flush=True)
            os._exit(7)
        case "print":
            print("printed by a service", flush=True)
            os.write(1, b"written by a library\n")
            sys.stdin.read()
    lifeline.report("running", address=f"{os.getpid()}:1")
    for service in plan.get("services", []):
        lifeline.report("service", name=service, state="running", uri=f"PYRO:{service}@localhost:1")
    if plan["do"] == "hang":
        hold_the_interpreter(600)
    if plan["do"] == "pulse":
        lifeline.pulse()
    ended.wait()
    return 0


def hold_the_interpreter(seconds: int) -> None:
    """Sleep in C without letting any other thread run, as a driver's library may."""
    ctypes.PyDLL(None).sleep(seconds)


if __name__ == "__main__":
    sys.exit(main())
