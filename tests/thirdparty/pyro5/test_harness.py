"""The harness that runs Pyro5's examples: what it changes in a script, and what it takes for a failure."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from thirdparty.pyro5 import run as runner
from thirdparty.pyro5.actors import Trouble
from thirdparty.pyro5.run import MARKS, Result, Verdict, chosen, summary, write_into
from thirdparty.pyro5.stage import Stage, complaint_about, first_missing
from thirdparty.pyro5.steps import Await, Either, End, Play, Run, Script, Side, Start, Type
from thirdparty.pyro5.swap import (
    Edit,
    EditDoesNotFit,
    apply,
    left_over,
    swap,
    without_serpent,
    without_socketutil,
)
from thirdparty.sdist import PYRO5, NotToBeHad

# --- swapping ---


@pytest.mark.parametrize(
    ("original", "swapped"),
    [
        ("import Pyro5.api\n", "import pyrolab.api\n"),
        ("from Pyro5.api import Proxy", "from pyrolab.api import Proxy"),
        ("from Pyro5.server import expose", "from pyrolab.api import expose"),
        ("import Pyro5.core, Pyro5.errors", "import pyrolab.api, pyrolab.errors"),
        ("Pyro5.config.COMMTIMEOUT = 1", "pyrolab.api.config.COMMTIMEOUT = 1"),
        ("sys.excepthook = Pyro5.errors.excepthook", "sys.excepthook = pyrolab.errors.excepthook"),
        ("a = Pyro5.api.Proxy(Pyro5.api.URI(x))", "a = pyrolab.api.Proxy(pyrolab.api.URI(x))"),
        ("x = 1  # Pyro5.api\n", "x = 1  # Pyro5.api\n"),
        ('name = "class:Pyro5.nameserver.NameServer"', 'name = "class:Pyro5.nameserver.NameServer"'),
        ("import Pyro5.socketutil", "import Pyro5.socketutil"),
        ("myPyro5.api", "myPyro5.api"),
    ],
)
def test_names_are_swapped_where_they_are_code(original: str, swapped: str) -> None:
    assert swap(original) == swapped


def test_what_has_no_counterpart_is_found(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "server.py").write_text(
        "import pyrolab.api\nimport Pyro5.socketutil\n", encoding="utf-8"
    )
    (tmp_path / "client.py").write_text("log = 'Pyro5'\n# import Pyro5.api\n", encoding="utf-8")
    assert left_over(tmp_path) == {"sub/server.py": ["Pyro5.socketutil"]}


def test_an_edit_that_changes_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one = 1\ntwo = 2\n", encoding="utf-8")
    apply(tmp_path, (Edit("a.py", r"^two = \d$", "two = 3"),))
    assert (tmp_path / "a.py").read_text(encoding="utf-8") == "one = 1\ntwo = 3\n"
    with pytest.raises(EditDoesNotFit, match="two = 2"):
        apply(tmp_path, (Edit("a.py", "two = 2", "two = 3"),))


def test_the_edits_that_several_examples_need(tmp_path: Path) -> None:
    script = tmp_path / "a.py"
    script.write_text(
        "import serpent\nimport Pyro5.socketutil\nserve({},\n"
        '    host=Pyro5.socketutil.get_ip_address("x", workaround127=True),\n    use_ns=False)\n'
        "Daemon(host=Pyro5.socketutil.get_ip_address(None))\nserpent.tobytes(chunk)\n",
        encoding="utf-8",
    )
    apply(tmp_path, (*without_socketutil("a.py"), *without_serpent("a.py")))
    assert script.read_text(encoding="utf-8") == "serve({},\n    use_ns=False)\nDaemon()\nchunk\n"


# --- judging ---


def test_words_must_come_in_their_order() -> None:
    assert first_missing("one two one", ["one", "two", re.compile("o.e")], Side.SWAPPED) is None
    assert first_missing("one two", ["two", "one"], Side.SWAPPED) == "one"
    assert first_missing("one", ["one", "one"], Side.SWAPPED) == "one"
    assert first_missing("one", [Either("x", "one")], Side.SWAPPED) is None
    assert first_missing("one", [Either("x.y", "one")], Side.ORIGINAL) == "x.y"


@pytest.mark.parametrize(
    ("printed", "script", "complaint"),
    [
        ("done", Script("a.py", says=["done"]), None),
        ("don", Script("a.py", says=["done"]), "did not print 'done'"),
        ("Traceback (most recent call last):\nx.KeyError: 5\n", Script("a.py"), "'x.KeyError: 5'"),
        ("Traceback (most recent call last):\nKeyError: 5", Script("a.py", tracebacks=True), None),
        ("this should not be possible!", Script("a.py"), "printed 'should not be possible'"),
        ("SHOULD NOT HAPPEN", Script("a.py", allowed=["SHOULD NOT HAPPEN"]), None),
    ],
)
def test_what_is_complained_about(printed: str, script: Script, complaint: str | None) -> None:
    said = complaint_about(printed, script, Side.SWAPPED)
    assert said is None if complaint is None else complaint in str(said)


# --- playing ---

posix = pytest.mark.skipif(os.name != "posix", reason="the actors are ended by signals")

SERVER = """
import sys, time
print("PYRO:first@host:1")
print("PYRO:second@host:1", flush=True)
for line in sys.stdin:
    print("heard", line, end="", flush=True)
    if line == "end\\n":
        sys.exit(int(sys.argv[1]) if sys.argv[1:] else 0)
"""
CLIENT = """
print("client of", input("uri? "), "PYRO:x@y")
"""


def play(tmp_path: Path, *steps: Any, deadline_s: float = 20.0) -> None:
    (tmp_path / "example").mkdir()
    for name, text in {"server.py": SERVER, "client.py": CLIENT}.items():
        (tmp_path / "example" / name).write_text(text, encoding="utf-8")
    made = Play("made up", steps, deadline_s=deadline_s)
    with Stage(made, tmp_path / "example", Side.SWAPPED, "1") as stage:
        stage.perform()


@posix
def test_a_play_that_goes_well(tmp_path: Path) -> None:
    play(
        tmp_path,
        Start("server.py", until="PYRO:second@host:1\n", says=["PYRO:first", "heard hello"]),
        Run("client.py", ["{server}"], says=["uri? client of PYRO:second@host:1"]),
        Run("client.py", ["{server[0]}"], name="other", says=["client of PYRO:first@host:1"]),
        Type("server", "hello"),
        Await("server", "heard hello"),
        Start("server.py", name="short", ends=True),
        Type("short", "end"),
        Start("server.py", name="third"),
        End("third"),
    )


@posix
@pytest.mark.parametrize(
    ("steps", "trouble"),
    [
        ([Run("client.py", ["x"], says=["client of y"])], "client did not print 'client of y' in its place"),
        ([Run("client.py", ["x"], code=1)], "client ended with code 0, not 1"),
        ([Run("nothing.py")], "nothing ended with code 2"),
        ([Start("client.py", ["x"], until="never said")], "ended without printing 'never said'"),
        (
            [Start("client.py", ["x"]), Run("client.py", ["x"], name="b")],
            "client ended, and should still run",
        ),
        ([Start("server.py"), Type("server", "end"), Start("client.py", until="x")], "server ended, and"),
        ([Start("server.py", says=["heard"])], "server did not print 'heard'"),
        ([Start("server.py", args=["3"], ends=True), Type("server", "end")], "ended with code 3, not 0"),
        ([Start("server.py"), Await("server", "never said")], "has not printed 'never said' in time"),
        ([Start("server.py", ends=True)], "server has not ended in time"),
        ([Start("server.py", until="PYRO"), End("server", interrupt=True)], "KeyboardInterrupt"),
        ([Start("client.py", until="uri?"), Run("client.py", ["{client}"], name="b")], "no URI"),
        ([Start("server.py"), End("server"), End("server")], "had ended already"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_plays_that_go_wrong(tmp_path: Path, steps: list[Any], trouble: str) -> None:
    with pytest.raises(Trouble, match=re.escape(trouble)):
        play(tmp_path, *steps, deadline_s=2.0)


# --- the archive ---


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / name)
    return tmp_path / "pyrolab-tests"


def test_another_archive_is_not_used(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "fake.tar.gz"
    monkeypatch.setenv(PYRO5.environment, str(fake))
    with pytest.raises(NotToBeHad, match="no such file"):
        PYRO5.folder("examples")
    fake.write_bytes(b"fake")
    with pytest.raises(NotToBeHad, match="not what was tested"):
        PYRO5.folder("examples")
    assert not (cache / "pyro5-5.15" / "examples").exists()


def test_no_way_to_pypi_is_a_reason(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PYRO5.environment, raising=False)
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(NotToBeHad, match="PyPI did not hand out"):
        PYRO5.folder("examples")


# --- the runner ---


def results() -> list[Result]:
    one, other = Play("one"), Play("two, again", folder="two")
    return [Result(one, Verdict.UNCHANGED, ""), Result(other, Verdict.FAILED, "a | b\nc")]


def test_the_table_goes_between_the_marks_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{MARKS[0]}old\n{MARKS[1]}after\n", encoding="utf-8")
    for _ in range(2):
        write_into(page, results())
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{MARKS[0]}\n2 examples: 1 works unchanged, 1 fails.\n")
    assert text.endswith(f"| two, again | fails | a \\| b c |\n\n{MARKS[1]}after\n")
    page.write_text("no marks", encoding="utf-8")
    with pytest.raises(SystemExit, match="no marks"):
        write_into(page, results())


def test_examples_are_chosen_by_name_or_folder() -> None:
    assert [each.name for each in chosen(["oneway"])] == ["oneway", "oneway, and counting"]
    assert [each.name for each in chosen(["oneway, and counting"])] == ["oneway, and counting"]
    assert len(chosen([])) > 50
    with pytest.raises(SystemExit, match="frobnicate"):
        chosen(["frobnicate"])


def test_a_failure_is_a_result_and_a_code(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def fail(play: Play, folder: Path, side: Side) -> None:
        if play.name == "banks":
            raise Trouble("it went wrong")

    monkeypatch.setattr(runner, "perform", fail)
    monkeypatch.setattr(runner, "examples", Path)
    assert runner.main(["attributes", "ssl", "robots"]) == 0
    assert runner.main(["attributes", "banks", "hugetransfer"]) == 1
    printed = capsys.readouterr().out
    assert re.search(r"banks +fails +0\.0 s  it went wrong", printed)
    assert re.search(r"hugetransfer +works with an edit .*no `Pyro5.socketutil`", printed)
    assert re.search(r"ssl +absent by design .*no SSL", printed)
    assert "3 examples: 1 works unchanged, 1 works with an edit, 1 fails." in printed
    assert summary([]) == "0 examples: ."


def test_what_is_known_not_to_work_yet_fails_with_its_reason_and_also_if_it_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Play("made up", [Run("client.py")], not_yet="it is not built")
    monkeypatch.setattr(runner, "perform", lambda *arguments: None)
    worked = runner.result_of(made, Path(), Side.SWAPPED)
    assert (worked.verdict, worked.remark[:8]) == (Verdict.FAILED, "it works")
    assert runner.result_of(made, Path(), Side.ORIGINAL).verdict is Verdict.UNCHANGED

    def fail(play: Play, folder: Path, side: Side) -> None:
        raise Trouble("details")

    monkeypatch.setattr(runner, "perform", fail)
    failed = runner.result_of(made, Path(), Side.SWAPPED)
    assert (failed.verdict, failed.remark, failed.trouble) == (Verdict.FAILED, "it is not built", "details")
    assert runner.result_of(made, Path(), Side.ORIGINAL).remark == "details"
