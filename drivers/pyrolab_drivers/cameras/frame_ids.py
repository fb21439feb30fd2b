"""Frame numbers as cameras count them, turned into numbers that never fall, and a count of lost frames."""

from __future__ import annotations

#: A GigE Vision 1.x block id has 16 bits; 0 is not used for images, and 1 follows 65535.
_GIGE_PERIOD = 0xFFFF
#: A fall from the last eighth of the 16 bits to the first eighth is the wrap, anything else a new beginning.
_MARGIN = 0x2000


class FrameIds:
    """Counts the frames of one acquisition. `number` is that of the newest frame, `dropped` those that lack.

    The ids of GigE Vision 1.x wrap after 16 bits, with or without a 0; those of USB3 Vision and GigE Vision 2
    have 64 bits and don't. What counts is told from the ids themselves.
    """

    def __init__(self) -> None:
        self.number = 0
        self.dropped = 0
        self._last: int | None = None
        self._has_zero = False

    def restart(self) -> None:
        """A new acquisition begins: the next id may be any. `dropped` is kept."""
        self._last = None

    def take(self, frame_id: int) -> int:
        """Count a frame that the camera called `frame_id`; returns its number, which always grows."""
        self._has_zero = self._has_zero or frame_id == 0
        step = 1 if self._last is None else self._step(self._last, frame_id)
        self._last = frame_id
        self.number += step
        self.dropped += step - 1
        return self.number

    def _step(self, last: int, frame_id: int) -> int:
        if frame_id > last:
            return frame_id - last
        if last <= 0xFFFF and last > 0xFFFF - _MARGIN and frame_id < _MARGIN:
            return frame_id - last + _GIGE_PERIOD + self._has_zero
        return 1  # the camera began anew, or counts nothing
