"""Reading a configuration: plain data and lines out, everything else refused."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab.config.reading import MAX_BYTES, Document, Place, read_file, read_text
from pyrolab.errors import ConfigurationError


def test_values_are_plain_data() -> None:
    document = read_text("a: 1\nb: [x, 2.5, null, true]\nc: {d: 2020-01-02}\n")
    assert document.data == {"a": 1, "b": ["x", 2.5, None, True], "c": {"d": datetime.date(2020, 1, 2)}}


def test_every_entry_has_its_place() -> None:
    document = read_text("a:\n  b:\n  - 1\n  - c: 2\n")
    assert document.places[("a", "b", 1, "c")] == Place(4, 5)
    assert document.place(("a", "b", 7)) == Place(2, 3)
    assert document.place(("nowhere",)) == Place(1, 1)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_nothing_written_is_an_empty_mapping_or_nothing(text: str) -> None:
    assert read_text(text).data in ({}, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3", ":3: the key 'a' is already in line 1"),
        ("x: &anchor 1", ":1: anchors"),
        ("x: *nobody", ":1: anchors"),
        ("a: 1\n<<: {b: 2}", ":2: merge keys"),
        ("a:\n  - !!python/name:os.system", ":2: the YAML tag '!!python/name:os.system' is refused"),
        ("a: !!set {b, c}", "is refused"),
        ("a: !mine b", "the YAML tag '!mine' is refused"),
        ("? [1, 2]\n: 3", ":1: a key must be a name"),
        ("a: [1\nb: 2", ":2:"),
        ("a: b: c", ":1:"),
        ("a: 1\n---\nb: 2", "single document"),
        ("a: \x07", "no YAML"),
        ("a: 0x_", "cannot be read"),
        ("a: 2020-99-99", "cannot be read"),
        ("[" * 100_000, "levels are nested"),
        ("{a: " * 50_000, "levels are nested"),
        ("#" * (MAX_BYTES + 1), "256 KiB"),
    ],
)
def test_what_is_refused_and_where(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        read_text(text, source="lab.yaml")
    assert str(refusal.value).startswith("lab.yaml:")
    assert words in str(refusal.value)


def test_an_alias_bomb_stays_small() -> None:
    levels = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 10))
    with pytest.raises(ConfigurationError, match="aliases"):
        read_text("l0: &l0 [x]\n" + levels)


def test_a_python_tag_runs_nothing(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    command = f"touch {witness}" if os.name == "posix" else f"type nul > {witness}"
    with pytest.raises(ConfigurationError, match="runs nothing"):
        read_text(f"x: !!python/object/apply:os.system ['{command}']")
    assert not witness.exists()


def test_auto_makes_a_name_in_the_named_sections_only() -> None:
    data = read_text("services:\n  auto 1: {}\n  auto 1: {}\n  auto: {}\nother: {auto: 1}\n").data
    words = sorted(len(name.split("-")) for name in data["services"])
    assert words == [1, 1, 3]
    assert data["other"] == {"auto": 1}


@pytest.mark.parametrize("key", ["auto 0", "auto 9", "auto x", "auto -1", "auto ²"])
def test_auto_with_a_strange_count(key: str) -> None:
    with pytest.raises(ConfigurationError, match=r":2: .*number of words"):
        read_text(f"services:\n  {key}: {{}}\n")


def test_more_auto_names_than_words_still_differ() -> None:
    text = "daemons:\n" + "  auto 1: {}\n" * 400
    assert len(read_text(text).data["daemons"]) == 400


def test_a_file_may_start_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "lab.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\n")
    assert read_file(file) == Document(str(file), {"a": 1}, {(): Place(1, 1), ("a",): Place(1, 1)})


def test_a_file_that_is_not_there_or_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"lab\.yaml"):
        read_file(tmp_path / "lab.yaml")
    with pytest.raises(ConfigurationError, match="is a directory"):
        read_file(tmp_path)


@given(
    st.one_of(
        st.binary(max_size=300), st.text(max_size=300), st.text("[]{}:-&*!<>|?%@ \n\t'\"a1", max_size=80)
    )
)
def test_no_text_gets_another_answer_than_data_or_a_refusal(text: str | bytes) -> None:
    try:
        read = read_text(text).source
    except ConfigurationError as refusal:
        read = str(refusal)
    assert read.startswith("<text>")
