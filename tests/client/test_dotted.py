"""Names such as `station.ch_a.voltage`: what they stand for, and what is said if that is nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from live import bus
from pyrolab.client.dotted import find, kind_of, only_stream, split, what_there_is
from pyrolab.errors import NamingError
from pyrolab.protocol.interface import EventType, Interface, Method, Property, StreamType
from pyrolab.protocol.names import Location

KNOWN = ["laser", "lab.laser", "lab.laser.pump", "stage"]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("laser", ("laser", [])),
        ("laser.wavelength", ("laser", ["wavelength"])),
        ("lab.laser.power", ("lab.laser", ["power"])),
        ("lab.laser.pump.power", ("lab.laser.pump", ["power"])),
        ("stage.x.position", ("stage", ["x", "position"])),
    ],
)
def test_the_longest_name_of_a_service_counts(name: str, parts: tuple[str, list[str]]) -> None:
    assert split(name, KNOWN) == parts


def test_an_unknown_service_is_said_with_the_nearest() -> None:
    with pytest.raises(NamingError, match=r"no service is called 'lasre'; did you mean laser"):
        split("lasre.wavelength", KNOWN)
    with pytest.raises(NamingError, match=r"there is lab\.laser, lab\.laser\.pump, laser, stage"):
        split("xyz", KNOWN)
    with pytest.raises(NamingError, match="there is nothing else"):
        split("xyz", [])


CAMERA = Interface(
    "lab:Camera",
    "",
    {"snap": Method()},
    {"exposure_ms": Property(), "secret": Property(access="w"), "lens": Property(node="lab:Lens")},
    {"taken": EventType()},
    streams={"frames": StreamType()},
)
METER = Interface("lab:Meter", streams={"power": StreamType(), "phase": StreamType()})


def test_a_member_is_a_stream_or_a_property() -> None:
    assert kind_of("camera", CAMERA, "frames") == "stream"
    assert kind_of("camera", CAMERA, "exposure_ms") == "property"
    assert only_stream("camera", CAMERA) == "frames"


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ("fraems", "camera has no 'fraems'; did you mean camera.frames?"),
        ("zzz", "there is camera.exposure_ms, camera.frames"),
        ("snap", "camera.snap is a method; what can be watched: camera.exposure_ms, camera.frames"),
        ("taken", "camera.taken is an event"),
    ],
)
def test_what_is_neither_is_refused_with_what_there_is(member: str, said: str) -> None:
    with pytest.raises(NamingError) as raised:
        kind_of("camera", CAMERA, member)
    assert said in str(raised.value)


def test_a_service_that_has_not_exactly_one_stream_does_not_stand_for_one() -> None:
    with pytest.raises(NamingError, match=r"2 streams; say which: meter\.phase, meter\.power"):
        only_stream("meter", METER)
    with pytest.raises(NamingError, match="laser has no stream; nothing of it can be watched"):
        only_stream("laser", Interface("lab:Laser"))
    assert what_there_is("m", METER) == "what can be watched: m.phase, m.power"


# -- over a real bus ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab() -> Iterator[Location]:
    with bus("services.station:Station=lab.station", "services.streams:Lamp=lamp") as broker:
        yield Location("localhost", int(broker.ready))


def test_sub_objects_and_items_of_dictionaries_are_found(lab: Location) -> None:
    for name in ("lab.station.ch_a.voltage", "lab.station.channels.b.voltage"):
        found = find(name, lab)
        with found.service:
            assert (found.label, found.member, found.kind) == (name, "voltage", "property")
            assert found.node.voltage == 0.0


def test_a_service_with_one_stream_stands_for_it_if_that_is_wanted(lab: Location) -> None:
    found = find("lamp", lab)
    with found.service:
        assert (found.label, found.member, found.kind) == ("lamp.light", "light", "stream")
    with pytest.raises(NamingError, match=r"lamp is a service; what can be watched: lamp\.light"):
        find("lamp", lab, alone=False)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lab.station.ch_a.volage", "did you mean lab.station.ch_a.voltage?"),
        ("lab.station.ch_b.voltage", "lab.station has no 'ch_b'; did you mean lab.station.ch_a"),
        ("lab.station.channels.c.voltage", "there is lab.station.channels.a, lab.station.channels.b"),
        ("lab.station.ch_a", "lab.station.ch_a is an object; what can be watched: lab.station.ch_a.name"),
        ("lab.station.position.x", "lab.station.position is a value and has no parts"),
        ("lab.station.position.x.y", "lab.station.position is a value and has no parts"),
        ("lab", "no service is called 'lab'; there is lab.station, lamp"),
    ],
)
def test_what_leads_nowhere_says_where_it_ends(lab: Location, name: str, said: str) -> None:
    with pytest.raises(NamingError) as raised:
        find(name, lab)
    assert said in str(raised.value)
