"""A BPC303 on the wire: a rack with three piezos that follow their voltages; bytes in, bytes out."""

from __future__ import annotations

import math
import time

from pyrolab_drivers.simulators.apt_device import AptDevice, Clock
from pyrolab_drivers.thorlabs.apt_messages import BAYS, HOST, RACK, Decoder, Message, MessageId
from pyrolab_drivers.thorlabs.apt_payloads import (
    HardwareInfo,
    PiezoLength,
    PiezoStatus,
    PiezoStatusBits,
    PiezoVoltage,
)

_FULL_SCALE = 32767
_ZEROING_S = 0.05
_TIME_CONSTANT_S = 0.005
_OPEN, _CLOSED, _CLOSED_SMOOTH = 1, 2, 4


class PiezoBay(AptDevice):
    """One bay. In closed loop the position is what was set; in open loop it follows the voltage, 2 % late."""

    def __init__(self, address: int, info: HardwareInfo, travel_um: float, clock: Clock) -> None:
        super().__init__(address, info, clock)
        self.travel_um = travel_um
        self.mode, self.enabled, self.zeroed = _OPEN, True, False
        self.gauge_connected = True
        self._from = self._to = 0.0  # fractions of the travel
        self._since_s = clock()
        self._zeroing_until_s: float | None = None

    @property
    def closed(self) -> bool:
        """True in closed loop."""
        return self.mode in (_CLOSED, _CLOSED_SMOOTH)

    @property
    def fraction(self) -> float:
        """Where the actuator is, of its travel."""
        elapsed = self.clock() - self._since_s
        return self._to + (self._from - self._to) * math.exp(-elapsed / _TIME_CONSTANT_S)

    def _go(self, fraction: float) -> None:
        self._from, self._to, self._since_s = self.fraction, fraction, self.clock()

    def _answer(self, message: Message) -> bytes:
        match message.id, message.payload:
            case MessageId.PZ_SET_OUTPUTVOLTS, PiezoVoltage(value=value) if not self.closed:
                self._go(0.98 * value / _FULL_SCALE)
            case MessageId.PZ_SET_OUTPUTPOS, PiezoLength(value=value) if self.closed:
                self._go(min(value, _FULL_SCALE) / _FULL_SCALE)
            case MessageId.PZ_SET_POSCONTROLMODE, _:
                self.mode = message.param2 if self.gauge_connected else _OPEN
            case MessageId.PZ_SET_ZERO, _:
                self._go(0.0)
                self._zeroing_until_s = self.clock() + _ZEROING_S
            case MessageId.MOD_SET_CHANENABLESTATE, _:
                self.enabled = message.param2 == 1
            case _:
                return self._ask(message.id)
        return b""

    def _ask(self, message_id: MessageId) -> bytes:
        match message_id:
            case MessageId.PZ_REQ_OUTPUTVOLTS:
                return self.long(MessageId.PZ_GET_OUTPUTVOLTS, PiezoVoltage(1, self._voltage()))
            case MessageId.PZ_REQ_OUTPUTPOS:
                position = round(self.fraction * _FULL_SCALE)
                return self.long(MessageId.PZ_GET_OUTPUTPOS, PiezoLength(1, position & 0xFFFF))
            case MessageId.PZ_REQ_POSCONTROLMODE:
                return self.short(MessageId.PZ_GET_POSCONTROLMODE, 1, self.mode)
            case MessageId.PZ_REQ_MAXTRAVEL:
                return self.long(MessageId.PZ_GET_MAXTRAVEL, PiezoLength(1, round(self.travel_um * 10)))
            case MessageId.PZ_REQ_PZSTATUSUPDATE:
                return self._status()
            case MessageId.MOD_REQ_CHANENABLESTATE:
                return self.short(MessageId.MOD_GET_CHANENABLESTATE, 1, 1 if self.enabled else 2)
            case _:
                return b""

    def _voltage(self) -> int:
        return min(round(self.fraction / 0.98 * _FULL_SCALE), _FULL_SCALE)

    def _status(self) -> bytes:
        zeroing = self._zeroing_until_s is not None and self.clock() < self._zeroing_until_s
        if self._zeroing_until_s is not None and not zeroing:
            self.zeroed = True
        bits = (
            (PiezoStatusBits.CONNECTED, True),
            (PiezoStatusBits.ZEROED, self.zeroed),
            (PiezoStatusBits.ZEROING, zeroing),
            (PiezoStatusBits.GAUGE_CONNECTED, self.gauge_connected),
            (PiezoStatusBits.CLOSED_LOOP, self.closed),
            (PiezoStatusBits.RANGE_75_V, True),
            (PiezoStatusBits.ENABLED, self.enabled),
        )
        number = sum(int(bit) for bit, is_set in bits if is_set)
        position = round(self.fraction * _FULL_SCALE)
        return self.long(MessageId.PZ_GET_PZSTATUSUPDATE, PiezoStatus(1, self._voltage(), position, number))


class BPC303Device(AptDevice):
    """The rack: passes on what is for one of its bays. `occupied` are the bays that have a piezo, from 1."""

    def __init__(
        self,
        occupied: tuple[int, ...] = (1, 2, 3),
        *,
        travel_um: float = 20.0,
        serial_number: int = 71000001,
        clock: Clock = time.monotonic,
    ) -> None:
        info = HardwareInfo(serial_number, b"BPC303", 0, bytes([1, 0, 4, 0]), b"Simulated rack", 1, 0, 3)
        super().__init__(RACK, info, clock)
        self._decoder = Decoder(dests={RACK, *BAYS}, sources={HOST})
        self.bays = {BAYS[bay - 1]: PiezoBay(BAYS[bay - 1], info, travel_um, clock) for bay in occupied}

    def due(self) -> bytes:
        """What the bays say by themselves by now."""
        return b"".join(bay.due() for bay in self.bays.values())

    def handle(self, message: Message) -> bytes:
        """The answer to one message: that of the bay, or the rack's own."""
        if message.dest in BAYS:
            bay = self.bays.get(message.dest)
            return bay.handle(message) if bay is not None else b""
        return super().handle(message)

    def _answer(self, message: Message) -> bytes:
        if message.id is MessageId.RACK_REQ_BAYUSED:
            state = 1 if BAYS[message.param1] in self.bays else 2
            return self.short(MessageId.RACK_GET_BAYUSED, message.param1, state)
        return b""

    def _status(self) -> bytes:
        return b""
