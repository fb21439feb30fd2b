"""The golden vectors of values, and the page that explains them, say what the codec does."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from pyrolab.protocol import codes, limits, scalars
from pyrolab.protocol.codec import decode
from values.same import same
from vectors.value_examples import VALUES, page_text
from vectors.write_values import PAGE, VECTORS, vectors_text

STORED: list[dict[str, Any]] = json.loads(VECTORS.read_text(encoding="utf-8"))
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_codec_still_writes_the_same_bytes() -> None:
    assert VECTORS.read_text(encoding="utf-8") == vectors_text(), "run python tests/vectors/write_values.py"


@pytest.mark.parametrize("vector", STORED, ids=lambda vector: str(vector["name"]))
def test_the_stored_bytes_are_still_read(vector: dict[str, Any]) -> None:
    value = VALUES[vector["name"]]
    arrived = decode(bytes.fromhex(vector["body"]), [bytes.fromhex(each) for each in vector["buffers"]])
    if vector["name"] in ("series", "quantity", "unit"):
        assert repr(arrived) == repr(value)
    else:
        assert same(arrived, value)


def test_the_examples_of_the_page_are_the_vectors() -> None:
    assert page_text(TEXT) == TEXT, "run python tests/vectors/write_values.py"


def codes_in_tables() -> dict[int, str]:
    rows = re.findall(r"^\| (\d+) \| `([A-Z_]+)` \|", TEXT, re.MULTILINE)
    return {int(code): name for code, name in rows}


def test_the_page_lists_every_code_and_no_other() -> None:
    ours = {
        value: name
        for name, value in vars(codes).items()
        if name.isupper() and type(value) is int and name != "NESTING"
    }
    assert codes_in_tables() == ours


def test_the_page_shows_every_code_in_an_example() -> None:
    shown = "".join(re.findall(r"<!-- values: ([\w -]+) -->", TEXT)).split()
    named = {name for line in re.findall(r"<!-- values: ([\w -]+) -->", TEXT) for name in line.split()}
    bodies = [bytes.fromhex(vector["body"]) for vector in STORED if vector["name"] in named]
    seen = {code for body in bodies for code in _codes_of(body)}
    assert shown
    assert seen >= set(codes_in_tables()) - codes.RESERVED


def _codes_of(body: bytes) -> list[int]:
    """The code of a body that is one extension."""
    if 0xD4 <= body[0] <= 0xD8:
        return [body[1]]
    return [body[{0xC7: 2, 0xC8: 3}[body[0]]]] if body[0] in (0xC7, 0xC8) else []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_DEPTH", limits.MAX_DEPTH),
        ("MAX_ELEMENTS", limits.MAX_ELEMENTS),
        ("MAX_DIMENSIONS", limits.MAX_DIMENSIONS),
        ("OUT_OF_BAND_BYTES", limits.OUT_OF_BAND_BYTES),
        ("MAX_BUFFERS", limits.MAX_BUFFERS),
        ("MAX_NAME_CHARS", limits.MAX_NAME_CHARS),
        ("MAX_FRACTION_BITS", scalars.MAX_FRACTION_BITS),
    ],
)
def test_the_page_states_the_limits_as_they_are(name: str, value: int) -> None:
    found = re.search(rf"\| `{name}` \| ([\d ]+) \|", TEXT)
    assert found, name
    assert int(found[1].replace(" ", "")) == value
