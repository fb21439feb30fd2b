"""Feeds over a real broker and workers: newest frames, all values, fitting pictures, interruptions."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from live import PATIENCE_S, Process, bus, start_broker, start_worker
from pyrolab.api import Proxy
from pyrolab.errors import PyroError
from pyrolab.viewing import Asked, Look, Viewer
from pyrolab.viewing.feeds import Feed, PropertyFeed, StreamFeed
from pyrolab.viewing.scenes import Curve, Picture, Words
from pyrolab.viewing.viewer import Sight, run
from services.streams import image_of

BIG = (480, 640)


@pytest.fixture(scope="module")
def lab() -> Iterator[Process]:
    with bus(
        "services.streams:Camera=camera", "services.streams:Lamp=lamp", "services.station:Station=station"
    ) as broker:
        yield broker


@pytest.fixture
def camera(lab: Process) -> Iterator[Any]:
    with Proxy(f"PYRONAME:camera@localhost:{lab.ready}") as proxy:
        yield proxy
        proxy.rest()


def until(condition: Callable[[], Any]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < ends, "it has not come true"
        time.sleep(0.01)


def next_of(feed: Feed) -> list[Any]:
    """What comes next."""
    found: list[Any] = []
    until(lambda: found.extend(feed.take(0.1)) or found)  # type: ignore[func-returns-value]
    return found


# -- streams -----------------------------------------------------------------------------------------------


def test_of_pictures_the_newest_is_taken_and_those_before_are_counted(camera: Any) -> None:
    feed = StreamFeed(camera.frames, Asked(max_rate=None))
    try:
        camera.run(0.005, BIG)
        first = next_of(feed)[-1]
        until(lambda: camera.published() >= first.sequence + 50)
        seen = feed.take(5)
        assert len(seen) == 1
        assert np.array_equal(seen[0].value, image_of(seen[0].sequence, BIG))
        counters = feed.counters()
        assert counters.dropped > 0
        assert counters.path == "shared memory"
        assert counters.interrupted_at is None
    finally:
        feed.close()
    until(lambda: camera.subscribers() == 0)


def test_a_slower_rate_is_asked_of_the_source(camera: Any) -> None:
    feed = StreamFeed(camera.frames, Asked(max_rate=2.0))
    try:
        camera.run(0.005, (64, 64))
        next_of(feed)
        next_of(feed)
        assert feed.counters().skipped > 10
    finally:
        feed.close()


def test_of_values_each_one_is_taken(camera: Any) -> None:
    with Viewer(camera.power) as viewer:
        camera.measure(1)
        until(lambda: viewer.take(0.1))
        until(lambda: viewer.feed._subscription.options.policy == "queue")  # type: ignore[attr-defined]
        last = camera.measure(3000)
        until(lambda: viewer.take(0.1) and viewer._seen.sequence == last)  # type: ignore[union-attr]
        assert viewer._history.values[-3000:] == [n / 8 for n in range(last - 2999, last + 1)]
        sight = viewer.sight()
        assert isinstance(sight.scene, Curve)
        assert sight.unit == "mW"
        assert sight.delivery[0] == f"value {last:,}"
        assert sight.facts == [f"{last / 8:.6g} mW"]


def test_whoever_prints_gets_every_frame_from_the_first_on(camera: Any) -> None:
    feed = StreamFeed(camera.power, Asked(max_rate=None), all=True)
    try:
        last = camera.measure(50)
        seen: list[Any] = []
        while len(seen) < 50:
            seen += next_of(feed)
        assert [each.sequence for each in seen] == list(range(last - 49, last + 1))
        assert feed.counters().dropped == 0
    finally:
        feed.close()


@pytest.mark.parametrize(("path", "binning"), [("relay", 8), ("direct", 8), ("shared memory", 1)])
def test_beyond_a_network_the_source_bins_what_would_not_fit(camera: Any, path: str, binning: int) -> None:
    feed = StreamFeed(camera.frames, Asked(path=path, grid=lambda: (80, 30)))
    try:
        camera.run(0.02, BIG)
        shape = (BIG[0] // binning, BIG[1] // binning)
        until(lambda: next_of(feed)[-1].value.shape == shape)
        assert feed.notes == ((f"binned {binning} × {binning}",) if binning > 1 else ())
        before = feed._subscription
        for _ in range(5):
            assert next_of(feed)[-1].value.shape == shape
        assert feed._subscription is before  # it does not go on asking
    finally:
        feed.close()


def test_a_terminal_that_grows_gets_more_pixels(camera: Any) -> None:
    grid = [80, 30]
    feed = StreamFeed(camera.frames, Asked(path="relay", grid=lambda: (grid[0], grid[1])))
    try:
        camera.run(0.02, BIG)
        until(lambda: next_of(feed)[-1].value.shape == (60, 80))
        grid[:] = [320, 120]
        until(lambda: next_of(feed)[-1].value.shape == (240, 320))
    finally:
        feed.close()


def test_a_source_on_demand_is_not_stopped_while_it_is_asked_in_another_way(lab: Process) -> None:
    with Proxy(f"PYRONAME:lamp@localhost:{lab.ready}") as lamp:
        feed = StreamFeed(lamp.light)
        try:
            assert next_of(feed)[0].value == 1
            until(lambda: feed._subscription.options.policy == "queue")
        finally:
            feed.close()
        until(lambda: lamp.log()[-1] == "off")
        assert lamp.log() == ["on", "off"]


def test_a_viewer_that_nobody_holds_any_longer_ends(camera: Any) -> None:
    viewer = Viewer(camera.frames)
    until(lambda: camera.subscribers() == 1)
    del viewer
    until(lambda: camera.subscribers() == 0)


def test_options_that_make_no_sense_are_refused_at_once(camera: Any) -> None:
    with pytest.raises(ValueError, match="compression"):
        Viewer(camera.frames, asked=Asked(compression="zip"))


# -- properties --------------------------------------------------------------------------------------------


def test_a_property_is_a_curve_of_steps(lab: Process) -> None:
    with Proxy(f"PYRONAME:station@localhost:{lab.ready}") as station:
        station.ch_a.voltage = 1.0
        with Viewer(PropertyFeed(station.ch_a, "voltage", None, "station.ch_a.voltage")) as viewer:
            until(lambda: viewer.take(0.1))
            station.ch_a.voltage = 2.5
            until(lambda: viewer.take(0.1))
            sight = viewer.sight()
            assert isinstance(sight.scene, Curve)
            assert sight.scene.stepwise
            assert sight.scene.y[[0, -1]].tolist() == [1.0, 2.5]
            assert (sight.label, sight.unit, sight.facts) == ("station.ch_a.voltage", "V", ["2.5 V"])
            assert sight.delivery[0].startswith("change ")


# -- a viewer on a screen ----------------------------------------------------------------------------------


class Notebook:
    """A screen that remembers what it has shown; `keys` are pressed one after the other."""

    interval_s, patience_s = 0.0, 0.05

    def __init__(self, keys: str = "") -> None:
        self.sights: list[Sight] = []
        self._keys = list(keys)

    def draw(self, sight: Sight) -> None:
        self.sights.append(sight)

    def attend(self) -> str:
        has_seen = bool(self.sights) and not isinstance(self.sights[-1].scene, Words)
        return self._keys.pop(0) if has_seen and self._keys else ""


def test_it_ends_after_so_many_frames_and_shows_the_last(camera: Any) -> None:
    screen = Notebook()
    with Viewer(camera.frames, Look(levels=(0, 1000))) as viewer:
        camera.run(0.01, (48, 64))
        run(viewer, screen, frames=3)
        last = screen.sights[-1]
        assert isinstance(last.scene, Picture)
        assert np.array_equal(last.scene.pixels, viewer.value)
        assert (last.scene.low, last.scene.high) == (0, 1000)
        assert last.label == "camera.frames"
        assert last.doc == "What the camera sees."
        assert last.facts[0] == "48 × 64 uint16"


def test_before_anything_comes_it_says_that_it_waits(camera: Any) -> None:
    with Viewer(camera.frames) as viewer:
        sight = viewer.sight()
        assert isinstance(sight.scene, Words)
        assert sight.delivery[0] == "no frame yet"
        with pytest.raises(PyroError, match="does it run"):
            viewer.figure(timeout_s=0.05)
        assert viewer._repr_png_() is None


def test_a_key_saves_the_pixels_and_another_ends_it(
    camera: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    screen = Notebook("sxq")
    with Viewer(camera.frames) as viewer:
        camera.snap(1, (48, 64))
        run(viewer, screen)
        (file,) = tmp_path.glob("camera.frames-*.npy")
        assert np.array_equal(np.load(file), viewer.value)
        assert screen.sights[-1].message == f"saved as {file.name}"


def test_what_is_no_array_is_not_saved_as_one(
    camera: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Viewer(camera.frames) as viewer:
        assert viewer.save_pixels() == "there is nothing to save yet"
        camera.publish({"mode": "idle"})
        until(lambda: viewer.take(0.1))
        assert viewer.save_pixels() == "not saved: a dict is no array, and cannot be saved as one"
        with pytest.raises(PyroError, match="no array"):
            viewer.save(tmp_path / "a.npy")
        assert list(tmp_path.iterdir()) == []
        sight = viewer.sight()
        assert isinstance(sight.scene, Words)
        assert sight.scene.text == "{'mode': 'idle'}"


def test_figures_of_what_is_seen_now(camera: Any, tmp_path: Any) -> None:
    with Viewer(camera.frames) as viewer:
        camera.snap(1, (48, 64))
        figure = viewer.figure()
        shown: Any = figure.axes[0].images[0].get_array()
        assert np.array_equal(shown, viewer.value)
        for name in ("a.png", "a.svg", "a.npy"):
            viewer.save(tmp_path / name)
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
        assert np.array_equal(np.load(tmp_path / "a.npy"), viewer.value)
        png = viewer._repr_png_()
        assert png is not None
        assert png.startswith(b"\x89PNG")


def test_when_the_service_dies_the_picture_stays_and_it_goes_on_by_itself() -> None:
    with start_broker() as broker:
        worker = start_worker(broker.ready, "services.streams:Camera=camera")
        successor = None
        uri = f"PYRONAME:camera@localhost:{broker.ready}"
        try:
            with Proxy(uri) as camera, Viewer(camera.frames) as viewer:
                camera.run(0.01, (48, 64))
                until(lambda: viewer.take(0.1))
                worker.kill()
                until(lambda: viewer.take(0.1) or viewer.sight().notice)
                until(lambda: not viewer.take(0.1) and viewer.sight().notice)
                sight = viewer.sight()
                assert sight.notice.startswith("interrupted since ")
                assert isinstance(sight.scene, Picture)
                successor = start_worker(broker.ready, "services.streams:Camera=camera")
                with Proxy(uri) as another:
                    another.run(0.01, (48, 64))
                    until(lambda: viewer.take(0.1))
                    assert viewer.sight().notice == ""
                    another.rest()
        finally:
            worker.end()
            if successor is not None:
                successor.end()


def test_importing_it_does_not_import_matplotlib() -> None:
    code = "import sys, pyrolab.viewing; print('matplotlib' in sys.modules, 'rich' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["False", "False"]
