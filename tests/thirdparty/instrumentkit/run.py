"""`python tests/thirdparty/instrumentkit/run.py DIR`: InstrumentKit's tests through proxies, counted.

DIR is a source tree of https://github.com/instrumentkit/InstrumentKit (AGPL, so nothing of it is kept here).
What it needs must be installed: pint, pyserial, pyusb, python-usbtmc, python-vxi11, pyvisa, ruamel.yaml; for
its tests, hypothesis and pytest-mock. It need not be installed itself, but its build makes `_version.py`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from thirdparty.suite import run


def main() -> int:
    """Run, and print the counts and every failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="a source tree of InstrumentKit")
    parser.add_argument("tests", nargs="*", default=["tests"], help="files or folders in it")
    parser.add_argument("--output", action="store_true", help="print all that pytest says")
    arguments = parser.parse_args()
    source = arguments.source.resolve()
    result = run("thirdparty.instrumentkit.plugin", source, arguments.tests, imports=[source, source / "src"])
    if arguments.output:
        print(result.output)
    result.show()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
