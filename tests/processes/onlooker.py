"""`python -m processes.onlooker PORT SOURCE`: a viewer of a source that prints its session and waits."""

from __future__ import annotations

import sys
import threading

from processes.child import prepare
from pyrolab.link.link import Link
from pyrolab.protocol.envelope import Kind, pack
from pyrolab.protocol.names import Location


def main() -> None:
    prepare()
    port, source = map(int, sys.argv[1:3])
    link = Link(Location("localhost", port), "viewer")
    link.send([pack(Kind.ATTACH, session=link.session, target=b"%016x" % source), b"\x80"])
    print(link.session, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
