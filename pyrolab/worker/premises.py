"""What all services of one daemon have in common."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyrolab.worker.auditing import Recorder
from pyrolab.worker.job import Journal
from pyrolab.worker.latch import Latch


@dataclass(frozen=True, slots=True)
class Premises:
    """The latch of the emergency stop, the journal of calls, and who writes them down."""

    latch: Latch = field(default_factory=Latch)
    journal: Journal = field(default_factory=Journal)
    recorder: Recorder = field(default_factory=Recorder)
