"""The whole demonstration: start the station, measure with it, end it. `python tasks.py demo` runs this.

The station is started by `pyrolab up`, exactly as by hand, but on a free port and with a home directory of
its own, so that it gets in nobody's way, not even in that of a lab that runs on this computer.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import psutil
import yaml

from pyrolab.api import locate_ns
from pyrolab.errors import PyroError

HERE = Path(__file__).resolve().parent
SERVICES = ("stage", "laser", "power_meter", "microscope")
START_TIMEOUT_S, END_TIMEOUT_S = 60.0, 20.0
INTERRUPTED = 130


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_config(directory: Path, port: int) -> Path:
    """A copy of station.yaml with another port."""
    config = yaml.safe_load((HERE / "station.yaml").read_text(encoding="utf-8"))
    config["nameservers"]["lab"]["ns_port"] = port
    for daemon in config["daemons"].values():
        daemon["path"] = [str(HERE)]
    copy = directory / "station.yaml"
    copy.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    return copy


def pyrolab_command() -> str:
    """The `pyrolab` program of this Python."""
    found = shutil.which("pyrolab", path=str(Path(sys.executable).parent))
    if found is None:
        raise RuntimeError(f"there is no 'pyrolab' beside {sys.executable}; install it with: pip install .")
    return found


@contextlib.contextmanager
def station(environment: dict[str, str], config: Path, port: int) -> Iterator[None]:
    """The running station: `pyrolab up` in the foreground, in a process group that Ctrl-C does not reach."""
    group = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # Windows has it
    log = (config.parent / "up.log").open("w+", encoding="utf-8", errors="replace")
    command = [pyrolab_command(), "up", "--foreground", str(config)]
    with log:
        up = None
        try:
            with uninterrupted():  # inside the start of a process, an interrupt would leave it running
                up = subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    creationflags=group,
                )
            wait_for_services(up, port, config.parent / "up.log")
            yield
        finally:
            ignore_interrupts()  # it is ending already
            if up is not None:
                end(up)


def wait_for_services(up: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return when all services are listed. Raises `RuntimeError` with the log if that does not come about."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and up.poll() is None:
        try:
            with locate_ns("localhost", port) as names:
                if set(SERVICES) <= set(names.list()):
                    return
        except PyroError:
            pass  # no broker yet
        time.sleep(0.1)
    raise RuntimeError(f"the station did not start:\n{log.read_text(encoding='utf-8', errors='replace')}")


def end(up: subprocess.Popen[bytes]) -> None:
    """End `pyrolab up` and with it everything that it started, and wait for that."""
    family = _family(up)
    if up.poll() is None:
        _ask_to_end(up)
    try:
        up.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        up.kill()
        up.wait()
    _, alive = psutil.wait_procs(family, timeout=5)
    for process in alive:
        print(f"process {process.pid} did not end by itself and is killed", file=sys.stderr)
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=5)


def _ask_to_end(up: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        up.send_signal(signal.CTRL_BREAK_EVENT)
    else:
        up.terminate()


def _family(up: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return psutil.Process(up.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def run(out: Path) -> int:
    """Start, measure, end; returns the exit code of the measurement."""
    import measure  # here, where an interrupt is answered: it takes a while

    print(
        "Starting a chip-testing station: a broker and three workers, each a process of its own", flush=True
    )
    with tempfile.TemporaryDirectory(prefix="pyrolab-demo-") as scratch:
        port = free_port()
        where = f"localhost:{port}"
        environment = {**os.environ, "PYROLAB_HOME": scratch}
        with station(environment, write_config(Path(scratch), port), port):
            print(f"They run; the broker is at {where}. Now measure.py, from this process:\n", flush=True)
            code = measure.main(["--nameserver", where, "--out", str(out)])
        print("The broker and the workers have ended; nothing is left running.")
        return code


INTERRUPTS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def on_interrupt(action: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    """What Ctrl-C does from now on, and being terminated, and losing the terminal."""
    for number in INTERRUPTS:
        signal.signal(number, action)


def interrupt(number: int, frame: FrameType | None) -> None:
    """The usual answer to Ctrl-C."""
    raise KeyboardInterrupt


def ignore_interrupts() -> None:
    """From now on everything ends in order, whatever else is typed."""
    on_interrupt(signal.SIG_IGN)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off interrupts until the end of the block."""
    waiting: list[int] = []
    on_interrupt(lambda number, frame: waiting.append(number))
    yield
    on_interrupt(interrupt)
    if waiting:
        raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    """Run the demonstration; the exit code is 0 if all went well."""
    parser = argparse.ArgumentParser(description="PyroLab's demonstration: a simulated chip-testing station.")
    parser.add_argument("--out", type=Path, default=Path("demo-output/chip.png"), help="file for the figure")
    options = parser.parse_args(arguments)
    on_interrupt(interrupt)
    try:
        return run(options.out.resolve())
    except KeyboardInterrupt:
        print("\nInterrupted. The broker and the workers have ended; nothing is left running.")
        return INTERRUPTED
    except (RuntimeError, PyroError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
