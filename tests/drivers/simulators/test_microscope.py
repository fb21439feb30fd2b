"""The simulated camera publishes live images on a real bus, from the first viewer to the last."""

from __future__ import annotations

import pytest

from live import bus
from pyrolab.api import Proxy
from pyrolab.errors import RemoteError


def test_live_images_flow_while_somebody_looks() -> None:
    with (
        bus("services.live_camera:LiveCamera=microscope") as broker,
        Proxy(f"PYRONAME:microscope@localhost:{broker.ready}") as microscope,
    ):
        with microscope.frames.subscribe() as sub, pytest.raises(RemoteError, match="call connect"):
            sub.get(timeout=20)
        microscope.connect()
        microscope.roi = (100, 200, 300, 150)
        microscope.exposure_time = 0.001
        with microscope.frames.subscribe() as sub:
            first, second = sub.get(timeout=20), sub.get(timeout=20)
            assert second.sequence > first.sequence
            assert first.array.shape == (150, 300)
            assert first.metadata == {
                "frame_number": first.metadata["frame_number"],
                "pixel_format": "Mono16",
                "exposure_time": 0.001,
                "roi": (100, 200, 300, 150),
            }
            assert microscope.snap().shape == (150, 300)  # beside it
        newest = microscope.published()
        assert microscope.published() == newest
        with microscope.frames.subscribe() as sub:
            assert sub.get(timeout=20).sequence > newest
