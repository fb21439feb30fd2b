"""The tutorial does what it says: its files are the example's, its commands and snippets run as printed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Run, command

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "tutorials" / "library.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples" / "library_catalog"
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.timeout(180)


def blocks(language: str, titled: bool = False) -> Iterator[tuple[str, str]]:
    for kind, title, text in BLOCK.findall(TUTORIAL):
        if kind == language and bool(title) is titled:
            yield title, text


def normal(text: str) -> list[str]:
    """Lines without what differs from run to run: ids, numbers, the width of columns."""
    text = re.sub(r"obj_[0-9a-f]{32}", "obj_ID", text)
    return [" ".join(re.sub(r"\d+", "N", line).split()) for line in text.strip().splitlines()]


def test_its_files_are_those_of_the_example() -> None:
    titled = dict([*blocks("python", titled=True), *blocks("yaml", titled=True)])
    assert set(titled) == {"libservice.py", "config.yaml", "client.py"}
    for name, text in titled.items():
        assert (EXAMPLE / name).read_text(encoding="utf-8") == text, name


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """A free port instead of 9090, where a broker of somebody else may listen."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    monkeypatch.setenv("PYROLAB_NAMESERVER", f"localhost:{number}")
    return number


@pytest.fixture
def directory(tmp_path: Path, port: int) -> Path:
    shutil.copytree(EXAMPLE, tmp_path / "lab", ignore=shutil.ignore_patterns("__pycache__"))
    config = tmp_path / "lab" / "config.yaml"
    config.write_text(config.read_text().replace("9090", str(port)))
    return tmp_path / "lab"


def run(line: str, directory: Path) -> str:
    program, *arguments = shlex.split(line)
    argv = command(*arguments) if program == "pyrolab" else [sys.executable, *arguments]
    done = subprocess.run(argv, cwd=directory, capture_output=True, text=True, timeout=90, env=os.environ)
    assert done.returncode == 0, f"{line}: {done.stderr}"
    return done.stdout


def test_its_commands_and_snippets_run_as_printed(pyrolab: Run, directory: Path, port: int) -> None:
    snippet = next(text for _, text in blocks("python") if "locate_ns(host=" in text)
    shown = next(text for _, text in blocks("text"))
    snippet = snippet.replace('host="localhost"', f'host="localhost:{port}"')
    for _, block in blocks("console"):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, expected = step.partition("\n")
            assert normal(run(line, directory)) == normal(expected), line
            if line == "pyrolab up config.yaml":
                (directory / "snippet.py").write_text(snippet)
                assert normal(run("python snippet.py", directory)) == normal(shown)


def test_a_script_can_host_without_a_configuration(pyrolab: Run, directory: Path, port: int) -> None:
    (directory / "host.py").write_text(next(text for _, text in blocks("python") if "requestLoop" in text))
    broker = subprocess.Popen(command("broker", "--port", port), stdout=subprocess.PIPE, text=True)
    assert broker.stdout is not None
    broker.stdout.readline()  # it listens now
    host = subprocess.Popen([sys.executable, "host.py"], cwd=directory)
    try:
        while "library" not in run("pyrolab nslist", directory):
            assert host.poll() is None
        assert "'The Hobbit': 2" in run("python client.py", directory)
    finally:
        for process in (host, broker):
            process.kill()
            process.wait()
        broker.stdout.close()
