"""Faults on demand: a simulated instrument that answers late, not at all, or nonsense, or is switched off."""

from __future__ import annotations

import threading

import numpy as np

from pyrolab_drivers.instrument import Instrument
from pyrolab_drivers.quantities import Range, Seconds

_PROBABILITY = Range(0.0, 1.0, "")
_LATENCY = Range(0.0, 3600.0, "s")


class Faults:
    """What goes wrong with the exchanges of an instrument; each can be set while it runs.

    `latency_s` is how long each exchange takes. `drop` is the probability that a reply is lost, which raises
    `TimeoutError`; `garbage` that it is unreadable, which raises `ValueError`. While `offline` is true each
    exchange raises `ConnectionError`. An exchange that fails changes nothing in the instrument. The same seed
    makes the same faults. Raises `OutOfRange` for what is no probability.
    """

    def __init__(
        self,
        latency_s: Seconds = 0.0,
        drop: float = 0.0,
        garbage: float = 0.0,
        offline: bool = False,
        seed: int = 0,
    ) -> None:
        self._chance = np.random.default_rng([seed, 7])
        self._lock = threading.Lock()
        self.latency_s = latency_s
        self.drop = drop
        self.garbage = garbage
        self.offline = offline

    @property
    def latency_s(self) -> Seconds:
        """How long each exchange takes, in s."""
        return self._latency_s

    @latency_s.setter
    def latency_s(self, latency_s: Seconds) -> None:
        self._latency_s = _LATENCY.check("latency", latency_s)

    @property
    def drop(self) -> float:
        """Probability that a reply is lost, 0 to 1."""
        return self._drop

    @drop.setter
    def drop(self, probability: float) -> None:
        self._drop = _PROBABILITY.check("probability of a lost reply", probability)

    @property
    def garbage(self) -> float:
        """Probability that a reply is unreadable, 0 to 1."""
        return self._garbage

    @garbage.setter
    def garbage(self, probability: float) -> None:
        self._garbage = _PROBABILITY.check("probability of an unreadable reply", probability)

    @property
    def offline(self) -> bool:
        """True while the instrument is switched off."""
        return self._offline

    @offline.setter
    def offline(self, offline: bool) -> None:
        self._offline = bool(offline)

    def clear(self) -> None:
        """From now on all is well."""
        self.latency_s, self.drop, self.garbage, self.offline = 0.0, 0.0, 0.0, False

    def exchange(self, name: str) -> None:
        """One exchange with the instrument `name`: takes its time, and raises what goes wrong."""
        if self._offline:
            raise ConnectionError(f"{name} is switched off (simulated)")
        if self._latency_s:
            threading.Event().wait(self._latency_s)
        if not (self._drop or self._garbage):
            return
        with self._lock:
            lost, unreadable = self._chance.random(2)
        if lost < self._drop:
            raise TimeoutError(f"{name} did not answer (simulated)")
        if unreadable < self._garbage:
            raise ValueError(f"{name} answered '\\x00?#\\xfe', which is no value (simulated)")


class Simulated(Instrument):
    """What all twins share: faults. Put it before the base class: `class Twin(Simulated, Laser)`."""

    def __init__(self) -> None:
        super().__init__()
        self._faults = Faults()

    @property
    def faults(self) -> Faults:
        """What goes wrong with the exchanges of this instrument; nothing, unless it is set."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults | None) -> None:
        self._faults = faults or Faults()

    def _open(self) -> None:
        self._faults.exchange(str(self.identity))

    def _close(self) -> None: ...

    def _require_connection(self) -> None:
        super()._require_connection()
        self._faults.exchange(str(self.identity))
