"""The BPC303 piezo controller: a rack with three bays, each a closed-loop piezo channel.

Voltages travel as 1/32767 of the greatest voltage. For positions sources disagree about the number that means
the whole travel; that is a setting.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Literal, TypeVar

from pyrolab_drivers.instrument import Identity, Instrument
from pyrolab_drivers.piezo import PiezoAxis
from pyrolab_drivers.quantities import Micrometres, NotConnected, Seconds, Volts
from pyrolab_drivers.thorlabs.apt_connection import AptConnection, AptError
from pyrolab_drivers.thorlabs.apt_messages import BAYS, RACK, Message, MessageId
from pyrolab_drivers.thorlabs.apt_payloads import (
    HardwareInfo,
    Payload,
    PiezoLength,
    PiezoStatus,
    PiezoStatusBits,
    PiezoVoltage,
)
from pyrolab_drivers.transports import Transport
from pyrolab_drivers.transports.wire_log import Tapped

#: The greatest voltage, as a number on the wire.
VOLTAGE_FULL_SCALE = 32767
_TRAVEL_STEP_UM = 0.1
_OPEN, _CLOSED, _OPEN_SMOOTH, _CLOSED_SMOOTH = 1, 2, 3, 4
_RANGES = (
    (PiezoStatusBits.RANGE_75_V, 75.0),
    (PiezoStatusBits.RANGE_100_V, 100.0),
    (PiezoStatusBits.RANGE_150_V, 150.0),
)
_SomePayload = TypeVar("_SomePayload", bound=Payload)


class BPC303(Instrument, Tapped):
    """The rack. `channels[1]` to `channels[3]` are its piezo axes; they are connected with it."""

    def __init__(
        self,
        address: str | Transport,
        *,
        bays: tuple[int, ...] = (1, 2, 3),
        position_full_scale: Literal[32767, 65535] = 32767,
        smooth: bool = False,
        settle_band: Micrometres = 0.05,
        timeout_s: Seconds = 1.0,
    ) -> None:
        """`address` is the serial port, or a transport; nothing is opened before `connect()`.

        `bays` are those in use. `position_full_scale` is the number that stands for the whole travel: 32767
        by Thorlabs' Kinesis documentation and an EPICS driver; 65535 if positions come out halved. With
        `smooth` the loop opens and closes without a jump. A move has ended within `settle_band` µm of its
        target.
        """
        super().__init__()
        self._address, self._timeout_s = address, timeout_s
        self._connection: AptConnection | None = None
        self._info: HardwareInfo | None = None
        self._channels = {
            bay: BPC303Channel(self, bay, position_full_scale, smooth, settle_band) for bay in bays
        }

    @property
    def identity(self) -> Identity:
        """Vendor, model, serial number and firmware; before `connect()` the port as serial number."""
        if self._info is None:
            name = self._address.name if isinstance(self._address, Transport) else self._address
            return Identity("Thorlabs", "BPC303", name)
        info = self._info
        return Identity("Thorlabs", info.model_name, str(info.serial_number), info.firmware_version)

    @property
    def channels(self) -> Mapping[int, BPC303Channel]:
        """The piezo axes by the number on the front panel, from 1."""
        return dict(self._channels)

    def errors(self) -> list[str]:
        """What the controller has complained about since it was last asked, oldest first; takes them away."""
        return [str(error) for error in self.line.errors()]

    def stop(self, immediate: bool = False) -> None:
        """Let all channels stay where they are now."""
        for channel in self._channels.values():
            channel.stop(immediate)

    @property
    def line(self) -> AptConnection:
        """The connection that the channels share. Raises `NotConnected` without one."""
        if self._connection is None:
            raise NotConnected(f"{self.identity} is not connected; call connect() first")
        return self._connection

    def _wire(self) -> Transport | None:
        return self._connection.transport if self._connection is not None else None

    def _open(self) -> None:
        self._connection = AptConnection(self._address, self._timeout_s)
        try:
            self._info = self._connection.hardware_info(RACK)
            for channel in self._channels.values():
                channel.connect()
        except BaseException:
            self._close()
            raise

    def _close(self) -> None:
        """The piezos keep their voltages: what they hold does not drop."""
        connection, self._connection = self._connection, None
        for channel in self._channels.values():
            channel.close()
        if connection is not None:
            connection.close()


class BPC303Channel(PiezoAxis):
    """One bay of a BPC303, in µm and V."""

    def __init__(
        self, rack: BPC303, number: int, full_scale: int, smooth: bool, settle_band: Micrometres
    ) -> None:
        super().__init__()
        self._rack, self._number = rack, number
        self._dest = BAYS[number - 1]
        self._full_scale, self._smooth, self._settle_band = full_scale, smooth, settle_band
        self._max_travel: Micrometres = 0.0
        self._setting = threading.Lock()
        self._target: Micrometres | None = None

    @property
    def number(self) -> int:
        """The number on the front panel, from 1."""
        return self._number

    @property
    def identity(self) -> Identity:
        """That of the rack, with the number of the bay."""
        rack = self._rack.identity
        return Identity(rack.vendor, f"{rack.model} channel {self._number}", rack.serial, rack.firmware)

    def _open(self) -> None:
        line = self._rack.line
        bay = Message(MessageId.RACK_REQ_BAYUSED, RACK, param1=self._number - 1)
        if line.request(bay, MessageId.RACK_GET_BAYUSED).param2 != 1:
            raise AptError(f"{self.identity}: the bay is empty; leave it out of bays")
        line.post(Message(MessageId.HW_STOP_UPDATEMSGS, self._dest))
        travel = self._ask(MessageId.PZ_REQ_MAXTRAVEL, MessageId.PZ_GET_MAXTRAVEL, PiezoLength)
        self._max_travel = travel.value * _TRAVEL_STEP_UM
        self._target = None

    def _close(self) -> None: ...

    @property
    def max_travel(self) -> Micrometres:
        """How far the actuator reaches, in µm; the controller reads it from the actuator."""
        self._require_connection()
        return self._max_travel

    @property
    def position(self) -> Micrometres:
        """Where the actuator is now, in µm, by its gauge."""
        self._require_connection()
        reply = self._ask(MessageId.PZ_REQ_OUTPUTPOS, MessageId.PZ_GET_OUTPUTPOS, PiezoLength)
        counts = reply.value
        if self._full_scale == VOLTAGE_FULL_SCALE and counts > VOLTAGE_FULL_SCALE:
            counts -= 1 << 16  # a little below zero
        return counts / self._full_scale * self._max_travel

    @property
    def target(self) -> Micrometres:
        """Where the last move goes, in µm; where the actuator is if there was none."""
        target = self._target
        return self.position if target is None else target

    @property
    def moving(self) -> bool:
        """True while the gauge is being zeroed, or the target is farther away than the settling band."""
        self._require_connection()
        if self._bits() & PiezoStatusBits.ZEROING:
            return True
        target = self._target
        return target is not None and abs(self.position - target) > self._settle_band

    @property
    def homed(self) -> bool:
        """True once the gauge has been zeroed."""
        self._require_connection()
        return bool(self._bits() & PiezoStatusBits.ZEROED)

    @property
    def status_bits(self) -> PiezoStatusBits:
        """The status as the controller has it."""
        self._require_connection()
        return PiezoStatusBits(self._bits())

    def _start_move(self, target: Micrometres) -> None:
        counts = round(target / self._max_travel * self._full_scale)
        with self._setting:
            self._target = target
            self._post(MessageId.PZ_SET_OUTPUTPOS, PiezoLength(1, counts))

    def _start_zero(self) -> None:
        with self._setting:
            self._target = None
            self._rack.line.post(Message(MessageId.PZ_SET_ZERO, self._dest, param1=1))

    def _read_voltage(self) -> Volts:
        reply = self._ask(MessageId.PZ_REQ_OUTPUTVOLTS, MessageId.PZ_GET_OUTPUTVOLTS, PiezoVoltage)
        return reply.value / VOLTAGE_FULL_SCALE * self._read_max_voltage()

    def _write_voltage(self, voltage: Volts) -> None:
        value = round(voltage / self._read_max_voltage() * VOLTAGE_FULL_SCALE)
        self._post(MessageId.PZ_SET_OUTPUTVOLTS, PiezoVoltage(1, value))

    def _read_max_voltage(self) -> Volts:
        bits = self._bits()
        ranges = [volts for bit, volts in _RANGES if bits & bit]
        if len(ranges) != 1:
            raise AptError(f"{self.identity} does not say which voltage range it has (status {bits:#010x})")
        return ranges[0]

    def _read_closed_loop(self) -> bool:
        request = Message(MessageId.PZ_REQ_POSCONTROLMODE, self._dest, param1=1)
        mode = self._rack.line.request(request, MessageId.PZ_GET_POSCONTROLMODE).param2
        return mode in (_CLOSED, _CLOSED_SMOOTH)

    def _write_closed_loop(self, closed: bool) -> None:
        plain, smooth = (_CLOSED, _CLOSED_SMOOTH) if closed else (_OPEN, _OPEN_SMOOTH)
        mode = smooth if self._smooth else plain
        with self._setting:
            self._target = None
            self._rack.line.post(Message(MessageId.PZ_SET_POSCONTROLMODE, self._dest, param1=1, param2=mode))
        if self._read_closed_loop() != closed:
            raise AptError(
                f"{self.identity} did not {'close' if closed else 'open'} its loop; is there a gauge?"
            )

    def _read_enabled(self) -> bool:
        request = Message(MessageId.MOD_REQ_CHANENABLESTATE, self._dest, param1=1)
        return self._rack.line.request(request, MessageId.MOD_GET_CHANENABLESTATE).param2 == 1

    def _write_enabled(self, enabled: bool) -> None:
        state = 1 if enabled else 2
        self._rack.line.post(Message(MessageId.MOD_SET_CHANENABLESTATE, self._dest, param1=1, param2=state))

    def _bits(self) -> int:
        request, reply = MessageId.PZ_REQ_PZSTATUSUPDATE, MessageId.PZ_GET_PZSTATUSUPDATE
        return self._ask(request, reply, PiezoStatus).bits

    def _post(self, message_id: MessageId, payload: Payload) -> None:
        self._rack.line.post(Message(message_id, self._dest, payload=payload))

    def _ask(self, request: MessageId, reply: MessageId, kind: type[_SomePayload]) -> _SomePayload:
        payload = self._rack.line.request(Message(request, self._dest, param1=1), reply).payload
        assert isinstance(payload, kind)
        return payload
