"""The Keysight B2900 source-measure units, with one or two channels.

Commands: B2900 SCPI Command Reference. Readings come as 64-bit floats in blocks whose byte order is set
before each of them, because the instrument's (most significant byte first) and that of most programs
differ.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.quantities import Amperes, OutOfRange, Range, Seconds, Volts
from pyrolab_drivers.scpi_instrument import ScpiInstrument, digits
from pyrolab_drivers.smu import SMU, IVCurve, SMUChannel, SourceMode
from pyrolab_drivers.transports import BadReply, Transport

Array = NDArray[np.float64]

#: Levels of one sweep, and seconds between two levels and their measurement.
POINTS_MOST = 2500
DELAY_LIMITS = Range(0.0, 100_000.0, "s")
#: Bit 0 of the event status register, and how often it is looked at.
_OPERATION_COMPLETE = 1
_POLL_S = 0.02
#: What stands for "not a number" and infinity, in text and in blocks.
_NOT_A_NUMBER, _INFINITE = 9.91e37, 9.9e37
_SOURCES = {SourceMode.VOLTAGE: "VOLT", SourceMode.CURRENT: "CURR"}
_SENSES = {SourceMode.VOLTAGE: "CURR", SourceMode.CURRENT: "VOLT"}


class DataFormat(Enum):
    """How readings come: as 64-bit floats, or as text with fewer digits."""

    REAL64 = "REAL,64"
    ASCII = "ASC"


class B2900Channel(SMUChannel):
    """One channel. `list_sweep` goes through any levels; the instrument times a sweep by itself."""

    def __init__(self, smu: KeysightB2900, number: int) -> None:
        super().__init__(smu, number)
        self._smu = smu

    @property
    def voltage_limits(self) -> tuple[Volts, Volts]:
        """Lowest and highest voltage, in V, as it was configured."""
        return self._smu.voltage_limits

    @property
    def current_limits(self) -> tuple[Amperes, Amperes]:
        """Lowest and highest current, in A, as it was configured."""
        return self._smu.current_limits

    def list_sweep(self, levels: Sequence[float] | Array, dwell_s: Seconds = 0.0) -> IVCurve:
        """Source each of `levels` (V or A, as `source_mode` is), and measure `dwell_s` after each.

        1 to 2500 levels. Begins with the output being switched on at the first, and ends with it off,
        however it ends. Raises `OutOfRange` if one of the levels cannot be; then nothing is sent.
        """
        self._require_connection()
        wanted = np.asarray(levels, np.float64)
        Range(1, POINTS_MOST, "levels").check_count("sweep", len(wanted))
        limits, unit = (self.voltage_limits, "V") if self._sources_voltage else (self.current_limits, "A")
        for level in wanted:
            Range(*limits, unit).check("level of the sweep", level)
        DELAY_LIMITS.check("dwell", dwell_s)
        try:
            self._switch_on(self._read_source_mode(), self._settings()[0], float(wanted[0]))
            voltage, current = self._sweep(wanted, dwell_s)
        finally:
            self._write_output_enabled(False)
        return IVCurve(wanted, voltage, current)

    # -- the source ----------------------------------------------------------------------------------

    def _read_source_mode(self) -> SourceMode:
        return (
            SourceMode.CURRENT if self._ask(":SOUR{c}:FUNC:MODE?").startswith("CURR") else SourceMode.VOLTAGE
        )

    def _write_source_mode(self, mode: SourceMode) -> None:
        self._tell(f":SOUR{{c}}:FUNC:MODE {_SOURCES[mode]}", f":SOUR{{c}}:{_SOURCES[mode]}:MODE FIX")

    def _read_source_voltage(self) -> Volts:
        return float(self._ask(":SOUR{c}:VOLT?"))

    def _write_source_voltage(self, voltage: Volts) -> None:
        self._tell(f":SOUR{{c}}:VOLT {digits(voltage)}")

    def _read_source_current(self) -> Amperes:
        return float(self._ask(":SOUR{c}:CURR?"))

    def _write_source_current(self, current: Amperes) -> None:
        self._tell(f":SOUR{{c}}:CURR {digits(current)}")

    def _read_compliance_current(self) -> Amperes:
        return float(self._ask(":SENS{c}:CURR:PROT?"))

    def _write_compliance_current(self, current: Amperes) -> None:
        self._tell(f":SENS{{c}}:CURR:PROT {digits(current)}")

    def _read_compliance_voltage(self) -> Volts:
        return float(self._ask(":SENS{c}:VOLT:PROT?"))

    def _write_compliance_voltage(self, voltage: Volts) -> None:
        self._tell(f":SENS{{c}}:VOLT:PROT {digits(voltage)}")

    def _read_compliance_tripped(self) -> bool:
        return self._flag(f":SENS{{c}}:{self._sense}:PROT:TRIP?")

    def _read_output_enabled(self) -> bool:
        return self._flag(":OUTP{c}?")

    def _write_output_enabled(self, enabled: bool) -> None:
        self._tell(f":OUTP{{c}} {'ON' if enabled else 'OFF'}")

    # -- measuring -----------------------------------------------------------------------------------

    @property
    def _sense(self) -> str:
        return _SENSES[self._read_source_mode()]

    def _read_nplc(self) -> float:
        return float(self._ask(f":SENS{{c}}:{self._sense}:NPLC?"))

    def _write_nplc(self, cycles: float) -> None:
        self._tell(*(f":SENS{{c}}:{quantity}:NPLC {digits(cycles)}" for quantity in ("VOLT", "CURR")))

    def _read_range(self) -> float:
        return float(self._ask(f":SENS{{c}}:{self._sense}:RANG?"))

    def _write_range(self, largest: float) -> None:
        self._tell(f":SENS{{c}}:{self._sense}:RANG {digits(largest)}")

    def _read_autorange(self) -> bool:
        return self._flag(f":SENS{{c}}:{self._sense}:RANG:AUTO?")

    def _write_autorange(self, enabled: bool) -> None:
        self._tell(f":SENS{{c}}:{self._sense}:RANG:AUTO {int(enabled)}")

    def _read_four_wire(self) -> bool:
        return self._flag(":SENS{c}:REM?")

    def _write_four_wire(self, enabled: bool) -> None:
        self._tell(f":SENS{{c}}:REM {int(enabled)}")

    def _measure(self) -> tuple[Volts, Amperes]:
        self._tell(':SENS{c}:FUNC "VOLT","CURR"')
        voltage, current = self._smu._readings(f":MEAS? (@{self._number})", 1)[0]
        return float(voltage), float(current)

    def _sweep(self, levels: Array, dwell_s: Seconds) -> tuple[Array, Array]:
        DELAY_LIMITS.check("dwell", dwell_s)
        source = _SOURCES[self._read_source_mode()]
        timeout_s = self._sweep_timeout(len(levels), dwell_s)
        try:
            self._tell(*self._sweep_settings(source, levels, dwell_s))
            self._smu._initiate(self._number, timeout_s)
            readings = self._smu._readings(f":FETC:ARR? (@{self._number})", len(levels))
        except BaseException:
            self._smu._abort(self._number)
            raise
        finally:
            self._tell(f":SOUR{{c}}:{source}:MODE FIX")
        return readings[:, 0], readings[:, 1]

    def _sweep_settings(self, source: str, levels: Array, dwell_s: Seconds) -> list[str]:
        """One trigger a level: it changes the source, and `dwell_s` later starts a measurement."""
        count = len(levels)
        even = count > 1 and np.array_equal(levels, np.linspace(levels[0], levels[-1], count))
        if even:
            course = [
                f":SOUR{{c}}:{source}:STAR {digits(levels[0])}",
                f":SOUR{{c}}:{source}:STOP {digits(levels[-1])}",
                f":SOUR{{c}}:{source}:POIN {count}",
                ":SOUR{c}:SWE:DIR UP",
                ":SOUR{c}:SWE:SPAC LIN",
                ":SOUR{c}:SWE:STA SING",
            ]
        else:
            course = [f":SOUR{{c}}:LIST:{source} {','.join(digits(level) for level in levels)}"]
        return [
            ':SENS{c}:FUNC "VOLT","CURR"',
            *course,
            f":SOUR{{c}}:{source}:MODE {'SWE' if even else 'LIST'}",
            ":TRIG{c}:SOUR AINT",
            f":TRIG{{c}}:COUN {count}",
            ":TRIG{c}:TRAN:DEL 0",
            f":TRIG{{c}}:ACQ:DEL {digits(dwell_s)}",
        ]

    def _sweep_timeout(self, count: int, dwell_s: Seconds) -> Seconds:
        """Twice what dwell and integration (at 50 Hz) take, 0.1 s a point for ranging, and 10 s."""
        return 10.0 + count * (2 * (dwell_s + self._read_nplc() / 50.0) + 0.1)

    # -- the wire; {c} in a command is the channel ---------------------------------------------------

    def _ask(self, query: str) -> str:
        return self._smu._ask(query.format(c=self._number))

    def _flag(self, query: str) -> bool:
        return float(self._ask(query)) != 0.0

    def _tell(self, *commands: str) -> None:
        self._smu._tell(*(command.format(c=self._number) for command in commands))


class KeysightB2900(ScpiInstrument, SMU):
    """A B2900: `KeysightB2900("TCPIP::192.168.1.50::5025::SOCKET")`, also over VXI-11, HiSLIP, USB and GPIB.

    `channels` is how many there are (2 in a B2902, B2912, B2962). Limits are of the model (±210 V, ±3.03 A
    for most); what the instrument cannot source at the same time it refuses itself. `close()` switches all
    outputs off unless `keep_output`. Further arguments as in `ScpiInstrument`.
    """

    model_pattern: ClassVar[str] = r"B29\d\d"
    nominal: ClassVar[tuple[str, str]] = ("Keysight", "B2900")

    def __init__(
        self,
        address: str | Transport,
        *,
        channels: int = 2,
        voltage_limits: tuple[Volts, Volts] = (-210.0, 210.0),
        current_limits: tuple[Amperes, Amperes] = (-3.03, 3.03),
        data_format: DataFormat = DataFormat.REAL64,
        little_endian: bool = False,
        keep_output: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(address, **settings)
        if channels not in (1, 2):
            raise OutOfRange(f"a B2900 has 1 or 2 channels, not {channels}", quantity="channels")
        self.voltage_limits = voltage_limits
        self.current_limits = current_limits
        self._data_format = data_format
        self._little_endian = little_endian
        self._keep_output = keep_output
        self._channels = {number: B2900Channel(self, number) for number in range(1, channels + 1)}

    @property
    def channels(self) -> Mapping[int, B2900Channel]:
        """The channels by their numbers, from 1."""
        return self._channels

    def stop(self) -> None:
        """Abort what is under way, and switch all outputs off; possible while a sweep is waited for."""
        self._tell(*(f":ABOR (@{number})" for number in self._channels))
        super().stop()

    def _make_safe(self) -> None:
        if not self._keep_output:
            self._tell(*(f":OUTP{number} OFF" for number in self._channels))

    # What the channels use; not public, because a bus would publish it

    def _ask(self, query: str) -> str:
        """The answer to a query, as it came."""
        return self._scpi.query(query)

    def _abort(self, channel: int) -> None:
        """End what a channel is doing."""
        self._scpi.write(f":ABOR (@{channel})")

    def _initiate(self, channel: int, timeout_s: Seconds) -> None:
        """Start what was triggered, and return when it is over. Raises `TimeoutError` after `timeout_s`.

        The event register is looked at again and again, and `*OPC?` is not used: it would keep the
        connection, and nobody could stop what is under way.
        """
        scpi = self._scpi
        with scpi.transport.lock:
            scpi.query_int("*ESR?")
            self._tell(f":INIT (@{channel})")
            scpi.write("*OPC")
        deadline, pause = time.monotonic() + timeout_s, threading.Event()
        while not scpi.query_int("*ESR?") & _OPERATION_COMPLETE:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"the sweep of channel {channel} of {self.identity} took longer than {timeout_s:g} s"
                )
            pause.wait(_POLL_S)

    def _readings(self, query: str, count: int) -> Array:
        """`count` pairs of a voltage and a current. Raises `BadReply` if there are fewer or more of them."""
        scpi = self._scpi
        order, numbers = ("SWAP", "<f8") if self._little_endian else ("NORM", ">f8")
        with scpi.transport.lock:
            self._tell(f":FORM {self._data_format.value}", f":FORM:BORD {order}", ":FORM:ELEM:SENS VOLT,CURR")
            if self._data_format is DataFormat.REAL64:
                values = np.frombuffer(scpi.query_block(query), numbers).astype(np.float64)
            else:
                values = np.array(scpi.query_floats(query), np.float64)
        if len(values) != 2 * count:
            raise BadReply(
                f"{query} returned {len(values)} values and not {2 * count}; was the sweep aborted?", query
            )
        return finite_or_not(values).reshape(count, 2)


def finite_or_not(values: Array) -> Array:
    """Readings with what they stand for: 9.91E37 is NaN, ±9.9E37 is infinity (over-range)."""
    out = np.where(np.isclose(values, _NOT_A_NUMBER, rtol=1e-6), np.nan, values)
    infinite = np.isclose(np.abs(values), _INFINITE, rtol=1e-6)
    return np.where(infinite, np.copysign(np.inf, values), out)
