"""Who did what to which instrument, when, and with what outcome: written down before it happens.

Each process writes files of its own, of JSON lines, that are only ever appended to. A `begun` without an
`ended` is a call whose process did not live to see its end.
"""

from __future__ import annotations

from pyrolab.audit.log import AuditLog
from pyrolab.audit.reading import Entry, entries, latest_first

__all__ = ["AuditLog", "Entry", "entries", "latest_first"]
