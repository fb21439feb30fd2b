"""How an axis moves: along pieces of constant acceleration. Times are arguments; nothing here has a clock."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """A time in s during which the acceleration is constant, beginning at `velocity`."""

    duration_s: float
    velocity: float
    acceleration: float

    def distance(self, elapsed_s: float) -> float:
        """How far it has gone after `elapsed_s`."""
        return self.velocity * elapsed_s + 0.5 * self.acceleration * elapsed_s**2


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A movement that begins at `start` at the time `began_s` and ends at rest."""

    start: float
    began_s: float = 0.0
    pieces: tuple[Piece, ...] = ()

    @property
    def duration_s(self) -> float:
        """How long it takes, in s."""
        return sum(piece.duration_s for piece in self.pieces)

    @property
    def end(self) -> float:
        """Where it comes to rest."""
        return self.start + sum(piece.distance(piece.duration_s) for piece in self.pieces)

    def finished(self, now_s: float) -> bool:
        """True once it is at rest."""
        return now_s - self.began_s >= self.duration_s

    def position(self, now_s: float) -> float:
        """Where it is at `now_s`."""
        return self._state(now_s)[0]

    def velocity(self, now_s: float) -> float:
        """How fast it is at `now_s`, with its sign."""
        return self._state(now_s)[1]

    def _state(self, now_s: float) -> tuple[float, float]:
        elapsed, position = max(0.0, now_s - self.began_s), self.start
        for piece in self.pieces:
            if elapsed < piece.duration_s:
                return position + piece.distance(elapsed), piece.velocity + piece.acceleration * elapsed
            position += piece.distance(piece.duration_s)
            elapsed -= piece.duration_s
        return position, 0.0


def point_to_point(
    start: float, end: float, began_s: float, velocity: float, acceleration: float
) -> Trajectory:
    """From rest to rest: speed up, cruise at `velocity`, brake; without the cruise where the way is short."""
    distance, sign = abs(end - start), math.copysign(1.0, end - start)
    top = min(velocity, math.sqrt(distance * acceleration))
    if top == 0.0:
        return Trajectory(start, began_s)
    ramp_s = top / acceleration
    cruise_s = max(0.0, distance / top - ramp_s)
    return Trajectory(
        start,
        began_s,
        (
            Piece(ramp_s, 0.0, sign * acceleration),
            Piece(cruise_s, sign * top, 0.0),
            Piece(ramp_s, sign * top, -sign * acceleration),
        ),
    )


def brake(moving: Trajectory, now_s: float, acceleration: float) -> Trajectory:
    """What becomes of a movement that is told at `now_s` to stop gently."""
    velocity = moving.velocity(now_s)
    piece = Piece(abs(velocity) / acceleration, velocity, -math.copysign(acceleration, velocity))
    return Trajectory(moving.position(now_s), now_s, (piece,))
