"""Wait for a server that prints nothing: until the name server knows a name, or `meta:word`."""

import sys
import time

from Pyro5.api import locate_ns


def known(wanted: str) -> bool:
    """Whether it is there."""
    with locate_ns() as names:
        if wanted.startswith("meta:"):
            return bool(names.yplookup(meta_any={wanted[5:]}))
        return wanted in names.list()


while not known(sys.argv[1]):
    time.sleep(0.05)
print(sys.argv[1], "is known")
