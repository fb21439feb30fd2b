"""`pyrolab ps` shows what brokers say of services, and nothing where none says anything."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from live import bus, start_broker
from pyrolab.cli import loads
from pyrolab.cli.processes import _add_loads, _show_processes
from pyrolab.client.proxy import Proxy

from .conftest import Run

WORKER = {
    "name": "bench",
    "host": "pc",
    "pid": "12",
    "computer": "reachable",
    "process": "alive",
    "driver": "responsive",
    "silent_s": 0.4,
}
STAGE: dict[str, Any] = {
    "names": ["stage"],
    "queued": 3,
    "in_flight": 1,
    "credit": 1,
    "calls": 40,
    "refused": 2,
    "expired": 5,
    "p50_ms": 1.25,
    "p99_ms": 100.0,
    "workers": [WORKER],
    "reserved": None,
}


def load(**services: dict[str, Any]) -> loads.Load:
    return {"clients": 1, "max_clients": 200, "stopped": None, "services": services}


def test_columns() -> None:
    assert loads.columns_of(None) == loads.NOTHING
    assert loads.columns_of(STAGE) == (3, 1, 2, 5, "1.2 / 100.0", "")
    assert loads.columns_of(STAGE | {"p50_ms": None, "p99_ms": None})[4] == ""
    ana = {
        "user": "ana",
        "holder": "ana@pc",
        "since": time.time() - 300,
        "until": None,
        "mode": "reservation",
    }
    assert loads.columns_of(STAGE | {"reserved": ana})[5] == "ana for 5 min"
    assert (
        loads.columns_of(STAGE | {"reserved": ana | {"mode": "transaction"}})[5]
        == "ana for 5 min (transaction)"
    )
    assert len(loads.columns_of({})) == len(loads.COLUMNS)


@pytest.mark.parametrize(
    ("workers", "state"),
    [
        ([], ""),
        ([{}], ""),
        ([{"driver": "hung"}], "hung"),
        ([{"computer": "unreachable", "driver": "hung"}], "unreachable"),
        ([{"process": "gone", "computer": "unreachable", "driver": "hung"}], "gone"),
        ([{"driver": "hung"}, {}], ""),
        ([{"driver": "hung"}, {"process": "gone"}], "hung"),
    ],
)
def test_three_facts_become_a_word(workers: list[dict[str, Any]], state: str) -> None:
    service = STAGE | {"workers": [WORKER | worker for worker in workers]}
    assert loads.state_of(service)[0] == state


def test_a_service_is_found_by_its_object_or_its_name() -> None:
    here, there = load(obj_1=STAGE), load(obj_2=STAGE | {"names": ["laser", "lamp"]})
    assert loads.load_of([here, there], "lamp", "") is there["services"]["obj_2"]
    assert loads.load_of([here, there], "anything", "PYRO:obj_2@localhost:1") is there["services"]["obj_2"]
    assert loads.load_of([here, there], "camera", "") is None
    assert loads.load_of([{}], "camera", "PYRO:x@y") is None


def test_each_worker_of_a_pool_has_a_row() -> None:
    pool = STAGE | {"workers": [WORKER, WORKER | {"pid": "13", "driver": "hung"}]}
    rows = list(loads.rows_of(load(obj_1=pool, obj_2=STAGE | {"names": []})))
    assert [row[:2] for row in rows] == [("stage", "running"), ("", "hung"), ("obj_2", "running")]
    assert rows[1][2:] == (*loads.NOTHING, "pc", "13", "nothing heard for 0.4 s")


def status(address: str, **service: Any) -> dict[str, Any]:
    about = {"since": None, "restarts": 0, "pid": 5, "reason": "", "address": address, "state": "running"}
    stage = {"name": "stage", "state": "running", "uri": "PYRO:obj_1@x:1", "reason": ""} | service
    daemon = {"kind": "daemon", "name": "d", "services": [stage]}
    return {"processes": [about | {"kind": "nameserver", "name": "n", "services": []}, about | daemon]}


@pytest.mark.parametrize("address", ["", "localhost:1", "no host"])
def test_without_a_broker_the_columns_are_empty(capsys: pytest.CaptureFixture[str], address: str) -> None:
    shown = status(address)
    assert _add_loads(shown) == []
    assert shown["processes"][1]["services"][0]["load"] is None
    _show_processes(shown, with_loads=True)
    head, _, _, service = capsys.readouterr().out.splitlines()
    assert " ".join(head.split()[5:]) == "PID QUEUE RUNNING REFUSED EXPIRED P50/P99 ms RESERVED BY WHERE WHY"
    assert service.split() == ["service", "stage", "running", "PYRO:obj_1@x:1"]


def test_what_the_broker_says_is_in_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    shown = status("localhost:1")
    hung = STAGE | {"workers": [WORKER | {"driver": "hung", "silent_s": 12.0}]}
    shown["processes"][1]["services"][0]["load"] = hung
    _show_processes(shown, with_loads=True)
    words = capsys.readouterr().out.splitlines()[3].split()
    assert " ".join(words) == (
        "service stage hung 3 1 2 5 1.2 / 100.0 PYRO:obj_1@x:1 nothing heard for 12.0 s"
    )


def test_what_a_peer_calls_itself_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    shown = status("", name="\x1b[2Jstage\r", reason="two\nlines")
    _add_loads(shown)
    _show_processes(shown, with_loads=True)
    said = capsys.readouterr().out
    assert r"\x1b[2Jstage\r" in said
    assert not set(said) & {"\x1b", "\r"}


# -- with real ones ----------------------------------------------------------------------------------------


def test_a_broker_without_services(pyrolab: Run) -> None:
    with start_broker() as broker:
        shown = pyrolab("ps", "--nameserver", f"localhost:{broker.ready}")
    assert (shown.returncode, shown.stderr) == (0, "")
    (head,) = shown.stdout.splitlines()
    words = "SERVICE STATE QUEUE RUNNING REFUSED EXPIRED P50/P99 ms RESERVED BY HOST PID WHY"
    assert " ".join(head.split()) == words


def test_a_broker_that_is_not_there_is_said_if_one_asks_for_it(pyrolab: Run) -> None:
    shown = pyrolab("ps", "--nameserver", "localhost:1")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert "localhost:1" in shown.stderr


def test_a_broker_with_a_worker(pyrolab: Run) -> None:
    with bus("services.library:Library=library") as broker:
        where = f"localhost:{broker.ready}"
        with Proxy(f"PYRONAME:library@{where}") as library:
            library.add_book("Optics", copies=2)
        shown = pyrolab("ps", "--nameserver", where)
        told = json.loads(pyrolab("ps", "--nameserver", where, "--json").stdout)
    assert (shown.returncode, shown.stderr) == (0, "")
    row = shown.stdout.splitlines()[1].split()
    assert row[:6] == ["library", "running", "0", "0", "0", "0"]
    (service,) = told["services"].values()
    assert service["names"] == ["library"]
    assert service["calls"] >= 1
    assert service["p99_ms"] >= service["p50_ms"] > 0
