"""Pure Photonics' PPCL550 and PPCL551: an ITLA laser with low-noise modes and a clean sweep.

Registers are those of pytla's list for Pure Photonics. The unit of the sweep rate is told differently in
different documents, and how far a laser sweeps is told nowhere in it: both are settings.
"""

from __future__ import annotations

from enum import Enum

from pyrolab_drivers.itla.itla import ITLALaser
from pyrolab_drivers.itla.registers import Register
from pyrolab_drivers.quantities import NotSupported, Range, Seconds, WrongMode, choice
from pyrolab_drivers.transports import Transport

#: The offset register counts in 0.1 GHz from here.
_OFFSET_ZERO = 2000


class NoiseMode(Enum):
    """How the laser keeps its frequency, and what that adds to its light."""

    DITHER = "dither"
    NO_DITHER = "no dither"
    WHISPER = "whisper"


_MODES = {NoiseMode.DITHER: 0, NoiseMode.NO_DITHER: 1, NoiseMode.WHISPER: 2}


class PPCL550(ITLALaser):
    """A PPCL550 or PPCL551."""

    def __init__(
        self,
        address: str | Transport,
        *,
        sweep_range_limit: float | None = None,
        sweep_rate_step: float | None = None,
        baud_rate: int = 9600,
        off_on_close: bool = True,
        pending_timeout_s: Seconds = 60.0,
        timeout_s: Seconds = 1.0,
    ) -> None:
        """As `ITLALaser`. `sweep_range_limit` is how far this laser sweeps, in GHz (50 for some).

        `sweep_rate_step` is what one unit of the rate register means, in GHz/s (0.001 by pytla's list).
        Without them, what needs them raises `NotSupported`.
        """
        super().__init__(
            address,
            baud_rate=baud_rate,
            off_on_close=off_on_close,
            pending_timeout_s=pending_timeout_s,
            timeout_s=timeout_s,
        )
        self._sweep_range_limit = sweep_range_limit
        self._sweep_rate_step = sweep_rate_step

    @property
    def noise_mode(self) -> NoiseMode:
        """How the laser keeps its frequency; a `NoiseMode` or its value."""
        number = self._line.read(Register.MODE).unsigned
        for mode, value in _MODES.items():
            if value == number:
                return mode
        raise NotSupported(f"the laser is in mode {number}, which is not known here")

    @noise_mode.setter
    def noise_mode(self, mode: NoiseMode) -> None:
        self._line.write(Register.MODE, _MODES[choice(NoiseMode, "noise mode", mode)])

    @property
    def sweep_range(self) -> float:
        """How far a sweep goes in all, in GHz; half of it to each side of the frequency that is set."""
        return float(self._line.read(Register.SWEEP_RANGE).unsigned)

    @sweep_range.setter
    def sweep_range(self, reach: float) -> None:
        if self._sweep_range_limit is None:
            raise NotSupported("how far this laser sweeps is not known here; give sweep_range_limit")
        checked = Range(1, self._sweep_range_limit, "GHz").check_count("sweep range", reach)
        self._line.write(Register.SWEEP_RANGE, checked)

    @property
    def sweep_rate(self) -> float:
        """How fast a sweep goes, in GHz/s."""
        return self._line.read(Register.SWEEP_RATE).unsigned * self._rate_step()

    @sweep_rate.setter
    def sweep_rate(self, rate: float) -> None:
        step = self._rate_step()
        checked = Range(step, 0xFFFF * step, "GHz/s").check("sweep rate", rate)
        self._line.write(Register.SWEEP_RATE, round(checked / step))

    @property
    def sweep_offset(self) -> float:
        """Where a running sweep is, in GHz from the frequency that is set."""
        return (self._line.read(Register.SWEEP_OFFSET).unsigned - _OFFSET_ZERO) / 10

    def start_sweep(self) -> None:
        """Start to sweep to and fro. Raises `WrongMode` in dither mode, or with the output off."""
        if not self._read_output_enabled():
            raise WrongMode("a sweep needs light: switch the output on first")
        if self.noise_mode is NoiseMode.DITHER:
            raise WrongMode("a sweep needs noise_mode 'no dither' or 'whisper'")
        self._line.write(Register.SWEEP_ON, 1)

    def stop_sweep(self) -> None:
        """End a sweep."""
        self._line.write(Register.SWEEP_ON, 0)

    def _rate_step(self) -> float:
        if self._sweep_rate_step is None:
            raise NotSupported(
                "documents disagree about the unit of the sweep rate; give sweep_rate_step, in GHz/s"
            )
        return self._sweep_rate_step
