"""A Rohde & Schwarz SMCV100B on the wire; bytes in, bytes out."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.simulators.scpi_device import ScpiDevice, ScpiError, boolean, number, word

_FREQUENCY = "[:SOURce<n>]:FREQuency"
_SWEEP = "[:SOURce<n>]:SWEep[:FREQuency]"
_LEVEL = "[:SOURce<n>]:POWer[:LEVel][:IMMediate]"


class SMCVDevice(ScpiDevice):
    """An SMCV100B up to 6 GHz. `frequency` and `power` are at its output, the offsets not in them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__("Rohde&Schwarz,SMCV100B,1432.7000K02/100001,5.20.044.19")
        self._clock = clock
        self._until = 0.0
        self.frequency, self.power = 1e9, -30.0
        self.command(f"{_FREQUENCY}:FREQuency", self._set_frequency, lambda *_: _text(self.frequency))
        self.command(
            f"{_FREQUENCY}[:CW|FIXed]", self._set_shown_frequency, lambda *_: self._shown_frequency()
        )
        self.command("[:SOURce<n>]:POWer:POWer", self._set_power, lambda *_: _text(self.power))
        self.command(f"{_LEVEL}[:AMPLitude]", self._set_shown_power, lambda *_: self._shown_power())
        self.value(f"{_FREQUENCY}:OFFSet", "0", _number(-1e13, 1e13))
        self.value(f"{_LEVEL}:OFFSet", "0", _number(-100, 100))
        self.value(
            f"{_FREQUENCY}:MODE", "CW", lambda text: word(text, "CW", "FIXed", "SWEep", "LIST", "COMBined")
        )
        self.value("[:SOURce<n>]:PHASe", "0", _number(-36000, 36000))
        self.value("OUTPut<n>[:STATe]", "0", lambda text: str(int(boolean(text))))
        self.value(f"{_FREQUENCY}:STARt", "1000000", _number(8e3, 6e9))
        self.value(f"{_FREQUENCY}:STOP", "2000000", _number(8e3, 6e9))
        self.value(f"{_SWEEP}:SPACing", "LIN", lambda text: word(text, "LINear", "LOGarithmic"))
        self.value(f"{_SWEEP}:POINts", "11", lambda text: str(int(number(text, 2, 1e6))))
        self.value(f"{_SWEEP}:DWELl", "0.01", _number(1e-3, 100))
        self.value(f"{_SWEEP}:MODE", "AUTO", lambda text: word(text, "AUTO", "MANual", "STEP"))
        self.command(f"{_SWEEP}:EXECute", lambda *_: self._sweep_once())
        self.command(f"{_SWEEP}:RUNNing", read=lambda *_: str(int(self.sweeping)))
        self.command("[:SOURce<n>]:SWEep:RESet[:ALL]", lambda *_: self._end())
        self.value(
            "TRIGger<n>:FSWeep:SOURce", "AUTO", lambda text: word(text, "AUTO", "SINGle", "EXTernal", "EAUTo")
        )

    def reset(self) -> None:
        """Every setting as it was in the beginning."""
        super().reset()
        self.frequency, self.power = 1e9, -30.0
        self._end()

    @property
    def output(self) -> bool:
        """True while a signal leaves it."""
        return self.get("OUTPut<n>[:STATe]", 1) == "1"

    @property
    def sweeping(self) -> bool:
        """True while a sweep is under way."""
        if self.get(f"{_FREQUENCY}:MODE", 1) != "SWE":
            return False
        return self.get("TRIGger<n>:FSWeep:SOURce", 1) == "AUTO" or self._clock() < self._until

    def frequencies(self) -> NDArray[np.float64]:
        """The frequencies of a sweep."""
        ends = float(self.get(f"{_FREQUENCY}:STARt", 1)), float(self.get(f"{_FREQUENCY}:STOP", 1))
        count = int(self.get(f"{_SWEEP}:POINts", 1))
        return (
            np.linspace(*ends, count)
            if self.get(f"{_SWEEP}:SPACing", 1) == "LIN"
            else np.geomspace(*ends, count)
        )

    def _sweep_once(self) -> None:
        if self.get(f"{_FREQUENCY}:MODE", 1) != "SWE":
            raise ScpiError(-221, "no sweep")
        self._until = self._clock() + int(self.get(f"{_SWEEP}:POINts", 1)) * float(
            self.get(f"{_SWEEP}:DWELl", 1)
        )

    def _end(self) -> None:
        self._until = 0.0

    def _offset(self, pattern: str) -> float:
        return float(self.get(pattern, 1))

    def _set_frequency(self, _: tuple[int, ...], arguments: list[str]) -> None:
        self.frequency = number(arguments[0], 8e3, 6e9)

    def _set_shown_frequency(self, _: tuple[int, ...], arguments: list[str]) -> None:
        shift = self._offset(f"{_FREQUENCY}:OFFSet")
        self.frequency = number(arguments[0], 8e3 + shift, 6e9 + shift) - shift

    def _shown_frequency(self) -> str:
        return _text(self.frequency + self._offset(f"{_FREQUENCY}:OFFSet"))

    def _set_power(self, _: tuple[int, ...], arguments: list[str]) -> None:
        self.power = number(arguments[0], -145, 30)

    def _set_shown_power(self, _: tuple[int, ...], arguments: list[str]) -> None:
        shift = self._offset(f"{_LEVEL}:OFFSet")
        self.power = number(arguments[0], -145 + shift, 30 + shift) - shift

    def _shown_power(self) -> str:
        return _text(self.power + self._offset(f"{_LEVEL}:OFFSet"))


def _number(low: float, high: float) -> Callable[[str], str]:
    return lambda text: _text(number(text, low, high))


def _text(value: float) -> str:
    return f"{value:.15g}"
