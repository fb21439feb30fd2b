"""Nothing goes into a dead link, nothing comes late out of one, and what became of a call can be asked."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgpack
import pytest
import zmq

from chaos.relay import Relay, Way
from live import Process, bus, clean_environment, is_busy, start_broker, start_worker
from pyrolab.api import AsyncProxy, Proxy, locate_ns, timeout
from pyrolab.client.connection import Connection
from pyrolab.client.retries import FRESH_S, Retries
from pyrolab.errors import (
    BusyError,
    CallExpired,
    CallTimedOut,
    CommunicationError,
    ConnectionClosedError,
    EmergencyStopped,
    LockedError,
    NotExecuted,
    NotSent,
    OutcomeUnknown,
    ReservationLost,
    ServiceGone,
    StaleCall,
)
from pyrolab.link.clock import clock_s
from pyrolab.protocol.envelope import Flag, Kind
from pyrolab.protocol.names import Location
from stand_in_broker import StandInBroker

#: Of brokers that are impatient, so that tests need not wait long.
QUICK = {"heartbeat_s": 0.2, "silence_s": 2.0, "grace_s": 2.0}


@pytest.fixture(scope="module")
def lab() -> Iterator[Process]:
    with bus("services.bench:Bench=bench") as broker:
        yield broker


@pytest.fixture(scope="module")
def quick() -> Iterator[Process]:
    with bus("services.bench:Bench=bench", **QUICK) as broker:
        yield broker


@pytest.fixture
def relay(quick: Process) -> Iterator[Relay]:
    with Relay(int(quick.ready)) as relay:
        yield relay


@pytest.fixture
def bench(quick: Process) -> Iterator[Any]:
    """A proxy of the bench that no relay is in front of."""
    with Proxy(f"PYRONAME:bench@localhost:{quick.ready}") as proxy:
        yield proxy


def _behind(relay: Relay) -> Any:
    return Proxy(f"PYRONAME:bench@localhost:{relay.port}")


def _connection(proxy: Any) -> Connection:
    connection: Connection = proxy._attachment.connection
    return connection


def _until(condition: Any) -> None:
    while not condition():  # the test's own deadline ends this
        time.sleep(0.01)


# -- not into a dead link ----------------------------------------------------------------------------------


def test_a_call_is_not_sent_into_a_silent_link(relay: Relay, bench: Any) -> None:
    with _behind(relay) as cut:
        before = cut.count()
        relay.hold()
        _until(lambda: _connection(cut).doubtful(clock_s()))
        with timeout(0.3), pytest.raises(NotExecuted):
            cut.count()
        relay.let_pass()
        assert bench.count() == before + 1
        assert cut.count() == before + 2
        assert bench.count() == before + 3, "nothing came late"


def test_a_link_that_was_silent_and_lives_is_used_further(relay: Relay) -> None:
    with _behind(relay) as cut:
        before = cut.count()
        connection = _connection(cut)
        relay.hold()
        _until(lambda: connection.doubtful(clock_s()))
        threading.Timer(0.2, relay.let_pass).start()
        assert cut.count() == before + 1
        assert _connection(cut) is connection


def test_a_link_of_which_nobody_knows_whether_it_lives_is_replaced(relay: Relay) -> None:
    with _behind(relay) as cut:
        before = cut.count()
        connection = _connection(cut)
        relay.hold(Way.DOWN)
        _until(lambda: connection.doubtful(clock_s()))
        threading.Timer(1.5, relay.let_pass).start()
        assert cut.count() == before + 1
        assert _connection(cut) is not connection


def test_asyncio_programs_do_the_same_without_blocking_the_loop(relay: Relay) -> None:
    async def main() -> None:
        async with AsyncProxy(f"PYRONAME:bench@localhost:{relay.port}") as cut:
            before = await cut.count()
            connection = cut._side.attachment.connection
            assert connection is not None
            relay.hold(Way.DOWN)
            while not connection.doubtful(clock_s()):
                await asyncio.sleep(0.01)
            counting = asyncio.ensure_future(cut.count())
            ticks = 0
            while not counting.done():
                ticks += 1
                if ticks == 50:
                    await asyncio.to_thread(relay.let_pass)
                await asyncio.sleep(0.01)
            assert await counting == before + 1

    asyncio.run(main())


CLIENT = """
import sys
from pyrolab.api import Proxy
with Proxy(sys.argv[1]) as bench:
    print(bench.count(), flush=True)
    for line in sys.stdin:
        print(bench.count(), flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
def test_a_client_that_slept_past_the_end_of_its_session_carries_on(quick: Process, bench: Any) -> None:
    before = bench.count()
    with Client(f"PYRONAME:bench@localhost:{quick.ready}") as client:
        assert client.count(told=False) == before + 1
        os.kill(client.pid, signal.SIGSTOP)
        _until(lambda: _clients(quick) == 1)
        os.kill(client.pid, signal.SIGCONT)
        assert client.count() == before + 2
        assert bench.count() == before + 3


def _clients(broker: Process) -> int:
    """How many are connected besides this one."""
    with locate_ns("localhost", int(broker.ready)) as names:
        return int(names.load()["clients"]) - 1


class Client:
    """A client in a process of its own, which counts once at first, and once whenever it is told."""

    def __init__(self, uri: str) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-c", CLIENT, uri],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )
        self.pid = self._popen.pid

    def count(self, told: bool = True) -> int:
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        if told:
            self._popen.stdin.write("\n")
            self._popen.stdin.flush()
        return int(self._popen.stdout.readline())

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *reason: object) -> None:
        self._popen.kill()
        self._popen.communicate()


# -- a session that the broker has forgotten -----------------------------------------------------------------


def test_what_a_broker_refuses_because_it_knows_no_such_session_did_not_run() -> None:
    with StandInBroker() as broker:
        connection = Connection(Location("localhost", broker.port), "bench", b"bench")
        running = connection.start(b"bench", [b"\xc0"])
        pending = connection.start(b"bench", [b"\xc0"])
        _until(lambda: broker.has_heard(Kind.CALL))
        body = msgpack.packb({"code": "protocol", "text": "say HELLO first", "hello": True})
        broker.send("client", Kind.REFUSED, [body], call=pending.number)
        with pytest.raises(NotSent, match="did not run"):
            connection.wait(pending)
        assert connection.closed
        with pytest.raises(OutcomeUnknown):
            connection.wait(running)


def test_a_worker_cannot_make_a_client_believe_that() -> None:
    with StandInBroker() as broker:
        connection = Connection(Location("localhost", broker.port), "bench", b"bench")
        pending = connection.start(b"bench", [b"\xc0"])
        _until(lambda: broker.has_heard(Kind.CALL))
        body = msgpack.packb({"code": "protocol", "text": "say HELLO first", "hello": True})
        broker.send("client", Kind.REFUSED, [body], session=connection.session, call=pending.number)
        with pytest.raises(CommunicationError, match="say HELLO"):
            connection.wait(pending)
        assert not connection.closed
        connection.close()


def test_after_a_sleep_only_the_answer_to_a_new_ping_counts() -> None:
    with StandInBroker() as broker:
        connection = Connection(Location("localhost", broker.port), "bench", b"bench")
        link = connection._link
        _until(lambda: broker.has_heard(Kind.DESCRIBE))
        with connection._reading:  # as if everybody slept
            link._overslept(clock_s())
            trusted, heard, first = link.trusted, link.heard, link.next_ping
            broker.send("client", Kind.PONG, session=link.session)
            _until(lambda: link.receive() is not None)
            assert link.heard > heard
            assert link.trusted == trusted
        connection.refresh(10)
        assert link.trusted > trusted
        assert link.next_ping > first
        connection.close()


# -- stale calls ---------------------------------------------------------------------------------------------


def test_an_old_stamp_is_renewed_and_the_call_sent_again(lab: Process) -> None:
    with Proxy(f"PYRONAME:bench@localhost:{lab.ready}") as bench:
        before = bench.count()
        _connection(bench)._link._ahead_ms -= 6000
        assert bench.count() == before + 1
        assert _connection(bench)._link.stamp() > 0
        asyncio.run(_with_an_old_stamp(lab, before + 2))


async def _with_an_old_stamp(lab: Process, expected: int) -> None:
    async with AsyncProxy(f"PYRONAME:bench@localhost:{lab.ready}") as bench:
        await bench._pyroBind()
        connection = bench._side.attachment.connection
        assert connection is not None
        connection._link._ahead_ms -= 6000
        assert await bench.count() == expected


def test_a_call_that_lay_in_a_buffer_does_not_run_and_is_not_sent_again(lab: Process) -> None:
    with (
        Relay(int(lab.ready)) as relay,
        Proxy(f"PYRONAME:bench@localhost:{lab.ready}") as bench,
        _behind(relay) as cut,
        ThreadPoolExecutor() as pool,
    ):
        before = cut.count()
        relay.hold(Way.UP)
        sent = clock_s()
        late = pool.submit(cut.count)
        _until(lambda: clock_s() - sent > FRESH_S + 0.2)
        relay.let_pass()
        with pytest.raises(StaleCall, match="did not run"):
            late.result()
        assert bench.count() == before + 1


class Attached:
    """An attachment for which nothing can be renewed but once."""

    max_retries = 2
    connection = None
    deadline_s = None

    def __init__(self) -> None:
        self.renewed = 0

    def may_renew(self, error: CommunicationError, used: Connection | None = None) -> bool:
        self.renewed += 1
        return True


@pytest.mark.parametrize(
    ("flags", "errors", "allowed"),
    [
        (Flag.NONE, [LockedError()], [False]),
        (Flag.NONE, [ReservationLost()], [False]),
        (Flag.NONE, [EmergencyStopped()], [False]),
        (Flag.READ, [EmergencyStopped()], [False]),
        (Flag.NONE, [BusyError()], [False]),
        (Flag.NONE, [CallTimedOut()], [False]),
        (Flag.NONE, [OutcomeUnknown()], [False]),
        (Flag.NONE, [NotSent(), NotSent()], [True, False]),
        (Flag.NONE, [ServiceGone(), NotSent()], [True, False]),
        (Flag.NONE, [StaleCall()], [False]),  # there is no connection on which to hear what time it is
        (Flag.READ, [BusyError()] * 3, [True, True, False]),
        (Flag.READ, [ConnectionClosedError()] * 4, [True, True, True, False]),
    ],
)
def test_what_is_tried_again(flags: int, errors: list[CommunicationError], allowed: list[bool]) -> None:
    retries = Retries(Attached(), flags, 0, clock_s())
    assert [retries.allowed_after(error) for error in errors] == allowed


# -- what has become of a call -----------------------------------------------------------------------------

CALL_ID = r"[0-9a-f]{16}/\d+"


def test_the_error_names_the_call_and_says_what_to_type(lab: Process) -> None:
    with Proxy(f"PYRONAME:bench@localhost:{lab.ready}") as bench:
        with timeout(0.3), pytest.raises(CallTimedOut) as caught:
            bench.sleep(1.0)
        assert re.fullmatch(CALL_ID, caught.value.call_id)
        assert caught.value.call_id.startswith(f"{_connection(bench).session:016x}/")
        assert f'proxy._pyroStatus("{caught.value.call_id}")' in str(caught.value)
        assert bench._pyroStatus(caught.value) == "running"
        assert bench.status(caught.value.call_id) == "running"
        _until(lambda: bench.status(caught.value) == "done")
        asyncio.run(_ask_in_a_loop(lab, caught.value))


async def _ask_in_a_loop(lab: Process, error: OutcomeUnknown) -> None:
    async with AsyncProxy(f"PYRONAME:bench@localhost:{lab.ready}") as bench:
        assert await bench.status(error) == "done"
        assert await bench._pyroStatus(error.call_id) == "done"
        with timeout(0.2), pytest.raises(CallTimedOut) as caught:
            await bench.sleep(0.5)
        assert re.fullmatch(CALL_ID, caught.value.call_id)
        assert await bench.status(caught.value) == "running"


def test_a_lost_connection_says_of_which_call_nobody_knows(relay: Relay, bench: Any) -> None:
    with _behind(relay) as cut, ThreadPoolExecutor() as pool:
        running = pool.submit(cut.sleep, 0.5)
        _until(lambda: is_busy(bench))
        relay.reset()
        with pytest.raises(OutcomeUnknown, match="_pyroStatus") as caught:
            running.result()
        _until(lambda: bench.status(caught.value) == "done")
        assert cut.status(caught.value) == "done"
        futures = cut.sleep.future(0.3)
        _until(lambda: is_busy(bench))
        relay.reset()
        with pytest.raises(OutcomeUnknown) as caught:
            futures.result()
        assert re.fullmatch(CALL_ID, caught.value.call_id)


def test_a_killed_worker_says_so_too_and_its_successor_has_never_seen_the_call() -> None:
    with start_broker() as broker:
        name = f"PYRONAME:bench@localhost:{broker.ready}"
        with Proxy(name) as bench, Proxy(name) as other:
            with (
                start_worker(broker.ready, "services.bench:Bench=bench") as worker,
                ThreadPoolExecutor() as pool,
            ):
                running = pool.submit(bench.sleep, 60)
                _until(lambda: is_busy(other))
                worker.kill()
                with pytest.raises(OutcomeUnknown) as caught:
                    running.result()
                assert re.fullmatch(CALL_ID, caught.value.call_id)
            with start_worker(broker.ready, "services.bench:Bench=bench"):
                assert bench.status(caught.value) == "never seen"


@pytest.mark.parametrize("nonsense", ["", "17", "c0ffee/1", "0" * 16 + "/0", 17, None, OutcomeUnknown("?")])
def test_what_is_no_call_is_a_clear_error(lab: Process, nonsense: Any) -> None:
    with (
        Proxy(f"PYRONAME:bench@localhost:{lab.ready}") as bench,
        pytest.raises(ValueError, match="no id of a call"),
    ):
        bench.status(nonsense)


def test_a_deadline_that_is_too_short_to_find_out_sends_nothing(relay: Relay, bench: Any) -> None:
    with _behind(relay) as cut:
        before = cut.count()
        relay.hold()
        _until(lambda: _connection(cut).doubtful(clock_s()))
        with timeout(0.05), pytest.raises(CallExpired, match="was not sent"):
            cut.count()
        relay.let_pass()
        assert cut.count() == before + 1
        assert bench.count() == before + 2


def _hang_up_on_everybody(context: zmq.Context[zmq.Socket[bytes]], port: int, times: int) -> None:
    """Listen there, and close at the first word; again and again."""
    for _ in range(times):
        with context.socket(zmq.ROUTER) as router:
            router.setsockopt(zmq.LINGER, 0)
            router.setsockopt(zmq.RCVTIMEO, 20_000)
            while True:
                try:
                    router.bind(f"tcp://127.0.0.1:{port}")
                    break
                except zmq.ZMQError:
                    time.sleep(0.005)  # the one before it is still being closed
            router.recv()


def test_a_call_whose_connection_ends_while_it_is_made_was_not_executed() -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with context, context.socket(zmq.ROUTER) as first:
        port = first.bind_to_random_port("tcp://127.0.0.1")
        first.close(0)
        listening = threading.Thread(target=_hang_up_on_everybody, args=(context, port, 6))
        listening.start()
        for _ in range(3):
            with pytest.raises(NotExecuted), Proxy(f"PYRO:bench@127.0.0.1:{port}") as bench:
                bench.move(1)
        while listening.is_alive():
            with contextlib.suppress(CommunicationError), Proxy(f"PYRO:bench@127.0.0.1:{port}") as bench:
                bench.move(1)
        listening.join()
