"""Locations, URIs and names: what they accept, how they are written, and what they refuse."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrolab.errors import NamingError
from pyrolab.protocol.limits import MAX_NAME_CHARS
from pyrolab.protocol.names import URI, Location, check_name, new_object_id

names = st.text(st.characters(exclude_characters="@", exclude_categories=["C", "Z"]), min_size=1, max_size=60)
hosts = st.from_regex(r"[a-z][a-z0-9.-]{0,40}", fullmatch=True) | st.ip_addresses().map(str)
locations = st.builds(Location, hosts, st.integers(0, 65535))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lab-server", ("lab-server", 9090)),
        ("lab-server:9100", ("lab-server", 9100)),
        (" 10.0.0.7:1 ", ("10.0.0.7", 1)),
        ("localhost:", ("localhost", 9090)),
        ("[::1]:9100", ("::1", 9100)),
        ("[fe80::1]", ("fe80::1", 9090)),
        ("fe80::1", ("fe80::1", 9090)),
    ],
)
def test_a_location_is_read(text: str, expected: tuple[str, int]) -> None:
    assert Location.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":9090",
        "[]:1",
        "host:port",
        "host:65536",
        "host:-1",
        "host:²",
        "a b:1",
        "user@host:1",
        "tcp://h:1",
    ],
)
def test_what_is_no_location_is_refused(text: str) -> None:
    with pytest.raises(NamingError):
        Location.parse(text)


@given(locations)
def test_a_location_is_written_as_it_is_read(location: Location) -> None:
    assert Location.parse(str(location)) == location
    assert location.endpoint == f"tcp://{location}"


@pytest.mark.parametrize(
    ("text", "protocol", "name", "location"),
    [
        ("PYRO:obj_1@lab:9100", "PYRO", "obj_1", Location("lab", 9100)),
        ("PYRO:obj_1@[::1]:9100", "PYRO", "obj_1", Location("::1", 9100)),
        ("PYRO:obj_1", "PYRO", "obj_1", None),
        ("PYRONAME:laser", "PYRONAME", "laser", None),
        ("pyroname:laser@lab", "PYRONAME", "laser", Location("lab", 9090)),
        ("PYROMETA:laser,tunable@lab:1", "PYROMETA", "laser,tunable", Location("lab", 1)),
        ("PYRO:Pyro.NameServer@localhost:9090", "PYRO", "Pyro.NameServer", Location()),
    ],
)
def test_a_uri_is_read(text: str, protocol: str, name: str, location: Location | None) -> None:
    uri = URI(text)
    assert (uri.protocol, uri.object, uri.location) == (protocol, name, location)
    assert (uri.host, uri.port) == (location or (None, None))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "laser",
        "PYRO:",
        "PYRO:@lab",
        "HTTP:x@lab",
        "PYRO:a b@lab",
        "PYRO:x@lab:port",
        "PYRO:x@y@z:1",
        f"PYRO:{'x' * 256}",
    ],
)
def test_what_is_no_uri_is_refused(text: str) -> None:
    with pytest.raises(NamingError):
        URI(text)


@given(st.sampled_from(["PYRO", "PYRONAME", "PYROMETA"]), names, st.none() | locations)
def test_a_uri_is_written_as_it_is_read(protocol: str, name: str, location: Location | None) -> None:
    text = f"{protocol}:{name}" + (f"@{location}" if location else "")
    uri = URI(text)
    assert str(uri) == text
    assert uri == URI(text) == text
    assert hash(uri) == hash(URI(uri))
    for same in (copy.copy(uri), copy.deepcopy(uri), pickle.loads(pickle.dumps(uri)), URI(uri)):
        assert (same.protocol, same.object, same.location) == (protocol, name, location)


@given(st.text())
def test_any_text_is_a_uri_or_a_naming_error(text: str) -> None:
    try:
        uri = URI(text)
    except NamingError:
        return
    assert URI(str(uri)) == uri


def test_a_uri_cannot_be_changed_but_moved() -> None:
    uri = URI("PYRO:obj_1")
    with pytest.raises(AttributeError):
        uri.object = "obj_2"
    there = uri.at(Location("lab", 9100))
    assert str(there) == "PYRO:obj_1@lab:9100"
    assert uri.location is None


@pytest.mark.parametrize("name", ["laser", "lab3.stage-x", "Ångström_µm", "x" * MAX_NAME_CHARS, "obj_1"])
def test_names_are_printable_text(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "a b", "a@b", "a\n", "\x00", "x" * (MAX_NAME_CHARS + 1), "µ" * 128, "\ud800", b"laser", None, 7],
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(NamingError):
        check_name(name)


def test_object_ids_are_new_each_time() -> None:
    ids = {new_object_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(check_name(each).startswith("obj_") and len(each) == 36 for each in ids)
