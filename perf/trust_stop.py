"""Emergency stop: from the word of a client until the last of many busy services has begun its stop hook.

Meanwhile clients fetch one large image after the other through the same broker.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Event, Thread
from typing import Any

from perf.payloads import MIB, Image, image
from perf.trust_bus import Bus, ask_all, run_role, serve_questions, total, until
from pyrolab.api import Daemon, Proxy, expose, readonly

WORKERS, SERVICES_EACH, VIEWERS = 5, 10, 2
SERVICES = WORKERS * SERVICES_EACH
IMAGE_MIB = 8
BUSY_S = 60.0


class Stopping:
    """Busy services, and images that flow."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._workers = bus.start_many(WORKERS, __name__, "worker", bus.nameserver)
        self._proxies = [Proxy(uri) for worker in self._workers for uri in worker.facts["uris"]]
        camera = bus.start(__name__, "camera", bus.nameserver)
        self._viewers = bus.start_many(VIEWERS, __name__, "viewer", camera.facts["uri"])

    def run(self, times: int) -> tuple[list[float], float]:
        """Stop so often; how long each took, in ms, and how many MB of images came in each second."""
        start, before = time.monotonic(), total(self._viewers, "images")
        found = [self._run() for _ in range(times)]
        images = total(self._viewers, "images") - before
        return found, images * IMAGE_MIB * MIB / 1e6 / (time.monotonic() - start)

    def _run(self) -> float:
        futures = [proxy.busy.future(BUSY_S) for proxy in self._proxies]
        until(lambda: total(self._workers, "running") == SERVICES, "all services are busy")
        seen = self._images()
        with self._bus.names() as names:
            start = time.monotonic()
            names.emergency_stop("to see how long it takes")
            until(lambda: len(self._begun(start)) == SERVICES, "all stop hooks have begun")
            last = max(self._begun(start))
            until(lambda: all(now > then for now, then in zip(self._images(), seen, strict=True)), "images")
            names.reset_emergency_stop()
        for future in futures:
            future.exception(timeout=10)  # each ends somehow, its service having been stopped
        ask_all(self._workers, what="rearm")
        return (last - start) * 1e3

    def _begun(self, start: float) -> Sequence[float]:
        """When stop hooks began; once for each service that was stopped."""
        answers = ask_all(self._workers, what="begun")
        begun = [when for answer in answers for when in answer["begun"]]
        if any(when < start for when in begun):
            raise RuntimeError("a stop hook ran before anybody had asked for it")
        return begun

    def _images(self) -> list[int]:
        return [answer["images"] for answer in ask_all(self._viewers, what="images")]

    def close(self) -> None:
        """Let the services go."""
        for proxy in self._proxies:
            proxy._pyroRelease()


# -- the services and clients ----------------------------------------------------------------------------


@expose
class Busy:
    """An instrument that is moving."""

    def __init__(self) -> None:
        self.running = False
        self.begun: list[float] = []
        self._stopped = Event()

    def busy(self, seconds: float) -> None:
        """Take so long, unless it is stopped."""
        self.running = True
        self._stopped.wait(seconds)
        self.running = False

    def stop(self) -> None:
        """The stop hook; when it began comes before everything else."""
        self.begun.append(time.monotonic())
        self._stopped.set()

    def _rearm(self) -> None:
        self.begun.clear()
        self._stopped.clear()


@expose
class Camera:
    """Has one image."""

    def __init__(self) -> None:
        self._image = image(IMAGE_MIB * MIB)

    @readonly
    def image(self) -> Image:
        """An image of 12-bit noise, shape (n,), uint16; also while everything is stopped."""
        return self._image


def _worker(nameserver: str, place: str) -> None:
    services = [Busy() for _ in range(SERVICES_EACH)]
    daemon = Daemon(nameserver=nameserver, name=f"worker {place}")
    uris = [str(daemon.register(service)) for service in services]

    def rearm() -> None:
        for service in services:
            service._rearm()

    answers = {
        "running": lambda: sum(service.running for service in services),
        "begun": lambda: [service.begun[0] for service in services if service.begun],
        "rearm": rearm,
    }
    serve_questions(answers, uris=uris)


def _camera(nameserver: str) -> None:
    daemon = Daemon(nameserver=nameserver)
    serve_questions({}, uri=str(daemon.register(Camera())))


def _viewer(uri: str, place: str) -> None:
    counts: list[int] = [0]

    def look() -> None:
        with Proxy(uri) as camera:
            while True:
                received: Any = camera.image()
                assert received.nbytes == IMAGE_MIB * MIB
                counts[0] += 1

    Thread(target=look, daemon=True).start()
    serve_questions({"images": lambda: counts[0]})


if __name__ == "__main__":
    run_role({"worker": _worker, "camera": _camera, "viewer": _viewer})
