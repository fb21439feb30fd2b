"""Write the golden vectors and the hex dumps of `docs/protocol.md` anew: `python tests/vectors/write.py`.

Run it after a change of the protocol that you meant; the difference that git shows is the change on the wire.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from vectors.dump import dump  # noqa: E402 - found by the line above when this file is a script
from vectors.transcript import Message, transcript  # noqa: E402

VECTORS = Path(__file__).with_name("messages.json")
PAGE = ROOT / "docs" / "protocol.md"
_BLOCK = re.compile(r"<!-- vector: (?P<name>[\w-]+) -->\n```text\n.*?```\n", re.DOTALL)


def as_json(message: Message) -> dict[str, Any]:
    """A vector: who says it, the fields of its header, and all its frames in hexadecimal digits."""
    header: dict[str, Any] = {}
    if message.name != "other-version":
        header = message.envelope._asdict()
        header["session"] = f"{message.envelope.session:016x}"
        header["target"] = message.envelope.target.decode()
    return {
        "name": message.name,
        "from": message.sender,
        "to": message.receiver,
        "about": message.about,
        "header": header,
        "frames": [frame.hex() for frame in (message.header, *message.frames)],
    }


def vectors_text(messages: list[Message]) -> str:
    """The content of `messages.json`."""
    return json.dumps([as_json(each) for each in messages], indent=1, ensure_ascii=False) + "\n"


def page_text(page: str, messages: list[Message]) -> str:
    """The page with its dumps made anew."""
    named = {message.name: message for message in messages}

    def replace(block: re.Match[str]) -> str:
        return f"<!-- vector: {block['name']} -->\n```text\n{dump(named[block['name']])}```\n"

    return _BLOCK.sub(replace, page)


def main() -> None:
    messages = transcript()
    VECTORS.write_text(vectors_text(messages), encoding="utf-8")
    PAGE.write_text(page_text(PAGE.read_text(encoding="utf-8"), messages), encoding="utf-8")


if __name__ == "__main__":
    main()
