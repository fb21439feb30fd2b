"""A ticket is good once, for its publisher, and not for long."""

from __future__ import annotations

import pytest

from pyrolab.api import Stream
from pyrolab.streams.options import Options
from pyrolab.streams.publisher import Publisher
from pyrolab.streams.tickets import MAX_TICKETS, TICKET_S, Tickets


class Camera:
    frames = Stream()


def publisher() -> Publisher:
    made: Publisher = Camera().frames
    return made


def test_it_is_good_once() -> None:
    tickets, camera = Tickets(), publisher()
    secret = tickets.issue(camera, Options("queue"))
    assert tickets.redeem(secret) == (camera, Options("queue"))
    with pytest.raises(KeyError):
        tickets.redeem(secret)


def test_it_is_not_good_for_long() -> None:
    now = [0.0]
    tickets, camera = Tickets(lambda: now[0]), publisher()
    secret = tickets.issue(camera, Options())
    now[0] = TICKET_S + 1
    with pytest.raises(KeyError):
        tickets.redeem(secret)


def test_it_ends_with_its_publisher() -> None:
    tickets, camera, other = Tickets(), publisher(), publisher()
    gone, kept = tickets.issue(camera, Options()), tickets.issue(other, Options())
    tickets.cancel(camera)
    with pytest.raises(KeyError):
        tickets.redeem(gone)
    assert tickets.redeem(kept)[0] is other


def test_the_oldest_goes_when_there_are_too_many() -> None:
    tickets, camera = Tickets(), publisher()
    secrets = [tickets.issue(camera, Options()) for _ in range(MAX_TICKETS + 1)]
    with pytest.raises(KeyError):
        tickets.redeem(secrets[0])
    assert tickets.redeem(secrets[1])[0] is camera
