"""`pyrolab record`: a stream into a file, with a bar that says how it goes, until Ctrl-C or all is there."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from pyrolab.cli.tables import console
from pyrolab.errors import NamingError
from pyrolab.link.finding import broker_location

if TYPE_CHECKING:
    from rich.progress import Progress

    from pyrolab.recording import Recorder

_REFRESH_S = 0.1


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the options say, as they were typed."""

    frames: int | None = None
    seconds: float | None = None
    policy: str = "lossless"
    region: str | None = None
    binning: int = 1
    every: int = 1
    max_rate: float | None = None
    compression: str | None = None
    chunk_frames: int | None = None
    flush_s: float = 1.0
    settings: bool = True
    overwrite: bool = False


def record(name: str, to: Path, wishes: Wishes, host: str | None, port: int | None) -> int:
    """Record a stream; 0 if it ended as it was asked to, 1 if something went wrong, which is said."""
    from pyrolab.client.dotted import find

    found = find(name, broker_location(host, port))
    with found.service:
        if found.kind != "stream":
            raise NamingError(f"{found.label} is a property; what can be recorded is a stream")
        try:
            recorder = _recorder(getattr(found.node, found.member), to, wishes)
            return _record(recorder, wishes)
        except (ValueError, TypeError, ImportError) as error:
            console(error=True).print(f"pyrolab: {error}", markup=False)
            return 1


def _recorder(stream: Any, to: Path, wishes: Wishes) -> Recorder:
    from pyrolab.recording import Recorder
    from pyrolab.viewing.asked import region_from

    return Recorder(
        stream,
        to,
        compression=wishes.compression,
        chunk_frames=wishes.chunk_frames,
        flush_s=wishes.flush_s,
        settings=wishes.settings,
        overwrite=wishes.overwrite,
        policy=wishes.policy,
        frames=wishes.frames,
        region=region_from(wishes.region) if wishes.region is not None else None,
        binning=wishes.binning,
        every=wishes.every,
        max_rate=wishes.max_rate,
    )


def _record(recorder: Recorder, wishes: Wishes) -> int:
    try:
        with _stopped_by_signals(recorder), recorder, _Bar(wishes) as bar:
            recorder.run(wishes.frames, wishes.seconds, bar.show)
    finally:
        if recorder.is_begun:
            console().print(str(recorder.summary()), markup=False)
    return 0


@contextmanager
def _stopped_by_signals(recorder: Recorder) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the recording well; a second one ends it as it is."""

    def stop(number: int, frame: FrameType | None) -> None:
        recorder.stop()
        for each, handler in before.items():
            signal.signal(each, handler)

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


class _Bar:
    """How it goes, in one line; nothing if nobody sees it."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._shown_at = 0.0
        self._progress: Progress | None = _progress(wishes) if console().is_terminal else None

    def __enter__(self) -> _Bar:
        if self._progress is not None:
            # What is wrong with the connection, the line says.
            logging.getLogger("pyrolab").addHandler(logging.NullHandler())
            self._progress.start()
        return self

    def __exit__(self, *reason: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, recorder: Recorder) -> None:
        """Show the numbers of now, not too often."""
        now = time.monotonic()
        if self._progress is None or now - self._shown_at < _REFRESH_S:
            return
        self._shown_at = now
        done = recorder.recorded if self._wishes.frames is not None else recorder.seconds
        self._progress.update(self._progress.task_ids[0], completed=done, text=_line(recorder))


def _progress(wishes: Wishes) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    total = wishes.frames if wishes.frames is not None else wishes.seconds
    bar = [] if total is None else [BarColumn()]
    progress = Progress(
        *bar, TextColumn("{task.fields[text]}", markup=False), TimeElapsedColumn(), console=console()
    )
    progress.add_task("", total=total, text="waiting for the first frame")
    return progress


def _line(recorder: Recorder) -> str:
    said = f"{recorder.recorded} frames  {recorder.rate_mb_s:.1f} MB/s  {recorder.dropped} dropped"
    return said if recorder.stream_path else f"{said}  (interrupted; waiting for the stream to be back)"
