"""Queues that a driver's own thread fills, as streams: what somebody else would take out goes to subscribers.

A queue is emptied only while somebody has subscribed.
"""

from __future__ import annotations

import logging
import queue
import threading
from typing import Any

import numpy as np

from pyrolab.errors import SerializeError
from pyrolab.protocol.interface import StreamType
from pyrolab.streams.publisher import PATIENCE_S, Publisher

log = logging.getLogger("pyrolab.worker")

_BUFFER = 16
_LOOK_S = 0.2


def publisher_of(items: Any, name: str) -> Publisher:
    """A publisher of what comes through a queue: arrays, pairs of an array and a time, or other values."""
    publisher = Publisher(name, StreamType(on_demand=True), _BUFFER, PATIENCE_S)
    lock = threading.Lock()

    def turn(starts: bool) -> None:
        if starts:
            threading.Thread(target=_pump, args=(items, publisher, lock), name=name, daemon=True).start()

    publisher.on_demand = turn
    return publisher


def _pump(items: Any, publisher: Publisher, lock: threading.Lock) -> None:
    with lock:  # the one before may be waiting for an item still
        while publisher.wanted:
            try:
                item = items.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            try:
                _publish(publisher, item)
            except (SerializeError, ValueError) as error:
                log.warning("%s: an item of the queue cannot be published: %s", publisher.name, error)


def _publish(publisher: Publisher, item: Any) -> None:
    """An array that comes with a time, as cameras of python-microscope put them, is published with it."""
    match item:
        case (np.ndarray() as array, float() | int() as timestamp):
            publisher.publish(array, timestamp=float(timestamp))
        case _:
            publisher.publish(item)
