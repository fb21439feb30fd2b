"""Piezo axes: travel in µm, drive in V.

In closed loop a strain gauge holds the position that was asked for; in open loop the voltage is what is
set, and the position follows with the hysteresis of the material.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from pyrolab_drivers.motion import MotionAxis
from pyrolab_drivers.quantities import Micrometres, Range, Volts, WrongMode


class PiezoAxis(MotionAxis):
    """One piezo actuator. A driver supplies the abstract members."""

    unit: ClassVar[str] = "µm"

    @property
    @abstractmethod
    def max_travel(self) -> Micrometres:
        """How far the actuator reaches, in µm; positions begin at 0."""

    @abstractmethod
    def _read_voltage(self) -> Volts: ...

    @abstractmethod
    def _write_voltage(self, voltage: Volts) -> None: ...

    @abstractmethod
    def _read_max_voltage(self) -> Volts: ...

    def _write_max_voltage(self, voltage: Volts) -> None:
        raise self._not_supported("a choice of the greatest voltage")

    @abstractmethod
    def _read_closed_loop(self) -> bool: ...

    @abstractmethod
    def _write_closed_loop(self, closed: bool) -> None: ...

    @abstractmethod
    def _start_zero(self) -> None: ...

    @property
    def max_voltages(self) -> tuple[Volts, ...]:
        """Voltages that `max_voltage` can be, in V, in ascending order."""
        return (self._read_max_voltage(),)

    @property
    def limits(self) -> tuple[Micrometres, Micrometres]:
        """Lowest and highest position, in µm: 0 and `max_travel`."""
        return (0.0, self.max_travel)

    @property
    def voltage(self) -> Volts:
        """Voltage on the actuator now, in V. To set it in closed loop raises `WrongMode`."""
        self._require_connection()
        return self._read_voltage()

    @voltage.setter
    def voltage(self, voltage: Volts) -> None:
        self._require_connection()
        checked = Range(0.0, self._read_max_voltage(), "V").check("voltage", voltage)
        if self._read_closed_loop():
            raise WrongMode("the loop is closed: move_to() sets the position, or set closed_loop to False")
        self._write_voltage(checked)

    @property
    def max_voltage(self) -> Volts:
        """Greatest voltage that the driver puts on the actuator, in V. More than it stands destroys it."""
        self._require_connection()
        return self._read_max_voltage()

    @max_voltage.setter
    def max_voltage(self, voltage: Volts) -> None:
        self._require_connection()
        possible = self.max_voltages
        checked = Range(possible[0], possible[-1], "V").check("greatest voltage", voltage)
        self._write_max_voltage(checked)

    @property
    def closed_loop(self) -> bool:
        """True while the position is held by feedback from a gauge."""
        self._require_connection()
        return self._read_closed_loop()

    @closed_loop.setter
    def closed_loop(self, closed: bool) -> None:
        self._require_connection()
        self._write_closed_loop(bool(closed))

    def move_to(self, position: Micrometres) -> None:
        """Start to move to `position`, in µm.

        Raises `OutOfRange` outside the travel and `WrongMode` in open loop; then nothing moves.
        """
        self._require_connection()
        checked = self.check(position)
        if not self._read_closed_loop():
            raise WrongMode("the loop is open: set the voltage, or set closed_loop to True and then move")
        self._start_move(checked)

    def zero(self) -> None:
        """Start to let the gauge find its zero, at 0 V; `wait()` returns when it has. `homed` tells."""
        self._require_connection()
        self._start_zero()

    def home(self) -> None:
        """The same as `zero`."""
        self.zero()

    def stop(self, immediate: bool = False) -> None:
        """Stay where the actuator is now."""
        self._require_connection()
        if self._read_closed_loop():
            self._start_move(min(max(self.position, 0.0), self.max_travel))
