"""The Santec TSL-570: SCPI over LAN (port 5000) or GPIB.

Sources: Santec's own examples for the LAN port; PyMeasure for `:SYSTem:COMMunicate:CODe`, which says
whether the laser counts in nm and THz (0, "Legacy") or in m and Hz (1, "SCPI").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pyrolab_drivers.quantities import Nanometres, NanometresPerSecond, OutOfRange, Range
from pyrolab_drivers.santec.dialect import Dialect
from pyrolab_drivers.santec.scpi import SantecSCPI, Units
from pyrolab_drivers.santec.tsl import SantecTSL
from pyrolab_drivers.transports import Transport, open_transport
from pyrolab_drivers.transports.scpi import Scpi

#: The only speeds of a continuous sweep, in nm/s.
SPEEDS: tuple[NanometresPerSecond, ...] = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)


class SantecTSL570(SantecTSL):
    """A TSL-570: `SantecTSL570("TCPIP::192.168.1.100::5000::SOCKET", wavelength_limits=(1480.0, 1640.0))`.

    `units` is "auto" (ask the laser), or "nm" or "m" for a firmware that cannot be asked. `terminator` is
    what ends a line as it is set at the laser. `check_errors` asks for errors after each setting.
    `visa_library` goes to PyVISA. Further arguments as in `SantecTSL`.
    """

    _model = "TSL-570"

    def __init__(
        self,
        address: str | Transport,
        *,
        wavelength_limits: tuple[Nanometres, Nanometres],
        units: Literal["auto", "nm", "m"] = "auto",
        terminator: str = "\r",
        check_errors: bool = True,
        visa_library: str | None = None,
        **limits: Any,
    ) -> None:
        limits.setdefault("sweep_speed_limits", (SPEEDS[0], SPEEDS[-1]))
        super().__init__(address, wavelength_limits=wavelength_limits, **limits)
        self._units: Literal["auto", "nm", "m"] = units
        self._terminator = terminator
        self._check_errors = check_errors
        self._visa_library = visa_library

    def _connect(self) -> tuple[Transport, Callable[[Transport], Dialect]]:
        settings: dict[str, Any] = {} if self._visa_library is None else {"visa_library": self._visa_library}
        return open_transport(self._address, timeout_s=self._timeout_s, **settings), self._speak

    def _speak(self, transport: Transport) -> Dialect:
        scpi = Scpi(transport, terminator=self._terminator)
        units: Units = "nm"
        if self._units == "auto":
            units = "m" if scpi.query_int(":SYSTem:COMMunicate:CODe?") else "nm"
        else:
            units = self._units
        return SantecSCPI(scpi, units, check=self._check_errors)

    def _write_sweep_speed(self, speed: NanometresPerSecond) -> None:
        Range(*self.sweep_speed_limits, "nm/s").check("speed of the sweep", speed)
        if speed not in SPEEDS:
            possible = ", ".join(f"{each:g}" for each in SPEEDS)
            raise OutOfRange(f"speed of the sweep can be {possible} nm/s, not {speed:g} nm/s", unit="nm/s")
        super()._write_sweep_speed(speed)
