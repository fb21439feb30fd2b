"""Streams of images of 8 MiB: what comes to a subscriber, beside bare sockets and beside imagezmq.

Every contender is in processes of its own, which are there all the time; each slice of each of them begins
with new connections, and counts frames only if they are what was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

from perf import streams_bus, streams_imagezmq, streams_raw, streams_recording, trust_bus
from perf.children import Child
from perf.figures import Point, Run, Series, Unit
from perf.rounds import Effort, Trial, interleave
from perf.streams_bus import ALL, COPIED, COPY, IN_PLACE, ROW
from perf.streams_cast import Cast, asked, best
from perf.streams_memory import PATHS, grown
from perf.streams_raw import CANDIDATES
from perf.trust_bus import Bus

#: The columns.
ONE, FOUR, BESIDE, COST, VALUES, RECORD, FIRST, GROWN = (
    f"streams_{name}" for name in ("1", "4", "beside", "cost", "values", "record", "first", "grown")
)
VIEWERS = {ONE: 1, FOUR: 4}
_UNITS = {
    ONE: Unit.FRAMES_PER_SECOND,
    FOUR: Unit.FRAMES_PER_SECOND,
    BESIDE: Unit.FRAMES_PER_SECOND,
    COST: Unit.MICROSECONDS,
    VALUES: Unit.VALUES_PER_SECOND,
    RECORD: Unit.FRAMES_PER_SECOND,
    FIRST: Unit.MEBIBYTES,
    GROWN: Unit.MEBIBYTES,
}

RAW, RAW_PROXY, IMAGEZMQ = "raw PUB/SUB", "raw XPUB/XSUB", "imagezmq"


def ours(path: str, way: str = IN_PLACE) -> str:
    """PyroLab by one of its paths, and how the frames are published."""
    return f"pyrolab {path}, {way}"


SHARED, DIRECT, RELAY = (ours(path) for path in PATHS)
ALONE, BESIDE_LATEST, BESIDE_QUEUE = "nobody sleeps", "one sleeps (latest)", "one sleeps (queue)"
H5PY, H5PY_GROWING, RECORDER = "h5py, length known", "h5py, growing", "pyrolab recorder"
QUEUE = "pyrolab queue"
MOST = "the one that grew most"

#: What a figure is compared with; others with bare PUB/SUB, if that has such a figure.
_BASELINES = {BESIDE: ALONE, RECORD: H5PY}
#: Of PyroLab's subscribers: the publisher waits for them, as PUB does with the best of its settings.
POLICY = "lossless"
#: Who watches while one subscriber sleeps with each frame in hand, and for how long it does.
OTHERS, DOZE_S = 2, 1.0
#: Small messages are many; here more of them are kept.
_FOR_VALUES = {"kept": 1000, "waits": True, "values": True}


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is done."""

    frames: Effort
    sleepers: Effort
    #: Settings of bare sockets, and how often each is tried.
    settings: Sequence[str]
    tries: int
    recorded: int
    remembered: int

    @classmethod
    def of(cls, effort: Effort) -> Extent:
        """As much as the issue asks for, or just enough to see that it works."""
        if effort.rounds < 5:
            return cls(effort, effort, list(CANDIDATES)[:1], 1, 48, 100)
        sleepers = Effort(effort.rounds, 2 * effort.slice_s, effort.budget_s)
        return cls(effort, sleepers, list(CANDIDATES), 2, 240, 10_000)


class Stage:
    """All that take part, each in processes of its own, and where figures go."""

    def __init__(self, stack: ExitStack, run: Run, extent: Extent) -> None:
        self.run = run
        self.extent = extent
        self.bus: Bus = stack.enter_context(trust_bus.running())
        most = max(VIEWERS.values())
        self.pyrolab = streams_bus.cast(self.bus, most)
        self.raw = streams_raw.cast(self.bus.start, most)
        self.imagezmq: Cast | None = None
        if find_spec(streams_imagezmq.LIBRARY) is None:
            run.absent[IMAGEZMQ] = "not installed"
        else:
            self.imagezmq = streams_imagezmq.cast(self.bus.start, most)

    def measure(self, workload: str, slices: Mapping[str, Callable[[], float]], effort: Effort) -> None:
        """Interleave these, and note what comes of them."""
        trials = [Trial(name, partial(_slice, Point(workload, name), act)) for name, act in slices.items()]
        figures, failed = interleave(trials, effort)
        for point, rounds in figures.items():
            self.note(point, rounds)
        for contender, reason in failed.items():
            self.run.absent[f"{workload}: {contender}"] = reason

    def note(self, point: Point, rounds: Sequence[float]) -> None:
        """Note the figures of all rounds."""
        self.run.add(Series(point, _UNITS[point.workload], tuple(rounds), baseline(point)))


def _slice(point: Point, act: Callable[[], float]) -> Mapping[Point, float]:
    return {point: act()}


def baseline(point: Point) -> Point:
    """What a figure is compared with, if it was measured."""
    raw = RAW_PROXY if point.contender in _RELAYED else RAW
    return Point(point.workload, _BASELINES.get(point.workload, raw))


_RELAYED = (RAW_PROXY, RELAY, ours(PATHS[-1], COPIED))


def measure(run: Run, say: Callable[[str], None], effort: Effort) -> None:
    """Do all parts."""
    extent = Extent.of(effort)
    with ExitStack() as stack:
        say("starting publishers and viewers")
        stage = Stage(stack, run, extent)
        for title, part in _PARTS.items():
            say(title)
            try:
                part(stage)
            except Exception as error:
                run.absent[title] = f"{type(error).__name__}: {error}"


# -- images ----------------------------------------------------------------------------------------------


def _watched(workload: str, stage: Stage) -> None:
    """So many subscribers of each contender."""
    effort, viewers = stage.extent.frames, VIEWERS[workload]
    slices = {
        RAW: partial(_raw, stage, viewers, _best(stage, RAW, viewers)),
        **{
            ours(path, way): partial(_ours, stage, viewers, path, way)
            for path in (PATHS if viewers == 1 else PATHS[:2])
            for way in (IN_PLACE, COPIED)
        },
    }
    if viewers == 1:
        slices[RAW_PROXY] = partial(_raw, stage, viewers, _best(stage, RAW_PROXY, viewers))
    if stage.imagezmq is not None:
        slices[IMAGEZMQ] = partial(stage.imagezmq.rate, effort.slice_s, viewers)
    stage.measure(workload, slices, effort)


def _best(stage: Stage, contender: str, viewers: int) -> Mapping[str, Any]:
    """The best settings of bare sockets, here and now."""
    settings = {
        name: {**each, "proxied": True} if contender == RAW_PROXY else each
        for name, each in CANDIDATES.items()
        if name in stage.extent.settings
    }
    tried = {name: partial(_raw, stage, viewers, each) for name, each in settings.items()}
    name = best(tried, stage.extent.tries)
    note = f"{name} with {viewers}"
    before = stage.run.setups.get(contender)
    stage.run.setups[contender] = (
        f"{before}, {note}" if before else f"one prebuilt array, copy=False; the best of {len(tried)}: {note}"
    )
    return settings[name]


def _raw(stage: Stage, viewers: int, settings: Mapping[str, Any]) -> float:
    return stage.raw.rate(stage.extent.frames.slice_s, viewers, settings, {"kept": settings["kept"]})


def _ours(stage: Stage, viewers: int, path: str, way: str) -> float:
    return stage.pyrolab.rate(
        stage.extent.frames.slice_s, viewers, {"way": way}, {"policy": POLICY, "path": path}
    )


# -- a sleeper -------------------------------------------------------------------------------------------


def _sleeper(stage: Stage) -> None:
    slices = {ALONE: None, BESIDE_LATEST: "latest", BESIDE_QUEUE: "queue"}
    stage.measure(
        BESIDE,
        {name: partial(_beside, stage, policy) for name, policy in slices.items()},
        stage.extent.sleepers,
    )


def _beside(stage: Stage, policy: str | None) -> float:
    """The rate of the others while one subscriber sleeps, or while there is none."""
    cast, seconds = stage.pyrolab, stage.extent.sleepers.slice_s
    wanted = {"policy": POLICY, "path": PATHS[0]}
    with cast.publishing(way=IN_PLACE) as where:
        if policy is None:
            return cast.counted(where, seconds, OTHERS, **wanted)
        sleeper = cast.viewers[OTHERS]
        asked([sleeper], "follow", where=where, doze_s=DOZE_S, policy=policy, path=PATHS[0])
        try:
            rate = cast.counted(where, seconds, OTHERS, **wanted)
        finally:
            (seen,) = asked([sleeper], "leave")
    if not 1 <= seen <= seconds / DOZE_S + 5:
        raise RuntimeError(f"the sleeper took {seen} frames")
    return rate


# -- costs, values, files, memory ------------------------------------------------------------------------


def _costs(stage: Stage) -> None:
    cast = stage.pyrolab
    where, watching = cast.publisher.facts["uri"], cast.viewers[0]
    asked([watching], "follow", where=where, policy="queue", path=PATHS[0])
    try:
        slices = {name: partial(_cost, stage, name) for name in (ROW, ALL, COPY)}
        stage.measure(COST, slices, stage.extent.frames)
    finally:
        (seen,) = asked([watching], "leave")
    if not seen:
        raise RuntimeError("nobody got a frame")


def _cost(stage: Stage, name: str) -> float:
    (found,) = asked([stage.pyrolab.publisher], "cost", way=name, seconds=stage.extent.frames.slice_s)
    return float(found)


def _small(stage: Stage) -> None:
    seconds = stage.extent.frames.slice_s
    kept = {"kept": _FOR_VALUES["kept"], "values": True}

    def of_ours() -> float:
        with stage.pyrolab.publishing(way="values") as where:
            return stage.pyrolab.counted(where, seconds, 1, "count_values", policy="queue", limit=1000)

    stage.measure(
        VALUES,
        {RAW: lambda: stage.raw.rate(seconds, 1, _FOR_VALUES, kept), QUEUE: of_ours},
        stage.extent.frames,
    )


def _recorded(stage: Stage) -> None:
    if find_spec(streams_recording.LIBRARY) is None:
        stage.run.absent[RECORDER] = f"{streams_recording.LIBRARY} is not installed"
        return
    writer = streams_recording.writer(stage.bus.start)
    frames = stage.extent.recorded
    ways = {H5PY: streams_recording.KNOWN, H5PY_GROWING: streams_recording.GROWING}
    slices = {name: partial(_write, writer, frames, way) for name, way in ways.items()}
    stage.measure(RECORD, {**slices, RECORDER: partial(_record, stage, writer)}, stage.extent.frames)


def _write(writer: Child, frames: int, way: str) -> float:
    (rate,) = asked([writer], "write", frames=frames, way=way)
    return float(rate)


def _record(stage: Stage, writer: Child) -> float:
    with stage.pyrolab.publishing(way=IN_PLACE) as where:
        (rate,) = asked([writer], "record", where=where, frames=stage.extent.recorded)
    return float(rate)


def _memory(stage: Stage) -> None:
    with trust_bus.running() as bus:
        cast = streams_bus.cast(bus, len(PATHS))
        found = grown(cast, bus.broker.facts["pid"], stage.extent.remembered)
    for who, each in found.items():
        stage.note(Point(FIRST, who), [each.first])
        stage.note(Point(GROWN, who), [each.more])
    stage.note(Point(GROWN, MOST), [max(each.more for each in found.values())])


_PARTS: dict[str, Callable[[Stage], None]] = {
    "streams, 1 subscriber": partial(_watched, ONE),
    "streams, 4 subscribers": partial(_watched, FOUR),
    "streams, one that sleeps": _sleeper,
    "streams, what a frame costs": _costs,
    "streams, small values": _small,
    "streams, recorded": _recorded,
    "streams, memory": _memory,
}
