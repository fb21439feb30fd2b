"""Write `values.json` and the examples of `docs/values.md` anew: `python tests/vectors/write_values.py`.

Run it after a change of the encoding that you meant; the difference that git shows is the change on the wire.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from vectors.value_examples import page_text, vectors  # noqa: E402 - found by the line above when this file is a script

VECTORS = Path(__file__).with_name("values.json")
PAGE = ROOT / "docs" / "values.md"


def vectors_text() -> str:
    """The content of `values.json`."""
    return json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    VECTORS.write_text(vectors_text(), encoding="utf-8")
    PAGE.write_text(page_text(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
