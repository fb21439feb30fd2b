"""Recording: streams into files, exact and complete, and readable whatever ends the recording."""

from __future__ import annotations

from pyrolab.recording.recorder import Recorder, Summary

__all__ = ["Recorder", "Summary"]
