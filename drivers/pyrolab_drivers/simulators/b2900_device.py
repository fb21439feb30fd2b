"""A Keysight B2902 on the wire, with a resistor at each channel; bytes in, bytes out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.simulators.scpi_device import ScpiDevice, ScpiError, block, boolean, number, word

_NOT_A_NUMBER, _INFINITE = 9.91e37, 9.9e37
_POINTS_MOST = 2500


@dataclass
class B2900Output:
    """One channel, and the resistor at its output; without a resistor it measures no number."""

    resistance: float | None = 1000.0
    mode: str = "VOLT"
    on: bool = False
    level: dict[str, float] = field(default_factory=lambda: {"VOLT": 0.0, "CURR": 0.0})
    protection: dict[str, float] = field(default_factory=lambda: {"VOLT": 2.0, "CURR": 1e-4})
    course: dict[str, str] = field(default_factory=lambda: {"VOLT": "FIX", "CURR": "FIX"})
    ends: dict[tuple[str, str], float] = field(default_factory=dict)
    points: int = 1
    listed: dict[str, list[float]] = field(default_factory=lambda: {"VOLT": [0.0], "CURR": [0.0]})
    triggers: int = 1
    delay: float = 0.0
    readings: list[tuple[float, float]] = field(default_factory=list)
    until: float = 0.0

    def measure(self, level: float | None = None) -> tuple[float, float]:
        """Voltage and current at a level, the present one unless given."""
        if not self.on or self.resistance is None:
            return _NOT_A_NUMBER, _NOT_A_NUMBER
        wanted = self.level[self.mode] if level is None else level
        if self.mode == "VOLT":
            current = _clamped(
                wanted / self.resistance if self.resistance else _INFINITE, self.protection["CURR"]
            )
            return (current * self.resistance if self.tripped(wanted) else wanted), current
        voltage = _clamped(wanted * self.resistance, self.protection["VOLT"])
        return voltage, (voltage / self.resistance if self.resistance and self.tripped(wanted) else wanted)

    def tripped(self, level: float | None = None) -> bool:
        """True while the compliance decides."""
        if not self.on or self.resistance is None:
            return False
        wanted = self.level[self.mode] if level is None else level
        if self.mode == "VOLT":
            return abs(wanted) > self.protection["CURR"] * self.resistance
        return abs(wanted) * self.resistance > self.protection["VOLT"]

    def _edge(self, which: str) -> float:
        return self.ends.get((self.mode, which), 0.0)

    def levels(self) -> list[float]:
        """What a trigger sequence goes through."""
        course = self.course[self.mode]
        if course == "SWE":
            levels = np.linspace(self._edge("STAR"), self._edge("STOP"), self.points)
            return [float(level) for level in levels]
        return self.listed[self.mode] if course == "LIST" else [self.level[self.mode]] * self.triggers


def _clamped(value: float, most: float) -> float:
    return max(-most, min(most, value))


class B2900Device(ScpiDevice):
    """A B2902B: two channels, spot, linear and list sweeps, compliance, blocks in either byte order."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__("Keysight Technologies,B2902B,MY12345678,5.0.2025.1")
        self.outputs = {1: B2900Output(), 2: B2900Output(resistance=50.0)}
        self._clock = clock
        self.value("FORMat[:DATA]", "ASC", str.upper)
        self.value("FORMat:BORDer", "NORM", lambda text: word(text, "NORMal", "SWAPped"))
        self.value("FORMat:ELEMents:SENSe", "VOLT,CURR,RES,TIME,STAT,SOUR")
        self.value("SENSe<n>:REMote", "0", lambda text: str(int(boolean(text))))
        self.value("SENSe<n>:VOLTage|CURRent:NPLCycles", "1", lambda text: f"{number(text, 4e-4, 120):+E}")
        self.value("SENSe<n>:VOLTage|CURRent:RANGe[:UPPer]", "1", lambda text: f"{number(text, 0):+E}")
        self.value("SENSe<n>:VOLTage|CURRent:RANGe:AUTO", "1", lambda text: str(int(boolean(text))))
        self.command("SENSe<n>:FUNCtion[:ON]", self._sense, lambda *_: '"VOLT","CURR"')
        self._source()
        self._trigger()

    def reset(self) -> None:
        """Every setting as it was in the beginning; the resistors stay."""
        super().reset()
        self.outputs = {key: B2900Output(each.resistance) for key, each in self.outputs.items()}

    def busy(self) -> bool:
        """True while a sweep is under way."""
        return any(self._clock() < output.until for output in self.outputs.values())

    def _output(self, suffixes: tuple[int, ...]) -> B2900Output:
        try:
            return self.outputs[suffixes[0]]
        except KeyError:
            raise ScpiError(-113) from None

    def _source(self) -> None:
        self.command("OUTPut<n>[:STATe]", self._switch, lambda n, _: str(int(self._output(n).on)))
        self.command("SOURce<n>:FUNCtion:MODE", self._mode, lambda n, _: self._output(n).mode)
        for long in ("VOLTage", "CURRent"):
            short = long[:4]
            source = f"SOURce<n>:{long}"
            self._number(f"{source}[:LEVel][:IMMediate][:AMPLitude]", "level", short, 210.0)
            self._number(f"SENSe<n>:{long}:PROTection[:LEVel][:BOTH]", "protection", short, 210.0)
            self.command(
                f"SENSe<n>:{long}:PROTection:TRIPped", read=lambda n, _: str(int(self._output(n).tripped()))
            )
            self.command(f"{source}:MODE", self._course(short))
            self.command(f"{source}:STARt", self._edge(short, "STAR"))
            self.command(f"{source}:STOP", self._edge(short, "STOP"))
            self.command(f"{source}:POINts", self._points)
            self.command(f"SOURce<n>:LIST:{long}", self._list(short))
        for ignored in ("DIRection", "SPACing", "STAir"):
            self.value(f"SOURce<n>:SWEep:{ignored}", "", str.upper)

    def _trigger(self) -> None:
        self.value("TRIGger<n>[:ALL]:SOURce", "AINT", str.upper)
        self.value("TRIGger<n>:TRANsient:DELay", "0", lambda text: f"{number(text, 0, 1e5):+E}")
        self.command("TRIGger<n>:ACQuire:DELay", self._delay)
        self.command("TRIGger<n>[:ALL]:COUNt", self._count)
        self.command("INITiate[:IMMediate][:ALL]", self._initiate)
        self.command("ABORt[:ALL]", self._abort)
        self.command("MEASure", read=self._measure)
        self.command("FETCh:ARRay", read=self._fetch)

    def _number(self, pattern: str, name: str, key: str, most: float) -> None:
        def write(n: tuple[int, ...], arguments: list[str]) -> None:
            getattr(self._output(n), name)[key] = number(arguments[0], -most, most)

        self.command(pattern, write, lambda n, _: f"{getattr(self._output(n), name)[key]:+.12E}")

    def _sense(self, n: tuple[int, ...], arguments: list[str]) -> None:
        for argument in arguments:
            if argument.strip("\"'") not in ("VOLT", "CURR", "RES"):
                raise ScpiError(-224, argument)

    def _switch(self, n: tuple[int, ...], arguments: list[str]) -> None:
        self._output(n).on = boolean(arguments[0])

    def _mode(self, n: tuple[int, ...], arguments: list[str]) -> None:
        self._output(n).mode = word(arguments[0], "VOLTage", "CURRent")

    def _course(self, key: str) -> Callable[[tuple[int, ...], list[str]], None]:
        def write(n: tuple[int, ...], arguments: list[str]) -> None:
            self._output(n).course[key] = word(arguments[0], "FIXed", "SWEep", "LIST")

        return write

    def _edge(self, key: str, which: str) -> Callable[[tuple[int, ...], list[str]], None]:
        def write(n: tuple[int, ...], arguments: list[str]) -> None:
            self._output(n).ends[key, which] = number(arguments[0], -210, 210)

        return write

    def _points(self, n: tuple[int, ...], arguments: list[str]) -> None:
        self._output(n).points = int(number(arguments[0], 1, _POINTS_MOST))

    def _list(self, key: str) -> Callable[[tuple[int, ...], list[str]], None]:
        def write(n: tuple[int, ...], arguments: list[str]) -> None:
            if not 1 <= len(arguments) <= _POINTS_MOST:
                raise ScpiError(-109)
            self._output(n).listed[key] = [number(each, -210, 210) for each in arguments]

        return write

    def _delay(self, n: tuple[int, ...], arguments: list[str]) -> None:
        self._output(n).delay = number(arguments[0], 0, 1e5)

    def _count(self, n: tuple[int, ...], arguments: list[str]) -> None:
        self._output(n).triggers = int(number(arguments[0], 1, 1e5))

    def _channels(self, arguments: list[str]) -> list[B2900Output]:
        """The channels of a list such as `(@1,2)`; the first without one."""
        numbers = arguments[0].strip("(@) ").split(",") if arguments else ["1"]
        return [self._output((int(number(each)),)) for each in numbers]

    def _initiate(self, _: tuple[int, ...], arguments: list[str]) -> None:
        for output in self._channels(arguments):
            levels = output.levels()[: output.triggers]
            output.readings = [output.measure(level) for level in levels]
            output.level[output.mode] = levels[-1]
            output.until = self._clock() + len(levels) * output.delay

    def _abort(self, _: tuple[int, ...], arguments: list[str]) -> None:
        for output in self._channels(arguments):
            if self._clock() < output.until:
                output.readings = output.readings[: len(output.readings) // 2]
                output.until = 0.0

    def _measure(self, _: tuple[int, ...], arguments: list[str]) -> str | bytes:
        return self.values([output.measure() for output in self._channels(arguments)])

    def _fetch(self, _: tuple[int, ...], arguments: list[str]) -> str | bytes:
        return self.values([pair for output in self._channels(arguments) for pair in output.readings])

    def values(self, pairs: list[tuple[float, float]]) -> str | bytes:
        """The wanted elements of each reading, as text or as a block."""
        wanted = self.get("FORMat:ELEMents:SENSe").upper().split(",")
        columns: list[float] = []
        for voltage, current in pairs:
            known = {
                "VOLT": voltage,
                "CURR": current,
                "RES": _ratio(voltage, current),
                "TIME": 0.0,
                "STAT": 0.0,
            }
            columns += [known.get(name.strip()[:4], voltage) for name in wanted]
        kind = self.get("FORMat[:DATA]")
        if kind.startswith("ASC"):
            return ",".join(f"{value:+.6E}" for value in columns)
        order = ">" if self.get("FORMat:BORDer") == "NORM" else "<"
        data: NDArray[np.float64] = np.array(columns)
        return block(data.astype(f"{order}f{8 if '64' in kind else 4}").tobytes())


def _ratio(voltage: float, current: float) -> float:
    return voltage / current if current else _NOT_A_NUMBER
