"""What has become of an earlier call whose answer was lost: its service remembers for a while."""

from __future__ import annotations

import re
from typing import Any

from pyrolab.errors import OutcomeUnknown
from pyrolab.protocol.envelope import Flag

#: Asked beside whatever is running, and also of a service that somebody else has reserved.
FLAGS = Flag.URGENT | Flag.READ

_CALL_ID = re.compile(r"([0-9a-f]{16})/([0-9]{1,20})")


def parse_call_id(call: Any) -> list[int]:
    """The session and the number of a call, given as its id or as the error that says its outcome is unknown.

    Raises `ValueError` for anything else.
    """
    text = call.call_id if isinstance(call, OutcomeUnknown) else call
    found = _CALL_ID.fullmatch(text) if isinstance(text, str) else None
    number = int(found[2]) if found is not None else 0
    if found is None or not 0 < number < 1 << 64:
        raise ValueError(
            f"{text!r:.60} is no id of a call; give the OutcomeUnknown error, or its call_id, "
            "such as '00c0ffee00c0ffee/17'"
        )
    return [int(found[1], 16), number]
