"""A Rohde & Schwarz RTO on the wire: every channel shows a sine; bytes in, bytes out."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.simulators.scpi_device import ScpiDevice, ScpiError, block, boolean, number, word

#: Steps of the converter over the height of the screen.
INT_STEPS = {"INT,8": 253, "INT,16": 253 * 256}
_CHANNEL = "CHANnel<n>"
#: The least picture that is a PNG file: one dark pixel.
_PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c6360000000020001"
    "48afa4710000000049454e44ae426082"
)


class RTODevice(ScpiDevice):
    """An RTO with a sine of 1 MHz and 0.8 V at each channel, each 90° before the last."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, acquisition_s: float = 0.0) -> None:
        super().__init__("Rohde&Schwarz,RTO,1316.1000k14/200153,4.80.1.0")
        self.acquisition_s = acquisition_s
        self.frequency, self.amplitude = 1e6, 0.8
        self._clock = clock
        self._until = 0.0
        self._continuous = False
        self._picture: str | None = None
        self._vertical()
        self._horizontal()
        self._trigger()
        self._transfer()

    def busy(self) -> bool:
        """True while a waveform is recorded."""
        return self._continuous or self._clock() < self._until

    def _vertical(self) -> None:
        self.value(f"{_CHANNEL}:STATe", "1", _on_off)
        self.value(f"{_CHANNEL}:SCALe", "0.5", _plain(5e-4, 10))
        self.value(f"{_CHANNEL}:OFFSet", "0", _plain(-100, 100))
        self.value(f"{_CHANNEL}:POSition", "0", _plain(-5, 5))
        self.value(f"{_CHANNEL}:COUPling", "DCL", lambda text: word(text, "DC", "DCLimit", "AC"))
        self.value(f"{_CHANNEL}:BANDwidth", "FULL", lambda text: word(text, "FULL", "B20", "B200", "B800"))
        self.command(f"{_CHANNEL}:RANGe", self._set_range, lambda n, _: f"{10 * self._float('SCALe', n):g}")

    def _horizontal(self) -> None:
        self.value("TIMebase:SCALe", "1e-07", _plain(25e-12, 1e4))
        self.value("TIMebase:HORizontal:POSition", "0", _plain(-1e5, 1e5))
        self.command("TIMebase:DIVisions", read=lambda *_: "10")
        self.command("DIAGnostic:SERVice:WFAModel", read=lambda *_: "RTO1044")
        self.value("ACQuire:POINts[:VALue]", "1000", lambda text: str(int(number(text, 1000, 1_000_000))))
        self.value("ACQuire:COUNt", "1", lambda text: str(int(number(text, 1, 65535))))
        self.command("ACQuire:CURRent", read=lambda *_: self.get("ACQuire:COUNt"))
        self.command("ACQuire:SRATe", read=lambda *_: f"{self._samples() / self._width():.12g}")

    def _trigger(self) -> None:
        sources = ("CHANnel1", "CHANnel2", "CHANnel3", "CHANnel4", "EXTernanalog")
        self.value("TRIGger<n>:SOURce", "CHAN1", lambda text: word(text, *sources))
        self.value("TRIGger<n>:LEVel<n>", "0", _plain(-10, 10))
        self.value("TRIGger<n>:TYPE", "EDGE", str.upper)
        self.value("TRIGger<n>:MODE", "AUTO", lambda text: word(text, "AUTO", "NORMal", "FREerun"))
        self.value("TRIGger<n>:EDGE:SLOPe", "POS", lambda text: word(text, "POSitive", "NEGative", "EITHer"))
        self.command("RUNContinous|RUN", lambda *_: self._run(True))
        self.command("SINGle|RUNSingle", lambda *_: self._run(False))
        self.command("STOP", lambda *_: self._stop())
        self.command("STATus:OPERation:CONDition", read=lambda *_: str(16 * self.busy()))

    def _transfer(self) -> None:
        self.command("FORMat[:DATA]", self._set_format, lambda *_: self._format)
        self._format = "ASC"
        self.value("FORMat:BORDer", "MSBF", lambda text: word(text, "LSBFirst", "MSBFirst"))
        self.value("EXPort:WAVeform:INCXvalues", "0", _on_off)
        self.value("EXPort:WAVeform:MULTichannel", "0", _on_off)
        self.command(f"{_CHANNEL}[:WAVeform<n>]:DATA[:VALues]", read=self._data)
        self.command(f"{_CHANNEL}[:WAVeform<n>]:DATA:HEADer", read=self._header)
        self.value("HCOPy:DEVice<n>:LANGuage", "PNG", str.upper)
        self.value("MMEMory:NAME", "''")
        self.command("HCOPy:IMMediate<n>", self._take_picture)
        self.command("MMEMory:DATA", read=self._send_picture)

    def samples(self, channel: int) -> NDArray[np.float64]:
        """The voltages that a channel records."""
        start, width, count = self._start(), self._width(), self._samples()
        times = start + width * np.arange(count) / (count - 1)
        return self.amplitude * np.sin(2 * np.pi * self.frequency * times + (channel - 1) * np.pi / 2)

    def _float(self, name: str, n: tuple[int, ...]) -> float:
        return float(self.get(f"{_CHANNEL}:{name}", n[0]))

    def _width(self) -> float:
        return 10 * float(self.get("TIMebase:SCALe"))

    def _start(self) -> float:
        return float(self.get("TIMebase:HORizontal:POSition")) - self._width() / 2

    def _samples(self) -> int:
        return int(self.get("ACQuire:POINts[:VALue]"))

    def _set_range(self, n: tuple[int, ...], arguments: list[str]) -> None:
        self.put(f"{_CHANNEL}:SCALe", f"{number(arguments[0], 5e-3, 100) / 10:g}", n[0])

    def _run(self, continuous: bool) -> None:
        self._continuous, self._until = continuous, self._clock() + self.acquisition_s

    def _stop(self) -> None:
        self._continuous, self._until = False, 0.0

    def _set_format(self, _: tuple[int, ...], arguments: list[str]) -> None:
        wanted = ",".join(arguments).upper()
        if re.fullmatch(r"ASC(II)?(,0)?|REAL,32|INT,(8|16)", wanted) is None:
            raise ScpiError(-224, wanted)
        self._format = wanted

    def _channel(self, n: tuple[int, ...]) -> int:
        if not 1 <= n[0] <= 4:
            raise ScpiError(-113)
        return n[0]

    def _header(self, n: tuple[int, ...], _: list[str]) -> str:
        self._channel(n)
        return f"{self._start():.12g},{self._start() + self._width():.12g},{self._samples()},1"

    def _data(self, n: tuple[int, ...], _: list[str]) -> str | bytes:
        volts = self.samples(self._channel(n))
        if self._format.startswith("ASC"):
            return ",".join(f"{each:.6g}" for each in volts)
        order = "<" if self.get("FORMat:BORDer") == "LSBF" else ">"
        if self._format == "REAL,32":
            return block(volts.astype(f"{order}f4").tobytes())
        scale = self._float("SCALe", n)
        shown = volts - self._float("OFFSet", n) + self._float("POSition", n) * scale
        steps = np.round(shown * INT_STEPS[self._format] / (10 * scale))
        size = 1 if self._format == "INT,8" else 2
        return block(
            np.clip(steps, -(2.0 ** (8 * size - 1)), 2.0 ** (8 * size - 1) - 1)
            .astype(f"{order}i{size}")
            .tobytes()
        )

    def _take_picture(self, *_: object) -> None:
        self._picture = self.get("MMEMory:NAME")

    def _send_picture(self, _: tuple[int, ...], arguments: list[str]) -> bytes:
        if arguments[0] != self._picture:
            raise ScpiError(-224, arguments[0])
        return block(_PICTURE)


def _plain(low: float, high: float) -> Callable[[str], str]:
    return lambda text: f"{number(text, low, high):.12g}"


def _on_off(text: str) -> str:
    return str(int(boolean(text)))
