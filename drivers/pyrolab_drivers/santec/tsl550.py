"""The Santec TSL-550: command set 2 over RS-232 or USB, SCPI (command set 1) over GPIB.

Source: TSL-550 operation manual. RS-232 runs at 2400 to 19200 baud, 8N1, with a delimiter that is set at the
laser; USB has a carriage return.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pyrolab_drivers.quantities import Nanometres, Seconds
from pyrolab_drivers.santec.command_set_2 import CommandSet2
from pyrolab_drivers.santec.dialect import Dialect
from pyrolab_drivers.santec.scpi import SantecSCPI
from pyrolab_drivers.santec.tsl import SantecTSL
from pyrolab_drivers.transports import Transport, open_transport
from pyrolab_drivers.transports.scpi import Scpi


class SantecTSL550(SantecTSL):
    """A TSL-550: `SantecTSL550("/dev/ttyUSB0", wavelength_limits=(1500.0, 1630.0))`.

    `command_set` is 2 unless the address is a GPIB one; over RS-232 and USB the laser speaks only that.
    `delimiter` is what ends a line as it is set at the laser: `"\\r"` (USB), `"\\n"` or `"\\r\\n"`.
    `action_wait_s`, `log_order` as in `CommandSet2`; `state_inverted`, `check_errors` as in `SantecSCPI`;
    `visa_library` goes to PyVISA. Further arguments as in `SantecTSL`.
    """

    _model = "TSL-550"

    def __init__(
        self,
        address: str | Transport,
        *,
        wavelength_limits: tuple[Nanometres, Nanometres],
        command_set: Literal[1, 2] | None = None,
        delimiter: str = "\r",
        baudrate: int = 9600,
        action_wait_s: Seconds = 0.1,
        log_order: Literal["big", "little"] = "big",
        state_inverted: bool = False,
        check_errors: bool = True,
        visa_library: str | None = None,
        **limits: Any,
    ) -> None:
        super().__init__(address, wavelength_limits=wavelength_limits, **limits)
        if delimiter not in ("\r", "\n", "\r\n"):
            raise ValueError(f"the delimiter of a TSL-550 is '\\r', '\\n' or '\\r\\n', not {delimiter!r}")
        over_gpib = isinstance(address, str) and address.upper().startswith("GPIB")
        self._command_set = command_set or (1 if over_gpib else 2)
        self._delimiter = delimiter
        self._baudrate = baudrate
        self._action_wait_s = action_wait_s
        self._log_order: Literal["big", "little"] = log_order
        self._state_inverted = state_inverted
        self._check_errors = check_errors
        self._visa_library = visa_library

    def _connect(self) -> tuple[Transport, Callable[[Transport], Dialect]]:
        name = self._address.upper() if isinstance(self._address, str) else ""
        settings: dict[str, Any] = {} if self._visa_library is None else {"visa_library": self._visa_library}
        if name.startswith("ASRL"):
            settings["baud_rate"] = self._baudrate
        elif "::" not in name:
            settings["baudrate"] = self._baudrate
        return open_transport(self._address, timeout_s=self._timeout_s, **settings), self._speak

    def _speak(self, transport: Transport) -> Dialect:
        if self._command_set == 2:
            return CommandSet2(
                transport, self._delimiter.encode("ascii"), self._action_wait_s, self._log_order
            )
        scpi = Scpi(transport, terminator=self._delimiter)
        return SantecSCPI(scpi, state_inverted=self._state_inverted, check=self._check_errors)
