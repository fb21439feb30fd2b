"""Motorised axes, and stages made of them.

A move is started by `move_to` or `move_by`, which return at once; `wait()` returns when it is done.
Positions outside the limits are refused before anything moves.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from pyrolab_drivers.instrument import Identity, Instrument, wait_until
from pyrolab_drivers.quantities import Range, Seconds

#: How long `wait()` waits unless told otherwise, in seconds.
DEFAULT_WAIT_S = 60.0


class MotionAxis(Instrument):
    """One motorised axis. Lengths are in `unit`, speeds in `unit`/s, accelerations in `unit`/s²."""

    #: Unit of position: "mm", or "deg" for a rotation.
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

    @property
    @abstractmethod
    def velocity(self) -> float:
        """Greatest speed of a move, in `unit`/s."""

    @velocity.setter
    @abstractmethod
    def velocity(self, speed: float) -> None: ...

    @abstractmethod
    def _start_move(self, target: float) -> None:
        """Start to move; `target` is within the limits."""

    @abstractmethod
    def home(self) -> None:
        """Start to search the reference; `wait()` returns when it is found."""

    @abstractmethod
    def stop(self, immediate: bool = False) -> None:
        """End the move now, braking gently, or at once if `immediate`."""

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
        return MappingProxyType(self._axes)

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
