"""The Rohde & Schwarz SMCV100B signal generator; commands as in R&S's own RsSmcv package.

Frequency and power are those at the output (`FREQuency:FREQuency`, `POWer:POWer`): the offsets, which
describe what is connected behind it, are not in them. RsSmcv itself is an alternative for what is not here
(modulation, standards): it can be used over the same network connection type (`SelectVisa=SocketIo`).
"""

from __future__ import annotations

from typing import Any, ClassVar

from pyrolab_drivers.quantities import DecibelMilliwatts, Decibels, Degrees, Hertz, WrongMode
from pyrolab_drivers.scpi_instrument import ScpiInstrument, digits
from pyrolab_drivers.signal_generator import FrequencySweep, SignalGenerator, SweepSpacing
from pyrolab_drivers.transports import Transport

_SPACINGS = {SweepSpacing.LINEAR: "LIN", SweepSpacing.LOGARITHMIC: "LOG"}


class SMCV100B(ScpiInstrument, SignalGenerator):
    """An SMCV100B: `SMCV100B("TCPIP::192.168.1.70::5025::SOCKET", frequency_limits=(8e3, 3e9))`.

    The highest frequency depends on the options that were bought (3, 6 or 7.125 GHz). `close()` switches the
    output off unless `keep_output`. Further arguments as in `ScpiInstrument`.
    """

    model_pattern: ClassVar[str] = r"SMCV|SMBV|SMW|SMA"
    nominal: ClassVar[tuple[str, str]] = ("Rohde&Schwarz", "SMCV100B")

    def __init__(
        self,
        address: str | Transport,
        *,
        frequency_limits: tuple[Hertz, Hertz] = (8e3, 3e9),
        power_limits: tuple[DecibelMilliwatts, DecibelMilliwatts] = (-120.0, 25.0),
        keep_output: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(address, **settings)
        self._frequency_limits = frequency_limits
        self._power_limits = power_limits
        self._keep_output = keep_output

    @property
    def frequency_limits(self) -> tuple[Hertz, Hertz]:
        """Lowest and highest frequency at the output, in Hz, as it was configured."""
        return self._frequency_limits

    @property
    def power_limits(self) -> tuple[DecibelMilliwatts, DecibelMilliwatts]:
        """Lowest and highest power at the output, in dBm, as it was configured."""
        return self._power_limits

    def _make_safe(self) -> None:
        if not self._keep_output:
            self._tell("OUTPut1:STATe 0")

    def _read_frequency(self) -> Hertz:
        return self._scpi.query_float("SOURce1:FREQuency:FREQuency?")

    def _write_frequency(self, frequency: Hertz) -> None:
        self._tell(f"SOURce1:FREQuency:FREQuency {digits(frequency)}")

    def _read_power(self) -> DecibelMilliwatts:
        return self._scpi.query_float("SOURce1:POWer:POWer?")

    def _write_power(self, power: DecibelMilliwatts) -> None:
        self._tell(f"SOURce1:POWer:POWer {digits(power)}")

    def _read_phase(self) -> Degrees:
        return self._scpi.query_float("SOURce1:PHASe?")

    def _write_phase(self, phase: Degrees) -> None:
        self._tell(f"SOURce1:PHASe {digits(phase)}")

    def _read_output_enabled(self) -> bool:
        return self._scpi.query_bool("OUTPut1:STATe?")

    def _write_output_enabled(self, enabled: bool) -> None:
        self._tell(f"OUTPut1:STATe {int(enabled)}")

    def _read_frequency_offset(self) -> Hertz:
        return self._scpi.query_float("SOURce1:FREQuency:OFFSet?")

    def _write_frequency_offset(self, offset: Hertz) -> None:
        self._tell(f"SOURce1:FREQuency:OFFSet {digits(offset)}")

    def _read_power_offset(self) -> Decibels:
        return self._scpi.query_float("SOURce1:POWer:LEVel:IMMediate:OFFSet?")

    def _write_power_offset(self, offset: Decibels) -> None:
        self._tell(f"SOURce1:POWer:LEVel:IMMediate:OFFSet {digits(offset)}")

    def _start_sweep(self, sweep: FrequencySweep) -> None:
        """Raises `WrongMode` while a frequency offset is set: it would shift the sweep too."""
        scpi = self._scpi
        with scpi.transport.lock:
            if self._read_frequency_offset() != 0.0:
                raise WrongMode(
                    "a frequency offset shifts the ends of a sweep; set frequency_offset to 0 before"
                )
            self._tell(
                "SOURce1:FREQuency:MODE CW",
                f"SOURce1:FREQuency:STARt {digits(sweep.start)}",
                f"SOURce1:FREQuency:STOP {digits(sweep.stop)}",
                f"SOURce1:SWEep:FREQuency:SPACing {_SPACINGS[sweep.spacing]}",
                f"SOURce1:SWEep:FREQuency:POINts {sweep.points}",
                f"SOURce1:SWEep:FREQuency:DWELl {digits(sweep.dwell_s)}",
                "SOURce1:SWEep:FREQuency:MODE AUTO",
                f"TRIGger1:FSWeep:SOURce {'AUTO' if sweep.repeat else 'SINGle'}",
                "SOURce1:FREQuency:MODE SWEep",
            )
            if not sweep.repeat:
                self._tell("SOURce1:SWEep:FREQuency:EXECute")

    def _stop_sweep(self) -> None:
        self._tell("SOURce1:FREQuency:MODE CW")

    def _read_sweep_running(self) -> bool:
        return self._scpi.query_bool("SOURce1:SWEep:FREQuency:RUNNing?")
