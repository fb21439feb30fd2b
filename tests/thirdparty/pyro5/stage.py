"""Play an example: a folder of its own, a name server of its own, its processes, and what they must print."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from thirdparty.pyro5.actors import Actor, Trouble, readable
from thirdparty.pyro5.steps import (
    NEVER,
    TRACEBACK,
    Await,
    End,
    Play,
    Run,
    Script,
    Side,
    Start,
    Step,
    Type,
    Word,
    Words,
    on,
    pattern,
)
from thirdparty.pyro5.swap import apply, left_over, swap_folder

HERE = Path(__file__).parent
#: Scripts of ours that stand in for programs that come with Pyro5 and not with its examples.
SUPPORT = HERE / "support"
_READY_S = 20.0
_LISTENING = re.compile(r"(?:running on|listens at) localhost:(\d+)\b")

#: Loaded by every Python at its start: on PyroLab's side, nothing of Pyro5 may be used.
_NO_PYRO5 = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("Pyro5", "serpent"):
            raise ModuleNotFoundError(f"{name} is not there: this runs on PyroLab")

sys.meta_path.insert(0, Absent())
"""


def perform(play: Play, examples: Path, side: Side) -> None:
    """Play an example. Raises `Trouble` that says what went wrong."""
    with tempfile.TemporaryDirectory(prefix="pyro5-example-", ignore_cleanup_errors=True) as name:
        folder = Path(name, "example")
        prepare(play, examples, folder, side)
        with _name_server(Path(name), side) as port, Stage(play, folder, side, port) as stage:
            stage.perform()


def prepare(play: Play, examples: Path, folder: Path, side: Side) -> None:
    """Copy an example into `folder`, as it is run on one side. Raises `Trouble` if it cannot be."""
    shutil.copytree(examples / play.where, folder)
    shutil.copytree(SUPPORT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    apply(folder, play.adapted)
    if side is Side.SWAPPED:
        apply(folder, play.edits)
        swap_folder(folder)
        rest = left_over(folder)
        if rest:
            raise Trouble(f"uses what has no counterpart: {_in_words(rest)}")


def _in_words(rest: object) -> str:
    assert isinstance(rest, dict)
    return "; ".join(f"{script} imports {', '.join(names)}" for script, names in sorted(rest.items()))


@contextmanager
def _name_server(folder: Path, side: Side) -> Iterator[str]:
    """A name server on a free port, for one example."""
    original = ["-m", "Pyro5.nameserver", "-n", "localhost", "-p", "0", "-x"]
    swapped = ["-m", "pyrolab.cli.app", "broker", "--port", "0"]
    arguments = original if side is Side.ORIGINAL else swapped
    actor = Actor("name server", [sys.executable, *arguments], folder, environment(side, folder))
    try:
        actor.wait_for(_LISTENING, time.monotonic() + _READY_S)
        found = _LISTENING.search(actor.printed)
        assert found
        yield found[1]
        if not actor.alive or TRACEBACK in actor.printed:
            raise Trouble(f"the name server failed: {actor.printed[-500:]}")
    finally:
        actor.end()


def environment(side: Side, home: Path, port: str = "") -> dict[str, str]:
    """The environment of a process, which leads it to this name server and to no other."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYRO", "PYTHON"))}
    kept |= {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}
    kept |= {"COLUMNS": "200", "TERM": "dumb"}
    path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if side is Side.ORIGINAL:
        kept |= {"PYRO_NS_HOST": "localhost", "PYRO_NS_PORT": port or "9090"}
    else:
        (home / "sitecustomize.py").write_text(_NO_PYRO5, encoding="utf-8")
        path.insert(0, str(home))
        kept |= {"PYROLAB_NAMESERVER": f"localhost:{port}", "PYROLAB_HOME": str(home)} if port else {}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, path))}


class Stage:
    """Where one example is played; at the end all processes that are left are ended."""

    def __init__(self, play: Play, folder: Path, side: Side, port: str) -> None:
        self._play = play
        self._folder = folder
        self._side = side
        self._environment = environment(side, folder.parent, port)
        self._deadline = time.monotonic() + play.deadline_s
        self._actors: dict[str, Actor] = {}
        self._scripts: dict[str, Script] = {}
        self._left: set[str] = set()

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for actor in reversed(self._actors.values()):
            actor.end()

    def perform(self) -> None:
        """Take all steps, then look at what was printed. Raises `Trouble`."""
        for step in self._play.steps:
            self._take(step)
        for name, script in self._scripts.items():
            if isinstance(script, Start) and script.ends and name not in self._left:
                self._expect_code(self._actors[name], 0)
        self._look_at_the_others()
        for name, printed in [(name, actor.printed) for name, actor in self._actors.items()]:
            complaint = complaint_about(printed, self._scripts[name], self._side)
            if complaint:
                raise Trouble(f"{name} {complaint}")

    def _take(self, step: Step) -> None:
        match step:
            case Start():
                self._wait_for(self._start(step), step.until)
            case Run():
                self._expect_code(self._start(step), on(self._side, step.code))
            case Await():
                self._wait_for(self._actors[step.name], step.word)
            case Type():
                self._actors[step.name].type(step.line)
            case End():
                self._end(step)

    def _start(self, script: Script) -> Actor:
        name = script.called
        assert name not in self._actors, f"{self._play.name}: two processes are called {name}"
        where, _, file = script.script.rpartition("/")
        command = [sys.executable, *(file.split() if file.startswith("-m ") else [file]), *script.args]
        uris = _Uris(self._actors)
        answers = [answer.format_map(uris) for answer in script.answers]
        actor = Actor(name, command, self._folder / where, self._environment)
        self._actors[name], self._scripts[name] = actor, script
        for answer in answers:
            actor.type(answer)
        return actor

    def _wait_for(self, actor: Actor, word: Word) -> None:
        actor.wait_for(pattern(self._side, word), self._deadline, self._look_at_the_others)

    def _look_at_the_others(self) -> None:
        """Nobody need wait until the deadline when a server has failed."""
        for name, script in self._scripts.items():
            stays = isinstance(script, Start) and not script.ends and name not in self._left
            if stays and not self._actors[name].alive:
                raise Trouble(f"{name} ended, and should still run; {_gist(self._actors[name].printed)}")

    def _expect_code(self, actor: Actor, wanted: int) -> None:
        code = actor.wait(self._deadline, self._look_at_the_others)
        self._left.add(actor.name)
        if code != wanted:
            raise Trouble(f"{actor.name} ended with code {code}, not {wanted}; {_gist(actor.printed)}")

    def _end(self, step: End) -> None:
        actor = self._actors[step.name]
        if step.interrupt:
            self._left.add(actor.name)
            actor.interrupt()
            self._expect_code(actor, 0)
        else:
            if not actor.alive:
                raise Trouble(f"{actor.name} had ended already; {_gist(actor.printed)}")
            actor.end()
            self._left.add(actor.name)


class _Uris(dict[str, object]):
    """For answers: the URIs of each process by its name."""

    def __init__(self, actors: dict[str, Actor]) -> None:
        self._actors = actors

    def __missing__(self, name: str) -> object:
        return self._actors[name].uris


def complaint_about(printed: str, script: Script, side: Side) -> str | None:
    """What is wrong with what a process has printed."""
    if TRACEBACK in printed and not on(side, script.tracebacks):
        return f"failed: {_gist(printed)}"
    wrong = [words for words in NEVER if words in printed and words not in on(side, script.allowed)]
    if wrong:
        return f"printed {wrong[0]!r}"
    missing = first_missing(printed, script.says, side)
    return f"did not print {missing!r} in its place; {_gist(printed)}" if missing else None


def first_missing(printed: str, words: Words, side: Side) -> str | None:
    """The first of the words that does not follow those before it."""
    position = 0
    for word in words:
        wanted = pattern(side, word)
        found = wanted.search(printed, position)
        if found is None:
            return readable(wanted)
        position = found.end()
    return None


def _gist(printed: str) -> str:
    """The last error in what was printed, or its last line."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*(?:Error|Exception|Exit|NotExecuted|Gone)\b", line)]
    chosen = (errors or lines)[-1:]
    return f"its last words: {chosen[0][:300]!r}" if chosen else "it printed nothing"
