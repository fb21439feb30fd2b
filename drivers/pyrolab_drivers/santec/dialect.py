"""What the two command sets of Santec lasers have in common, so that a laser can speak either.

Numbers go over the wire in decimal with as many places as the laser resolves (0.1 pm, 10 MHz, 0.01 dB).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum, IntEnum

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.quantities import NotSupported, PowerUnit
from pyrolab_drivers.swept_laser import SweepMode, SweepState

#: The resolution of a logged wavelength: 0.1 pm.
LOG_STEP_NM = 1e-4


class Quantity(Enum):
    """A number that can be read, and mostly set: its name, and how many decimal places it has."""

    WAVELENGTH = ("wavelength in nm", 4)
    FREQUENCY = ("frequency in THz", 5)
    FINE_TUNING = ("fine tuning", 2)
    POWER_DBM = ("power in dBm", 2)
    POWER_MW = ("power in mW", 2)
    POWER_MEASURED = ("measured power", 2)
    ATTENUATION = ("attenuation in dB", 2)
    SWEEP_START = ("start of the sweep in nm", 4)
    SWEEP_STOP = ("end of the sweep in nm", 4)
    SWEEP_STEP = ("step of the sweep in nm", 4)
    SWEEP_SPEED = ("speed of the sweep in nm/s", 1)
    SWEEP_DWELL = ("dwell of the sweep in s", 1)
    SWEEP_DELAY = ("delay of the sweep in s", 1)
    SWEEP_CYCLES = ("cycles of the sweep", 0)
    SWEEPS_DONE = ("sweeps that were completed", 0)
    TRIGGER_OUTPUT = ("what gives a trigger", 0)
    TRIGGER_STEP = ("distance of two triggers in nm", 4)

    def __init__(self, title: str, places: int) -> None:
        self.title = title
        self.places = places

    def text(self, value: float) -> str:
        """`value` as the laser wants it: never in fewer digits than it resolves."""
        return f"{value:.{self.places}f}"


class TriggerOutput(IntEnum):
    """What gives a pulse at the trigger output, and an entry of the wavelength log."""

    NONE = 0
    STOP = 1
    START = 2
    STEP = 3


#: Answers to `SK` and `:WAVelength:SWEep?`.
SWEEP_STATES = {
    0: SweepState.STOPPED,
    1: SweepState.RUNNING,
    2: SweepState.PAUSED,
    3: SweepState.WAITING,
    4: SweepState.RETURNING,
}


class Dialect(ABC):
    """One command set. Not every laser has every quantity: `NotSupported` says which is missing."""

    @abstractmethod
    def identify(self) -> Identity | None:
        """What the laser says it is; None if this command set cannot ask."""

    @abstractmethod
    def read(self, quantity: Quantity) -> float:
        """The value of a quantity."""

    @abstractmethod
    def write(self, quantity: Quantity, value: float) -> None:
        """Set a quantity."""

    @abstractmethod
    def tuned(self) -> bool:
        """True once wavelength and power are what was set."""

    @abstractmethod
    def read_emission(self) -> bool:
        """True while the laser diode is on."""

    @abstractmethod
    def write_emission(self, emission: bool) -> None:
        """Switch the laser diode."""

    @abstractmethod
    def read_shutter_open(self) -> bool:
        """True while the shutter is open."""

    @abstractmethod
    def write_shutter_open(self, opened: bool) -> None:
        """Move the shutter."""

    @abstractmethod
    def read_coherence_control(self) -> bool:
        """True while the line is broadened."""

    @abstractmethod
    def write_coherence_control(self, enabled: bool) -> None:
        """Broaden the line, or not."""

    @abstractmethod
    def write_automatic_power(self, enabled: bool) -> None:
        """Regulate the power by the attenuator, or leave the attenuator alone."""

    @abstractmethod
    def stop_fine_tuning(self) -> None:
        """End the fine tuning, and regulate the wavelength again."""

    def read_power_unit(self) -> PowerUnit:
        """What the display shows a power in."""
        raise NotSupported("this command set cannot read the unit of the display")

    def write_power_unit(self, unit: PowerUnit) -> None:
        """Change what the display shows a power in."""
        raise NotSupported("this command set cannot set the unit of the display")

    @abstractmethod
    def read_sweep_mode(self) -> SweepMode:
        """How a sweep goes. Raises `WrongMode` if it is set to one that has no name here."""

    @abstractmethod
    def write_sweep_mode(self, mode: SweepMode) -> None:
        """Choose how a sweep goes."""

    @abstractmethod
    def read_sweep_state(self) -> SweepState:
        """What the sweep is doing."""

    @abstractmethod
    def start_sweep(self) -> None:
        """Start to sweep."""

    @abstractmethod
    def pause_sweep(self) -> None:
        """Hold the sweep."""

    @abstractmethod
    def resume_sweep(self) -> None:
        """Go on."""

    @abstractmethod
    def stop_sweep(self) -> None:
        """End the sweep."""

    @abstractmethod
    def read_log(self) -> NDArray[np.float64]:
        """The logged wavelengths, in nm."""

    def errors(self) -> list[str]:
        """What the laser has complained about; takes it away."""
        return []

    def reset(self) -> None:
        """Bring the laser into the state in which it leaves the factory."""
        raise NotSupported("this command set has no reset")


def nanometres(counts: NDArray[np.unsignedinteger]) -> NDArray[np.float64]:
    """Logged counts of 0.1 pm as nm; dividing by 10⁴ gives the float nearest to the decimal number."""
    return counts.astype(np.float64) / 1e4
