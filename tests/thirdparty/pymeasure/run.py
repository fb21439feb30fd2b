"""`python tests/thirdparty/pymeasure/run.py`: PyMeasure's instrument tests through proxies, counted.

Takes the release that is tested from PyPI, or, with `--source DIR`, any source tree of PyMeasure.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from thirdparty.pymeasure.suite import run
from thirdparty.sdist import PYMEASURE, NotToBeHad


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
    result = run(source.resolve(), arguments.tests)
    for name in result.all.failed:
        print("failed:", name)
    print(f"passed: {result.all} tests")
    print(f"of those that held a proxy: {result.with_proxy}; of their functions: {result.functions}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
