"""What hangs at the outputs of a simulated source-measure unit: current against voltage, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from pyrolab_drivers.quantities import Amperes, Ohms, Volts, Watts

#: Voltages that a load is asked for stay within this.
_HIGHEST_V = 1e3


class Load(Protocol):
    """A device with two leads; its current grows with its voltage."""

    def current(self, voltage: Volts) -> Amperes:
        """Current at a voltage, in A."""
        ...

    def voltage(self, current: Amperes) -> Volts:
        """Voltage at a current, in V; ±1000 V for a current that it cannot carry."""
        ...


@dataclass(frozen=True, slots=True)
class Resistor:
    """A resistor: I = V/R."""

    resistance: Ohms

    def current(self, voltage: Volts) -> Amperes:
        """Current at a voltage, in A."""
        return voltage / self.resistance

    def voltage(self, current: Amperes) -> Volts:
        """Voltage at a current, in V."""
        return current * self.resistance


@dataclass(frozen=True, slots=True)
class Photodiode:
    """A diode after Shockley with a photocurrent: I = I_s·(exp(V/(n·V_T)) − 1) − S·P.

    Source: S. M. Sze, "Physics of Semiconductor Devices", the ideal diode; V_T = kT/q at 300 K.
    """

    saturation: Amperes = 5e-9
    ideality: float = 1.6
    #: Photocurrent for each watt of light, S.
    responsivity: float = 0.9
    light: Watts = 0.0

    @property
    def _slope(self) -> Volts:
        return self.ideality * 0.02585

    def current(self, voltage: Volts) -> Amperes:
        """Current at a voltage, in A; light makes it more negative."""
        exponent = min(voltage / self._slope, 500.0)
        return self.saturation * math.expm1(exponent) - self.responsivity * self.light

    def voltage(self, current: Amperes) -> Volts:
        """Voltage at a current, in V; no voltage drives more than the leakage backwards."""
        ratio = (current + self.responsivity * self.light) / self.saturation
        return self._slope * math.log1p(ratio) if ratio > -1.0 else -_HIGHEST_V
