"""The lab that the examples measure in: one that runs already, or simulated instruments started for it.

The instruments are started by `pyrolab up lab.yaml`, as by hand, but on a free port and with a home directory
of their own, so that they get in nobody's way.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from pyrolab.api import Proxy, locate_ns
from pyrolab.errors import PyroError

HERE = Path(__file__).resolve().parent
START_TIMEOUT_S, END_TIMEOUT_S = 60.0, 20.0


def arguments(about: str | None, out: str = "") -> argparse.Namespace:
    """The command line: `--nameserver`, and where there is a picture `--out`, whose default is `out`."""
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    parser.add_argument("--nameserver", help="host:port of a running lab (default: start simulated ones)")
    if out:
        parser.add_argument("--out", type=Path, default=Path(out), help="file for the picture (PNG)")
    return parser.parse_args()


@contextlib.contextmanager
def instruments(nameserver: str | None, *names: str) -> Iterator[list[Any]]:
    """Proxies of the named instruments, connected: in the lab at `nameserver`, or in one started here."""
    with contextlib.ExitStack() as stack:
        where = nameserver or stack.enter_context(simulated_lab())
        proxies = [stack.enter_context(Proxy(f"PYRONAME:{name}@{where}")) for name in names]
        for proxy in proxies:
            proxy.connect()
        yield proxies


@contextlib.contextmanager
def simulated_lab() -> Iterator[str]:
    """The lab of lab.yaml on a free port; yields where its broker is, and ends it afterwards."""
    config = yaml.safe_load((HERE / "lab.yaml").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="pyrolab-lab-") as scratch:
        port = config["nameservers"]["lab"]["ns_port"] = free_port()
        for daemon in config["daemons"].values():
            daemon["path"] = [str(HERE / directory) for directory in daemon["path"]]
        file, log = Path(scratch, "lab.yaml"), Path(scratch, "up.log")
        file.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
        with log.open("wb") as output:
            up = subprocess.Popen(
                [sys.executable, "-m", "pyrolab.cli.app", "up", "--foreground", str(file)],
                env={**os.environ, "PYROLAB_HOME": scratch},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            try:
                wait_for(set(config["services"]), port, up, log)
                yield f"localhost:{port}"
            finally:
                end(up)


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(services: set[str], port: int, up: subprocess.Popen[bytes], log: Path) -> None:
    """Return when all services are listed. Raises `RuntimeError` with the log if that does not come about."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and up.poll() is None:
        try:
            with locate_ns("localhost", port) as names:
                if services <= set(names.list()):
                    return
        except PyroError:
            pass  # no broker yet
        time.sleep(0.1)
    raise RuntimeError(f"the lab did not start:\n{log.read_text(encoding='utf-8', errors='replace')}")


def end(up: subprocess.Popen[bytes]) -> None:
    """End `pyrolab up`, which ends what it started."""
    if up.poll() is None:
        up.terminate()
    try:
        up.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        up.kill()
        up.wait()
