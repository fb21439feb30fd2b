"""`pyrolab up`, `down` and `ps`: the supervisor, seen from a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pyrolab.cli import loads
from pyrolab.cli.configuration import chosen
from pyrolab.cli.tables import ago, console, show_json, show_table
from pyrolab.config import PyroLabConfiguration
from pyrolab.errors import ConfigurationError
from pyrolab.supervisor import background
from pyrolab.supervisor.control import ask
from pyrolab.supervisor.instance import Record, running
from pyrolab.supervisor.plan import Planned, plan

Status = dict[str, Any]


def up(config: Path | None, foreground: bool, timeout_s: float, simulate: bool = False) -> int:
    """Start everything; returns 0 if every service can be reached."""
    path = chosen(config).absolute()
    planned = _planned(path, simulate)
    found = running()
    if found is not None and (foreground or simulate or found.config != str(path)):
        return _refuse(
            f"PyroLab runs already, as process {found.pid} with {found.config}; `pyrolab down` stops it"
        )
    if foreground:
        return _supervise_here(planned, path)
    return _bring_up(path, found, timeout_s, simulate)


def _planned(path: Path, simulate: bool) -> list[Planned]:
    """What a configuration starts; it is checked here, where the user can read what is wrong."""
    planned = plan(PyroLabConfiguration.from_file(path), simulate)
    if not planned:
        raise ConfigurationError(f"{path} starts nothing; add a service, or look at 'autolaunch'")
    return planned


def _bring_up(path: Path, found: Record | None, timeout_s: float, simulate: bool) -> int:
    record = found or background.start(path, simulate)
    if record.config != str(path):
        return _refuse(f"PyroLab has just been started with {record.config}; `pyrolab down` stops it")
    try:
        with console(error=True).status("starting") as shown:
            status = background.wait_until_settled(
                record, timeout_s, lambda status: shown.update(_progress(status))
            )
    except KeyboardInterrupt:
        _refuse("stopping what has been started")
        background.stop(record)
        raise
    return _conclude(record, status, already=found is not None)


def _refuse(sentence: str) -> int:
    console(error=True).print(sentence)
    return 1


def _progress(status: Status) -> str:
    waiting = [name for name, state, _ in _entries(status) if state in ("waiting", "starting", "restarting")]
    return f"starting {', '.join(waiting[:5])}{' …' if len(waiting) > 5 else ''}"


def _conclude(record: Record, status: Status, already: bool) -> int:
    """Say what became of it, and end what has come to nothing."""
    troubles = list(_troubles(status))
    if not troubles:
        _show_processes(status)
        console().print("PyroLab runs already" if already else "PyroLab is up", style="green")
        return 0
    for trouble in troubles:
        console(error=True).print(trouble)
    alive = ("running", "starting", "restarting", "hung")
    if any(process["state"] in alive for process in status["processes"]):
        console(error=True).print("The rest runs: `pyrolab ps` shows it, `pyrolab down` stops it.")
    else:
        background.stop(record)
        console(error=True).print("Nothing is left running.")
    return 1


def _entries(status: Status) -> Iterator[tuple[str, str, str]]:
    """Everything that has a state: its name, state and reason."""
    for process in status["processes"]:
        yield f"{process['kind']} {process['name']}", process["state"], process["reason"]
        for service in process["services"]:
            yield f"service {service['name']}", service["state"], service["reason"]


def _troubles(status: Status) -> Iterator[str]:
    """One paragraph for each process or service that is not up: what, why, and its last words."""
    for process in status["processes"]:
        if process["state"] != "running":
            yield _paragraph(process["kind"], process, process)
            continue
        for service in process["services"]:
            if service["state"] != "running":
                yield _paragraph("service", service, process)


def _paragraph(kind: str, entry: Status, process: Status) -> str:
    """What is wrong with an entry, and the last lines of its process's log."""
    state = "has failed" if entry["state"] == "failed" else f"is {entry['state']}"
    lines = "".join(f"\n  | {line}" for line in process["last_lines"])
    why = entry["reason"] or "it has not said why"
    return f"The {kind} {entry['name']!r} {state}: {why}{lines}\n  log: {process['log']}"


def _supervise_here(planned: list[Planned], path: Path) -> int:
    from pyrolab.supervisor.process_setup import on_signals
    from pyrolab.supervisor.supervisor import Supervisor

    supervisor = Supervisor(planned, str(path))
    on_signals(supervisor.stop)
    watch = _Watch(supervisor.stop)
    supervisor.run(watch.see)
    return 1 if watch.nothing_left else 0


class _Watch:
    """Prints what changes while the supervisor runs in the foreground."""

    def __init__(self, stop: Callable[[], object]) -> None:
        self._stop = stop
        self._seen: dict[str, tuple[str, str]] = {}
        self.nothing_left = False

    def see(self, status: Status) -> None:
        """Take in a status; when all has failed, there is nothing to stay for."""
        for name, state, reason in _entries(status):
            known = (state, "" if state == "hung" else reason)  # for how long it hangs changes all the time
            if self._seen.get(name) != known:
                self._seen[name] = known
                console().print(f"{name}: {state}{f' ({reason})' if reason else ''}")
        failed = all(process["state"] == "failed" for process in status["processes"])
        if failed and not self.nothing_left:
            self.nothing_left = True
            for trouble in _troubles(status):
                console(error=True).print(trouble)
            self._stop()


def down() -> int:
    """Stop everything; returns 0 if nothing is left."""
    record = running()
    if record is None:
        console().print("PyroLab does not run")
        return 0
    with console(error=True).status("stopping"):
        gone = background.stop(record)
    if not gone:
        return _refuse(f"process {record.pid} does not end; look at `pyrolab ps`, or end it by hand")
    console().print("PyroLab is down")
    return 0


def ps(as_json: bool) -> int:
    """Show what runs; returns 1 if nothing does."""
    record = running()
    if record is None:
        if as_json:
            show_json({"version": 1, "processes": []})
        else:
            console(error=True).print(
                "PyroLab does not run; `pyrolab up` starts it, `pyrolab ps --nameserver HOST` shows another's"
            )
        return 1
    status = ask(record, "status")
    stops = _add_loads(status)
    if as_json:
        show_json(status)
        return 0
    for stop in stops:
        console().print(stop, style="bold red")
    _show_processes(status, with_loads=True)
    return 0


def _add_loads(status: Status) -> list[str]:
    """Note with each service what its broker says of it. Returns the emergency stops that are on."""
    alive = [process for process in status["processes"] if process["state"] in ("running", "hung")]
    found = loads.loads_at(process["address"] for process in alive if process["address"])
    for process in status["processes"]:
        for service in process["services"]:
            service["load"] = loads.load_of(found.values(), service["name"], service["uri"])
    status["brokers"] = {
        address: {key: value for key, value in load.items() if key != "services"}
        for address, load in found.items()
    }
    return list(loads.stops_in(found))


def _show_processes(status: Status, with_loads: bool = False) -> None:
    between = loads.COLUMNS if with_loads else ()
    rows = [row for process in status["processes"] for row in _rows(process, with_loads)]
    show_table(("WHAT", "NAME", "STATE", "FOR", "RESTARTS", "PID", *between, "WHERE", "WHY"), rows)


def _rows(process: Status, with_loads: bool) -> Iterator[tuple[object, ...]]:
    since, restarts = ago(process["since"]), process["restarts"] or ""
    where, why = process["address"], process["reason"]
    between: tuple[object, ...] = loads.NOTHING if with_loads else ()
    about = process["kind"], process["name"], process["state"], since, restarts, process["pid"]
    yield *about, *between, where, why
    for service in process["services"]:
        state, why = service["state"], service["reason"]
        if with_loads:
            between = loads.columns_of(service["load"])
            trouble, how = loads.state_of(service["load"])
            state, why = (trouble, how) if trouble and state == "running" else (state, why)
        yield "  service", service["name"], state, "", "", "", *between, service["uri"], why
