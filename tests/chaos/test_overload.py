"""Floods, slow lines, and no more descriptors; rows 25, 26 and 28 of the table."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import psutil

from chaos.callers import Aside, Caller
from chaos.history import Interval, check
from chaos.journal import now_ns
from chaos.lab import Lab
from chaos.looking import notes_of, wait_for
from live import PATIENCE_S


def test_a_listener_that_is_stopped_in_a_flood_goes_on(lab: Lab) -> None:
    lab.add_worker("w1", "alpha")
    listener = lab.add_client("c1", "listener", ["alpha"])
    wait_for(lambda: notes_of(lab, listener, "listens"), lab)
    alpha = Caller(lab, "alpha")
    assert alpha.call("shake", 10) == "ok"
    from_ns = now_ns()
    listener.process.stop()
    for _ in range(5):
        assert alpha.call("shake", 4000) == "ok"
    listener.process.go_on()
    lab.pauses[listener.process.name].append(Interval(from_ns, now_ns()))
    assert alpha.call("shake", 10) == "ok"
    lab.finish.touch()
    assert listener.process.popen.wait(PATIENCE_S) == 0, listener.process.errors()


def test_a_big_array_over_a_slow_line_arrives(tmp_path: Path) -> None:
    with Lab(tmp_path, silence_s=20.0) as lab:
        lab.start_broker()
        lab.add_worker("w1", "camera")
        lab.add_worker("w2", "alpha")
        slow, fast = lab.new_relay(), lab.new_relay()
        camera, alpha = lab.proxy("camera", slow), Caller(lab, "alpha", fast)
        camera.done()
        session = camera._attachment.connection.session
        slow.throttle(2_000_000)
        image = Aside(lambda: len(camera.picture(6_000_000)))
        calls = 0
        while image.is_alive():
            assert alpha.call() == "ok"
            calls += 1
        assert image.result() == 6_000_000
        assert camera._attachment.connection.session == session, "nobody took the line for dead"
        assert calls > 10
        lab.end_processes()
        assert not any(check(lab.history()).values())


def test_a_broker_without_descriptors_serves_those_it_has(tmp_path: Path) -> None:
    with Lab(tmp_path, open_files=100) as lab, contextlib.ExitStack() as strangers:
        lab.start_broker()
        lab.add_worker("w1", "alpha")
        alpha = Caller(lab, "alpha")
        assert alpha.works()
        for _ in range(150):
            strangers.enter_context(_connection(lab.port))
        wait_for(lambda: psutil.Process(lab.broker.process.pid).num_fds() >= 100)
        assert all(alpha.call() == "ok" for _ in range(20))
        newcomer = Caller(lab, "alpha")
        strangers.close()
        wait_for(newcomer.works, lab)


def _connection(port: int) -> socket.socket:
    connection = socket.socket()
    connection.setblocking(False)
    connection.connect_ex(("127.0.0.1", port))
    return connection
