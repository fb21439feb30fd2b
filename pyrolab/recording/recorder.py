"""`Recorder`: takes all frames of a stream, and writes them to a file until it is told to stop.

One thread takes a frame and writes it, then the next. Frames lie in memory that the publisher shares, so they
are written from where the camera put them; a queue in between would only add copies.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from pyrolab.recording.description import Counts, Ending, describe
from pyrolab.recording.disk import Room, told
from pyrolab.recording.files import Gap, Wishes, Writer, check_free, format_of, open_writer
from pyrolab.recording.intake import Intake
from pyrolab.recording.layout import Frame

if TYPE_CHECKING:
    from pyrolab.client.streams import RemoteStream

#: How long the loop waits for a frame before it looks whether it shall stop.
_LOOK_S = 0.2
#: How long frames are still taken after `stop`, if their timestamps do not tell when to end.
_LAST_S = 2.0
#: Gaps that a recorder lists; the file has all.
MAX_GAPS = 1000
POLICIES = ("lossless", "queue")


@dataclass(frozen=True, slots=True)
class Summary:
    """What has been recorded: frames, their bytes before compression, and what is missing."""

    path: Path
    recorded: int
    dropped: int
    gaps: tuple[Gap, ...]
    bytes: int
    seconds: float
    because: str

    @property
    def rate_mb_s(self) -> float:
        """Megabytes per second."""
        return self.bytes / 1e6 / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        dropped = f"{self.dropped} dropped" if self.dropped else "none dropped"
        return (
            f"{self.path}: {self.recorded} frames in {self.seconds:.1f} s ({self.bytes / 1e6:.1f} MB, "
            f"{self.rate_mb_s:.1f} MB/s), {dropped}; {self.because}"
        )


class Recorder:
    """Records a stream: `with Recorder(cam.frames, to="run.h5") as recording: recording.run(frames=1000)`.

    `to` ends in .h5, .zarr or .tiff; what is there already is kept, unless `overwrite`. Everything up to the
    last flush, each `flush_s` seconds, can be read after any accident. `compression` is what the format's
    library offers, such as "gzip"; `chunk_frames` how many frames are stored together. `settings` has the
    properties of the service read and written down first. `policy` is "lossless", for which the publisher
    waits, or "queue", which drops frames rather than that; `limit`, `region`, `stride`, `binning`, `every`,
    `max_rate` and `path` are those of `subscribe`. `frames`: how many there will be, if that is known.
    Raises `ValueError` for what makes no sense, `ModuleNotFoundError` for a library that is missing,
    `OSError` if it cannot write (`FileExistsError`), and what calls raise.
    """

    def __init__(
        self,
        stream: RemoteStream,
        to: str | Path,
        *,
        compression: str | None = None,
        chunk_frames: int | None = None,
        flush_s: float = 1.0,
        settings: bool = True,
        overwrite: bool = False,
        policy: str = "lossless",
        frames: int | None = None,
        **options: Any,
    ) -> None:
        self.path = Path(to)
        _check(policy, chunk_frames, flush_s)
        format_of(self.path)
        check_free(self.path, overwrite)
        self._stream = stream
        self._wishes = Wishes(compression, chunk_frames, overwrite, frames)
        self._flush_s = flush_s
        self._with_settings = settings
        self._options = {"policy": policy, **options}
        self._writer: Writer | None = None
        self._intake: Intake | None = None
        self._stopping = False
        self._failure: Exception | None = None
        self._because = "closed"
        self._flushed_at = 0.0
        self._room = Room(self.path)
        self._began: float | None = None
        self._running_s = 0.0
        self.recorded = 0
        #: The frames' own bytes, before compression.
        self.bytes = 0
        self.gaps: list[Gap] = []

    # -- how it goes -----------------------------------------------------------------------------------------

    @property
    def dropped(self) -> int:
        """Frames that are missing between those that were recorded."""
        return self._intake.dropped if self._intake is not None else 0

    @property
    def seconds(self) -> float:
        """How long it has run."""
        running = time.monotonic() - self._began if self._began is not None else 0.0
        return self._running_s + running

    @property
    def rate_mb_s(self) -> float:
        """Megabytes per second, on average."""
        return self.summary().rate_mb_s

    @property
    def stream_path(self) -> str:
        """The way that frames take: "shared memory", "direct", "relay"; empty while it is interrupted."""
        return self._intake.path if self._intake is not None else ""

    @property
    def is_begun(self) -> bool:
        """Whether there is a file."""
        return self._flushed_at > 0

    def summary(self) -> Summary:
        """What has been recorded so far."""
        gaps = tuple(self.gaps)
        return Summary(self.path, self.recorded, self.dropped, gaps, self.bytes, self.seconds, self._because)

    # -- recording -------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        options = {name: value for name, value in self._options.items() if value is not None}
        described = describe(self._stream, json.dumps(options, default=str), self._with_settings)
        self._intake = Intake(self._stream, self._options)
        try:
            self._writer = open_writer(self.path, described, self._wishes)
        except BaseException:
            self._intake.close()
            raise
        self._flushed_at = time.monotonic()
        return self

    def run(
        self,
        frames: int | None = None,
        seconds: float | None = None,
        report: Callable[[Recorder], object] | None = None,
    ) -> Summary:
        """Record so many frames, for so many seconds, or until `stop` is called; whichever comes first.

        `report` is called with the recorder about five times a second and more. Raises `OSError` if the disk
        is full or cannot be written to; what has been written is kept.
        """
        self._began = time.monotonic()
        target = None if frames is None else self.recorded + frames
        until = None if seconds is None else self._began + seconds
        try:
            self._because = self._run(target, until, report)
        except Exception as error:
            self._failure = told(error, self.path, self.recorded)
            self._because = f"{type(self._failure).__name__}: {self._failure}"
            if self._failure is error:
                raise
            raise self._failure from error
        except BaseException:
            self._because = "interrupted"
            raise
        finally:
            self._running_s, self._began = self.seconds, None
            self._stopping = False
        self._flush()
        return self.summary()

    def stop(self) -> None:
        """End `run` soon, from any thread; frames that have been published already are still recorded."""
        self._stopping = True

    def close(self) -> None:
        """Close the file."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        assert self._intake is not None
        self._note_gaps(writer)
        counts = Counts(self.recorded, self.dropped)
        try:
            self._intake.close()
        finally:
            self._close(writer, counts)

    def __exit__(self, *reason: object) -> None:
        self.close()

    def _close(self, writer: Writer, counts: Counts) -> None:
        try:
            writer.close(counts, Ending(self._failure is None, self._because))
        except (OSError, RuntimeError):
            writer.abandon()
            if self._failure is None:
                raise

    # -- the loop --------------------------------------------------------------------------------------------

    def _run(
        self, target: int | None, until: float | None, report: Callable[[Recorder], object] | None
    ) -> str:
        intake, writer = self._opened()
        while target is None or self.recorded < target:
            now = time.monotonic()
            if until is not None and now >= until:
                return "the time is over"
            if self._stopping:
                self._take_what_waits(intake, writer, target)
                return "stopped"
            frame = intake.next(_LOOK_S if until is None else min(_LOOK_S, until - now))
            if frame is not None:
                self._write(frame, writer)
            if now - self._flushed_at >= self._flush_s:
                self._flush()
            if report is not None:
                report(self)
        return "all frames are there"

    def _take_what_waits(self, intake: Intake, writer: Writer, target: int | None) -> None:
        """Record what was published before, as far as it is there and its timestamps tell."""
        stopped, until = time.time(), time.monotonic() + _LAST_S
        while time.monotonic() < until and (target is None or self.recorded < target):
            frame = intake.next(_LOOK_S)
            if frame is None or frame.timestamp > stopped:
                return
            self._write(frame, writer)

    def _opened(self) -> tuple[Intake, Writer]:
        if self._writer is None or self._intake is None:
            raise ValueError(
                "the recording is not open; use it in a with: `with Recorder(...) as recording:`"
            )
        if self._failure is not None:
            raise ValueError(f"the recording has ended: {self._because}")
        return self._intake, self._writer

    def _write(self, frame: Frame, writer: Writer) -> None:
        size = int(getattr(frame.value, "nbytes", 8))
        self._room.take(size, self.recorded)
        writer.append(frame)
        self.recorded += 1
        self.bytes += size

    def _flush(self) -> None:
        _, writer = self._opened()
        self._note_gaps(writer)
        self._room.look(0, self.recorded)
        writer.flush(Counts(self.recorded, self.dropped))
        self._flushed_at = time.monotonic()

    def _note_gaps(self, writer: Writer) -> None:
        assert self._intake is not None
        gaps = self._intake.take_gaps()
        writer.note_gaps(gaps)
        self.gaps = [*self.gaps, *gaps][-MAX_GAPS:]


def _check(policy: str, chunk_frames: int | None, flush_s: float) -> None:
    if policy not in POLICIES:
        raise ValueError(f"a recording is {' or '.join(POLICIES)}, not {policy!r}")
    if chunk_frames is not None and chunk_frames < 1:
        raise ValueError(f"chunk_frames is a number of frames from 1, not {chunk_frames}")
    if not flush_s > 0:
        raise ValueError(f"flush_s is a time in s above 0, not {flush_s}")
