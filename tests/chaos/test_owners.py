"""Owners of reservations that are stopped, killed, or whose broker is; rows 16 to 18 of the table."""

from __future__ import annotations

import pytest

from chaos.callers import Aside, Caller
from chaos.history import Interval
from chaos.journal import now_ns
from chaos.lab import Lab
from chaos.looking import ends_of, moves_on, wait_for
from live import PATIENCE_S
from pyrolab.errors import CommunicationError, LockedError, NotExecuted


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_an_owner_that_is_gone_loses_it_for_good(lab: Lab, how: str) -> None:
    lab.add_worker("w1", "alpha")
    owner = lab.add_client("c1", "holder", ["alpha"])
    wait_for(lambda: ends_of(lab, owner), lab)
    moves_on(lab, owner)
    successor = Caller(lab, "alpha")
    with pytest.raises(LockedError):
        successor.proxy.reserve(user="bob", wait=0)
    from_ns = now_ns()
    if how == "stopped":
        owner.process.stop()
    else:
        owner.process.kill()
    with successor.proxy.reserve(user="bob", wait=PATIENCE_S) as held:
        about = {"grant": "bob", "token": held.token}
        assert successor.call(**about) == "ok"
        if how == "stopped":
            owner.process.go_on()
            lab.pauses[owner.process.name].append(Interval(from_ns, now_ns()))
            wait_for(lambda: ends_of(lab, owner)[-1]["outcome"] == "not executed", lab)
            assert ends_of(lab, owner)[-1]["error"] in ("bus:ReservationLost", "bus:LockedError")
        assert successor.call(**about) == "ok"
    assert successor.call() == "ok"


def test_a_reservation_outlives_the_broker(lab: Lab) -> None:
    lab.add_worker("w1", "alpha")
    owner, other = Caller(lab, "alpha"), Caller(lab, "alpha")
    with owner.proxy.reserve(user="ana", wait=5) as held:
        about = {"grant": "ana", "token": held.token}
        for _ in range(3):
            assert owner.call(**about) == "ok"
            waiting = Aside(_reserve, other)
            lab.kill_broker()
            lab.restart_broker()
            wait_for(lambda: owner.call(**about) == "ok", lab)
            assert other.call() != "ok"
            waiting.result()
        assert not held.lost
    wait_for(other.works, lab)


def _reserve(caller: Caller) -> None:
    """Try to have an axis that somebody else has."""
    try:
        with caller.proxy.reserve(user="bob", wait=0.5) as held:
            caller.call(grant="bob", token=held.token)
    except (NotExecuted, CommunicationError):
        pass  # as it should be
