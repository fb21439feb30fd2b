"""The documentation does what it says.

A block of a page is run if its first line says so, in the order of the page, in one directory for each page:
`title="NAME" file` is written, `… host` is started and stays, `… run` must end well and print the `text`
block that follows it. The `$` lines of a `console run` must print what stands below them. Links and commands
are checked everywhere.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer.main

import tasks
from live import HERE, PATIENCE_S, Process, clean_environment, start_broker
from pyrolab.cli.app import app

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "examples" / "library_catalog"
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
INLINE = re.compile(r"`([^`\n]+)`")

pytestmark = pytest.mark.timeout(180)


def pages() -> list[Path]:
    found = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("examples/**/*.md"),
        *ROOT.glob("perf/*.md"),
    ]
    return sorted(found)


def shown(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


PAGES = pytest.mark.parametrize("page", pages(), ids=shown)


class Block(NamedTuple):
    language: str
    title: str
    role: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    for first_line, text in FENCE.findall(page.read_text(encoding="utf-8")):
        language, _, rest = first_line.partition(" ")
        title = re.search(r'title="([^"]+)"', rest)
        role = re.sub(r'title="[^"]+"', "", rest).strip()
        yield Block(language, title[1] if title else "", role, text)


def runnable() -> list[Path]:
    return [page for page in pages() if any(block.role for block in blocks(page))]


# --- running the blocks ---


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """The address of a broker that knows the library of the tutorial."""
    path = os.pathsep.join(map(str, (HERE, LIBRARY)))
    with start_broker() as process:
        where = f"localhost:{process.ready}"
        with Process(
            "-m", "processes.worker", where, "libservice:LibraryCatalog=library", env={"PYTHONPATH": path}
        ):
            yield where


class Desk:
    """Where the blocks of one page run."""

    def __init__(self, directory: Path, broker: str, hosts: ExitStack) -> None:
        self.directory = directory
        self.broker = broker
        self.hosts = hosts
        home = str(directory / "home")
        self.environment = {"PYROLAB_NAMESERVER": broker, "PYROLAB_HOME": home, "COLUMNS": "200"}

    def carry_out(self, block: Block, answer: str | None) -> None:
        text = block.text.replace("localhost:9090", self.broker)
        if block.title:
            (self.directory / block.title).write_text(text, encoding="utf-8")
        match block.role:
            case "file":
                pass
            case "host":
                self._host(block)
            case "run" if block.language == "console":
                self._converse(text)
            case "run":
                said = self._run([block.title])
                assert said.returncode == 0, said.stderr
                assert answer is None or lines(said.stdout) == lines(answer)
            case _:
                raise AssertionError(f"a block cannot be {block.role!r}")

    def _host(self, block: Block) -> None:
        process = Process(block.title, env=self.environment, cwd=self.directory)
        self.hosts.callback(interrupt, process)
        served = re.search(r"serve\(\{(.*)\}\)", block.text)
        for _ in range(served[1].count(": ") - 1 if served else 0):
            process.read_line()

    def _converse(self, text: str) -> None:
        for step in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            line, _, expected = step.partition("\n")
            program, *arguments = shlex.split(line)
            module = {"python": [], "pyrolab": ["-m", "pyrolab.cli.app"]}[program]
            said = self._run([*module, *arguments])
            assert lines(said.stdout + said.stderr) == lines(expected), line

    def _run(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.directory,
            env=clean_environment() | self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


def interrupt(process: Process) -> None:
    """Ctrl-C, as the pages say; a host ends at that without complaints."""
    with process:
        process.popen.send_signal(signal.SIGINT)
        code = process.popen.wait(PATIENCE_S)
    assert (code, [line for line in process.errors if "emergency stop" not in line]) == (0, [])


@pytest.mark.skipif(os.name != "posix", reason="the hosts are ended by SIGINT")
@pytest.mark.parametrize("page", runnable(), ids=shown)
def test_runnable_blocks_run_as_printed(page: Path, broker: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "bare_client.py", tmp_path)
    every = list(blocks(page))
    with ExitStack() as hosts:
        desk = Desk(tmp_path, broker, hosts)
        for block, after in zip(every, [*every[1:], None], strict=True):
            if block.role:
                answer = after.text if after is not None and after.language == "text" else None
                desk.carry_out(block, answer)


def test_the_pages_that_promise_code_have_some() -> None:
    assert {"README.md", "docs/how-to/host-a-service.md"} <= set(map(shown, runnable()))


@PAGES
def test_python_is_python(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            ast.parse(block.text)


# --- links ---


def anchors(page: Path) -> set[str]:
    """The places in a page that a link can name, as GitHub makes them of the headings."""
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@PAGES
def test_relative_links_lead_somewhere(page: Path) -> None:
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    for link in LINK.findall(prose):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, place = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        assert target.is_relative_to(ROOT), f"{link} leads out of the repository"
        assert not place or place in anchors(target), f"{shown(target)} has no heading #{place}"


def test_every_page_of_the_docs_can_be_reached_from_their_index() -> None:
    reached, ahead = set(), [ROOT / "docs" / "index.md"]
    while ahead:
        page = ahead.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        found = LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
        ahead += [(page.parent / link.partition("#")[0]).resolve() for link in found if "://" not in link]
    assert {page for page in pages() if page.is_relative_to(ROOT / "docs")} <= reached


# --- commands ---


def commands_in(text: str) -> Iterator[str]:
    """What follows `pyrolab` wherever a text names a command, in `…` or at the start of a line of a block."""
    for code in INLINE.findall(FENCE.sub("", text)):
        if code.startswith("pyrolab "):
            yield code.removeprefix("pyrolab ")
    for _, block in FENCE.findall(text):
        yield from re.findall(r"^(?:\$ )?pyrolab ([^#\n]+)", block, re.MULTILINE)


def trouble_with(line: str) -> str | None:
    """What is wrong with a command, if it has a word or an option that the command line does not know."""
    command: Any = typer.main.get_command(app)
    for word in shlex.split(line):
        children = getattr(command, "commands", None)
        if word.startswith("-"):
            known = {name for each in command.params for name in each.opts} | {"--help", "-h"}
            if word.partition("=")[0] not in known:
                return f"pyrolab {line}: no option {word}"
        elif children is not None:
            if word not in children:
                return f"pyrolab {line}: no command {word!r}"
            command = children[word]
    return None


@PAGES
def test_its_commands_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [trouble for line in commands_in(text) if (trouble := trouble_with(line))] == []


def test_messages_name_commands_that_exist() -> None:
    troubles = []
    for part in ("pyrolab", "broker", "drivers", "examples"):
        for file in (ROOT / part).rglob("*.py"):
            named = re.findall(r"`pyrolab ([^`{]+)`", file.read_text(encoding="utf-8"))
            troubles += [trouble for line in named if (trouble := trouble_with(line))]
    assert troubles == []


def test_a_command_that_is_none_would_be_noticed() -> None:
    assert trouble_with("up config.yaml --foreground") is None
    assert trouble_with("config check x.yaml") is None
    assert trouble_with("frobnicate") == "pyrolab frobnicate: no command 'frobnicate'"
    assert trouble_with("config frobnicate") == "pyrolab config frobnicate: no command 'frobnicate'"
    assert trouble_with("ps --colour") == "pyrolab ps --colour: no option --colour"


@PAGES
def test_its_tasks_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    code = " ".join([*INLINE.findall(FENCE.sub("", text)), *(block for _, block in FENCE.findall(text))])
    named = set(re.findall(r"(?:tasks\.py|(?<![\w-])make) ([a-z]+)", code))
    assert named <= set(tasks.TASKS)
