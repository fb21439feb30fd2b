"""A driver author's template: a complete small driver, its simulator and its test, to be changed.

Each base class has one text beside this file, in three sections: the driver, what its simulator knows, and
what its test checks. `$name` is the class to be, `$module` its file.
"""

from __future__ import annotations

import keyword
import re
from importlib.resources import files
from string import Template

#: The base classes that there are templates for, and the text of each.
_TEXTS = {
    "Instrument": "instrument",
    "PowerMeter": "power_meter",
    "TunableLaser": "tunable_laser",
    "MotionAxis": "motion_axis",
    "SignalGenerator": "signal_generator",
    "SMU": "smu",
}
_SECTIONS = re.compile(r"^=== (\w+)\n", re.MULTILINE)
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def bases() -> tuple[str, ...]:
    """The base classes that there are templates for."""
    return tuple(_TEXTS)


def module_name(name: str) -> str:
    """The module that a class goes into: `acme_pm5` for `AcmePM5`."""
    return _WORDS.sub("_", name).lower()


def render(name: str, base: str) -> dict[str, str]:
    """The files of a new driver, the class `name` derived from `base`: their names and their texts.

    Raises `ValueError` if `name` cannot be the name of a class, `LookupError` if there is no such template.
    """
    if not name.isidentifier() or keyword.iskeyword(name) or not name[0].isupper():
        raise ValueError(f"{name!r} cannot be the name of a class; write it like AcmePowerMeter")
    if base not in _TEXTS:
        raise LookupError(f"there is no template for {base!r}; there are {', '.join(_TEXTS)}")
    sections = _sections(_text(_TEXTS[base]))
    words = {"name": name, "module": module_name(name)}
    words |= {key: Template(sections[key]).substitute(words).rstrip("\n") for key in ("settings", "checks")}
    return {
        f"{words['module']}.py": Template(sections["driver"]).substitute(words),
        f"{words['module']}_simulator.py": Template(_text("simulator")).substitute(words),
        f"test_{words['module']}.py": Template(_text("test")).substitute(words),
    }


def _text(file: str) -> str:
    return files(__name__).joinpath(f"{file}.txt").read_text(encoding="utf-8")


def _sections(text: str) -> dict[str, str]:
    """The text under each line `=== title`, by title."""
    _, *parts = _SECTIONS.split(text)
    return dict(zip(parts[::2], parts[1::2], strict=True))
