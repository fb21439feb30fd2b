from __future__ import annotations

import struct
from typing import Any

import pytest
import thorlabs_apt_protocol as apt
from hypothesis import given
from hypothesis import strategies as st

from pyrolab_drivers.thorlabs.apt_messages import (
    HOST,
    INSTRUMENTS,
    PAYLOADS,
    RACK,
    USB_UNIT,
    Decoder,
    Message,
    MessageId,
)
from pyrolab_drivers.thorlabs.apt_payloads import (
    Counts,
    DCStatus,
    HardwareInfo,
    HomeParameters,
    JogParameters,
    LimitParameters,
    MotorStatus,
    Payload,
    PiezoLength,
    PiezoStatus,
    PiezoStatusBits,
    PiezoVoltage,
    RichError,
    StatusBits,
    VelocityParameters,
)

BAY = 0x22
SHORT_TO_INSTRUMENT: list[tuple[MessageId, str, dict[str, int], tuple[int, int]]] = [
    (MessageId.HW_DISCONNECT, "hw_disconnect", {}, (0, 0)),
    (MessageId.HW_REQ_INFO, "hw_req_info", {}, (0, 0)),
    (MessageId.HW_START_UPDATEMSGS, "hw_start_updatemsgs", {}, (0, 0)),
    (MessageId.HW_STOP_UPDATEMSGS, "hw_stop_updatemsgs", {}, (0, 0)),
    (MessageId.RACK_REQ_BAYUSED, "rack_req_bayused", {"bay_ident": 2}, (2, 0)),
    (
        MessageId.MOD_SET_CHANENABLESTATE,
        "mod_set_chanenablestate",
        {"chan_ident": 1, "enable_state": 2},
        (1, 2),
    ),
    (MessageId.MOD_REQ_CHANENABLESTATE, "mod_req_chanenablestate", {"chan_ident": 1}, (1, 0)),
    (MessageId.MOD_IDENTIFY, "mod_identify", {"chan_ident": 1}, (1, 0)),
    (MessageId.MOT_REQ_POSCOUNTER, "mot_req_poscounter", {"chan_ident": 1}, (1, 0)),
    (MessageId.MOT_REQ_VELPARAMS, "mot_req_velparams", {"chan_ident": 1}, (1, 0)),
    (MessageId.MOT_REQ_JOGPARAMS, "mot_req_jogparams", {"chan_ident": 1}, (1, 0)),
    (MessageId.MOT_REQ_LIMSWITCHPARAMS, "mot_req_limswitchparams", {"chan_ident": 1}, (1, 0)),
    (MessageId.MOT_REQ_GENMOVEPARAMS, "mot_req_genmoveparams", {"chan_ident": 1}, (1, 0)),
    (MessageId.MOT_REQ_HOMEPARAMS, "mot_req_homeparams", {"chan_ident": 1}, (1, 0)),
    (MessageId.MOT_MOVE_HOME, "mot_move_home", {"chan_ident": 1}, (1, 0)),
    (MessageId.MOT_MOVE_RELATIVE, "mot_move_relative", {"chan_ident": 1}, (1, 0)),
    (MessageId.MOT_MOVE_ABSOLUTE, "mot_move_absolute", {"chan_ident": 1}, (1, 0)),
    (MessageId.MOT_MOVE_VELOCITY, "mot_move_velocity", {"chan_ident": 1, "direction": 2}, (1, 2)),
    (MessageId.MOT_MOVE_STOP, "mot_move_stop", {"chan_ident": 1, "stop_mode": 1}, (1, 1)),
    (MessageId.MOT_MOVE_JOG, "mot_move_jog", {"chan_ident": 1, "direction": 1}, (1, 1)),
    (MessageId.MOT_REQ_DCSTATUSUPDATE, "mot_req_dcstatusupdate", {"chan_ident": 1}, (1, 0)),
    (MessageId.MOT_ACK_DCSTATUSUPDATE, "mot_ack_dcstatusupdate", {}, (0, 0)),
    (MessageId.PZ_SET_POSCONTROLMODE, "pz_set_positioncontrolmode", {"chan_ident": 1, "mode": 4}, (1, 4)),
    (MessageId.PZ_REQ_POSCONTROLMODE, "pz_req_positioncontrolmode", {"chan_ident": 1}, (1, 0)),
    (MessageId.PZ_REQ_OUTPUTVOLTS, "pz_req_outputvolts", {"chan_ident": 1}, (1, 0)),
    (MessageId.PZ_REQ_OUTPUTPOS, "pz_req_outputpos", {"chan_ident": 1}, (1, 0)),
    (MessageId.PZ_REQ_MAXTRAVEL, "pz_req_maxtravel", {"chan_ident": 1}, (1, 0)),
    (MessageId.PZ_SET_ZERO, "pz_set_zero", {"chan_ident": 1}, (1, 0)),
    (MessageId.PZ_REQ_PZSTATUSUPDATE, "pz_req_pzstatusupdate", {"chan_ident": 1}, (1, 0)),
    (MessageId.PZ_ACK_PZSTATUSUPDATE, "pz_ack_pzstatusupdate", {}, (0, 0)),
]
LONG_TO_INSTRUMENT: list[tuple[MessageId, str, dict[str, int], Payload]] = [
    (
        MessageId.MOT_SET_POSCOUNTER,
        "mot_set_poscounter",
        {"chan_ident": 1, "position": -12345},
        Counts(1, -12345),
    ),
    (
        MessageId.MOT_SET_VELPARAMS,
        "mot_set_velparams",
        {"chan_ident": 1, "min_velocity": 0, "acceleration": 1504, "max_velocity": 1843200},
        VelocityParameters(1, 0, 1504, 1843200),
    ),
    (
        MessageId.MOT_SET_JOGPARAMS,
        "mot_set_jogparams",
        {
            "chan_ident": 1,
            "jog_mode": 2,
            "step_size": 3430,
            "min_velocity": 5,
            "acceleration": 1504,
            "max_velocity": 1843200,
            "stop_mode": 1,
        },
        JogParameters(1, 2, 3430, 5, 1504, 1843200, 1),
    ),
    (
        MessageId.MOT_SET_LIMSWITCHPARAMS,
        "mot_set_limswitchparams",
        {
            "chan_ident": 1,
            "cw_hardlimit": 2,
            "ccw_hardlimit": 3,
            "cw_softlimit": 100,
            "ccw_softlimit": 200,
            "soft_limit_mode": 1,
        },
        LimitParameters(1, 2, 3, 100, 200, 1),
    ),
    (
        MessageId.MOT_SET_GENMOVEPARAMS,
        "mot_set_genmoveparams",
        {"chan_ident": 1, "backlash_distance": 400},
        Counts(1, 400),
    ),
    (
        MessageId.MOT_SET_HOMEPARAMS,
        "mot_set_homeparams",
        {"chan_ident": 1, "home_dir": 2, "limit_switch": 1, "home_velocity": 900, "offset_distance": -7},
        HomeParameters(1, 2, 1, 900, -7),
    ),
    (
        MessageId.MOT_MOVE_RELATIVE,
        "mot_move_relative",
        {"chan_ident": 1, "distance": -34304},
        Counts(1, -34304),
    ),
    (
        MessageId.MOT_MOVE_ABSOLUTE,
        "mot_move_absolute",
        {"chan_ident": 1, "position": 343040},
        Counts(1, 343040),
    ),
    (
        MessageId.PZ_SET_OUTPUTVOLTS,
        "pz_set_outputvolts",
        {"chan_ident": 1, "voltage": -321},
        PiezoVoltage(1, -321),
    ),
    (
        MessageId.PZ_SET_OUTPUTPOS,
        "pz_set_outputpos",
        {"chan_ident": 1, "position": 40000},
        PiezoLength(1, 40000),
    ),
]
#: What an instrument sends, and some of what the other library reads in it.
FROM_INSTRUMENT: list[tuple[Message, dict[str, Any]]] = [
    (
        Message(
            MessageId.HW_GET_INFO,
            HOST,
            USB_UNIT,
            payload=HardwareInfo(27001234, b"KDC101\0\0", 16, b"\x03\x02\x01\0", bytes(60), 4, 5, 1),
        ),
        {"serial_number": 27001234, "type": 16, "hw_version": 4, "mod_state": 5, "nchs": 1},
    ),
    (Message(MessageId.RACK_GET_BAYUSED, HOST, RACK, 1, 1), {"bay_ident": 1, "occupied": True}),
    (Message(MessageId.HW_RESPONSE, HOST, USB_UNIT), {}),
    (
        Message(
            MessageId.HW_RICHRESPONSE, HOST, USB_UNIT, payload=RichError(0x413, 0x21, b"bad".ljust(64, b"\0"))
        ),
        {"msg_ident": 0x413, "code": 0x21},
    ),
    (Message(MessageId.MOD_GET_CHANENABLESTATE, HOST, USB_UNIT, 1, 1), {"chan_ident": 1, "enabled": True}),
    (Message(MessageId.MOT_GET_POSCOUNTER, HOST, USB_UNIT, payload=Counts(1, -5)), {"position": -5}),
    (
        Message(MessageId.MOT_GET_VELPARAMS, HOST, USB_UNIT, payload=VelocityParameters(1, 2, 3, 4)),
        {"min_velocity": 2, "acceleration": 3, "max_velocity": 4},
    ),
    (
        Message(MessageId.MOT_GET_JOGPARAMS, HOST, USB_UNIT, payload=JogParameters(1, 2, 3, 4, 5, 6, 1)),
        {"jog_mode": 2, "step_size": 3, "min_velocity": 4, "max_velocity": 6, "stop_mode": 1},
    ),
    (
        Message(MessageId.MOT_GET_LIMSWITCHPARAMS, HOST, USB_UNIT, payload=LimitParameters(1, 2, 3, 4, 5, 6)),
        {"cw_hardlimit": 2, "ccw_hardlimit": 3, "cw_softlimit": 4, "ccw_softlimit": 5, "soft_limit_mode": 6},
    ),
    (
        Message(MessageId.MOT_GET_GENMOVEPARAMS, HOST, USB_UNIT, payload=Counts(1, 400)),
        {"backlash_distance": 400},
    ),
    (
        Message(MessageId.MOT_GET_HOMEPARAMS, HOST, USB_UNIT, payload=HomeParameters(1, 2, 1, 900, -7)),
        {"home_dir": 2, "limit_switch": 1, "home_velocity": 900, "offset_distance": -7},
    ),
    (
        Message(MessageId.MOT_GET_STATUSBITS, HOST, USB_UNIT, payload=StatusBits(1, MotorStatus.HOMED)),
        {"homed": True, "homing": False},
    ),
    (Message(MessageId.MOT_MOVE_HOMED, HOST, USB_UNIT, 1), {"chan_ident": 1}),
    (Message(MessageId.MOT_MOVE_COMPLETED, HOST, USB_UNIT, 1), {"chan_ident": 1}),
    (
        Message(
            MessageId.MOT_MOVE_COMPLETED,
            HOST,
            USB_UNIT,
            payload=DCStatus(1, 34304, 0, 0, MotorStatus.HOMED | MotorStatus.ENABLED),
        ),
        {"position": 34304, "homed": True, "channel_enabled": True, "motor_connected": False},
    ),
    (Message(MessageId.MOT_MOVE_STOPPED, HOST, USB_UNIT, 1), {"chan_ident": 1}),
    (
        Message(
            MessageId.MOT_GET_DCSTATUSUPDATE,
            HOST,
            USB_UNIT,
            payload=DCStatus(1, -7, -300, 0, MotorStatus.CONNECTED | MotorStatus.HOMING),
        ),
        {"position": -7, "velocity": -300, "motor_connected": True, "homing": True, "homed": False},
    ),
    (Message(MessageId.PZ_GET_POSCONTROLMODE, HOST, BAY, 1, 2), {"chan_ident": 1, "mode": 2}),
    (Message(MessageId.PZ_GET_OUTPUTVOLTS, HOST, BAY, payload=PiezoVoltage(1, -9)), {"voltage": -9}),
    (Message(MessageId.PZ_GET_OUTPUTPOS, HOST, BAY, payload=PiezoLength(1, 40000)), {"position": 40000}),
    (Message(MessageId.PZ_GET_MAXTRAVEL, HOST, BAY, payload=PiezoLength(1, 200)), {"travel": 200}),
    (
        Message(
            MessageId.PZ_GET_PZSTATUSUPDATE,
            HOST,
            BAY,
            payload=PiezoStatus(1, 5, 6, PiezoStatusBits.ZEROED | PiezoStatusBits.CONNECTED),
        ),
        {"output_voltage": 5, "position": 6},
    ),
]


def foreign(message: bytes) -> Any:
    unpacker = apt.Unpacker(on_error="raise")
    unpacker.feed(message)
    return next(unpacker)


def decoded(data: bytes) -> list[Message]:
    return Decoder(dests=INSTRUMENTS | {HOST}, sources=INSTRUMENTS | {HOST}).feed(data)


@pytest.mark.parametrize("case", SHORT_TO_INSTRUMENT, ids=lambda case: case[1])
def test_short_messages_are_those_of_the_other_library(
    case: tuple[MessageId, str, dict[str, int], tuple[int, int]],
) -> None:
    message_id, function, arguments, (param1, param2) = case
    theirs = getattr(apt, function)(dest=USB_UNIT, source=HOST, **arguments)
    ours = Message(message_id, USB_UNIT, HOST, param1, param2)
    assert ours.encode() == theirs
    assert decoded(theirs) == [ours]


@pytest.mark.parametrize("case", LONG_TO_INSTRUMENT, ids=lambda case: case[1])
def test_messages_with_a_payload_are_those_of_the_other_library(
    case: tuple[MessageId, str, dict[str, int], Payload],
) -> None:
    message_id, function, arguments, payload = case
    theirs = getattr(apt, function)(dest=BAY, source=HOST, **arguments)
    ours = Message(message_id, BAY, HOST, payload=payload)
    assert ours.encode() == theirs
    assert decoded(theirs) == [ours]


@pytest.mark.parametrize("case", FROM_INSTRUMENT, ids=lambda case: case[0].id.name)
def test_the_other_library_reads_what_our_instruments_send(case: tuple[Message, dict[str, Any]]) -> None:
    message, fields = case
    read = foreign(message.encode())
    assert read.msgid == message.id
    assert (read.source, read.dest) == (message.source, HOST)
    assert {name: getattr(read, name) for name in fields} == fields
    assert decoded(message.encode()) == [message]


def test_a_request_that_the_other_library_lacks_has_the_documented_bytes() -> None:
    assert Message(MessageId.MOT_REQ_STATUSBITS, USB_UNIT, param1=1).encode() == bytes.fromhex("290401005001")


def test_every_other_message_is_compared_with_the_other_library() -> None:
    compared = {case[0] for case in SHORT_TO_INSTRUMENT} | {case[0] for case in LONG_TO_INSTRUMENT}
    compared |= {case[0].id for case in FROM_INSTRUMENT}
    assert set(MessageId) - compared == {MessageId.MOT_REQ_STATUSBITS}


def test_a_firmware_version_reads_as_the_other_library_has_it() -> None:
    info = FROM_INSTRUMENT[0][0].payload
    assert isinstance(info, HardwareInfo)
    theirs = foreign(FROM_INSTRUMENT[0][0].encode()).firmware_version
    assert info.firmware_version == ".".join(str(part) for part in theirs)
    assert info.model_name == "KDC101"


def test_a_payload_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="Counts has 6 bytes, not 5"):
        Counts.decode(bytes(5))


STATUS = Message(MessageId.MOT_GET_DCSTATUSUPDATE, HOST, USB_UNIT, payload=DCStatus(1, 5, 6, 0, 7))
HOMED = Message(MessageId.MOT_MOVE_HOMED, HOST, USB_UNIT, 1)


@pytest.mark.parametrize(
    "noise",
    [
        b"\x00",
        b"\xff" * 7,
        STATUS.encode()[3:],
        struct.pack("<HHBB", 0x0491, 60000, HOST | 0x80, USB_UNIT),
        struct.pack("<HBBBB", 0x0444, 1, 0, 0x33, USB_UNIT),
        struct.pack("<HBBBB", 0x7777, 1, 0, HOST, USB_UNIT),
    ],
    ids=["a byte", "many", "a tail", "an endless payload", "for somebody else", "an unknown id"],
)
def test_messages_are_found_again_after_noise(noise: bytes) -> None:
    decoder = Decoder(dests={HOST}, sources=INSTRUMENTS)
    assert decoder.feed(noise + STATUS.encode() + HOMED.encode()) == [STATUS, HOMED]
    assert decoder.skipped == len(noise)
    assert not decoder.partial


def test_a_message_that_has_begun_can_be_forgotten() -> None:
    decoder = Decoder(dests={HOST}, sources=INSTRUMENTS)
    assert decoder.feed(STATUS.encode()[:10]) == []
    assert decoder.partial
    decoder.reset()
    assert decoder.feed(HOMED.encode()) == [HOMED]


def test_reading_what_is_missing_never_reads_past_a_message() -> None:
    decoder = Decoder(dests={HOST}, sources=INSTRUMENTS)
    line = STATUS.encode() + HOMED.encode()
    found, at = [], 0
    while at < len(line):
        count = decoder.missing
        found.append(decoder.feed(line[at : at + count]))
        at += count
    assert [message for messages in found for message in messages] == [STATUS, HOMED]
    assert all(len(messages) <= 1 for messages in found)


@given(st.binary(max_size=60), st.lists(st.integers(1, 9), max_size=20))
def test_a_decoder_takes_any_bytes_cut_anywhere(noise: bytes, cuts: list[int]) -> None:
    line = noise + b"\xff" * 90 + STATUS.encode()
    decoder = Decoder(dests={HOST}, sources=INSTRUMENTS)
    at, found = 0, []
    for cut in [*cuts, len(line)]:
        found += decoder.feed(line[at : at + cut])
        at += cut
    assert found[-1] == STATUS


def test_payloads_belong_to_known_messages() -> None:
    assert all(payload.layout.size > 0 for payload in PAYLOADS.values())
