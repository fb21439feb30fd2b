"""Uses the library from any process, once `pyrolab up config.yaml` has started it."""

from __future__ import annotations

from pyrolab.api import Proxy, locate_ns

with locate_ns() as ns:
    uri = ns.lookup("library")
print(f"The library is {uri}")

with Proxy(uri) as catalog:
    catalog.add_book("The Hobbit", 3)
    catalog.add_book("Optics", 1)
    catalog.checkout("The Hobbit")
    catalog.checkout("Optics")
    print(catalog.get_catalog())

    try:
        catalog.checkout("Optics")
    except ValueError as error:
        print(f"Not borrowed: {error}")

    try:
        catalog.checkin("Dune")
    except LookupError as error:
        print(f"Not returned: {error}")
