"""The examples of what PyroLab has not, on purpose, and those that need a screen or further libraries."""

from __future__ import annotations

from thirdparty.pyro5.steps import Play, Run, Start

_OWN_SOCKETS = "its server waits at the daemon's own sockets, and PyroLab's daemon has none: it connects out"

ABSENT = [
    Play(
        "disconnects",
        [
            Start("server.py"),
            Run(
                "client.py", ["{server}", ""], says=["result = 12345", "<proxy: ping reply", "result = 12345"]
            ),
        ],
        absent="it sends messages of Pyro5's wire protocol; here, proxies watch their connection themselves",
    ),
    Play("eventloop", absent=_OWN_SOCKETS),
    Play(
        "filetransfer",
        [
            Start("server.py"),
            Run("client.py", ["{server}", "", "", "", ""], says=["done,"] * 8),
        ],
        absent=_OWN_SOCKETS + "; arrays and bytes need no second way",
        deadline_s=120,
    ),
    Play(
        "handshake",
        [
            Start("server.py", says=["Secret code okay! Connection accepted.", "Daemon client disconnects:"]),
            Run(
                "client.py",
                ["{server}", "pancakes"],
                says=["['how', 'are', 'you', 'doing']", "Connection ok!"],
            ),
        ],
        absent="clients connect to the broker, so a daemon has no handshake of its own",
    ),
    Play("gui_eventloop", not_run="it needs a screen; " + _OWN_SOCKETS),
    Play("http", absent="there is no HTTP gateway"),
    Play("robots", not_run="it needs a screen"),
    Play(
        "socketpair",
        [
            Run(
                "pair-thread.py",
                says=["server got message:  hello!", "client got reply: thank you", "The end."],
            ),
            Run("pair-fork.py", says=["client got reply: thank you", "The end."]),
        ],
        absent="calls come through the broker, not through sockets that a program hands in",
    ),
    Play("ssl", absent="there is no SSL"),
    Play("timezones", not_run="it needs pytz and pendulum"),
    Play(
        "unixdomainsock",
        [
            Start("server.py"),
            Run("client.py", ["{server}"], says=["Response was: Roger!"]),
        ],
        absent="the broker listens on TCP only",
    ),
]
