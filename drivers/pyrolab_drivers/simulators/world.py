"""One lab of twins: each twin made for it is coupled to those that were made before, and after.

A twin stands for a driver that some configuration names, so nobody tells it who its neighbours are. It finds
them in its world: the last laser, stage, source-measure unit and so on that were made there. What was not
made is there all the same, as it is on a well-kept bench: aligned, focused, and lit with 1 mW at 1550 nm.
"""

from __future__ import annotations

from typing import Any

from pyrolab_drivers.quantities import Degrees, Hertz, Millimetres, Volts, Watts
from pyrolab_drivers.simulators.bench import chip_place_mm, focus_place_mm
from pyrolab_drivers.simulators.laser import SimulatedLaser

#: What the single axes of a world move, in the order in which they are made.
_AXES = ("x", "y", "focus")


class Rest:
    """What stands on the bench where nothing was put: it does not move, heat or modulate."""

    def __init__(self, position: Any = 0.0) -> None:
        self.actual_position = position
        self.actual_heater_power: Watts = 0.0
        self.actual_drive: tuple[Hertz, Volts, Degrees] = (0.0, 0.0, 0.0)


class Neighbour:
    """Whatever has a place in the world now; it answers in its stead."""

    def __init__(self, world: World, place: str) -> None:
        self._world = world
        self._place = place

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.at(self._place), name)


class World:
    """The places on a bench, and who has them.

    They are `stage`, `laser`, `heater`, `piezo`, `focus`, `modulator`, and the axes `x` and `y`.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        lamp = SimulatedLaser(seed)
        lamp.connect()
        lamp.output_enabled = True
        best_x, best_y = chip_place_mm(seed)
        self._places: dict[str, Any] = {
            "stage": _StageOfAxes(self),
            "laser": lamp,
            "heater": Rest(),
            "piezo": Rest(),
            "focus": Rest(focus_place_mm(seed)),
            "modulator": Rest(),
            "x": Rest(best_x),
            "y": Rest(best_y),
        }
        self._axes = 0

    def at(self, place: str) -> Any:
        """Who has a place now."""
        return self._places[place]

    def neighbour(self, place: str) -> Any:
        """Whoever has a place, also after that has changed."""
        return Neighbour(self, place)

    def put(self, place: str, twin: Any) -> None:
        """Give a place to a twin; `axis` is the next of x, y and the focus."""
        if place == "axis":
            place = _AXES[min(self._axes, len(_AXES) - 1)]
            self._axes += 1
        if place:
            self._places[place] = twin


class _StageOfAxes:
    """The two single axes of a world as a stage."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def actual_position(self) -> dict[str, Millimetres]:
        return {name: float(self._world.at(name).actual_position) for name in ("x", "y")}
