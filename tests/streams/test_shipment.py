"""What goes to viewers by way of the broker: once for all who want it, and to each in order."""

from __future__ import annotations

import zmq

from pyrolab.protocol.envelope import Kind
from pyrolab.streams.relayed import Shipment
from pyrolab.streams.viewers import DirectRoad, Header, Viewer

BODIES = {number: f"frame {number}".encode() for number in range(1, 8)}


def shipped(wanted: dict[str, list[int]]) -> list[tuple[int, list[str]]]:
    """Which frames go, and to whom, if viewers want these frames each."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with context, context.socket(zmq.ROUTER) as router:
        road = DirectRoad(router)
        shipment = Shipment()
        for name, numbers in wanted.items():
            viewer = Viewer(road, name, 1)
            for number in numbers:
                shipment.add(viewer, Header(Kind.FRAME, number), [BODIES[number]])
        return [(header.call, [each.key for each in viewers]) for header, _, viewers in shipment]


def test_a_frame_that_several_want_goes_once() -> None:
    assert shipped({"anna": [1, 2], "bert": [1, 2]}) == [(1, ["anna", "bert"]), (2, ["anna", "bert"])]


def test_who_is_behind_gets_frames_in_order_too() -> None:
    assert shipped({"anna": [5, 6], "bert": [3, 4, 5, 6], "cleo": [4, 7]}) == [
        (3, ["bert"]),
        (4, ["bert", "cleo"]),
        (5, ["anna", "bert"]),
        (6, ["anna", "bert"]),
        (7, ["cleo"]),
    ]


def test_frames_that_were_left_out_for_one_are_not_told_to_another() -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with context, context.socket(zmq.ROUTER) as router:
        shipment = Shipment()
        for name, skipped in (("anna", 0), ("bert", 3)):
            shipment.add(Viewer(DirectRoad(router), name, 1), Header(Kind.FRAME, 4, skipped), [BODIES[4]])
        assert [(header.number, [each.key for each in viewers]) for header, _, viewers in shipment] == [
            (0, ["anna"]),
            (3, ["bert"]),
        ]
