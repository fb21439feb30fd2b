"""A process that watches `camera.frames` and prints the number of each frame that was as it should be."""

from __future__ import annotations

import sys

import numpy as np

from pyrolab.api import Proxy
from services.streams import image_of

nameserver, policy, path = sys.argv[1:4]
with (
    Proxy(f"PYRONAME:camera@{nameserver}") as camera,
    camera.frames.subscribe(policy, path=None if path == "-" else path) as frames,
):
    print("ready", flush=True)
    for frame in frames:
        assert np.array_equal(frame.array, image_of(frame.sequence, frame.array.shape))
        print(frame.sequence, flush=True)
