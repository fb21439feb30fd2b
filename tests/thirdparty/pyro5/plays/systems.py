"""Examples of several processes that work together, and of the name server."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from thirdparty.pyro5.steps import SIDE_BY_SIDE, Await, End, Play, Run, Start, served, times
from thirdparty.pyro5.swap import Edit, without_socketutil

DISTRIBUTED_COMPUTING = [
    Play(
        "distributed-computing",
        [
            Start("dispatcher.py", until=served()),
            Start("worker.py", name="worker 1", until="getting work from dispatcher", says=["factorizing"]),
            Start("worker.py", name="worker 2", until="getting work from dispatcher", says=["factorizing"]),
            Run(
                "client.py",
                says=[
                    "placing work items",
                    *times(40, "Got result: <Workitem id="),
                    "Computed Prime Factorials follow:",
                    re.compile(r"\d+ --> \[\d+"),
                ],
            ),
        ],
        adapted=(Edit("client.py", r"\b4?999999\b", "9999"),),
        not_yet=SIDE_BY_SIDE,
    ),
    Play(
        "distributed-computing2",
        [
            Start("servers.py", until="Spinning up 5 word counters", says=["Collecting 19 results"]),
            Run("wait_for.py", args=["example.dc2.dispatcher"]),
            Run("client.py", says=["(book text", *("Top five words:", "said (", "Time taken:") * 2]),
        ],
    ),
    Play(
        "distributed-computing3",
        [
            Start("worker.py", until="Starting up worker", says=["factorize request received for", "-->"]),
            Run("wait_for.py", args=["meta:example3.worker.factorizer"]),
            Run("client.py", says=[re.compile(r"\S+ factorized \d+: \[\d+")] * 100),
        ],
        edits=(
            *without_socketutil("worker.py"),
            Edit("worker.py", "Worker_%d@%s", "Worker_%d.%s"),
            Edit("client.py", r"w\._pyroConnection\.objectId", "w._pyroUri.object"),
        ),
        why="no `Pyro5.socketutil`: a daemon needs no address; no `@` in names; the URI has the object's id",
    ),
]

MANDELBROT = Play(
    "distributed-mandelbrot",
    [
        Start("server.py", args=["1"], name="server 1", until="server #1 ready."),
        Start("server.py", args=["2"], name="server 2", until="server #2 ready."),
        Run("client_asciizoom.py", says=["2 mandelbrot calculation servers found", "FPS time=", "Final FPS"]),
    ],
    adapted=(Edit("client_asciizoom.py", r"duration = 30\.0", "duration = 3.0"),),
)

MESSAGEBUS = [
    Play(
        "messagebus",
        [
            Start("-m messagebus.server", name="bus", until="Server running"),
            Start("subscriber.py", [""], until="Subscribed on weather-forecast"),
            Start("publisher.py", ["Delft"], until="Forecast: ('Delft',"),
            Await(
                "subscriber",
                re.compile(r"GOT MESSAGE:\n +topic: weather-forecast\n(.*\n){2} +data: \('Delft',"),
            ),
            Run(
                "subscriber_manual_consume.py",
                [""],
                says=[
                    "Topics on the bus:  {'weather-forecast'}",
                    *times(5, "PROCESSING MESSAGE:"),
                    "Unsubscribed from the topic.",
                    *times(5, "PROCESSING MESSAGE:"),
                    "End.",
                ],
            ),
        ],
    ),
    Play(
        "messagebus, many topics",
        [
            Start("-m messagebus.server", args=["-s", "memory"], name="bus", until="Server running"),
            Start("manytopics_publisher.py", until="publishing messages"),
            Start(
                "manytopics_subscriber.py", until=re.compile(r"msg\.topic\.\w +: +[1-9]\d* +- .*'message \d")
            ),
        ],
        folder="messagebus",
    ),
]

NAMESERVERSTRESS = Play(
    "nameserverstress",
    [
        Start(
            "stress.py",
            until=re.compile(r"(?:\d ){300}"),
            says=[
                "Removing previous",
                "Break-- waiting for threads to stop.",
                re.compile(r"cleaned up \d+ names"),
            ],
        ),
        End("stress", interrupt=True),
    ],
    edits=(Edit("stress.py", r"Proxy\(nsuri\)", "locate_ns(nsuri.host, nsuri.port)"),),
    why="`regex=` is known to what `locate_ns` returns, not to any `Proxy`",
)

NS_METADATA = Play(
    "ns-metadata",
    [
        Run(
            "example.py",
            says=[
                "all storage:",
                re.compile(r"example\.resource\.(?:disk|tape)storage"),
                "all FAST printers:",
                "example.resource.laserprinter",
                "all storage OR communication devices",
                "example.resource.",
                "(after photoprinter upgrade)",
                re.compile(r"(?s)(?=.*example\.resource\.photoprinter).*?example\.resource\.laserprinter"),
                "all resource types:",
                *times(7, "example.resource."),
                "PYROMETA protocol",
                "bound to candidate:",
                "Pyro.NameServer@localhost:",
                "Proxy for 'any slow printer'",
            ],
        )
    ],
    edits=(
        Edit("example.py", r"class:Pyro5\.nameserver\.NameServer", "class:NameServer"),
        Edit("example.py", r"nameserver\._pyroUri", "resolve(nameserver._pyroUri)"),
        Edit("example.py", r"Daemon, type_meta", "Daemon, resolve, type_meta"),
    ),
    why="the name service is of another class, and a proxy by name keeps its name, to find a successor",
)


def _why_nobody_cannot_serve() -> str:
    """Why a server that becomes the user `nobody` cannot be run here."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "it has to be run by root"
    library = Path(os.__file__)
    hidden = [folder for folder in library.parents if not folder.stat().st_mode & stat.S_IXOTH]
    return f"this Python is in {hidden[0]}, where the user nobody may not read" if hidden else ""


PRIVILEGE_SEPARATION = Play(
    "privilege-separation",
    [
        Start("drop_privs_server.py", says=["Privileges dropped. Server now running as nobody"]),
        Run(
            "drop_privs_client.py",
            ["{drop_privs_server}"],
            says=["'nobody'", "attempting to write a file", "ERROR (expected):"],
        ),
    ],
    not_run=_why_nobody_cannot_serve(),
)

STOCKQUOTES = [
    Play(
        f"stockquotes, phase {number}",
        [
            Start(f"phase{number}/stockmarket.py", until="Stockmarkets available."),
            Start(
                f"phase{number}/viewer.py",
                until=re.compile(r"(?:NASDAQ\.(?:AAPL|MSFT)|NYSE\.IBM): \d+\.\d"),
                says=[
                    "found market example.stockmarket.",
                    "found market example.stockmarket.",
                    "Shown quotes:",
                ],
            ),
        ],
        folder="stockquotes",
    )
    for number in (2, 3)
]


SYSTEMS: list[Play] = [
    *DISTRIBUTED_COMPUTING,
    MANDELBROT,
    *MESSAGEBUS,
    NAMESERVERSTRESS,
    NS_METADATA,
    PRIVILEGE_SEPARATION,
    *STOCKQUOTES,
]
