"""`pyrolab stubs` writes what mypy takes, and with which it finds the errors in a script before it runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from live import Process, bus
from pyrolab.client.proxy import Proxy
from pyrolab.client.stubs import stub_of
from pyrolab.protocol.interface import EventType, Interface, Method, Parameter, Property

from .conftest import Run

pytestmark = pytest.mark.timeout(180)
ROOT = Path(__file__).parents[2]

GOOD = """
from typing import TYPE_CHECKING, cast

from pyrolab.api import Proxy

if TYPE_CHECKING:
    from lab import Laser, Library

laser = cast("Laser", Proxy("PYRONAME:laser"))
library = cast("Library", Proxy("PYRONAME:library"))
library.add_book("Optics", copies=2)
catalog: dict[str, int] = library.get_catalog()
laser.wavelength = 1550.0
total: float = laser.wavelength + laser.first.power
laser.first.laser.first.power = 5
trace = laser.sweep(1.0, 2.0, points=5)
level: float = trace[0]
found: list[str] = laser.list("x")
for each in laser.each(1.0, 2.0, label="x"):
    level = each
laser.settled.connect(print)
text: str = laser.describe(length=3)
laser._pyroTimeout = 5.0
with laser as opened:
    opened.beep()
with laser.first as channel:
    channel.power = 1.0
"""

#: Lines that a type checker must refuse.
WRONG = [
    "laser.swep(1.0, 2.0)",
    'laser.wavelength = "red"',
    "laser.sweep(1.0)",
    "laser.sweep(start=1.0, stop=2.0)",
    'laser.sweep(1.0, 2.0, points="many")',
    "laser.first = laser.first",
    "laser.first.colour",
    "number: int = laser.describe()",
    'laser.each("x")',
    "laser.beep(5)",
]


@pytest.fixture(scope="module")
def lab_bus() -> Iterator[Process]:
    with bus("services.front_panel:Laser=laser", "services.library:Library=library") as broker:
        yield broker


def check(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """mypy, as a user has it: with PyroLab, and a cache that all tests share."""
    (directory / "mypy.ini").write_text("[mypy]\nstrict = true\n")
    cache = directory.parent / "mypy_cache"
    path = os.pathsep.join(map(str, (ROOT, ROOT / "drivers")))
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", cache, *arguments],
        cwd=directory,
        env=os.environ | {"MYPYPATH": path},
        capture_output=True,
        text=True,
        timeout=170,
        encoding="utf-8",
    )


def test_a_stub_finds_the_errors_of_a_script(pyrolab: Run, lab_bus: Process, tmp_path: Path) -> None:
    stub = tmp_path / "lab.pyi"
    done = pyrolab("stubs", "library", "laser", "--out", stub, "--host", f"localhost:{lab_bus.ready}")
    assert done.returncode == 0, done.stderr
    assert "describes laser, library" in done.stderr
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "wrong.py").write_text(GOOD + "\n".join(WRONG) + "\n")

    found = check(tmp_path, "lab.pyi", "good.py", "wrong.py")
    lines = [int(line) for line in re.findall(r"^wrong\.py:(\d+): error:", found.stdout, re.MULTILINE)]
    assert [(GOOD.splitlines() + WRONG)[line - 1] for line in lines] == WRONG, found.stdout
    assert "good.py:" not in found.stdout
    assert "lab.pyi:" not in found.stdout


def test_the_text_says_what_is_known(lab_bus: Process) -> None:
    with Proxy(f"PYRONAME:laser@localhost:{lab_bus.ready}") as laser:
        text = stub_of({"laser": laser._pyroInterface}, "lab")
    assert "def wavelength(self) -> float:\n" in text
    assert '"""Wavelength in vacuum; it isn\'t \'air\'. [nm]"""' in text
    assert "def last_file(self) -> pathlib.Path | None:" in text
    assert "def list(self, prefix: str = '') -> _builtins.list[str]:" in text
    assert "# Any: services.front_panel.Spectrum" in text
    assert "    settled: Any  # event(wavelength_nm)" in text
    assert "import pathlib\n" in text
    assert "from lab import Laser" in text
    assert (
        "def sweep(self, start: float, /, stop: float, *, points: int = 101, mode: Any = ..., "
        "names: tuple[str, ...] = ...) -> numpy." in text
    )
    assert text.index("class Laser(_Service):") < text.index("class Channel:")


def test_without_a_file_it_goes_to_the_terminal(pyrolab: Run, lab_bus: Process) -> None:
    broker = f"localhost:{lab_bus.ready}"
    texts = {
        pyrolab("stubs", *names, "--host", broker).stdout
        for names in (("laser", "library"), ("library", "laser"))
    }
    assert len(texts) == 1
    assert "class Library(_Service):" in texts.pop()


def test_an_unknown_name_is_said(pyrolab: Run, lab_bus: Process) -> None:
    done = pyrolab("stubs", "lasre", "--host", f"localhost:{lab_bus.ready}")
    assert done.returncode == 1
    assert "lasre" in done.stderr


# -- without a bus -----------------------------------------------------------------------------------------


def interface(name: str = "lab:Stage", **members: Property) -> Interface:
    return Interface(name, "", {}, members)


def test_equal_services_share_a_class_and_others_get_names_of_their_own() -> None:
    text = stub_of(
        {"b": interface(), "a": interface(), "c": interface(x=Property()), "d": interface("x:Any")}
    )
    classes = re.findall(r"^class (\w+).*\n    \"\"\"(.*)\"\"\"", text, re.MULTILINE)
    assert classes[1:] == [
        ("Stage", "Services: a, b."),
        ("Stage2", "Services: c."),
        ("Any2", "Services: d."),
    ]


def test_sub_objects_of_the_same_name_can_differ() -> None:
    def with_axis(*names: str) -> Interface:
        axis = interface("lab:Axis", **dict.fromkeys(names, Property()))
        return Interface("lab:Stage", "", {}, {"x": Property(node="lab:Axis")}, {}, {"lab:Axis": axis})

    text = stub_of({"a": with_axis("p"), "b": with_axis("q")})
    assert re.findall(r"^class (\w+)", text, re.MULTILINE) == ["_Service", "Stage", "Axis", "Stage2", "Axis2"]
    assert "def x(self) -> Axis:" in text
    assert "def x(self) -> Axis2:" in text


HOSTILE = Interface(
    'x:"""\nimport os',
    'doc """ \\ \n import os',
    {
        "import": Method(),
        "a b": Method(),
        "__mangled": Method(),
        "ok": Method("\u2028x\x00", (Parameter("self", "POSITIONAL_ONLY", ('"""\n',)),), ["text", "x\ny"]),
        "wrong": Method("", (Parameter("x y", "KEYWORD_ONLY"),), ["class", "os:system()"], qualname="f"),
        "builtin": Method(
            "", (Parameter("x", "KEYWORD_ONLY", (float("nan"),), "print"),), ["class", "builtins:eval"]
        ),
    },
    {"p": Property("", "rwd", ["class", "a b:c"], "\n\\"), "lambda": Property()},
    {"e": EventType("", ("\n", "x")), "del": EventType()},
)


def test_nothing_that_a_peer_sends_becomes_code(tmp_path: Path) -> None:
    text = stub_of({'we"ird\\': HOSTILE})
    assert "import os" not in [line.strip() for line in text.splitlines()]
    (tmp_path / "lab.pyi").write_text(text, encoding="utf-8")
    found = check(tmp_path, "lab.pyi")
    assert found.returncode == 0, found.stdout + text
    members = re.findall(r"^    (?:def )?(\w+)[(:]", text.partition("class Service")[2], re.MULTILINE)
    assert set(members) == {"e", "p", "ok", "wrong", "builtin"}
