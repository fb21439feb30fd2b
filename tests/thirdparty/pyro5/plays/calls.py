"""Examples about calls: how they are made, how long they take, what is raised, what goes with them."""

from __future__ import annotations

import re

from thirdparty.pyro5.steps import (
    ANYTHING,
    REMOTE,
    SIDE_BY_SIDE,
    Await,
    Either,
    End,
    Play,
    Run,
    Start,
    served,
    times,
)
from thirdparty.pyro5.swap import Edit, without_serpent, without_socketutil

ATTRIBUTES = Play(
    "attributes",
    [
        Start("server.py"),
        Run(
            "client.py",
            ["{server}"],
            says=[
                "p.prop_value= 42",
                "p.prop_value= 542",
                "actual remote value:  542",
                "calling p.__dunder__()....:  yep",
                "accessing p.sub",
                "ok, got expected error",
                "accessing p.value",
                "ok, got expected error",
                "accessing p._value",
                "ok, got expected error",
                "accessing p.__value",
                "ok, got expected error",
                "p.prop_sub= {'name': 'value'}",
                "p.prop_sub= {'name': 'value'}   (should be unchanged!)",
                "ok, got expected error (local only)",
            ],
        ),
    ],
)

AUTORETRY = Play(
    "autoretry",
    [
        Start("server.py", until=served(), says=times(5, "calling add")),
        Run(
            "client.py",
            says=[
                "3rd time (will raise an exception)",
                Either("Got exception", ANYTHING),
                "enable the auto retry",
                "3rd time (will not raise any exceptions)",
            ],
        ),
        Await("server", "calling add: 3, 3"),
    ],
)

_GONE = "a service that has ended is a `ServiceGone`, or an `OutcomeUnknown` if the call had begun"
AUTORECONNECT = [
    Play(
        "autoreconnect",
        [
            Start("server.py"),
            Start("client.py", ["{server}"], until="Sleeping 1 second"),
            End("server"),
            Await("client", "REBINDING"),
            Start("server.py", name="server again"),
            Await("server again", "Method called with 42"),
        ],
        edits=(
            Edit(
                "client.py",
                "except Pyro5.errors.ConnectionClosedError",
                "except Pyro5.errors.CommunicationError",
            ),
        ),
        why=_GONE,
    ),
    Play(
        "autoreconnect, by name",
        [
            Start("serverNS.py", until="Server started.", says=["There was no previous registration"]),
            Start("clientNS.py", until="Sleeping 1 second"),
            End("serverNS"),
            Await("clientNS", "REBINDING"),
            Start("serverNS.py", name="server again", until="Server started.", says=["Object still exists"]),
            Await("server again", "Method called with 42"),
        ],
        folder="autoreconnect",
        edits=(
            Edit(
                "clientNS.py",
                "except Pyro5.errors.ConnectionClosedError",
                "except Pyro5.errors.CommunicationError",
            ),
        ),
        why=_GONE,
    ),
]

BATCHEDCALLS = Play(
    "batchedcalls",
    [
        Start("server.py", says=["end of normal calls", "beginning batch #1", "end of batch #1"]),
        Run(
            "client.py",
            ["{server}"],
            tracebacks=True,
            says=[
                "Normal remote calls...",
                "Batched remote calls...",
                "batched calls were",
                "there will be no result values",
                "oneway batched calls were",
                "100//3 = 33",
                "100//2 = 50",
                "100//1 = 100",
                "A divide by zero error occurred during the batch! (expected)",
                "ZeroDivisionError",
                REMOTE,
            ],
        ),
        Await("server", re.compile(r"(?s)beginning batch #2.*end of batch #2")),
    ],
    adapted=(Edit("client.py", "20000", "2000"),),
)

BENCHMARK = Play(
    "benchmark",
    [
        Start("server.py"),
        Run("client.py", ["{server}"], says=["call #1, 1000", "call #12, 1000", "total method calls: 12000"]),
        Run(
            "connections.py",
            ["{server}"],
            says=["200 connections in", "200 new proxy calls in", "1000 calls in"],
        ),
    ],
    adapted=(Edit("connections.py", "000$", "00"),),
    edits=without_socketutil("server.py"),
    why="no `Pyro5.socketutil`: a daemon needs no address",
)

CALLCONTEXT = Play(
    "callcontext",
    [
        Start(
            "server.py",
            says=[
                "Got Message: hi there - new",
                re.compile(r"context\.correlation_id: [0-9a-f]{8}-"),
                "'XYZZ': b'custom annotation from client (1)'",
                "Got Message: hi there ONEWAY",
                re.compile(r"context\.correlation_id: [0-9a-f]{8}-"),
            ],
        ),
        Run(
            "client.py",
            ["{server}"],
            says=[
                "correlation id set to:",
                "normal call",
                "DDAA -> b'custom response annotation set by the daemon'",
                re.compile(r"oneway call\nAnnotations in response were: \n\(should be an empty result"),
            ],
        ),
        Await("server", "'XYZZ': b'custom annotation from client (2)'"),
    ],
)

ECHOSERVER = Play(
    "echoserver",
    [
        Start("echoserver.py", ends=True),
        Run(
            "client.py",
            ["{echoserver}"],
            tracebacks=True,
            says=[
                "got back from the server: hello",
                "got back from the server: [1, 2, 3, 4]",
                "remote iterator: one",
                "remote iterator: three",
                "caught an exception (expected)",
                "ValueError",
                REMOTE,
                "shutting down",
            ],
        ),
    ],
)

EXCEPTIONS = Play(
    "exceptions",
    [
        Start("server.py", until=served(), says=[Either("ERROR IN METHOD CALL USER CODE", ANYTHING)]),
        Run(
            "client.py",
            code=1,
            tracebacks=True,
            says=[
                "0.2222",
                "DIVIDE BY ZERO:",
                "DIVIDE BY ZERO:",
                "VALUERROR:  a valueerror! Great!",
                "ValueError('a valueerror! Great!'), a valueerror! Great!",
                "ANOTHER ERROR:  a runtime error!",
                "oneway call simply succeeded",
                "UNSERIALIZABLE ERROR:",
                "CAUGHT ERROR  >>>  unsupported operand",
                "Printing Pyro traceback",
                REMOTE,
                "in crash2",
                "end of Pyro traceback",
                "not catching anything",
                REMOTE,
                "in crash2",
            ],
        ),
    ],
)

HUGETRANSFER = Play(
    "hugetransfer",
    [
        Start("server.py", says=["received 5242880 bytes", "using chunks of size 200000"]),
        Run(
            "client.py",
            ["{server}"],
            says=[
                *("with string data", "seconds to transfer 50 mb"),
                *("with byte data", "seconds to transfer 50 mb"),
                *("with bytearray data", "seconds to transfer 50 mb"),
                *("download via iterator", "seconds to transfer 50 mb"),
            ],
        ),
    ],
    edits=(
        *without_socketutil("server.py"),
        *without_serpent("server.py"),
        *without_serpent("client.py"),
    ),
    why="no `Pyro5.socketutil`: a daemon needs no address; no serpent: bytes arrive as bytes",
)

MAXSIZE = Play(
    "maxsize",
    [
        Start("echoserver.py"),
        Run(
            "client.py",
            ["{echoserver}"],
            # Pyro5 itself fails at this: it raises another error than the example waits for.
            code=Either(1, 0),
            tracebacks=Either(True, False),
            says=[
                "success.",
                "a limit on message size",
                Either("message too large", "EXCEPTION (expected):"),
            ],
        ),
    ],
)

ONEWAY = [
    Play(
        "oneway",
        [
            Start("server.py", until=served(), says=["start request received", "work is done!"]),
            Run(
                "client.py",
                says=[
                    "oneway calls done",
                    "server done?",
                    Either("no, trying again", ANYTHING),
                    "yes!",
                    "the result from the server: The result :)",
                ],
            ),
            Await("server", "work work.. 2"),
        ],
    ),
    Play(
        "oneway, and counting",
        [
            Start("server2.py", until=served()),
            Run(
                "client2.py",
                says=[
                    "counter in server is now:  3",
                    "counter is now:  3",
                    "are still being processed in the background",
                    "counter is now:  6",
                ],
            ),
        ],
        folder="oneway",
        not_yet=SIDE_BY_SIDE,
    ),
]

SERVERTYPES = Play(
    "servertypes",
    [
        Start("server.py", ["t"], until=served()),
        Run(
            "client.py",
            says=[
                "Number of completed calls in the server: 0",
                *times(5, "call processed by:"),
                "Number of completed calls in the server: 10",
                "Creating 5 threads",
                *times(5, "called delay, processed by"),
                "Done. Number of completed calls in the server: 5",
            ],
        ),
    ],
    not_yet=SIDE_BY_SIDE,
)

_NUMBERS = "[1, 2, 3, 4, 5, 6, 7, 8, 9]"

STREAMING = Play(
    "streaming",
    [
        Start("server.py", says=["iter-streaming has been enabled"]),
        Run(
            "client.py",
            ["{server}"],
            says=[
                *("normal list:", _NUMBERS),
                *("via iterator:", _NUMBERS),
                *("via generator:", _NUMBERS),
                *("slow generator:", "1\n2\n3\n4\n5\n6\n7\n8\n9\n"),
            ],
        ),
    ],
)

_SHARED = "You should not see this"

THREADPROXYSHARING = Play(
    "threadproxysharing",
    [
        Run(
            "client.py",
            allowed=[_SHARED],
            says=[
                "Main thread:",
                Either("Expected exception in thread", f"{_SHARED}!! the call succeeded in thread"),
                "Solution 1. The call succeeded",
                "Solution 2. The call succeeded",
                Either("Expected exception in thread", f"{_SHARED}!! the call succeeded in thread"),
            ],
        )
    ],
)

TIMEOUT = Play(
    "timeout",
    [
        Start("server.py", until="Server ready."),
        Start(
            "client.py",
            until="Feel free to abort",
            says=[
                "No timeout is configured. Calling delay with 2 seconds.",
                "Timeout set to 1 seconds. Calling delay with 2 seconds.",
                "TimeoutError! As expected!",
                "COMMTIMEOUT is set globally.",
                "TimeoutError! As expected!",
                "No timeout is configured. Calling delay with 3 seconds.",
                "Trying to connect to the frozen daemon.",
                "TimeoutError! As expected!",
            ],
        ),
        End("client"),
    ],
    not_yet=SIDE_BY_SIDE,
)


CALLS: list[Play] = [
    ATTRIBUTES,
    AUTORETRY,
    *AUTORECONNECT,
    BATCHEDCALLS,
    BENCHMARK,
    CALLCONTEXT,
    ECHOSERVER,
    EXCEPTIONS,
    HUGETRANSFER,
    MAXSIZE,
    *ONEWAY,
    SERVERTYPES,
    STREAMING,
    THREADPROXYSHARING,
    TIMEOUT,
]
