"""Examples about objects: how they are hosted, handed out, called back, and what travels of them."""

from __future__ import annotations

import re

from thirdparty.pyro5.steps import SIDE_BY_SIDE, Await, Either, End, Play, Run, Start, Type, served, times
from thirdparty.pyro5.swap import Edit

AUTOPROXY = Play(
    "autoproxy",
    [
        Start("server.py", says=["Thingy 1 says: I am the first", "Thingy 2 says: I am second"]),
        Run("client.py", ["{server}"], says=["Creating things", re.compile(r"<\S*Proxy.*PYRO:"), "Speaking"]),
        Await("server", "Thingy 3 says: I am last then..."),
    ],
)

BANKS = Play(
    "banks",
    [
        Start("server.py", until="Banks are ready for customers.", says=["example.banks.abn"]),
        Run(
            "client.py",
            says=[
                re.compile(r"(?s)(?=.*Failed: insufficent balance)"),
                "Contacting bank: example.banks.",
                *(
                    "is doing business with",
                    "Balance=700.75",
                    *times(2, "Failed as expected: 'unknown account'"),
                )
                * 4,
                *("The accounts in the", "Irmen : ", "Suzy : ") * 2,
            ],
        ),
    ],
)

BLOB_DISPATCH = Play(
    "blob-dispatch",
    [
        Start(
            "dispatcher/dispatcher.py",
            until=served(),
            says=["New listener for topic weather registered: PYRO:", "Dispatching blob with name: weather"],
        ),
        Start("listeners/main.py", args=["weather"], until="waiting for data."),
        Run("client/client.py", ["weather", ""], says=["processed"]),
        Await("main", re.compile(r"Received custom data \(type=.*CustomData.*\n +a=42, b=hello world, c=20")),
    ],
)

CALLBACK = [
    Play(
        "callback",
        [
            Start("server.py", until=served()),
            Run("client.py", says=["creating a bunch of workers", *times(5, "work is done!"), "done!"]),
        ],
    ),
    Play(
        "callback, with errors",
        [
            Start(
                "server2.py",
                until=served(),
                tracebacks=True,
                says=[
                    "doing callback 1",
                    "got an exception from the callback:",
                    "ZeroDivisionError",
                    "doing callback 2",
                    "got an exception from the callback:",
                    "ZeroDivisionError",
                ],
            ),
            Start("client2.py", until="waiting for callbacks", tracebacks=True, says=["callback 1 received"]),
            Await("server2", "server: callbacks done."),
            Await("client2", re.compile(r"(?s)callback 2 received.*ZeroDivisionError")),
        ],
        folder="callback",
    ),
]

CHATBOX = Play(
    "chatbox",
    [
        Start(
            "server.py",
            until=served(),
            says=["CREATING NEW CHANNEL talk", "ann JOINED talk", "bob JOINED talk"],
        ),
        Start("client.py", ["talk", "ann"], name="ann", until="Ready for input!", ends=True, says=["Exit."]),
        Start(
            "client.py",
            ["talk", "bob"],
            name="bob",
            until="Ready for input!",
            ends=True,
            says=[
                "are on the server: ann",
                "channels already exist: talk",
                "this channel: ann, bob",
                "Exit.",
            ],
        ),
        Await("ann", "[SERVER] ** bob joined **"),
        Type("bob", "hello all"),
        Await("ann", "[bob] hello all"),
        Type("bob", "/quit"),
        Await("ann", "[SERVER] ** bob left **"),
        Type("ann", "/quit"),
        Await("server", re.compile(r"(?s)(?=.*ann LEFT talk)(?=.*bob LEFT talk).*REMOVED CHANNEL talk")),
    ],
    adapted=(  # nobody types a nickname before the daemon in the other thread has the object
        Edit(
            "client.py",
            r"(    def start\(self\):\n)",
            r"\1        while not hasattr(self, '_pyroDaemon'): threading.Event().wait(0.01)\n",
        ),
    ),
)

CIRCULAR = Play(
    "circular",
    [
        Start("servA.py", until="Server started A", says=["I'm A, passing to B", "Back at A"]),
        Start("servB.py", until="Server started B"),
        Start("servC.py", until="Server started C"),
        Run(
            "client.py",
            says=["['passed on from A', 'passed on from B', 'passed on from C', 'complete at A']"],
        ),
    ],
    not_yet=SIDE_BY_SIDE,
)

CUSTOM_SERIALIZATION = Play(
    "custom-serialization",
    [
        Start(
            "server.py",
            says=[
                "{deserializer hook, converting to class",
                "method called, arg= <Thingy @",
                "{serializer hook, converting to dict: <Thingy @",
                "othermethod called, arg= <OtherThingy @",
            ],
        ),
        Run(
            "client.py",
            ["{server}"],
            says=[
                "{serializer hook, converting to dict: <Thingy @",
                "response object: <class 'mycustomclasses.Thingy'>",
                "number=999>",
                "response object: <class 'mycustomclasses.OtherThingy'>",
                "number=999>",
            ],
        ),
    ],
)

DIFFIE_HELLMAN = Play(
    "diffie-hellman",
    [
        Start("server.py", until=served(), says=["New KeyExchange", re.compile(r"key =  [0-9a-f]{64}\b")]),
        Run("client.py", says=["got server public key", re.compile(r"key =  [0-9a-f]{64}\b")]),
    ],
)

INSTANCEMODE = Play(
    "instancemode",
    [
        Start("server.py", until=served(3), says=["created SingleInstance instance"]),
        Run(
            "client.py",
            says=[
                re.compile(r"PERCALL.*\n(?:\d+\n){9}"),
                re.compile(r"SESSION.*\n(\(.*\))\n\1\n\1\n \.\.new proxy\.\.\n(\(.*\))\n\2\n\2\n"),
                re.compile(r"SINGLE.*\n(\d+)\n(?:\1\n){8}"),
            ],
        ),
    ],
)

NONAMESERVER = Play(
    "nonameserver",
    [
        Start("server.py", until=re.compile(r"PYRO:obj_\S+@\S+\s+PYRO:example\.quotegen@\S+\s")),
        Run(
            "client.py",
            ["{server[0]}"],
            name="client 1",
            says=["Getting some quotes...", re.compile(r"\w{4}")],
        ),
        Run(
            "client.py",
            ["{server[1]}"],
            name="client 2",
            says=["Getting some quotes...", re.compile(r"\w{4}")],
        ),
    ],
)

RESOURCETRACKING = Play(
    "resourcetracking",
    [
        Start("server.py", says=["service: allocated resource", "Resource: closing"]),
        Run(
            "client.py", ["{server}", ""], says=["allocating resource...", "allocated resources: []", "done."]
        ),
        Await("server", re.compile(r"client disconnects: .*\n +resources:  \[\]")),
        Start("client.py", ["{server}"], name="rude client", until="hit Enter now"),
        End("rude client"),
        Await("server", re.compile(r"(?s)resources:  \['.*?', '.*?'\](?:.*Resource: closing){2}")),
    ],
    edits=(Edit("server.py", r"conn\.sock\.getpeername\(\)", "conn"),),
    why="a client has no socket at the daemon",
)

SHOPPINGCART = Play(
    "shoppingcart",
    [
        Start(
            "shopserver.py", until=served(), says=["Customer Harry enters", "they are trying to shoplift!"]
        ),
        Run(
            "clients.py",
            code=1,
            tracebacks=True,
            says=[
                "Customers currently in the shop: ['Harry', 'Sally', 'shoplifter']",
                "Harry payed. The cart now contains: []",
                "Receipt for Harry.",
                "Sally payed. The cart now contains: []",
                "Receipt Date:",
                "Shoplifter is leaving.",
                "attempt to steal a full cart prevented",
                "which should fail because the cart does no longer exist.",
                "Traceback",
            ],
        ),
    ],
)

THIRDPARTYLIB = [
    Play(
        "thirdpartylib",
        [
            Start("server.py", says=["Awesome object is called with:  how are you?"]),
            Run("client.py", ["{server}"], says=["awesome", "couldn't call weird() due to serial", "boo"]),
        ],
    ),
    Play(
        "thirdpartylib, with an adapter",
        [
            Start("server2.py", says=["Adapter class is called..."]),
            Run("client.py", ["{server2}"], says=["awesome", "weird awesome", "couldn't call private()"]),
        ],
        folder="thirdpartylib",
    ),
]

USERSESSION = Play(
    "usersession",
    [
        Start(
            "server.py",
            until=served(2),
            says=[
                "[SessionboundDatabase] new instance and connection for user: user123",
                "stores: number = 42",
            ],
        ),
        Run(
            "client.py",
            ["", ""],
            tracebacks=Either(True, False),
            says=[
                "Sequential access using multiple proxies on the Session-Bound",
                "Sequential access using multiple proxies on the Singleton",
                "Multiple concurrent proxies on the Session-Bound",
                *times(6, "num=10"),
                "Multiple concurrent proxies on the Singleton",
                Either("concurrent connection access", "num=10"),
            ],
        ),
    ],
)

_VISIT = ["mirror", "bike", "", ""]

_VISITS = ["This is Janet.", "'couch']", "'mirror']", "come again!", "This is Henry.", "come again!"]

WAREHOUSE = [
    Play(
        "warehouse, phase 2",
        [
            Start("phase2/warehouse.py", says=["Janet stored the mirror.", "Janet took the bike."]),
            Run("phase2/visit.py", ["{warehouse}", *_VISIT], says=_VISITS),
        ],
        folder="warehouse",
    ),
    Play(
        "warehouse, phase 3",
        [
            Start(
                "phase3/warehouse.py",
                until=served(),
                says=["Janet stored the mirror.", "Janet took the bike."],
            ),
            Run("phase3/visit.py", _VISIT, says=_VISITS),
        ],
        folder="warehouse",
    ),
]


OBJECTS: list[Play] = [
    AUTOPROXY,
    BANKS,
    BLOB_DISPATCH,
    *CALLBACK,
    CHATBOX,
    CIRCULAR,
    CUSTOM_SERIALIZATION,
    DIFFIE_HELLMAN,
    INSTANCEMODE,
    NONAMESERVER,
    RESOURCETRACKING,
    SHOPPINGCART,
    *THIRDPARTYLIB,
    USERSESSION,
    *WAREHOUSE,
]
