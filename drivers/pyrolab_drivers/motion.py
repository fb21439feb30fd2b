"""Motorised axes, and stages made of them.

A move is started by `move_to` or `move_by`, which return at once; `wait()` returns when it is done.
Positions outside the limits are refused before anything moves.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from enum import Enum
from typing import ClassVar

from pyrolab_drivers.instrument import Identity, Instrument, wait_until
from pyrolab_drivers.quantities import Range, Seconds, choice

#: How long `wait()` waits unless told otherwise, in seconds.
DEFAULT_WAIT_S = 60.0


class Direction(Enum):
    """Where a jog goes: to higher positions or to lower ones."""

    FORWARD = "forward"
    BACKWARD = "backward"


class MotionAxis(Instrument):
    """One motorised axis. Lengths are in `unit`, speeds in `unit`/s, accelerations in `unit`/s².

    A driver supplies the abstract members, and what else the axis has.
    """

    #: Unit of position: "mm", "deg" for a rotation, "µm" for a piezo.
    unit: ClassVar[str] = "mm"

    @property
    @abstractmethod
    def position(self) -> float:
        """Where the axis is now, in `unit`."""

    @property
    @abstractmethod
    def target(self) -> float:
        """Where the last move goes, in `unit`."""

    @property
    @abstractmethod
    def moving(self) -> bool:
        """True until the last move has ended."""

    @property
    @abstractmethod
    def homed(self) -> bool:
        """True once the axis has found its reference, so that its positions mean something."""

    @property
    @abstractmethod
    def limits(self) -> tuple[float, float]:
        """Lowest and highest position, in `unit`."""

    @abstractmethod
    def _start_move(self, target: float) -> None:
        """Start to move; `target` is within the limits."""

    @abstractmethod
    def home(self) -> None:
        """Start to search the reference; `wait()` returns when it is found."""

    @abstractmethod
    def stop(self, immediate: bool = False) -> None:
        """End the move now, braking gently, or at once if `immediate`."""

    def _start_jog(self, direction: Direction) -> None:
        self._start_move(self.limits[direction is Direction.FORWARD])

    @property
    def velocity_limits(self) -> tuple[float, float]:
        """Lowest and highest speed that can be set, in `unit`/s."""
        raise self._not_supported("a speed that can be set")

    def _read_velocity(self) -> float:
        raise self._not_supported("a speed that can be set")

    def _write_velocity(self, speed: float) -> None:
        raise self._not_supported("a speed that can be set")

    @property
    def acceleration_limits(self) -> tuple[float, float]:
        """Lowest and highest acceleration that can be set, in `unit`/s²."""
        raise self._not_supported("an acceleration that can be set")

    def _read_acceleration(self) -> float:
        raise self._not_supported("an acceleration that can be set")

    def _write_acceleration(self, acceleration: float) -> None:
        raise self._not_supported("an acceleration that can be set")

    @property
    def backlash_limits(self) -> tuple[float, float]:
        """Least and greatest backlash that can be compensated, in `unit`."""
        raise self._not_supported("a compensation of backlash")

    def _read_backlash(self) -> float:
        raise self._not_supported("a compensation of backlash")

    def _write_backlash(self, backlash: float) -> None:
        raise self._not_supported("a compensation of backlash")

    def _read_limit_switches(self) -> tuple[bool, bool]:
        raise self._not_supported("limit switches")

    def _read_enabled(self) -> bool:
        raise self._not_supported("a motor that can be switched off")

    def _write_enabled(self, enabled: bool) -> None:
        raise self._not_supported("a motor that can be switched off")

    @property
    def velocity(self) -> float:
        """Greatest speed of a move, in `unit`/s."""
        self._require_connection()
        return self._read_velocity()

    @velocity.setter
    def velocity(self, speed: float) -> None:
        self._require_connection()
        self._write_velocity(Range(*self.velocity_limits, f"{self.unit}/s").check("velocity", speed))

    @property
    def acceleration(self) -> float:
        """Acceleration at the beginning and at the end of a move, in `unit`/s²."""
        self._require_connection()
        return self._read_acceleration()

    @acceleration.setter
    def acceleration(self, acceleration: float) -> None:
        self._require_connection()
        allowed = Range(*self.acceleration_limits, f"{self.unit}/s²")
        self._write_acceleration(allowed.check("acceleration", acceleration))

    @property
    def backlash(self) -> float:
        """How far a move from above goes beyond its target before it comes back to it, in `unit`."""
        self._require_connection()
        return self._read_backlash()

    @backlash.setter
    def backlash(self, backlash: float) -> None:
        self._require_connection()
        self._write_backlash(Range(*self.backlash_limits, self.unit).check("backlash", backlash))

    @property
    def limit_switches(self) -> tuple[bool, bool]:
        """Whether the switch at the low end, and the one at the high end, is pressed now."""
        self._require_connection()
        return self._read_limit_switches()

    @property
    def enabled(self) -> bool:
        """True while the motor has current and holds its position."""
        self._require_connection()
        return self._read_enabled()

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        self._require_connection()
        self._write_enabled(bool(enabled))

    def jog(self, direction: Direction = Direction.FORWARD) -> None:
        """Start to move on in one direction, until `stop()` or the limit."""
        self._require_connection()
        self._start_jog(choice(Direction, "direction", direction))

    def move_to(self, position: float) -> None:
        """Start to move to `position`, in `unit`. Raises `OutOfRange` outside the limits."""
        self._require_connection()
        self._start_move(self.check(position))

    def move_by(self, distance: float) -> None:
        """Start to move by `distance` from the last target. Raises `OutOfRange` outside the limits."""
        self.move_to(self.target + distance)

    def check(self, position: float, quantity: str = "position") -> float:
        """Return `position` if the axis can go there, else raise `OutOfRange`; nothing moves."""
        return Range(*self.limits, self.unit).check(quantity, position)

    def wait(self, timeout_s: Seconds = DEFAULT_WAIT_S) -> None:
        """Return when the axis is at rest. Raises `TimeoutError` after `timeout_s`."""
        wait_until(lambda: not self.moving, timeout_s, f"the move of {self.identity}")


class Stage(Instrument):
    """Axes that move one thing, under names: `Stage({"x": …, "y": …})`."""

    def __init__(self, axes: Mapping[str, MotionAxis], identity: Identity) -> None:
        super().__init__()
        self._axes = dict(axes)
        self._identity = identity

    @property
    def identity(self) -> Identity:
        """Vendor, model, serial number and firmware."""
        return self._identity

    def _open(self) -> None:
        for axis in self._axes.values():
            axis.connect()

    def _close(self) -> None:
        for axis in self._axes.values():
            axis.close()

    @property
    def axes(self) -> Mapping[str, MotionAxis]:
        """The axes by name."""
        return dict(self._axes)

    @property
    def units(self) -> dict[str, str]:
        """Unit of each axis's position."""
        return {name: axis.unit for name, axis in self._axes.items()}

    @property
    def position(self) -> dict[str, float]:
        """Where each axis is now, in its unit."""
        return {name: axis.position for name, axis in self._axes.items()}

    @property
    def limits(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest position of each axis, in its unit."""
        return {name: axis.limits for name, axis in self._axes.items()}

    @property
    def moving(self) -> bool:
        """True while any axis moves."""
        return any(axis.moving for axis in self._axes.values())

    @property
    def homed(self) -> bool:
        """True once all axes have found their references."""
        return all(axis.homed for axis in self._axes.values())

    def move_to(self, position: Mapping[str, float]) -> None:
        """Start to move the named axes, for example `{"x": 1.5}`; the others stay.

        Raises `OutOfRange` if one of them cannot go there and `LookupError` for an unknown axis; then
        none of them moves.
        """
        self._require_connection()
        for name, value in position.items():
            self._axis(name).check(value, f"position of axis {name}")
        for name, value in position.items():
            self._axes[name].move_to(value)

    def move_by(self, distance: Mapping[str, float]) -> None:
        """Start to move the named axes by distances from their last targets, as `move_to` does."""
        self.move_to({name: self._axis(name).target + value for name, value in distance.items()})

    def home(self) -> None:
        """Start to search the references of all axes; `wait()` returns when they are found."""
        for axis in self._axes.values():
            axis.home()

    def stop(self, immediate: bool = False) -> None:
        """End the moves of all axes now, braking gently, or at once if `immediate`."""
        for axis in self._axes.values():
            axis.stop(immediate)

    def wait(self, timeout_s: Seconds = DEFAULT_WAIT_S) -> None:
        """Return when all axes are at rest. Raises `TimeoutError` after `timeout_s`."""
        wait_until(lambda: not self.moving, timeout_s, f"the move of {self.identity}")

    def _axis(self, name: str) -> MotionAxis:
        try:
            return self._axes[name]
        except KeyError:
            raise LookupError(f"there is no axis {name!r}; the axes are {', '.join(self._axes)}") from None
