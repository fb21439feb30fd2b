"""An ITLA laser module on the wire: frames of four bytes in, frames of four bytes out.

`python -m pyrolab_drivers.simulators.itla_device` serves one on a pseudo-terminal.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from pyrolab_drivers.itla.errors import CIE, CIP, ERE, RNI, RNW, RVE, ItlaError
from pyrolab_drivers.itla.frames import FRAME_SIZE, BadFrame, Request, Response, Status
from pyrolab_drivers.itla.registers import Register

#: How long switching on, and a fine tuning, take.
ENABLE_S, FINE_TUNING_S = 0.15, 0.05
_SENA, _MRDY = 0x08, 0x10
_PENDING_BIT = 0x01
_OFF_DBM100 = -6000
_FATAL_TRIGGERS = 0x29
#: First and last frequency and fine-tuning range, in MHz; powers in dBm × 100.
_LOWEST, _HIGHEST, _REACH = 191_500_000, 196_250_000, 30_000
_LEAST_POWER, _MOST_POWER = 600, 1350
_FREQUENCY_PARTS = (Register.FCF1, Register.FCF2, Register.FCF3)
_MEGAHERTZ = (Register.FCF3, Register.LF3, Register.LFL3, Register.LFH3, Register.GRID2)
_NEEDS_OUTPUT_OFF = (*_FREQUENCY_PARTS, Register.CHANNEL, Register.CHANNEL_H, Register.GRID, Register.GRID2)
_TEXTS = {
    Register.DEVICE_TYPE: "CW ITLA",
    Register.MFGR: "PyroLab",
    Register.MODEL: "Simulated ITLA",
    Register.SERIAL: "CRTNXX0001",
    Register.MFG_DATE: "24-NOV-2025",
    Register.RELEASE: "PV:1.0.0:HW:1.0.0:FW:1.0.0",
}


class ItlaDevice:
    """A module for 191.5 to 196.25 THz and 6 to 13.5 dBm, off when it wakes up.

    Without `megahertz` it lacks the registers with the last two digits of a frequency, as older modules do.
    """

    def __init__(self, *, megahertz: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.requests: list[Request] = []
        self._buffer = bytearray()
        self._last = Response(Status.OK, 0, b"\0\0").encode()
        self._error = 0
        self._extended = b""
        self._pending_until_s = 0.0
        self._registers: dict[int, int] = {
            Register.STATUS_F: 0,
            Register.STATUS_W: 0,
            _FATAL_TRIGGERS: 0,
            Register.CHANNEL: 1,
            Register.CHANNEL_H: 0,
            Register.PWR: 1000,
            Register.RESENA: 0,
            Register.MCB: 0x0002,
            Register.GRID: 500,
            Register.GRID2: 0,
            Register.FCF1: 193,
            Register.FCF2: 1000,
            Register.FCF3: 0,
            Register.FTF: 0,
            Register.MODE: 0,
            Register.SWEEP_RANGE: 10,
            Register.SWEEP_ON: 0,
            Register.SWEEP_RATE: 1000,
        }
        self._missing = frozenset(_MEGAHERTZ) if not megahertz else frozenset()

    def receive(self, data: bytes) -> bytes:
        """The answers to the frames that `data` completes."""
        self._buffer += data
        answers = b""
        while len(self._buffer) >= FRAME_SIZE:
            frame = bytes(self._buffer[:FRAME_SIZE])
            del self._buffer[:FRAME_SIZE]
            answers += self._answer(frame)
        return answers

    def due(self) -> bytes:
        """Nothing: a module speaks only when it is asked."""
        return b""

    @property
    def enabled(self) -> bool:
        """True once the output has come on."""
        return bool(self._registers[Register.RESENA] & _SENA) and not self.pending

    @property
    def pending(self) -> bool:
        """True while an operation goes on."""
        return self.clock() < self._pending_until_s

    @property
    def frequency_mhz(self) -> int:
        """Frequency that is set, in MHz."""
        first = self._first_mhz()
        grid = self._registers[Register.GRID] * 100 + self._registers[Register.GRID2]
        return first + (self._registers[Register.CHANNEL] - 1) * grid + _signed(self._registers[Register.FTF])

    def _first_mhz(self) -> int:
        terahertz, tenths, megahertz = (self._registers[part] for part in _FREQUENCY_PARTS)
        return terahertz * 1_000_000 + tenths * 100 + megahertz

    def _answer(self, frame: bytes) -> bytes:
        try:
            request = Request.decode(frame)
        except BadFrame:
            return Response(Status.OK, frame[1], b"\0\0", communication_error=True).encode()
        if request.last_response:
            return self._last
        self.requests.append(request)
        try:
            response = self._execute(request)
        except ItlaError as error:
            self._error = error.code
            response = Response(Status.EXECUTION_ERROR, request.register, b"\0\0")
        self._last = response.encode()
        return self._last

    def _execute(self, request: Request) -> Response:
        register = request.register
        if register == Register.NOP:
            return self._no_operation()
        if register in self._missing:
            raise RNI(register)
        if register == Register.AEA_EAR:
            return self._next_pair()
        if request.data is not None:
            return self._write(register, request.data)
        if (data := self._long(register)) is not None:
            self._extended = data
            return Response(Status.EXTENDED_ADDRESSING, register, len(data).to_bytes(2, "big"))
        return Response(Status.OK, register, (self._read(register) & 0xFFFF).to_bytes(2, "big"))

    def _no_operation(self) -> Response:
        pending = _PENDING_BIT << 8 if self.pending else 0
        value = pending | _MRDY | self._error
        self._error = 0
        return Response(Status.OK, Register.NOP, value.to_bytes(2, "big"))

    def _next_pair(self) -> Response:
        if not self._extended:
            raise ERE(Register.AEA_EAR)
        pair, self._extended = self._extended[:2], self._extended[2:]
        return Response(Status.OK, Register.AEA_EAR, pair.ljust(2, b"\0"))

    def _long(self, register: int) -> bytes | None:
        if register in _TEXTS:
            return _TEXTS[Register(register)].encode() + b"\0"
        if register == Register.TEMPS:
            return _numbers(2500, 3125)
        if register == Register.CURRENTS:
            return _numbers(-1234, 2000 if self.enabled else 0)
        return None

    def _read(self, register: int) -> int:
        if register in self._registers:
            return self._registers[register]
        power = self._registers[Register.PWR] if self.enabled else _OFF_DBM100
        frequency = self.frequency_mhz
        values = {
            Register.OOP: power,
            Register.CTEMP: 2500,
            Register.FTFR: _REACH,
            Register.OPSL: _LEAST_POWER,
            Register.OPSH: _MOST_POWER,
            Register.LGRID: 1,
            Register.SWEEP_OFFSET: 2000,
            **_parts((Register.LF1, Register.LF2, Register.LF3), frequency),
            **_parts((Register.LFL1, Register.LFL2, Register.LFL3), _LOWEST),
            **_parts((Register.LFH1, Register.LFH2, Register.LFH3), _HIGHEST),
        }
        if register not in values:
            raise RNI(register)
        return values[Register(register)]

    def _write(self, register: int, value: int) -> Response:
        if register not in self._registers:
            self._read(register)  # RNI if there is none
            raise RNW(register)
        if self.pending and register != Register.RESENA:
            raise CIP(register)
        on = bool(self._registers[Register.RESENA] & _SENA)
        if on and register in _NEEDS_OUTPUT_OFF:
            raise CIE(register)
        self._check(register, value)
        self._registers[register] = value
        pending = self._start(register, value, on)
        status = Status.PENDING if pending else Status.OK
        return Response(status, register, value.to_bytes(2, "big"))

    def _check(self, register: int, value: int) -> None:
        if register == Register.PWR and not _LEAST_POWER <= _signed(value) <= _MOST_POWER:
            raise RVE(register)
        if register == Register.FTF and abs(_signed(value)) > _REACH:
            raise RVE(register)
        if register == Register.FCF1 and not _LOWEST // 1_000_000 <= value <= _HIGHEST // 1_000_000:
            raise RVE(register)

    def _start(self, register: int, value: int, was_on: bool) -> bool:
        """Start what takes time; False if nothing does."""
        if register == Register.RESENA:
            switched_on = bool(value & _SENA)
            self._pending_until_s = self.clock() + ENABLE_S if switched_on and not was_on else 0.0
            return self.pending
        if register == Register.FTF and was_on:
            self._pending_until_s = self.clock() + FINE_TUNING_S
            return True
        return False


def _signed(value: int) -> int:
    return value - 0x10000 if value & 0x8000 else value


def _numbers(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "big", signed=True) for value in values)


def _parts(registers: tuple[Register, Register, Register], megahertz: int) -> dict[Register, int]:
    values = (megahertz // 1_000_000, megahertz % 1_000_000 // 100, megahertz % 100)
    return dict(zip(registers, values, strict=True))


def main() -> None:
    """Serve a module on a pseudo-terminal until interrupted, and print the terminal's name."""
    from pyrolab_drivers.simulators.pty_server import PtyServer

    with PtyServer(ItlaDevice()) as server:
        sys.stdout.write(f"{server.name}\n")
        sys.stdout.flush()
        server.wait()


if __name__ == "__main__":
    main()
