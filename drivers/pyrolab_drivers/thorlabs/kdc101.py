"""The KDC101 servo controller (and its predecessor TDC001) with the stages that it drives.

It is asked for its status whenever somebody wants to know it; periodic updates, and the keep-alive messages
that they need, are not used. `stop` is sent at once, also while another thread waits for an answer.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.motion import DEFAULT_WAIT_S, MotionAxis
from pyrolab_drivers.quantities import InstrumentBusy, NotConnected, NotSupported, Seconds
from pyrolab_drivers.thorlabs.apt_connection import AptConnection, AptError
from pyrolab_drivers.thorlabs.apt_messages import USB_UNIT, Message, MessageId
from pyrolab_drivers.thorlabs.apt_payloads import (
    Counts,
    DCStatus,
    HardwareInfo,
    MotorStatus,
    VelocityParameters,
)
from pyrolab_drivers.thorlabs.stages import ServoStage, stage_named
from pyrolab_drivers.transports import Transport
from pyrolab_drivers.transports.wire_log import Tapped

#: Time in s that the servo loop takes: units of velocity and acceleration depend on it.
SERVO_PERIOD_S = 2048 / 6e6
VELOCITY_SCALE = SERVO_PERIOD_S * 65536
ACCELERATION_SCALE = SERVO_PERIOD_S**2 * 65536

#: A move that has not begun after so long does not begin any more.
BEGIN_S = 0.5
#: Between two looks at a move.
_LOOK_S = 0.01
_IMMEDIATE, _PROFILED = 1, 2
_ENDED = (MessageId.MOT_MOVE_COMPLETED, MessageId.MOT_MOVE_STOPPED, MessageId.MOT_MOVE_HOMED)


class MoveFailed(RuntimeError):
    """The axis did not do what it was told, and did not say why."""


@dataclass(slots=True)
class _Move:
    """A move under way: what of it has been seen. Homing has no target: where 0 is, is not known yet."""

    target: int | None
    began_s: float
    begun: bool = False
    ended: bool = False
    lost: bool = False

    def look(self, status: DCStatus, now_s: float) -> bool:
        """True while it goes on, as far as `status` tells."""
        if status.bits & MotorStatus.IN_MOTION:
            self.begun = True
            return True
        if not (self.begun or self.ended):
            away, late = status.position != self.target, now_s - self.began_s > BEGIN_S
            self.lost = away and late
            return away and not late
        return False


class KDC101(MotionAxis, Tapped):
    """A linear axis on a KDC101, in mm; `KDC101Rotation` for a rotation, in deg."""

    unit: ClassVar[str] = "mm"

    def __init__(
        self,
        address: str | Transport,
        stage: str | ServoStage,
        *,
        counts_per_unit: float | None = None,
        limits: tuple[float, float] | None = None,
        velocity_limit: float | None = None,
        acceleration_limit: float | None = None,
        limit_1_at: Literal["low", "high"] | None = None,
        stop_on_close: bool = True,
        timeout_s: Seconds = 1.0,
    ) -> None:
        """`address` is the serial port, or a transport; nothing is opened before `connect()`.

        `stage` is a preset's name (`STAGES`) or a `ServoStage`. `counts_per_unit` has to be chosen where
        sources disagree about the stage. `limits` are the positions that are allowed (the stage's travel),
        `velocity_limit` and `acceleration_limit` what the stage stands, in units per s and s². `limit_1_at`
        says at which end the status bit 0 is: libraries disagree, and without it `limit_switches` refuses.
        `stop_on_close` ends a move when the driver is closed. Raises `ValueError` for a choice that is
        missing.
        """
        super().__init__()
        self._stage = stage_named(stage)
        if self._stage.unit != self.unit:
            raise ValueError(
                f"the {self._stage.name} moves in {self._stage.unit}, not {self.unit}; use the other class"
            )
        self._address, self._timeout_s = address, timeout_s
        self._counts_per_unit = self._stage.counts(counts_per_unit)
        self._limits = limits or (0.0, self._stage.travel)
        self._velocity_limit = velocity_limit or self._stage.velocity_limit
        self._acceleration_limit = acceleration_limit or self._stage.acceleration_limit
        self._limit_1_at, self._stop_on_close = limit_1_at, stop_on_close
        self._info: HardwareInfo | None = None
        self._connection: AptConnection | None = None
        self._starting = threading.Lock()
        self._move: _Move | None = None
        self._target: int | None = None

    @property
    def identity(self) -> Identity:
        """Vendor, model, serial number and firmware; before `connect()` the port as serial number."""
        if self._info is None:
            name = self._address.name if isinstance(self._address, Transport) else self._address
            return Identity("Thorlabs", "KDC101", name)
        info = self._info
        return Identity("Thorlabs", info.model_name, str(info.serial_number), info.firmware_version)

    def _wire(self) -> Transport | None:
        return self._connection.transport if self._connection is not None else None

    def _open(self) -> None:
        connection = AptConnection(self._address, self._timeout_s)
        try:
            connection.post(Message(MessageId.HW_STOP_UPDATEMSGS, USB_UNIT))
            self._info = connection.hardware_info(USB_UNIT)
        except BaseException:
            connection.close()
            raise
        connection.listen(self._take_note)
        self._connection, self._move, self._target = connection, None, None

    def _close(self) -> None:
        connection, self._connection = self._line, None
        try:
            if self._stop_on_close:
                connection.post(Message(MessageId.MOT_MOVE_STOP, USB_UNIT, param1=1, param2=_PROFILED))
        finally:
            connection.close()

    @property
    def position(self) -> float:
        """Where the axis is now, in `unit`."""
        return self._read_status().position / self._counts_per_unit

    @property
    def target(self) -> float:
        """Where the last move goes, in `unit`; where the axis is if it was stopped or not moved yet."""
        target = self._target
        return self.position if target is None else target / self._counts_per_unit

    @property
    def moving(self) -> bool:
        """True until the last move has ended, whoever started it."""
        status, move = self._read_status(), self._move
        if move is None:
            return bool(status.bits & MotorStatus.IN_MOTION)
        return move.look(status, time.monotonic())

    @property
    def homed(self) -> bool:
        """True once the axis has found its reference since it was switched on."""
        bits = self._read_status().bits
        return bool(bits & MotorStatus.HOMED) and not bits & MotorStatus.HOMING

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest position, in `unit`: the stage's travel unless others were chosen."""
        return self._limits

    @property
    def status_bits(self) -> MotorStatus:
        """The status as the controller has it, without an opinion about directions."""
        return MotorStatus(self._read_status().bits)

    @property
    def limit_bits(self) -> tuple[bool, bool]:
        """Whether limit switch 1 and limit switch 2 are pressed; which end is which depends on the stage."""
        bits = self._read_status().bits
        return bool(bits & MotorStatus.LIMIT_1), bool(bits & MotorStatus.LIMIT_2)

    def errors(self) -> list[str]:
        """What the controller has complained about since it was last asked, oldest first; takes them away."""
        return [str(error) for error in self._line.errors()]

    def identify(self) -> None:
        """Let the display of the controller blink."""
        self._line.post(Message(MessageId.MOD_IDENTIFY, USB_UNIT, param1=1))

    def home(self) -> None:
        """Start to search the reference; `wait()` returns when it is found. Position 0 is there."""
        self._begin(Message(MessageId.MOT_MOVE_HOME, USB_UNIT, param1=1), _Move(None, time.monotonic()), 0)

    def stop(self, immediate: bool = False) -> None:
        """End the move now, braking gently, or at once if `immediate`. Waits for nobody."""
        mode = _IMMEDIATE if immediate else _PROFILED
        line = self._line
        self._target = None
        line.post(Message(MessageId.MOT_MOVE_STOP, USB_UNIT, param1=1, param2=mode))

    def wait(self, timeout_s: Seconds = DEFAULT_WAIT_S) -> None:
        """Return when the axis is at rest, also if it was stopped.

        Raises `TimeoutError` after `timeout_s`, `MoveFailed` if the move never began, and what the controller
        reported as an error.
        """
        deadline, pause = time.monotonic() + timeout_s, threading.Event()
        while self.moving:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the move of {self.identity} took longer than {timeout_s:g} s")
            pause.wait(_LOOK_S)
        for error in self._line.errors():
            raise error
        move = self._move
        if move is not None and move.lost and self._target is not None:
            self._move = None
            raise MoveFailed(f"{self.identity} did not begin to move; is the stage connected, and enabled?")

    def _start_move(self, target: float) -> None:
        counts = round(target * self._counts_per_unit)
        move = Message(MessageId.MOT_MOVE_ABSOLUTE, USB_UNIT, payload=Counts(1, counts))
        self._begin(move, _Move(counts, time.monotonic()), counts)

    def _begin(self, message: Message, move: _Move, target: int) -> None:
        with self._starting:
            if self.moving:
                raise InstrumentBusy(f"{self.identity} is moving; wait() for it, or stop() it first")
            self._move, self._target = move, target
            self._line.post(message)

    @property
    def velocity_limits(self) -> tuple[float, float]:
        """Lowest and highest speed, in `unit`/s. Raises `NotSupported` if the highest is not known."""
        if self._velocity_limit is None:
            raise NotSupported(
                f"what speed the {self._stage.name} stands is not known here; give velocity_limit"
            )
        return (1.0 / (VELOCITY_SCALE * self._counts_per_unit), self._velocity_limit)

    @property
    def acceleration_limits(self) -> tuple[float, float]:
        """Lowest and highest acceleration, in `unit`/s². Raises `NotSupported` if that is not known."""
        if self._acceleration_limit is None:
            name = self._stage.name
            raise NotSupported(
                f"what acceleration the {name} stands is not known here; give acceleration_limit"
            )
        return (1.0 / (ACCELERATION_SCALE * self._counts_per_unit), self._acceleration_limit)

    @property
    def backlash_limits(self) -> tuple[float, float]:
        """Least and greatest backlash, in `unit`: none, and the travel."""
        return (0.0, self._limits[1] - self._limits[0])

    def _read_velocity(self) -> float:
        return self._velocity_parameters().maximum / (VELOCITY_SCALE * self._counts_per_unit)

    def _write_velocity(self, speed: float) -> None:
        units = round(speed * VELOCITY_SCALE * self._counts_per_unit)
        self._set_velocity_parameters(replace(self._velocity_parameters(), maximum=units))

    def _read_acceleration(self) -> float:
        return self._velocity_parameters().acceleration / (ACCELERATION_SCALE * self._counts_per_unit)

    def _write_acceleration(self, acceleration: float) -> None:
        units = round(acceleration * ACCELERATION_SCALE * self._counts_per_unit)
        self._set_velocity_parameters(replace(self._velocity_parameters(), acceleration=units))

    def _read_backlash(self) -> float:
        return self._backlash_counts() / self._counts_per_unit

    def _write_backlash(self, backlash: float) -> None:
        counts = round(backlash * self._counts_per_unit)
        self._line.post(Message(MessageId.MOT_SET_GENMOVEPARAMS, USB_UNIT, payload=Counts(1, counts)))
        self._verify("backlash", counts, self._backlash_counts())

    def _read_limit_switches(self) -> tuple[bool, bool]:
        if self._limit_1_at is None:
            raise NotSupported(
                "at which end limit switch 1 is is not known here; give limit_1_at, or use limit_bits"
            )
        first, second = self.limit_bits
        return (first, second) if self._limit_1_at == "low" else (second, first)

    def _read_enabled(self) -> bool:
        reply = self._ask(MessageId.MOD_REQ_CHANENABLESTATE, MessageId.MOD_GET_CHANENABLESTATE)
        return reply.param2 == 1

    def _write_enabled(self, enabled: bool) -> None:
        state = 1 if enabled else 2
        self._line.post(Message(MessageId.MOD_SET_CHANENABLESTATE, USB_UNIT, param1=1, param2=state))
        self._verify("enabled", enabled, self._read_enabled())

    def _take_note(self, message: Message) -> None:
        move = self._move
        if move is not None and message.id in _ENDED and message.source in (USB_UNIT, 0):
            move.ended = True

    def _read_status(self) -> DCStatus:
        reply = self._ask(MessageId.MOT_REQ_DCSTATUSUPDATE, MessageId.MOT_GET_DCSTATUSUPDATE).payload
        assert isinstance(reply, DCStatus)
        return reply

    def _velocity_parameters(self) -> VelocityParameters:
        reply = self._ask(MessageId.MOT_REQ_VELPARAMS, MessageId.MOT_GET_VELPARAMS).payload
        assert isinstance(reply, VelocityParameters)
        return reply

    def _set_velocity_parameters(self, wanted: VelocityParameters) -> None:
        self._line.post(Message(MessageId.MOT_SET_VELPARAMS, USB_UNIT, payload=wanted))
        self._verify("velocity and acceleration", wanted, self._velocity_parameters())

    def _backlash_counts(self) -> int:
        reply = self._ask(MessageId.MOT_REQ_GENMOVEPARAMS, MessageId.MOT_GET_GENMOVEPARAMS).payload
        assert isinstance(reply, Counts)
        return reply.counts

    def _ask(self, request: MessageId, reply: MessageId) -> Message:
        return self._line.request(Message(request, USB_UNIT, param1=1), reply)

    def _verify(self, what: str, wanted: object, got: object) -> None:
        """The protocol does not acknowledge a setting, so it is read back."""
        if wanted != got:
            raise AptError(f"{self.identity} did not take {what}: asked for {wanted}, it has {got}")

    @property
    def _line(self) -> AptConnection:
        connection = self._connection
        if connection is None:
            raise NotConnected(f"{self.identity} is not connected; call connect() first")
        return connection


class KDC101Rotation(KDC101):
    """A rotation on a KDC101, such as the PRM1-Z8, in deg."""

    unit: ClassVar[str] = "deg"
