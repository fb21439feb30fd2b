"""What all Santec lasers of the TSL series do, whichever command set they are spoken to in.

Wavelengths are in nm, frequencies in THz, powers in dBm. The range of wavelengths belongs to the unit that
was bought, so it is an argument and not a guess.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.laser import SPEED_OF_LIGHT_NM_THZ
from pyrolab_drivers.quantities import (
    DecibelMilliwatts,
    Decibels,
    Nanometres,
    NanometresPerSecond,
    NotSupported,
    PowerUnit,
    Range,
    Seconds,
    Terahertz,
    choice,
)
from pyrolab_drivers.santec.dialect import Dialect, Quantity, TriggerOutput
from pyrolab_drivers.swept_laser import SweepMode, SweepState, SweptLaser
from pyrolab_drivers.transports import Transport
from pyrolab_drivers.transports.wire_log import Tapped

#: Least and greatest distance of two triggers or two steps: 0.1 pm, and more than any unit can be tuned.
STEP_LIMITS_NM = (1e-4, 160.0)


class SantecTSL(SweptLaser, Tapped):
    """A Santec laser. A model supplies `_connect`: how it is reached, and in which command set.

    Light leaves the laser while the diode is on and the shutter is open. `output_enabled = True` sees to
    both; False closes the shutter and leaves the diode on, so that it stays warm. `close()` closes the
    shutter, unless `shut_on_close` is False. `emission` is the diode alone, `shutter_open` the shutter
    alone.
    """

    _model = "TSL"

    def __init__(
        self,
        address: str | Transport,
        *,
        wavelength_limits: tuple[Nanometres, Nanometres],
        power_limits: tuple[DecibelMilliwatts, DecibelMilliwatts] = (-15.0, 13.0),
        attenuation_limits: tuple[Decibels, Decibels] = (0.0, 30.0),
        sweep_speed_limits: tuple[NanometresPerSecond, NanometresPerSecond] = (0.5, 100.0),
        timeout_s: Seconds = 2.0,
        shut_on_close: bool = True,
    ) -> None:
        super().__init__()
        self._address = address
        self._owns_transport = not isinstance(address, Transport)
        self._wavelength_limits = wavelength_limits
        self._power_limits = power_limits
        self._attenuation_limits = attenuation_limits
        self._sweep_speed_limits = sweep_speed_limits
        self._timeout_s = timeout_s
        self._shut_on_close = shut_on_close
        self._identity = Identity("Santec", self._model, str(getattr(address, "name", address)))
        self._transport: Transport | None = None
        self._dialect: Dialect | None = None

    @abstractmethod
    def _connect(self) -> tuple[Transport, Callable[[Transport], Dialect]]:
        """Open the connection; return it, and what makes the command set over it."""

    @property
    def identity(self) -> Identity:
        """Vendor, model, serial number and firmware; the address where the laser cannot be asked."""
        return self._identity

    def _open(self) -> None:
        transport, speak = self._connect()
        try:
            dialect = speak(transport)
            self._identity = dialect.identify() or self._identity
            dialect.read(Quantity.WAVELENGTH)  # is it there, and does it speak this?
        except BaseException:
            self._free(transport)
            raise
        self._transport, self._dialect = transport, dialect

    def _close(self) -> None:
        transport, dialect = self._transport, self._dialect
        self._transport = self._dialect = None
        if transport is None or dialect is None:
            return
        try:
            if self._shut_on_close:
                dialect.write_shutter_open(False)
        finally:
            self._free(transport)

    def _free(self, transport: Transport) -> None:
        if self._owns_transport:
            transport.close()

    @property
    def _laser(self) -> Dialect:
        self._require_connection()
        assert self._dialect is not None
        return self._dialect

    def reset(self) -> None:
        """Bring the laser into the state in which it leaves the factory. Raises `NotSupported` in set 2."""
        self._laser.reset()

    def errors(self) -> list[str]:
        """What the laser has complained about since it was last asked; in set 2, what is wrong now."""
        return self._laser.errors()

    # -- limits --------------------------------------------------------------------------------------

    @property
    def wavelength_limits(self) -> tuple[Nanometres, Nanometres]:
        """Shortest and longest wavelength, in nm, as it was configured."""
        return self._wavelength_limits

    @property
    def power_limits(self) -> tuple[DecibelMilliwatts, DecibelMilliwatts]:
        """Lowest and highest power that can be set, in dBm, as it was configured."""
        return self._power_limits

    @property
    def attenuation_limits(self) -> tuple[Decibels, Decibels]:
        """Least and greatest attenuation, in dB."""
        return self._attenuation_limits

    @property
    def sweep_speed_limits(self) -> tuple[NanometresPerSecond, NanometresPerSecond]:
        """Lowest and highest speed of a continuous sweep, in nm/s."""
        return self._sweep_speed_limits

    @property
    def sweep_step_limits(self) -> tuple[Nanometres, Nanometres]:
        """Least and greatest step of a stepped sweep, in nm."""
        return STEP_LIMITS_NM

    # -- light ---------------------------------------------------------------------------------------

    @property
    def power(self) -> DecibelMilliwatts:
        """Power that leaves the laser now, in dBm, as its monitor measures it; minus infinity without output.

        Raises `NotSupported` in command set 2, which knows the set power only.
        """
        return self._laser.read(Quantity.POWER_MEASURED) if self._read_output_enabled() else -math.inf

    @property
    def settled(self) -> bool:
        """True once the laser is no longer busy with wavelength, current or attenuator."""
        return self._laser.tuned()

    @property
    def frequency(self) -> Terahertz:
        """Optical frequency in THz, in steps of 10 MHz."""
        return self._laser.read(Quantity.FREQUENCY)

    @frequency.setter
    def frequency(self, frequency: Terahertz) -> None:
        shortest, longest = self.wavelength_limits
        allowed = Range(SPEED_OF_LIGHT_NM_THZ / longest, SPEED_OF_LIGHT_NM_THZ / shortest, "THz")
        self._require_connection()
        self._laser.write(Quantity.FREQUENCY, allowed.check("frequency", frequency))

    @property
    def fine_tuning(self) -> float:
        """Fine tuning, −100 to 100 in steps of 0.01; the wavelength is not regulated meanwhile."""
        return self._laser.read(Quantity.FINE_TUNING)

    @fine_tuning.setter
    def fine_tuning(self, value: float) -> None:
        self._require_connection()
        self._laser.write(Quantity.FINE_TUNING, Range(-100.0, 100.0, "").check("fine tuning", value))

    def stop_fine_tuning(self) -> None:
        """End the fine tuning, and regulate the wavelength again."""
        self._laser.stop_fine_tuning()

    @property
    def power_setpoint_mw(self) -> float:
        """Power that was asked for, in mW."""
        return self._laser.read(Quantity.POWER_MW)

    @power_setpoint_mw.setter
    def power_setpoint_mw(self, power: float) -> None:
        self._require_connection()
        low, high = (10 ** (limit / 10) for limit in self.power_limits)
        self._laser.write(Quantity.POWER_MW, Range(low, high, "mW").check("power", power))

    @property
    def coherence_control(self) -> bool:
        """True while the line is broadened."""
        return self._laser.read_coherence_control()

    @coherence_control.setter
    def coherence_control(self, enabled: bool) -> None:
        self._laser.write_coherence_control(bool(enabled))

    def regulate_power(self, automatic: bool = True) -> None:
        """Let the laser hold its power by its attenuator, or (False) leave that to `attenuation`."""
        self._laser.write_automatic_power(bool(automatic))

    def _read_wavelength(self) -> Nanometres:
        return self._laser.read(Quantity.WAVELENGTH)

    def _write_wavelength(self, wavelength: Nanometres) -> None:
        self._laser.write(Quantity.WAVELENGTH, wavelength)

    def _read_power_setpoint(self) -> DecibelMilliwatts:
        return self._laser.read(Quantity.POWER_DBM)

    def _write_power_setpoint(self, power: DecibelMilliwatts) -> None:
        self._laser.write(Quantity.POWER_DBM, power)

    def _read_attenuation(self) -> Decibels:
        return self._laser.read(Quantity.ATTENUATION)

    def _write_attenuation(self, attenuation: Decibels) -> None:
        self._laser.write(Quantity.ATTENUATION, attenuation)

    def _read_power_unit(self) -> PowerUnit:
        return self._laser.read_power_unit()

    def _write_power_unit(self, unit: PowerUnit) -> None:
        self._laser.write_power_unit(unit)

    def _read_emission(self) -> bool:
        return self._laser.read_emission()

    def _write_emission(self, emission: bool) -> None:
        self._laser.write_emission(emission)

    def _read_shutter_open(self) -> bool:
        return self._laser.read_shutter_open()

    def _write_shutter_open(self, opened: bool) -> None:
        self._laser.write_shutter_open(opened)

    def _read_output_enabled(self) -> bool:
        return self._laser.read_emission() and self._laser.read_shutter_open()

    def _write_output_enabled(self, enabled: bool) -> None:
        if enabled and not self._laser.read_emission():
            self._laser.write_emission(True)
        self._laser.write_shutter_open(enabled)

    # -- sweeps --------------------------------------------------------------------------------------

    @property
    def trigger_output(self) -> TriggerOutput:
        """What gives a pulse at the trigger output, and an entry of `wavelength_log`."""
        return TriggerOutput(int(self._laser.read(Quantity.TRIGGER_OUTPUT)))

    @trigger_output.setter
    def trigger_output(self, trigger: TriggerOutput) -> None:
        self._require_connection()
        self._laser.write(Quantity.TRIGGER_OUTPUT, choice(TriggerOutput, "trigger output", trigger))

    @property
    def trigger_step(self) -> Nanometres:
        """Distance of two pulses while `trigger_output` is `STEP`, in nm."""
        return self._laser.read(Quantity.TRIGGER_STEP)

    @trigger_step.setter
    def trigger_step(self, step: Nanometres) -> None:
        self._require_connection()
        self._laser.write(Quantity.TRIGGER_STEP, Range(*STEP_LIMITS_NM, "nm").check("trigger step", step))

    @property
    def sweeps_done(self) -> int:
        """How many cycles of the sweep are over."""
        return int(self._laser.read(Quantity.SWEEPS_DONE))

    def _read_sweep_start(self) -> Nanometres:
        return self._laser.read(Quantity.SWEEP_START)

    def _write_sweep_start(self, wavelength: Nanometres) -> None:
        self._laser.write(Quantity.SWEEP_START, wavelength)

    def _read_sweep_stop(self) -> Nanometres:
        return self._laser.read(Quantity.SWEEP_STOP)

    def _write_sweep_stop(self, wavelength: Nanometres) -> None:
        self._laser.write(Quantity.SWEEP_STOP, wavelength)

    def _read_sweep_step(self) -> Nanometres:
        return self._laser.read(Quantity.SWEEP_STEP)

    def _write_sweep_step(self, step: Nanometres) -> None:
        self._laser.write(Quantity.SWEEP_STEP, step)

    def _read_sweep_speed(self) -> NanometresPerSecond:
        return self._laser.read(Quantity.SWEEP_SPEED)

    def _write_sweep_speed(self, speed: NanometresPerSecond) -> None:
        self._laser.write(Quantity.SWEEP_SPEED, speed)

    def _read_sweep_dwell(self) -> Seconds:
        return self._laser.read(Quantity.SWEEP_DWELL)

    def _write_sweep_dwell(self, dwell: Seconds) -> None:
        self._laser.write(Quantity.SWEEP_DWELL, dwell)

    def _read_sweep_delay(self) -> Seconds:
        return self._laser.read(Quantity.SWEEP_DELAY)

    def _write_sweep_delay(self, delay: Seconds) -> None:
        self._laser.write(Quantity.SWEEP_DELAY, delay)

    def _read_sweep_cycles(self) -> int:
        return int(self._laser.read(Quantity.SWEEP_CYCLES))

    def _write_sweep_cycles(self, cycles: int) -> None:
        self._laser.write(Quantity.SWEEP_CYCLES, cycles)

    def _read_sweep_mode(self) -> SweepMode:
        return self._laser.read_sweep_mode()

    def _write_sweep_mode(self, mode: SweepMode) -> None:
        self._laser.write_sweep_mode(mode)

    def _read_sweep_state(self) -> SweepState:
        return self._laser.read_sweep_state()

    def _start_sweep(self) -> None:
        self._laser.start_sweep()

    def _pause_sweep(self) -> None:
        self._laser.pause_sweep()

    def _resume_sweep(self) -> None:
        self._laser.resume_sweep()

    def _stop_sweep(self) -> None:
        if self._laser.read_sweep_state() is SweepState.RETURNING:
            raise NotSupported("the laser is going back to the start, and takes no stop until it is there")
        self._laser.stop_sweep()

    def _read_wavelength_log(self) -> NDArray[np.float64]:
        return self._laser.read_log()
