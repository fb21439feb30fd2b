"""Tunable lasers that speak the OIF's ITLA protocol (integrable tunable laser assembly), on a serial line.

The frequency is that of the first channel, plus the grid times (channel - 1), plus a fine tuning. With the
output on, only the fine tuning can change. Facts from two independent drivers and pytla's register lists.
"""

from __future__ import annotations

import math

from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.itla.connection import ItlaConnection
from pyrolab_drivers.itla.errors import OutputIsOn
from pyrolab_drivers.itla.registers import Register
from pyrolab_drivers.laser import SPEED_OF_LIGHT_NM_THZ, TunableLaser
from pyrolab_drivers.quantities import (
    DecibelMilliwatts,
    DegreesCelsius,
    Nanometres,
    NotConnected,
    Range,
    Seconds,
    Terahertz,
)
from pyrolab_drivers.transports import Transport
from pyrolab_drivers.transports.wire_log import Tapped

_SENA = 0x08
_MHZ = 1e6  # in a THz
#: Registers of a frequency: THz, GHz × 10, MHz (the last is optional).
_FIRST_CHANNEL = (Register.FCF1, Register.FCF2, Register.FCF3)
_LASER = (Register.LF1, Register.LF2, Register.LF3)
_LOWEST = (Register.LFL1, Register.LFL2, Register.LFL3)
_HIGHEST = (Register.LFH1, Register.LFH2, Register.LFH3)
_OPTIONAL = (Register.FCF3, Register.LF3, Register.LFL3, Register.LFH3, Register.GRID2)


class ITLALaser(TunableLaser, Tapped):
    """A laser module. Setting the wavelength or the output returns when the module has done it (seconds)."""

    def __init__(
        self,
        address: str | Transport,
        *,
        baud_rate: int = 9600,
        off_on_close: bool = True,
        pending_timeout_s: Seconds = 60.0,
        timeout_s: Seconds = 1.0,
    ) -> None:
        """`address` is the serial port, or a transport; nothing is opened before `connect()`.

        `pending_timeout_s` limits what takes time (tuning, switching on), `timeout_s` each answer.
        `off_on_close` switches the output off when the driver is closed.
        """
        super().__init__()
        self._address, self._baud_rate = address, baud_rate
        self._off_on_close = off_on_close
        self._pending_timeout_s, self._timeout_s = pending_timeout_s, timeout_s
        self._connection: ItlaConnection | None = None
        name = address.name if isinstance(address, Transport) else address
        self._identity = Identity("", "ITLA laser", name)
        self._fine: frozenset[Register] = frozenset()
        self._frequency_limits_mhz = (0, 0)
        self._power_limits: tuple[DecibelMilliwatts, DecibelMilliwatts] = (0.0, 0.0)

    @property
    def identity(self) -> Identity:
        """Vendor, model, serial number and firmware; before `connect()` the port as serial number."""
        return self._identity

    def _wire(self) -> Transport | None:
        return self._connection.transport if self._connection is not None else None

    def _open(self) -> None:
        self._connection = ItlaConnection(
            self._address, self._timeout_s, self._pending_timeout_s, self._baud_rate
        )
        try:
            line = self._connection
            texts = (Register.MFGR, Register.MODEL, Register.SERIAL, Register.RELEASE)
            self._identity = Identity(*(line.read_text(register) for register in texts))
            self._fine = frozenset(register for register in _OPTIONAL if line.has(register))
            self._frequency_limits_mhz = (self._read_mhz(_LOWEST), self._read_mhz(_HIGHEST))
            lowest, highest = line.read(Register.OPSL), line.read(Register.OPSH)
            self._power_limits = (lowest.signed / 100, highest.signed / 100)
        except BaseException:
            self._connection.close()
            self._connection = None
            raise

    def _close(self) -> None:
        line, self._connection = self._line, None
        try:
            if self._off_on_close:
                line.write(Register.RESENA, 0)
        finally:
            line.close()

    @property
    def wavelength_limits(self) -> tuple[Nanometres, Nanometres]:
        """Shortest and longest wavelength, in nm, as the module says."""
        self._require_connection()
        lowest, highest = self._frequency_limits_mhz
        return (SPEED_OF_LIGHT_NM_THZ / (highest / _MHZ), SPEED_OF_LIGHT_NM_THZ / (lowest / _MHZ))

    @property
    def power_limits(self) -> tuple[DecibelMilliwatts, DecibelMilliwatts]:
        """Lowest and highest power that can be set, in dBm, as the module says."""
        self._require_connection()
        return self._power_limits

    @property
    def power(self) -> DecibelMilliwatts:
        """Power that leaves the laser now, by the module's estimate, in dBm; minus infinity if it is off."""
        if not self._read_output_enabled():
            return -math.inf
        return self._line.read(Register.OOP).signed / 100

    @property
    def settled(self) -> bool:
        """True while no operation is pending."""
        return self._line.pending() == 0

    @property
    def first_channel_frequency(self) -> Terahertz:
        """Frequency of channel 1, in THz."""
        return self._read_mhz(_FIRST_CHANNEL) / _MHZ

    @property
    def channel(self) -> int:
        """Channel on the grid, from 1. To set it with the output on raises `OutputIsOn`."""
        return self._line.read(Register.CHANNEL).unsigned

    @channel.setter
    def channel(self, channel: int) -> None:
        number = Range(1, 0xFFFF, "").check_count("channel", channel)
        frequency = self._read_mhz(_FIRST_CHANNEL) + (number - 1) * self._read_grid_mhz()
        lowest, highest = self._frequency_limits_mhz
        Range(lowest / _MHZ, highest / _MHZ, "THz").check(f"frequency of channel {number}", frequency / _MHZ)
        self._require_output_off("the channel")
        self._line.write(Register.CHANNEL, number)

    @property
    def grid(self) -> float:
        """Distance of the channels, in GHz. To set it with the output on raises `OutputIsOn`."""
        return self._read_grid_mhz() / 1000

    @grid.setter
    def grid(self, spacing: float) -> None:
        smallest = self._line.read(Register.LGRID).unsigned / 10
        checked = round(Range(max(smallest, 0.1), 3000.0, "GHz").check("grid", spacing) * 1000)
        if checked % 100 and Register.GRID2 not in self._fine:
            raise ValueError(f"this module has grids in steps of 0.1 GHz, not {spacing} GHz")
        self._require_output_off("the grid")
        self._line.write(Register.GRID, checked // 100)
        if Register.GRID2 in self._fine:
            self._line.write(Register.GRID2, checked % 100)

    @property
    def fine_tuning_limits(self) -> tuple[float, float]:
        """Least and greatest fine tuning, in GHz, as the module says."""
        reach = self._line.read(Register.FTFR).unsigned / 1000
        return (-reach, reach)

    @property
    def fine_tuning(self) -> float:
        """How far the laser is tuned away from its channel, in GHz; can be set while the output is on."""
        return self._line.read(Register.FTF).signed / 1000

    @fine_tuning.setter
    def fine_tuning(self, offset: float) -> None:
        checked = Range(*self.fine_tuning_limits, "GHz").check("fine tuning", offset)
        self._line.write(Register.FTF, round(checked * 1000))

    @property
    def temperature(self) -> DegreesCelsius:
        """Temperature that the module controls, in °C."""
        return self._line.read(Register.CTEMP).signed / 100

    @property
    def temperatures(self) -> tuple[DegreesCelsius, ...]:
        """All temperatures, in °C: usually that of the diode and that of the case."""
        return tuple(value / 100 for value in self._read_numbers(Register.TEMPS))

    @property
    def currents(self) -> tuple[float, ...]:
        """All currents, in mA: usually that of the cooler and that of the diode."""
        return tuple(value / 10 for value in self._read_numbers(Register.CURRENTS))

    @property
    def fatal_status(self) -> int:
        """Register StatusF as it is."""
        return self._line.read(Register.STATUS_F).unsigned

    @property
    def warning_status(self) -> int:
        """Register StatusW as it is."""
        return self._line.read(Register.STATUS_W).unsigned

    def _read_wavelength(self) -> Nanometres:
        return SPEED_OF_LIGHT_NM_THZ / (self._read_mhz(_LASER) / _MHZ)

    def _write_wavelength(self, wavelength: Nanometres) -> None:
        lowest, highest = self._frequency_limits_mhz
        wanted = round(SPEED_OF_LIGHT_NM_THZ / wavelength * _MHZ)
        self._tune(min(max(wanted, lowest), highest))

    def _tune(self, wanted: int) -> None:
        """Tune to `wanted` MHz."""
        if self._read_output_enabled():
            self._tune_finely(wanted)
            return
        first = wanted if Register.FCF3 in self._fine else round(wanted / 100) * 100
        line = self._line
        line.write(Register.FTF, wanted - first)
        line.write(Register.FCF1, first // 1_000_000)
        line.write(Register.FCF2, first % 1_000_000 // 100)
        if Register.FCF3 in self._fine:
            line.write(Register.FCF3, first % 100)
        if line.read(Register.CHANNEL).unsigned != 1:
            line.write(Register.CHANNEL, 1)

    def _tune_finely(self, wanted: int) -> None:
        channel = self._read_mhz(_FIRST_CHANNEL) + (self.channel - 1) * self._read_grid_mhz()
        reach = self._line.read(Register.FTFR).unsigned
        if abs(wanted - channel) > reach:
            raise OutputIsOn(
                f"with the output on, the laser can be tuned within {reach / 1000:g} GHz of "
                f"{channel / _MHZ:.6f} THz, not to {wanted / _MHZ:.6f} THz; switch the output off first"
            )
        self._line.write(Register.FTF, wanted - channel)

    def _read_power_setpoint(self) -> DecibelMilliwatts:
        return self._line.read(Register.PWR).signed / 100

    def _write_power_setpoint(self, power: DecibelMilliwatts) -> None:
        self._line.write(Register.PWR, round(power * 100))

    def _read_output_enabled(self) -> bool:
        return bool(self._line.read(Register.RESENA).unsigned & _SENA)

    def _write_output_enabled(self, enabled: bool) -> None:
        self._line.write(Register.RESENA, _SENA if enabled else 0)

    def _require_output_off(self, what: str) -> None:
        if self._read_output_enabled():
            raise OutputIsOn(f"{what} cannot change while the output is on; switch it off first")

    def _read_mhz(self, registers: tuple[Register, Register, Register]) -> int:
        terahertz, tenths, megahertz = registers
        total = self._line.read(terahertz).unsigned * 1_000_000 + self._line.read(tenths).unsigned * 100
        return total + (self._line.read(megahertz).signed if megahertz in self._fine else 0)

    def _read_grid_mhz(self) -> int:
        fine = self._line.read(Register.GRID2).signed if Register.GRID2 in self._fine else 0
        return self._line.read(Register.GRID).signed * 100 + fine

    def _read_numbers(self, register: Register) -> list[int]:
        data = self._line.read_bytes(register)
        return [int.from_bytes(data[at : at + 2], "big", signed=True) for at in range(0, len(data) - 1, 2)]

    @property
    def _line(self) -> ItlaConnection:
        connection = self._connection
        if connection is None:
            raise NotConnected(f"{self.identity} is not connected; call connect() first")
        return connection
