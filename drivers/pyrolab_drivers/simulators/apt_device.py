"""Thorlabs controllers on the wire, bytes in and bytes out: what all do, and a KDC101 with a stage.

`receive` takes what the host sends and returns the answer; `due` returns what the controller says by itself
by now. `python -m pyrolab_drivers.simulators.apt_device` serves a KDC101 on a pseudo-terminal.
"""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from pyrolab_drivers.simulators.trajectory import Trajectory, brake, point_to_point
from pyrolab_drivers.thorlabs.apt_messages import HOST, USB_UNIT, Decoder, Message, MessageId
from pyrolab_drivers.thorlabs.apt_payloads import (
    Counts,
    DCStatus,
    HardwareInfo,
    HomeParameters,
    JogParameters,
    LimitParameters,
    MotorStatus,
    Payload,
    RichError,
    StatusBits,
    VelocityParameters,
)

Clock = Callable[[], float]
_SERVO_PERIOD_S = 2048 / 6e6
_VELOCITY_SCALE = _SERVO_PERIOD_S * 65536
_ACCELERATION_SCALE = _SERVO_PERIOD_S**2 * 65536
#: Periodic updates come ten times a second, and end without a sign of life for so long.
_UPDATE_S, _KEEP_ALIVE_S = 0.1, 1.0


class AptDevice(ABC):
    """What all controllers do: answer who they are, and send updates while somebody is there."""

    def __init__(self, address: int, info: HardwareInfo, clock: Clock = time.monotonic) -> None:
        self.address, self.info, self.clock = address, info, clock
        self.received: list[Message] = []
        self._decoder = Decoder(dests={address}, sources={HOST})
        self._next_update_s: float | None = None
        self._alive_s = 0.0

    def receive(self, data: bytes) -> bytes:
        """The answer to what the host sent."""
        return b"".join(self.handle(message) for message in self._decoder.feed(data))

    def due(self) -> bytes:
        """What the controller says by itself by now."""
        return self._notices() + self._update()

    def handle(self, message: Message) -> bytes:
        """The answer to one message."""
        self.received.append(message)
        notices = self._notices()  # a move that has ended is told before what comes now is answered
        match message.id:
            case MessageId.HW_REQ_INFO:
                return notices + self.long(MessageId.HW_GET_INFO, self.info)
            case MessageId.HW_START_UPDATEMSGS:
                self._next_update_s = self._alive_s = self.clock()
            case MessageId.HW_STOP_UPDATEMSGS:
                self._next_update_s = None
            case MessageId.MOT_ACK_DCSTATUSUPDATE | MessageId.PZ_ACK_PZSTATUSUPDATE:
                self._alive_s = self.clock()
            case _:
                return notices + self._answer(message)
        return notices

    def long(self, message_id: MessageId, payload: Payload) -> bytes:
        """A message with a payload, to the host."""
        return Message(message_id, HOST, self.address, payload=payload).encode()

    def short(self, message_id: MessageId, param1: int = 0, param2: int = 0) -> bytes:
        """A message without a payload, to the host."""
        return Message(message_id, HOST, self.address, param1, param2).encode()

    def error(self, about: MessageId, code: int, text: str) -> bytes:
        """A rich error, to the host."""
        return self.long(MessageId.HW_RICHRESPONSE, RichError(about, code, text.encode()))

    @abstractmethod
    def _answer(self, message: Message) -> bytes: ...

    @abstractmethod
    def _status(self) -> bytes: ...

    def _notices(self) -> bytes:
        return b""

    def _update(self) -> bytes:
        now = self.clock()
        if self._next_update_s is None or now < self._next_update_s:
            return b""
        if now - self._alive_s > _KEEP_ALIVE_S:
            self._next_update_s = None
            return b""
        self._next_update_s = now + _UPDATE_S
        return self._status()


class KDC101Device(AptDevice):
    """A KDC101 with a stage of `travel` counts. It wakes up at `start`, its counter at 0, not homed.

    The status bit of limit 1 is at the low end, unless `limit_1_at_low` is false. Without `stage_connected`
    or when it is disabled, it ignores moves. `long_notices` are those with a status, as newer firmware
    sends them.
    """

    def __init__(
        self,
        travel: int = 25 * 34304,
        start: int = 34304,
        *,
        serial_number: int = 27000001,
        stage_connected: bool = True,
        limit_1_at_low: bool = True,
        long_notices: bool = True,
        clock: Clock = time.monotonic,
    ) -> None:
        notes = b"Simulated DC servo"
        info = HardwareInfo(serial_number, b"KDC101", 16, bytes([1, 2, 3, 0]), notes, 1, 0, 1)
        super().__init__(USB_UNIT, info, clock)
        self.travel = travel
        self.stage_connected, self.long_notices = stage_connected, long_notices
        self.limit_1_at_low = limit_1_at_low
        self.enabled = True
        self.homed = self.homing = False
        self.velocity = VelocityParameters(1, 0, 1504, 1843200)
        self.jog = JogParameters(1, 2, 3430, 0, 1504, 1843200, 2)
        self.home_parameters = HomeParameters(1, 2, 1, 1843200, 0)
        self.limit_parameters = LimitParameters(1, 1, 1, 0, 0, 1)
        self.backlash = 0
        self._offset = start  # where the counter's 0 is
        self._motion = Trajectory(float(start))
        self._notice: MessageId | None = None

    @property
    def position(self) -> int:
        """The counter."""
        return round(self._motion.position(self.clock())) - self._offset

    @property
    def moving(self) -> bool:
        """True while the stage moves."""
        return not self._motion.finished(self.clock())

    def _answer(self, message: Message) -> bytes:
        payload = message.payload
        match payload:
            case Counts() | VelocityParameters() | JogParameters() | HomeParameters() | LimitParameters():
                return self._set(message.id, payload)
            case _:
                return self._ask(message)

    def _set(self, message_id: MessageId, payload: Payload) -> bytes:
        match message_id, payload:
            case MessageId.MOT_MOVE_ABSOLUTE, Counts(counts=counts):
                self._move(counts + self._offset)
            case MessageId.MOT_MOVE_RELATIVE, Counts(counts=counts):
                self._move(self._motion.end + counts)
            case MessageId.MOT_SET_POSCOUNTER, Counts(counts=counts):
                self._offset = round(self._motion.position(self.clock())) - counts
            case MessageId.MOT_SET_GENMOVEPARAMS, Counts(counts=counts):
                self.backlash = counts
            case _, VelocityParameters():
                if payload.acceleration <= 0 or payload.maximum <= 0:
                    return self.error(message_id, 0x21, "Invalid parameter")
                self.velocity = payload
            case _, JogParameters():
                self.jog = payload
            case _, HomeParameters():
                self.home_parameters = payload
            case _, LimitParameters():
                self.limit_parameters = payload
        return b""

    def _ask(self, message: Message) -> bytes:
        match message.id:
            case MessageId.MOT_REQ_DCSTATUSUPDATE:
                return self._status()
            case MessageId.MOT_REQ_STATUSBITS:
                return self.long(MessageId.MOT_GET_STATUSBITS, StatusBits(1, self._bits()))
            case MessageId.MOT_REQ_POSCOUNTER:
                return self.long(MessageId.MOT_GET_POSCOUNTER, Counts(1, self.position))
            case MessageId.MOT_REQ_VELPARAMS:
                return self.long(MessageId.MOT_GET_VELPARAMS, self.velocity)
            case MessageId.MOT_REQ_JOGPARAMS:
                return self.long(MessageId.MOT_GET_JOGPARAMS, self.jog)
            case MessageId.MOT_REQ_HOMEPARAMS:
                return self.long(MessageId.MOT_GET_HOMEPARAMS, self.home_parameters)
            case MessageId.MOT_REQ_LIMSWITCHPARAMS:
                return self.long(MessageId.MOT_GET_LIMSWITCHPARAMS, self.limit_parameters)
            case MessageId.MOT_REQ_GENMOVEPARAMS:
                return self.long(MessageId.MOT_GET_GENMOVEPARAMS, Counts(1, self.backlash))
            case MessageId.MOD_REQ_CHANENABLESTATE:
                return self.short(MessageId.MOD_GET_CHANENABLESTATE, 1, 1 if self.enabled else 2)
            case _:
                self._command(message)
                return b""

    def _command(self, message: Message) -> None:
        match message.id:
            case MessageId.MOD_SET_CHANENABLESTATE:
                self.enabled = message.param2 == 1
            case MessageId.MOT_MOVE_HOME:
                self.homing = self._move(0.0, MessageId.MOT_MOVE_HOMED, self.home_parameters.velocity)
            case MessageId.MOT_MOVE_STOP:
                self._stop(immediate=message.param2 == 1)
            case MessageId.MOT_MOVE_JOG:
                step = self.jog.step if message.param2 == 1 else -self.jog.step
                self._move(self._motion.end + step)
            case MessageId.MOT_MOVE_VELOCITY:
                self._move(float(self.travel) if message.param2 == 1 else 0.0)
            case _:
                pass

    def _move(
        self,
        end: float,
        notice: MessageId = MessageId.MOT_MOVE_COMPLETED,
        velocity: int | None = None,
    ) -> bool:
        if not (self.enabled and self.stage_connected):
            return False
        now = self.clock()
        speed = (self.velocity.maximum if velocity is None else velocity) / _VELOCITY_SCALE
        acceleration = self.velocity.acceleration / _ACCELERATION_SCALE
        end = min(max(end, 0.0), float(self.travel))
        self._motion = point_to_point(self._motion.position(now), end, now, speed, acceleration)
        self._notice, self.homing = notice, False
        return True

    def _stop(self, immediate: bool) -> None:
        now = self.clock()
        if immediate or not self.moving:
            self._motion = Trajectory(self._motion.position(now), now)
        else:
            self._motion = brake(self._motion, now, self.velocity.acceleration / _ACCELERATION_SCALE)
        self._notice, self.homing = MessageId.MOT_MOVE_STOPPED, False

    def _notices(self) -> bytes:
        if self._notice is None or self.moving:
            return b""
        notice, self._notice = self._notice, None
        if notice is MessageId.MOT_MOVE_HOMED:
            self.homed, self.homing, self._offset = True, False, 0
            return self.short(notice, 1)
        return self.long(notice, self._dc_status()) if self.long_notices else self.short(notice, 1)

    def _dc_status(self) -> DCStatus:
        velocity = round(self._motion.velocity(self.clock()) * _SERVO_PERIOD_S)
        return DCStatus(1, self.position, velocity, 0, self._bits())

    def _status(self) -> bytes:
        return self.long(MessageId.MOT_GET_DCSTATUSUPDATE, self._dc_status())

    def _bits(self) -> int:
        now = self.clock()
        where, speed = self._motion.position(now), self._motion.velocity(now)
        low, high = round(where) <= 0, round(where) >= self.travel
        first, second = (low, high) if self.limit_1_at_low else (high, low)
        bits = (
            (MotorStatus.LIMIT_1, first),
            (MotorStatus.LIMIT_2, second),
            (MotorStatus.MOVING_1, self.moving and speed >= 0),
            (MotorStatus.MOVING_2, self.moving and speed < 0),
            (MotorStatus.CONNECTED, self.stage_connected),
            (MotorStatus.HOMING, self.homing),
            (MotorStatus.HOMED, self.homed),
            (MotorStatus.SETTLED, not self.moving),
            (MotorStatus.ENABLED, self.enabled),
        )
        return sum(int(bit) for bit, is_set in bits if is_set)


def main() -> None:
    """Serve a KDC101 on a pseudo-terminal until interrupted, and print the terminal's name."""
    from pyrolab_drivers.simulators.pty_server import PtyServer

    with PtyServer(KDC101Device()) as server:
        sys.stdout.write(f"{server.name}\n")
        sys.stdout.flush()
        server.wait()


if __name__ == "__main__":
    main()
