"""The SCPI commands of Santec lasers: TSL-550 over GPIB, TSL-570 over LAN and GPIB.

Names as in the TSL-550 manual (command set 1) and, for the TSL-570, as PyMeasure sends them. In the TSL-570's
"SCPI" mode lengths are in m and frequencies in Hz, in its "Legacy" mode in nm and THz, as in a TSL-550.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.power_meter import dbm_from_watts, watts_from_dbm
from pyrolab_drivers.quantities import NotSupported, PowerUnit
from pyrolab_drivers.santec.dialect import SWEEP_STATES, Dialect, Quantity, nanometres
from pyrolab_drivers.swept_laser import SweepMode, SweepState
from pyrolab_drivers.transports import BadReply
from pyrolab_drivers.transports.scpi import Scpi

_COMMANDS = {
    Quantity.WAVELENGTH: ":WAVelength",
    Quantity.FREQUENCY: ":FREQuency",
    Quantity.FINE_TUNING: ":WAVelength:FINetuning",
    Quantity.ATTENUATION: ":POWer:ATTenuation",
    Quantity.SWEEP_START: ":WAVelength:SWEep:STARt",
    Quantity.SWEEP_STOP: ":WAVelength:SWEep:STOP",
    Quantity.SWEEP_STEP: ":WAVelength:SWEep:STEP",
    Quantity.SWEEP_SPEED: ":WAVelength:SWEep:SPEed",
    Quantity.SWEEP_DWELL: ":WAVelength:SWEep:DWELl",
    Quantity.SWEEP_DELAY: ":WAVelength:SWEep:DELay",
    Quantity.SWEEP_CYCLES: ":WAVelength:SWEep:CYCLes",
    Quantity.SWEEPS_DONE: ":WAVelength:SWEep:COUNt",
    Quantity.TRIGGER_OUTPUT: ":TRIGger:OUTPut",
    Quantity.TRIGGER_STEP: ":TRIGger:OUTPut:STEP",
}
#: Quantities that are lengths or frequencies: the power of ten from nm to m, from THz to Hz.
_EXPONENTS = {
    Quantity.WAVELENGTH: -9,
    Quantity.SWEEP_START: -9,
    Quantity.SWEEP_STOP: -9,
    Quantity.SWEEP_STEP: -9,
    Quantity.TRIGGER_STEP: -9,
    Quantity.FREQUENCY: 12,
}
_MODES = {
    0: SweepMode.STEP_ONE_WAY,
    1: SweepMode.CONTINUOUS_ONE_WAY,
    2: SweepMode.STEP_TWO_WAY,
    3: SweepMode.CONTINUOUS_TWO_WAY,
}
_LOG_RECORD = 4

Units = Literal["nm", "m"]


class SantecSCPI(Dialect):
    """The SCPI commands, over one connection.

    `units` is "nm" (with THz) or "m" (with Hz). `state_inverted` is for a laser whose `:POWer:STATe?`
    answers 0 while the diode is on: the TSL-550 manual prints that, though setting 1 switches it on.
    `check` asks for errors after each setting.
    """

    def __init__(
        self, scpi: Scpi, units: Units = "nm", *, state_inverted: bool = False, check: bool = True
    ) -> None:
        self._scpi = scpi
        self._in_metres = {"nm": False, "m": True}[units]
        self._state_inverted = state_inverted
        self._check = check

    def act(self, command: str) -> None:
        """Send a setting or an action. Raises what `check_errors` raises if the laser complains."""
        with self._scpi.transport.lock:
            self._scpi.write(command)
            if self._check:
                self._scpi.check_errors()

    def identify(self) -> Identity | None:
        """The four fields of `*IDN?`."""
        fields = [field.strip() for field in self._scpi.query("*IDN?").split(",")]
        vendor, model, serial, firmware = (*fields, "", "", "", "")[:4]
        return Identity(vendor, model, serial, firmware)

    def reset(self) -> None:
        """Send `*RST`."""
        self.act("*RST")

    def errors(self) -> list[str]:
        """The error queue; takes the errors away."""
        return [f"{code}, {text}" for code, text in self._scpi.errors()]

    def read(self, quantity: Quantity) -> float:
        """The value of a quantity, in nm, THz, dBm, mW, dB, s."""
        if quantity in (Quantity.POWER_DBM, Quantity.POWER_MW, Quantity.POWER_MEASURED):
            return self._read_power(quantity)
        value = self._scpi.query_float(self._command(quantity) + "?")
        if self._in_metres and quantity in _EXPONENTS:
            return round(value * 10.0 ** -_EXPONENTS[quantity], quantity.places + 2)
        return value

    def write(self, quantity: Quantity, value: float) -> None:
        """Set a quantity, in all the digits that the laser resolves."""
        if quantity in (Quantity.POWER_DBM, Quantity.POWER_MW):
            self._write_power(quantity, value)
            return
        exponent = f"E{_EXPONENTS[quantity]}" if self._in_metres and quantity in _EXPONENTS else ""
        self.act(f"{self._command(quantity)} {quantity.text(value)}{exponent}")

    def _command(self, quantity: Quantity) -> str:
        try:
            return _COMMANDS[quantity]
        except KeyError:
            raise NotSupported(f"the laser has no {quantity.title}") from None

    # A power is in the unit of the display, which somebody may have changed: it is asked for in the same
    # exchange.

    def _read_power(self, quantity: Quantity) -> float:
        with self._scpi.transport.lock:
            unit = self.read_power_unit()
            value = self._scpi.query_float(
                ":POWer:ACTual?" if quantity is Quantity.POWER_MEASURED else ":POWer?"
            )
        if quantity is Quantity.POWER_MW:
            return value if unit is PowerUnit.MILLIWATTS else 1e3 * watts_from_dbm(value)
        return value if unit is PowerUnit.DBM else dbm_from_watts(1e-3 * value)

    def _write_power(self, quantity: Quantity, value: float) -> None:
        with self._scpi.transport.lock:
            wanted = PowerUnit.MILLIWATTS if quantity is Quantity.POWER_MW else PowerUnit.DBM
            shown = self.read_power_unit()
            if shown is not wanted:
                self.write_power_unit(wanted)
            try:
                self.act(f":POWer {quantity.text(value)}")
            finally:
                if shown is not wanted:
                    self.write_power_unit(shown)

    def read_power_unit(self) -> PowerUnit:
        """What the display shows a power in."""
        return PowerUnit.MILLIWATTS if self._scpi.query_int(":POWer:UNIT?") else PowerUnit.DBM

    def write_power_unit(self, unit: PowerUnit) -> None:
        """Change what the display shows a power in. Raises `NotSupported` for W."""
        if unit is PowerUnit.WATTS:
            raise NotSupported("the laser shows dBm or mW, not W")
        self.act(f":POWer:UNIT {int(unit is PowerUnit.MILLIWATTS)}")

    def tuned(self) -> bool:
        """True once `*OPC?` answers 1: this laser answers 0 at once while it is busy."""
        return self._scpi.query_int("*OPC?") == 1

    def read_emission(self) -> bool:
        """True while the laser diode is on."""
        return bool(self._scpi.query_int(":POWer:STATe?")) is not self._state_inverted

    def write_emission(self, emission: bool) -> None:
        """Switch the laser diode."""
        self.act(f":POWer:STATe {int(emission)}")

    def read_shutter_open(self) -> bool:
        """True while the shutter is open (which is 0)."""
        return self._scpi.query_int(":POWer:SHUTter?") == 0

    def write_shutter_open(self, opened: bool) -> None:
        """Move the shutter."""
        self.act(f":POWer:SHUTter {int(not opened)}")

    def read_coherence_control(self) -> bool:
        """True while the line is broadened."""
        return bool(self._scpi.query_int(":COHCtrl?"))

    def write_coherence_control(self, enabled: bool) -> None:
        """Broaden the line, or not."""
        self.act(f":COHCtrl {int(enabled)}")

    def write_automatic_power(self, enabled: bool) -> None:
        """Regulate the power by the attenuator, or leave the attenuator alone."""
        self.act(f":POWer:ATTenuation:AUTo {int(enabled)}")

    def stop_fine_tuning(self) -> None:
        """End the fine tuning, and regulate the wavelength again."""
        self.act(":WAVelength:FINetuning:DISable")

    def read_sweep_mode(self) -> SweepMode:
        """How a sweep goes."""
        return _MODES[self._known(":WAVelength:SWEep:MODe?", _MODES)]

    def write_sweep_mode(self, mode: SweepMode) -> None:
        """Choose how a sweep goes."""
        self.act(f":WAVelength:SWEep:MODe {next(code for code, each in _MODES.items() if each is mode)}")

    def read_sweep_state(self) -> SweepState:
        """What the sweep is doing."""
        return SWEEP_STATES[self._known(":WAVelength:SWEep?", SWEEP_STATES)]

    def _known(self, command: str, meanings: dict[int, SweepMode] | dict[int, SweepState]) -> int:
        code = self._scpi.query_int(command)
        if code not in meanings:
            raise BadReply(
                f"the laser answered {command} with {code}, which means nothing", command, str(code).encode()
            )
        return code

    def start_sweep(self) -> None:
        """Start to sweep."""
        self.act(":WAVelength:SWEep 1")

    def pause_sweep(self) -> None:
        """Hold the sweep."""
        self.act(":WAVelength:SWEep 2")

    def resume_sweep(self) -> None:
        """Go on."""
        self.act(":WAVelength:SWEep 3")

    def stop_sweep(self) -> None:
        """End the sweep."""
        self.act(":WAVelength:SWEep 0")

    def read_log(self) -> NDArray[np.float64]:
        """The logged wavelengths in nm: a block of little-endian counts of 0.1 pm, four bytes each.

        Raises `BadReply` if a record has another size: there are firmwares with eight bytes, in units that
        two sources disagree about.
        """
        with self._scpi.transport.lock:
            count = self._scpi.query_int(":READout:POINts?")
            data = self._scpi.query_block(":READout:DATa?") if count else b""
        if len(data) != count * _LOG_RECORD:
            raise BadReply(
                f"a log of {count} wavelengths came in {len(data)} bytes, not in {_LOG_RECORD} bytes each",
                ":READout:DATa?",
                data[:64],
            )
        return nanometres(np.frombuffer(data, "<u4"))
