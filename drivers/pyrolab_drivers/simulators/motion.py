"""A simulated stage with two axes that take their time, as motors do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np

from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.motion import MotionAxis, Stage
from pyrolab_drivers.quantities import InstrumentBusy, Millimetres, Range, Seconds
from pyrolab_drivers.simulators.trajectory import Trajectory, brake, point_to_point

Clock = Callable[[], Seconds]

_VELOCITIES = Range(0.01, 10.0, "mm/s")


class SimulatedAxis(MotionAxis):
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
        self.acceleration = 50.0
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

    def _open(self) -> None: ...

    def _close(self) -> None:
        self.stop(immediate=True)

    @property
    def position(self) -> Millimetres:
        """Where the encoder says that the axis is now, in mm."""
        self._require_connection()
        return self._quantise(self._motion.position(self._clock()))

    @property
    def target(self) -> Millimetres:
        """Where the last move goes, in mm."""
        return self._quantise(self._motion.end)

    @property
    def moving(self) -> bool:
        """True until the last move has ended."""
        with self._lock:
            resting = self._motion.finished(self._clock())
            self._homed = self._homed or (self._homing and resting)
            return not resting

    @property
    def homed(self) -> bool:
        """True once the axis has found its reference, at 0 mm."""
        return self._homed or (self._homing and not self.moving)

    @property
    def limits(self) -> tuple[Millimetres, Millimetres]:
        """Lowest and highest position, in mm."""
        return self._limits

    @property
    def velocity(self) -> float:
        """Greatest speed of a move, in mm/s."""
        return self._velocity

    @velocity.setter
    def velocity(self, speed: float) -> None:
        self._velocity = _VELOCITIES.check("velocity", speed)

    def _start_move(self, target: Millimetres) -> None:
        self._begin(self._quantise(target), homing=False)

    def home(self) -> None:
        """Start to search the reference, at 0 mm; `wait()` returns when it is found."""
        self._require_connection()
        self._begin(0.0, homing=True)

    def stop(self, immediate: bool = False) -> None:
        """End the move now, braking gently, or at once if `immediate`. Callable from any thread."""
        with self._lock:
            now = self._clock()
            if self._motion.finished(now):
                return
            self._homing = False
            here = self._motion.position(now)
            self._motion = Trajectory(here, now) if immediate else brake(self._motion, now, self.acceleration)

    def _begin(self, target: Millimetres, *, homing: bool) -> None:
        with self._lock:
            now = self._clock()
            if not self._motion.finished(now):
                raise InstrumentBusy(f"{self.identity} is moving; wait() for it, or stop() it first")
            self._homed = (self._homed or self._homing) and not homing
            self._homing = homing
            self._motion = point_to_point(self._motion.end, target, now, self._velocity, self.acceleration)

    def _quantise(self, position: Millimetres) -> Millimetres:
        return round(round(position / self.resolution) * self.resolution, 9)


class SimulatedStage(Stage):
    """A stage with the axes `x` and `y`, ±2 mm, that wakes up somewhere and wants to be homed."""

    def __init__(self, seed: int = 0, *, clock: Clock = time.monotonic) -> None:
        start_x, start_y = np.random.default_rng([seed, 1]).uniform(-1.0, 1.0, size=2)
        super().__init__(
            {
                "x": SimulatedAxis(f"{seed}-x", start=float(start_x), clock=clock),
                "y": SimulatedAxis(f"{seed}-y", start=float(start_y), clock=clock),
            },
            Identity("PyroLab", "Simulated stage", str(seed), "1"),
        )
