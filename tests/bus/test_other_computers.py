"""Streams between computers, as far as network namespaces are such: each has addresses of its own."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from live import HERE, PATIENCE_S, clean_environment

#: A program that sees none of the others, as in a container or on another computer.
_OTHER_PROCESSES = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
IP = shutil.which("ip")
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0

_HOST = """
import sys
from pyrolab.api import Daemon
from services.streams import Camera
daemon = Daemon(nameserver=sys.argv[1])
from pyrolab.api import locate_ns
uri = daemon.register(Camera)
with locate_ns(sys.argv[1].partition(":")[0], int(sys.argv[1].partition(":")[2])) as ns:
    ns.register("camera", uri)
print("ready", flush=True)
daemon.requestLoop()
"""
_WATCH = """
import sys
from pyrolab.api import Proxy
with Proxy(f"PYRONAME:camera@{sys.argv[1]}") as camera, camera.frames.subscribe("lossless") as frames:
    camera.snap(3, (512, 512))
    print([frames.get(timeout=20).sequence for _ in range(3)], frames.path, "|", frames.path_reason)
"""


def _ip(*words: str) -> None:
    assert IP is not None
    subprocess.run([IP, *words], check=True, capture_output=True)


@pytest.fixture
def computers() -> Iterator[list[str]]:
    """Three network namespaces in a row: worker, broker, client; only neighbours reach each other."""
    if not ROOT or IP is None:
        pytest.skip("only root can make network namespaces")
    names = [f"pyrolab-{os.getpid()}-{role}" for role in ("worker", "broker", "client")]
    with contextlib.ExitStack() as stack:
        try:
            for name in names:
                _ip("netns", "add", name)
                stack.callback(_ip, "netns", "del", name)
                _ip("-n", name, "link", "set", "lo", "up")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.decode()}")
        for number, (left, right) in enumerate(itertools.pairwise(names)):
            ends = f"pyl{os.getpid() % 10_000}{number}a", f"pyl{os.getpid() % 10_000}{number}b"
            _ip(
                "link", "add", ends[0], "netns", left, "type", "veth", "peer", "name", ends[1], "netns", right
            )
            for name, end, last in ((left, ends[0], 1), (right, ends[1], 2)):
                _ip("-n", name, "addr", "add", f"10.83.{number}.{last}/24", "dev", end)
                _ip("-n", name, "link", "set", end, "up")
        yield names


class Inside(subprocess.Popen[str]):
    """A program in a network namespace."""

    def __init__(self, namespace: str, *arguments: str, through: tuple[str, ...] = ()) -> None:
        assert IP is not None
        command = [IP, "netns", "exec", namespace, *through, sys.executable, *arguments]
        super().__init__(command, stdout=subprocess.PIPE, text=True, env=clean_environment(), cwd=HERE)

    def line(self) -> str:
        assert self.stdout is not None
        return self.stdout.readline().strip()

    def __exit__(self, *reason: object) -> None:
        self.terminate()
        self.wait(PATIENCE_S)
        super().__exit__(None, None, None)


def test_frames_go_straight_if_they_can_and_through_the_broker_if_not(computers: list[str]) -> None:
    worker, broker, client = computers
    settings = repr({"insecure": True, "host": "0.0.0.0"})
    with Inside(broker, "-m", "processes.broker", "0", settings) as running:
        port = running.line()
        with Inside(worker, "-c", _HOST, f"10.83.0.2:{port}") as host:
            assert host.line() == "ready"
            with Inside(client, "-c", _WATCH, f"10.83.1.1:{port}") as far:
                said = far.line()
                assert said.startswith("[1, 2, 3] relay | the source does not answer at 10.83.0.1:"), said
            with Inside(broker, "-c", _WATCH, f"127.0.0.1:{port}") as near:
                assert near.line() == "[4, 5, 6] shared memory |"
            with Inside(broker, "-c", _WATCH, f"127.0.0.1:{port}", through=_OTHER_PROCESSES) as other:
                assert other.line() == "[7, 8, 9] direct | the source is on another computer"
