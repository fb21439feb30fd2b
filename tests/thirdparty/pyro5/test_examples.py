"""Examples that were written for Pyro5 run on PyroLab: a short selection; `run.py` runs all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from thirdparty.pyro5.plays.table import PLAYS
from thirdparty.pyro5.stage import perform, prepare
from thirdparty.pyro5.steps import Play, Side
from thirdparty.sdist import PYRO5, NotToBeHad

#: Quick ones that cover much: properties, proxies of objects, converters, blobs, callbacks, errors.
SHORT = (
    "attributes",
    "autoproxy",
    "banks",
    "blob-dispatch",
    "callback, with errors",
    "custom-serialization",
    "exceptions",
    "thirdpartylib",
)

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def folder() -> Path:
    """The examples of Pyro5."""
    try:
        return PYRO5.folder("examples")
    except NotToBeHad as reason:
        pytest.skip(str(reason))


def marked(play: Play) -> object:
    marks = [pytest.mark.xfail(reason=play.not_yet, strict=True)] if play.not_yet else []
    return pytest.param(play, id=play.name, marks=marks)


@pytest.mark.skipif(os.name != "posix", reason="the examples are ended by signals")
@pytest.mark.parametrize("play", [marked(play) for play in PLAYS if play.name in SHORT])
def test_it_runs_after_an_import_swap(play: Play, folder: Path) -> None:
    perform(play, folder, Side.SWAPPED)


def test_the_selection_is_in_the_table() -> None:
    assert set(SHORT) <= {play.name for play in PLAYS}


def test_no_example_is_left_out(folder: Path) -> None:
    assert {each.name for each in folder.iterdir() if each.is_dir()} == {play.where for play in PLAYS}


@pytest.mark.parametrize("play", [play for play in PLAYS if play.steps], ids=lambda play: str(play.name))
def test_its_changes_fit_its_scripts(play: Play, folder: Path, tmp_path: Path) -> None:
    prepare(play, folder, tmp_path / "original", Side.ORIGINAL)
    if not play.absent:
        prepare(play, folder, tmp_path / "swapped", Side.SWAPPED)
        assert "pyrolab.api" in "".join(
            script.read_text(encoding="utf-8") for script in (tmp_path / "swapped").rglob("*.py")
        )
    shutil.rmtree(tmp_path)
