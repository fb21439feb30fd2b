"""Stages and actuators for the KDC101, and how many encoder counts move them by one unit.

Where sources disagree, a preset has all their values and the user chooses one. How fast a stage may move is
not in the presets, because what was found differs (2.6 and 0.4 mm/s for a Z825B): its data sheet has it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServoStage:
    """A stage: its travel in `unit`, counts per `unit` that are in use, its greatest speeds if known."""

    name: str
    travel: float
    counts_per_unit: tuple[float, ...]
    unit: str = "mm"
    velocity_limit: float | None = None
    acceleration_limit: float | None = None

    def counts(self, chosen: float | None) -> float:
        """Counts per unit: `chosen`, or the only one. Raises `ValueError` where there is a choice to make."""
        if chosen is None and len(self.counts_per_unit) == 1:
            return self.counts_per_unit[0]
        if chosen is None:
            possible = " or ".join(f"{value:.10g}" for value in self.counts_per_unit)
            raise ValueError(
                f"for the {self.name} sources disagree: {possible} counts per {self.unit} (gearbox 67:1 or "
                "67.49:1); give the one that your stage's data sheet has as counts_per_unit"
            )
        if not chosen > 0:
            raise ValueError(f"counts_per_unit is more than 0, not {chosen!r}")
        return chosen


#: pylablib has the first (512 counts per turn, gearbox 67:1), newer data sheets the second (67.49:1).
_Z8_COUNTS = (34304.0, 34554.96)
_Z6_COUNTS = (24600.0,)


#: The presets by name.
STAGES: dict[str, ServoStage] = {
    stage.name: stage
    for stage in (
        *(
            ServoStage(f"Z8{travel:02}{suffix}", travel, _Z8_COUNTS)
            for travel in (6, 12, 25)
            for suffix in ("", "B")
        ),
        *(ServoStage(f"Z6{travel:02}", travel, _Z6_COUNTS) for travel in (6, 12, 25)),
        ServoStage("MTS25-Z8", 25.0, _Z8_COUNTS),
        ServoStage("MTS50-Z8", 50.0, _Z8_COUNTS),
        ServoStage("PRM1-Z8", 360.0, (1919.6418,), unit="deg"),
    )
}


def stage_named(stage: str | ServoStage) -> ServoStage:
    """Return the preset of that name, or the stage itself. Raises `LookupError` for an unknown name."""
    if isinstance(stage, ServoStage):
        return stage
    try:
        return STAGES[stage]
    except KeyError:
        known = ", ".join(STAGES)
        raise LookupError(f"there is no preset {stage!r}; there are {known}, or give a ServoStage") from None
