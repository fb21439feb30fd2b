"""A simulated stage with axes that take their time, as motors do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np

from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.motion import MotionAxis, Stage
from pyrolab_drivers.quantities import InstrumentBusy, Millimetres, Seconds
from pyrolab_drivers.simulators.faults import Faults, Simulated
from pyrolab_drivers.simulators.trajectory import Trajectory, brake, point_to_point

Clock = Callable[[], Seconds]


class SimulatedAxis(Simulated, MotionAxis):
    """A linear axis with trapezoidal moves, an encoder of finite resolution, and a reference to be found."""

    def __init__(
        self,
        serial: str,
        *,
        limits: tuple[Millimetres, Millimetres] = (-2.0, 2.0),
        start: Millimetres = 0.0,
        clock: Clock = time.monotonic,
    ) -> None:
        super().__init__()
        self._acceleration = 50.0
        self.resolution: Millimetres = 0.00002
        self._serial = serial
        self._limits = limits
        self._clock = clock
        self._velocity = 2.0
        self._homed = False
        self._homing = False
        self._motion = Trajectory(start)
        self._lock = threading.Lock()  # stop() comes from another thread than the move

    @property
    def identity(self) -> Identity:
        """Vendor, model, serial number and firmware."""
        return Identity("PyroLab", "Simulated axis", self._serial, "1")

    def _close(self) -> None:
        self._end_move(immediate=True)

    @property
    def actual_position(self) -> Millimetres:
        """Where it is now, in mm, whatever its connection does; for other twins."""
        return self._quantise(self._motion.position(self._clock()))

    @property
    def position(self) -> Millimetres:
        """Where the encoder says that the axis is now, in mm."""
        self._require_connection()
        return self.actual_position

    @property
    def target(self) -> Millimetres:
        """Where the last move goes, in mm."""
        return self._quantise(self._motion.end)

    @property
    def moving(self) -> bool:
        """True until the last move has ended."""
        self._faults.exchange(str(self.identity))
        return self._under_way()

    def _under_way(self) -> bool:
        with self._lock:
            resting = self._motion.finished(self._clock())
            self._homed = self._homed or (self._homing and resting)
            return not resting

    @property
    def homed(self) -> bool:
        """True once the axis has found its reference, at 0 mm."""
        return self._homed or (self._homing and not self._under_way())

    @property
    def limits(self) -> tuple[Millimetres, Millimetres]:
        """Lowest and highest position, in mm."""
        return self._limits

    @property
    def velocity_limits(self) -> tuple[float, float]:
        """Lowest and highest speed that can be set, in mm/s."""
        return (0.01, 10.0)

    def _read_velocity(self) -> float:
        return self._velocity

    def _write_velocity(self, speed: float) -> None:
        self._velocity = speed

    @property
    def acceleration_limits(self) -> tuple[float, float]:
        """Lowest and highest acceleration that can be set, in mm/s²."""
        return (1.0, 500.0)

    def _read_acceleration(self) -> float:
        return self._acceleration

    def _write_acceleration(self, acceleration: float) -> None:
        self._acceleration = acceleration

    def _read_limit_switches(self) -> tuple[bool, bool]:
        low, high = self._limits
        return (self.actual_position <= low, self.actual_position >= high)

    def _start_move(self, target: Millimetres) -> None:
        self._begin(self._quantise(target), homing=False)

    def home(self) -> None:
        """Start to search the reference, at 0 mm; `wait()` returns when it is found."""
        self._require_connection()
        self._begin(0.0, homing=True)

    def stop(self, immediate: bool = False) -> None:
        """End the move now, braking gently, or at once if `immediate`. Callable from any thread."""
        self._faults.exchange(str(self.identity))
        self._end_move(immediate)

    def _end_move(self, immediate: bool) -> None:
        with self._lock:
            now = self._clock()
            if self._motion.finished(now):
                return
            self._homing = False
            here = self._motion.position(now)
            self._motion = (
                Trajectory(here, now) if immediate else brake(self._motion, now, self._acceleration)
            )

    def _begin(self, target: Millimetres, *, homing: bool) -> None:
        with self._lock:
            now = self._clock()
            if not self._motion.finished(now):
                raise InstrumentBusy(f"{self.identity} is moving; wait() for it, or stop() it first")
            self._homed = (self._homed or self._homing) and not homing
            self._homing = homing
            self._motion = point_to_point(self._motion.end, target, now, self._velocity, self._acceleration)

    def _quantise(self, position: Millimetres) -> Millimetres:
        return round(round(position / self.resolution) * self.resolution, 9)


class SimulatedStage(Stage):
    """A stage with the axes `x` and `y`, ±2 mm, that wakes up somewhere and wants to be homed."""

    def __init__(self, seed: int = 0, *, clock: Clock = time.monotonic) -> None:
        start_x, start_y = np.random.default_rng([seed, 1]).uniform(-1.0, 1.0, size=2)
        self._x = SimulatedAxis(f"{seed}-x", start=float(start_x), clock=clock)
        self._y = SimulatedAxis(f"{seed}-y", start=float(start_y), clock=clock)
        super().__init__({"x": self._x, "y": self._y}, Identity("PyroLab", "Simulated stage", str(seed), "1"))
        self._y.faults = self._x.faults

    @property
    def actual_position(self) -> dict[str, Millimetres]:
        """Where the axes are now, in mm, whatever their connection does; for other twins."""
        return {"x": self._x.actual_position, "y": self._y.actual_position}

    @property
    def faults(self) -> Faults:
        """What goes wrong with the exchanges of the axes: they share one controller."""
        return self._x.faults

    @faults.setter
    def faults(self, faults: Faults | None) -> None:
        self._x.faults = faults
        self._y.faults = self._x.faults
