"""`docs/protocol.md` says what the code does: its tables, constants and dumps are read and compared."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from pyrolab.errors import REFUSALS
from pyrolab.link import link, sockets
from pyrolab.protocol import envelope, limits
from pyrolab.protocol.envelope import HEADER_BYTES, MAGIC, VERSION, WITH_BODY, Envelope, Flag, Kind, parse
from pyrolab.streams import feeds, hub, tickets, viewers
from pyrolab.worker import job
from pyrolab_broker.core import (
    calls,
    liveness,
    names,
    offers,
    peers,
    queues,
    relay,
    reservations,
    sessions,
    stops,
)
from pyrolab_broker.core.name_service import INTERFACE
from pyrolab_broker.settings import BrokerSettings
from vectors.write import PAGE, VECTORS

TEXT = PAGE.read_text(encoding="utf-8")
_DUMP = re.compile(r"<!-- vector: (?P<name>[\w-]+) -->\n```text\n(?P<dump>.*?)```\n", re.DOTALL)
_BYTES = re.compile(r"((?:[0-9a-f]{2} )*[0-9a-f]{2})(?:  |$)")
DUMPS: dict[str, str] = {found["name"]: found["dump"] for found in _DUMP.finditer(TEXT)}


def table(*heads: str) -> list[dict[str, str]]:
    """The rows of all tables with these column heads."""
    lines = iter(TEXT.splitlines())
    rows = []
    for line in lines:
        if line.startswith("| ") and tuple(_cells(line)) == heads:
            next(lines)  # the rule below the head
            rows += [dict(zip(heads, _cells(row), strict=True)) for row in _rows(lines)]
    assert rows, heads
    return rows


def _rows(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith("|"):
            return
        yield line


def _cells(line: str) -> list[str]:
    parts = re.split(r"(?<!\\)\|", line)[1:-1]
    return [part.strip().strip("`") for part in parts]


def frames_of(dump: str) -> list[tuple[int, bytes]]:
    """The frames in a dump: stated length, and the bytes that are shown."""
    frames: list[tuple[int, bytes]] = []
    for line in dump.splitlines():
        if length := re.fullmatch(r"frame \d+, (\d+) bytes", line):
            frames.append((int(length[1]), b""))
        elif frames and (found := _BYTES.match(line)):
            stated, shown = frames[-1]
            frames[-1] = (stated, shown + bytes.fromhex(found[1]))
    return frames


@pytest.mark.parametrize("name", DUMPS)
def test_a_dump_shows_the_golden_bytes(name: str) -> None:
    (golden,) = [each for each in json.loads(VECTORS.read_text(encoding="utf-8")) if each["name"] == name]
    frames = frames_of(DUMPS[name])
    assert len(frames) == len(golden["frames"])
    for (stated, shown), frame in zip(frames, map(bytes.fromhex, golden["frames"]), strict=True):
        assert stated == len(frame)
        assert shown == frame if len(shown) == len(frame) else frame.startswith(shown) and len(shown) >= 32


@pytest.mark.parametrize("name", DUMPS)
def test_a_dump_read_by_the_pages_own_table_is_what_the_code_reads(name: str) -> None:
    _, header = frames_of(DUMPS[name])[0]
    fields: dict[str, Any] = {}
    for row in table("offset", "bytes", "field", "meaning"):
        start, size = int(row["offset"]), int(row["bytes"])
        fields[row["field"]] = int.from_bytes(header[start : start + size], "big")
    assert fields.pop("magic").to_bytes(4, "big") == MAGIC
    assert fields.pop("version") == VERSION
    assert Envelope(**fields, target=header[HEADER_BYTES:]) == parse(header)


def test_the_dumps_show_what_was_promised() -> None:
    wanted = {
        "hello-client",
        "welcome-client",
        "lookup",
        "lookup-answer",
        "result-array-delivered",
        "ask-delivered",
        "event-delivered",
        "refused-gone",
    }
    assert wanted <= set(DUMPS)


def test_the_header_has_no_gaps() -> None:
    position = 0
    for row in table("offset", "bytes", "field", "meaning"):
        assert int(row["offset"]) == position
        position += int(row["bytes"])
    assert position == HEADER_BYTES


def test_every_kind_is_there_with_its_body() -> None:
    rows = table("number", "kind", "who", "body", "fields", "answered by")
    assert {row["kind"]: int(row["number"]) for row in rows} == {kind.name: kind.value for kind in Kind}
    assert {row["kind"] for row in rows if row["body"] == "yes"} == {
        kind.name for kind in Kind if kind in WITH_BODY
    }


def _documented_fields(kind: str) -> set[str]:
    fields: set[str] = set()
    for row in table("number", "kind", "who", "body", "fields", "answered by"):
        if row["kind"] == kind:
            named = {each for each in Envelope._fields if re.search(rf"\b{each}\b", row["fields"])}
            fields |= set(Envelope._fields) - named if row["fields"].startswith("all but") else named
    return fields | {"kind"}


@pytest.mark.parametrize("kind", [kind.name for kind in Kind])
def test_a_kind_has_only_the_fields_that_are_documented(kind: str) -> None:
    headers = [each["header"] for each in json.loads(VECTORS.read_text(encoding="utf-8"))]
    usual = Envelope(Kind[kind])._asdict() | {"session": "0" * 16, "target": ""}
    for header in headers:
        if header.get("kind") == Kind[kind]:
            used = {name for name, value in header.items() if value != usual[name]}
            assert used <= _documented_fields(kind), header


def test_every_flag_is_there() -> None:
    documented = {row["flag"]: int(row["bit"]) for row in table("bit", "flag", "meaning")}
    flags = {name: value for name, value in vars(Flag).items() if name.isupper() and value}
    assert documented == flags


def test_every_refusal_is_there_and_says_truly_whether_the_call_ran() -> None:
    rows = table("code", "did it run?", "meaning")
    assert {row["code"] for row in rows} == set(REFUSALS)
    unknown = {code for code, kind in REFUSALS.items() if kind.__name__ in ("OutcomeUnknown", "CallTimedOut")}
    assert {row["code"] for row in rows if row["did it run?"] == "perhaps"} == unknown


def test_every_method_of_the_name_service_is_there() -> None:
    documented = {row["method"].partition("(")[0] for row in table("method", "answer")}
    assert documented == set(INTERFACE.methods)


def _constant(name: str) -> Any:
    of_broker = (names, offers, sessions, calls, reservations, peers, queues, stops, liveness, relay)
    of_streams = (hub, feeds, tickets, viewers)
    places: tuple[ModuleType, ...] = (limits, envelope, link, sockets, job, *of_streams, *of_broker)
    found = {getattr(place, each) for place in places for each in (name, f"_{name}") if hasattr(place, each)}
    assert len(found) == 1, f"{name} is {found or 'nowhere'}"
    return found.pop()


def test_every_constant_has_its_value() -> None:
    rows = table("constant", "value", "meaning")
    for row in rows:
        assert float(row["value"]) == _constant(row["constant"]), row
    ours = {name for name in vars(limits) if name.isupper() and name != "DEFAULT_LIMITS"}
    assert ours <= {row["constant"] for row in rows}


def test_every_setting_has_its_default() -> None:
    documented = {row["setting"]: float(row["value"]) for row in table("setting", "value", "meaning")}
    defaults = {
        name: value
        for name, value in vars(BrokerSettings()).items()
        if isinstance(value, (int, float)) and name != "insecure"
    }
    assert documented == defaults


def test_the_grammar_names_the_fields_of_the_table_in_their_order() -> None:
    grammar = re.search(r"^header +=(.+)$", TEXT, re.MULTILINE)
    assert grammar
    fields = [row["field"].removesuffix("_ms") for row in table("offset", "bytes", "field", "meaning")]
    assert grammar[1].split() == [*fields, "target"]


def test_links_lead_somewhere() -> None:
    for path in re.findall(r"\]\(([^)#:]+)\)", TEXT):
        assert (PAGE.parent / path).exists(), path
