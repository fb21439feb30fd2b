"""A Santec TSL laser on the wire: command set 2 (`TSLCommandSet2`) and SCPI (`TSLScpi`) over one `TSLModel`.

`python -m pyrolab_drivers.simulators.tsl_device` serves command set 2 on a pseudo-terminal.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from typing import Literal

from pyrolab_drivers.laser import SPEED_OF_LIGHT_NM_THZ
from pyrolab_drivers.simulators.scpi_device import Handler, ScpiDevice, ScpiError, block, boolean, number
from pyrolab_drivers.simulators.tsl_model import TSLModel

#: Number commands of set 2: attribute of the model, format of the reply, lowest and highest value.
_NUMBERS: dict[str, tuple[str, str, float, float]] = {
    "FT": ("fine_tuning", "+08.2f", -100, 100),
    "OP": ("power_dbm", "+08.3f", -17, 13.5),
    "AT": ("attenuation", "06.2f", 0, 30),
    "SS": ("start", "09.4f", 0, 9999),
    "SE": ("stop", "09.4f", 0, 9999),
    "SN": ("speed", "05.1f", 0.5, 100),
    "SA": ("delay", "05.1f", 0, 999.9),
    "SB": ("dwell", "05.1f", 0, 999.9),
    "WW": ("step", "08.4f", 0.0001, 160),
    "SZ": ("cycles", "03.0f", 0, 999),
    "TW": ("trigger_step", "08.4f", 0.0001, 160),
    "TM": ("trigger_output", ".0f", 0, 3),
}
_ACTIONS: dict[str, tuple[str, bool]] = {
    "LO": ("emission", True),
    "LF": ("emission", False),
    "SO": ("shutter_open", True),
    "SC": ("shutter_open", False),
    "CO": ("coherence", True),
    "CF": ("coherence", False),
    "AF": ("automatic_power", True),
    "AO": ("automatic_power", False),
}
_LINE = re.compile(r"(GA|GD|BL|SD|[A-Z]{2,3})([+-]?[\d.]*)")


class TSLCommandSet2:
    """Letters and numbers. `action_reply` is what comes after an action, `log_order` the bytes of `TA`."""

    def __init__(
        self,
        model: TSLModel | None = None,
        delimiter: bytes = b"\r",
        action_reply: Literal["nothing", "delimiter", "value before"] = "nothing",
        log_order: Literal["big", "little"] = "big",
    ) -> None:
        self.model = TSLModel() if model is None else model
        self.received: list[str] = []
        self._delimiter = delimiter
        self._action_reply = action_reply
        self._log_type = {"big": ">u4", "little": "<u4"}[log_order]
        self._buffer = b""
        self._before = "000000"

    def due(self) -> bytes:
        """What the laser says by itself: nothing."""
        return b""

    def receive(self, data: bytes) -> bytes:
        """The answers to what came from the host."""
        *lines, self._buffer = (self._buffer + data).split(self._delimiter)
        return b"".join(self._answer(line.decode("ascii", "replace").strip()) for line in lines)

    def _answer(self, line: str) -> bytes:
        self.received.append(line)
        found = _LINE.fullmatch(line)
        if found is None:
            return b""
        letters, digits = found.groups()
        if letters == "TA":
            return self.model.log.astype(self._log_type).tobytes()
        before = self._before
        value = self._set(letters, digits) if digits else self._get(letters)
        if value is not None:
            self._before = value
        if value is None or (digits and self._action_reply == "value before"):
            value = {"nothing": None, "delimiter": "", "value before": before}[self._action_reply]
        return b"" if value is None else value.encode("ascii") + self._delimiter

    def _set(self, letters: str, digits: str) -> str | None:
        model, value = self.model, float(digits)
        if letters == "WA" and model.wavelength_limits[0] <= value <= model.wavelength_limits[1]:
            model.tune(value)
        elif letters == "FQ":
            model.tune(SPEED_OF_LIGHT_NM_THZ / value)
        elif letters == "LP" and value > 0:
            model.power_dbm = round(10 * math.log10(value), 3)
        elif letters == "SM" and 1 <= value <= 12:
            code = int(value)
            model.continuous, model.two_way = (code - 1) % 6 < 2, code % 2 == 0
            model.triggered = code > 6
        elif letters in _NUMBERS:
            name, _, low, high = _NUMBERS[letters]
            if low <= value <= high:
                setattr(model, name, type(getattr(model, name))(value))
        return self._get(letters)

    def _get(self, letters: str) -> str | None:
        model = self.model
        if letters in _NUMBERS:
            name, shape, _, _ = _NUMBERS[letters]
            return format(float(getattr(model, name)), shape)
        match letters:
            case "WA":
                return f"{model.wavelength:.4f}"
            case "FQ":
                return f"{model.frequency:.5f}"
            case "LP":
                return f"{10 ** (model.power_dbm / 10):06.2f}"
            case "SX":
                return f"{model.done:03d}"
            case "SM":
                kind = 1 if model.continuous else 3
                return f"{kind + model.two_way + 6 * model.triggered:d}"
            case "SK":
                return str(model.state())
            case "TN":
                model.state()
                return f"{len(model.log):06d}"
            case "SU":
                return self._status()
            case _:
                self._act(letters)
                return None

    def _status(self) -> str:
        model = self.model
        power_mode = 1 if model.automatic_power else 0
        on = "-" if model.emission else ""
        return f"{on}{model.coherence:d}{model.fine:d}{power_mode}00{model.busy:d}"

    def _act(self, letters: str) -> None:
        if letters in _ACTIONS:
            setattr(self.model, *_ACTIONS[letters])
            return
        model = self.model
        actions = {
            "SG": model.go,
            "SP": model.pause,
            "SR": model.resume,
            "SQ": model.quit,
            "ST": model.trigger,
        }
        if letters in actions:
            actions[letters]()
        elif letters == "FTF":
            model.fine_tuning, model.fine = 0.0, False


class TSLScpi(ScpiDevice):
    """SCPI. In m and Hz, or with `metres` False in nm and THz: a TSL-550, or a legacy TSL-570."""

    def __init__(self, model: TSLModel | None = None, metres: bool = True, terminator: bytes = b"\r") -> None:
        super().__init__("SANTEC,TSL-570,21020001,0001.000.0001", terminator)
        self.model = TSLModel() if model is None else model
        self.metres = metres
        low, high = self.model.wavelength_limits
        self._length(":WAVelength", "wavelength", low, high, self.model.tune)
        self._length(":WAVelength:SWEep:STARt", "start", low, high)
        self._length(":WAVelength:SWEep:STOP", "stop", low, high)
        self._length(":WAVelength:SWEep:STEP", "step", 1e-4, 160.0)
        self._length(":TRIGger:OUTPut:STEP[:WIDTh]", "trigger_step", 1e-4, 160.0)
        self._plain(":WAVelength:SWEep:SPEed", "speed", 0.5, 200.0)
        self._plain(":WAVelength:SWEep:DWELl", "dwell", 0.0, 999.9)
        self._plain(":WAVelength:SWEep:DELay", "delay", 0.0, 999.9)
        self._plain(":WAVelength:SWEep:CYCLes", "cycles", 0, 999)
        self._plain(":WAVelength:FINetuning", "fine_tuning", -100.0, 100.0)
        self._plain(":POWer:ATTenuation", "attenuation", 0.0, 30.0)
        self._plain(":TRIGger:OUTPut", "trigger_output", 0, 3)
        self._switch(":POWer:STATe", "emission")
        self._switch(":POWer:UNIT", "shows_mw")
        self._switch(":POWer:ATTenuation:AUTo", "automatic_power")
        self._switch(":COHCtrl", "coherence")
        self._others()
        self._frequencies()

    def busy(self) -> bool:
        """True while it is being tuned."""
        return self.model.busy

    def _frequencies(self) -> None:
        """The ends of a sweep in frequency, and the limits of a sweep."""
        limits = self.model.wavelength_limits
        for which, wavelength in (("MINimum", limits[0]), ("MAXimum", limits[1])):
            self.command(f":WAVelength:SWEep:RANGe:{which}", read=self._shown(wavelength, -9, 4))
        for which, wavelength in (("MINimum", limits[1]), ("MAXimum", limits[0])):
            frequency = SPEED_OF_LIGHT_NM_THZ / wavelength
            self.command(f":FREQuency:SWEep:RANGe:{which}", read=self._shown(frequency, 12, 5))
        for which, default in (("STARt", "192.0"), ("STOP", "195.0"), ("STEP", "0.01")):
            self.value(f":FREQuency:SWEep:{which}", default if not self.metres else f"{default}E+12")

    def _shown(self, value: float, exponent: int, places: int) -> Handler:
        return lambda *_: f"{value * 10.0**exponent:+.9E}" if self.metres else f"{value:+.{places}f}"

    def _others(self) -> None:
        model = self.model
        self.command(":FREQuency", self._tune_frequency, lambda *_: self._frequency_text())
        self.command(":POWer", self._set_power, lambda *_: self._power_text(model.power_dbm))
        self.command(":POWer:ACTual", read=lambda *_: self._power_text(model.leaving_dbm))
        self.command(":POWer:SHUTter", self._shut, lambda *_: str(int(not model.shutter_open)))
        self.command(":WAVelength:SWEep[:STATe]", self._sweep, lambda *_: f"+{model.state()}")
        self.command(":WAVelength:SWEep:REPeat", lambda *_: model.go())
        self.command(":WAVelength:SWEep:MODe", self._set_mode, lambda *_: f"+{self._mode()}")
        self.command(":WAVelength:SWEep:COUNt", read=lambda *_: str(model.done))
        self.command(":READout:POINts", read=lambda *_: self._points())
        self.command(":READout:DATa", read=lambda *_: block(model.log.astype("<u4").tobytes()))
        self.command(":SYSTem:COMMunicate:CODe", self._set_code, lambda *_: str(int(self.metres)))

    def _length(
        self, pattern: str, name: str, low: float, high: float, use: Callable[[float], None] | None = None
    ) -> None:
        def write(_: tuple[int, ...], arguments: list[str]) -> None:
            value = round(number(arguments[0]) * (1e9 if self.metres else 1.0), 6)
            if not low <= value <= high:
                raise ScpiError(-222, arguments[0])
            if use is None:
                setattr(self.model, name, value)
            else:
                use(value)

        def read(*_: object) -> str:
            value = getattr(self.model, name)
            return f"{value * 1e-9:+.9E}" if self.metres else f"{value:+.4f}"

        self.command(pattern, write, read)

    def _plain(self, pattern: str, name: str, low: float, high: float) -> None:
        kind = type(getattr(self.model, name))

        def write(_: tuple[int, ...], arguments: list[str]) -> None:
            setattr(self.model, name, kind(number(arguments[0], low, high)))

        self.command(pattern, write, lambda *_: f"{getattr(self.model, name):+g}")

    def _switch(self, pattern: str, name: str) -> None:
        def write(_: tuple[int, ...], arguments: list[str]) -> None:
            setattr(self.model, name, boolean(arguments[0]))

        self.command(pattern, write, lambda *_: str(int(getattr(self.model, name))))

    def _tune_frequency(self, _: tuple[int, ...], arguments: list[str]) -> None:
        value = number(arguments[0]) / (1e12 if self.metres else 1.0)
        self.model.tune(SPEED_OF_LIGHT_NM_THZ / value)

    def _frequency_text(self) -> str:
        return f"{self.model.frequency * 1e12:+.9E}" if self.metres else f"{self.model.frequency:+.5f}"

    def _set_power(self, _: tuple[int, ...], arguments: list[str]) -> None:
        value = number(arguments[0])
        self.model.power_dbm = round(10 * math.log10(value) if self.model.shows_mw else value, 3)

    def _power_text(self, dbm: float) -> str:
        return f"{10 ** (dbm / 10) if self.model.shows_mw else dbm:+.3f}"

    def _shut(self, _: tuple[int, ...], arguments: list[str]) -> None:
        self.model.shutter_open = not boolean(arguments[0])

    def _sweep(self, _: tuple[int, ...], arguments: list[str]) -> None:
        actions = [self.model.quit, self.model.go, self.model.pause, self.model.resume]
        actions[int(number(arguments[0], 0, 3))]()

    def _mode(self) -> int:
        return self.model.continuous + 2 * self.model.two_way

    def _set_mode(self, _: tuple[int, ...], arguments: list[str]) -> None:
        code = int(number(arguments[0], 0, 3))
        self.model.continuous, self.model.two_way = code % 2 == 1, code > 1

    def _set_code(self, _: tuple[int, ...], arguments: list[str]) -> None:
        self.metres = boolean(arguments[0])

    def _points(self) -> str:
        self.model.state()
        return str(len(self.model.log))


def main() -> None:
    """Serve command set 2 on a pseudo-terminal until the process is ended."""
    from pyrolab_drivers.simulators.pty_server import PtyServer

    with PtyServer(TSLCommandSet2()) as server:
        sys.stdout.write(f"a TSL-550 is at {server.name}\n")
        sys.stdout.flush()
        server.wait()


if __name__ == "__main__":
    main()
