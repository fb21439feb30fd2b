"""A waveform: voltages at equal distances of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.quantities import Seconds


@dataclass(frozen=True, eq=False)
class Waveform:
    """What one channel recorded: sample k was taken `t0 + k·dt` s after the trigger."""

    #: Time of the first sample, in s; below 0 before the trigger.
    t0: Seconds
    #: Distance of two samples, in s.
    dt: Seconds
    #: The samples, in V.
    volts: NDArray[np.float64]

    @property
    def times(self) -> NDArray[np.float64]:
        """Time of each sample, in s after the trigger."""
        return np.asarray(self.t0 + self.dt * np.arange(len(self.volts)), dtype=np.float64)
