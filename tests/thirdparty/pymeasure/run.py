"""`python tests/thirdparty/pymeasure/run.py`: PyMeasure's instrument tests through proxies, counted.

Takes the release that is tested from PyPI, or, with `--source DIR`, any source tree of PyMeasure.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from thirdparty.sdist import PYMEASURE, NotToBeHad
from thirdparty.suite import run


def main() -> int:
    """Run, and print the counts and every failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, help="a source tree of PyMeasure")
    parser.add_argument("tests", nargs="*", default=["tests/instruments"], help="files or folders in it")
    arguments = parser.parse_args()
    try:
        source = arguments.source or PYMEASURE.folder()
    except NotToBeHad as reason:
        print(reason, file=sys.stderr)
        return 2
    run("thirdparty.pymeasure.plugin", source.resolve(), arguments.tests).show()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
