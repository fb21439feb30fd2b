"""Command set 2 of Santec lasers, the only one over RS-232 and USB: two or three letters and a number.

With a number a command sets, without one it reads (TSL-550 operation manual). What comes back after a
setting or an action is not certain: nothing, a bare delimiter, the value, or the value of before have all
been seen. So it is waited for briefly, and thrown away; a value is only ever taken from a reply to a
reading.
"""

from __future__ import annotations

import re
import time
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.instrument import Identity
from pyrolab_drivers.quantities import NotSupported, Seconds, WrongMode
from pyrolab_drivers.santec.dialect import SWEEP_STATES, Dialect, Quantity, nanometres
from pyrolab_drivers.swept_laser import SweepMode, SweepState
from pyrolab_drivers.transports import BadReply, ReplyTimeout, Transport

_COMMANDS = {
    Quantity.WAVELENGTH: "WA",
    Quantity.FREQUENCY: "FQ",
    Quantity.FINE_TUNING: "FT",
    Quantity.POWER_DBM: "OP",
    Quantity.POWER_MW: "LP",
    Quantity.ATTENUATION: "AT",
    Quantity.SWEEP_START: "SS",
    Quantity.SWEEP_STOP: "SE",
    Quantity.SWEEP_STEP: "WW",
    Quantity.SWEEP_SPEED: "SN",
    Quantity.SWEEP_DWELL: "SB",
    Quantity.SWEEP_DELAY: "SA",
    Quantity.SWEEP_CYCLES: "SZ",
    Quantity.SWEEPS_DONE: "SX",
    Quantity.TRIGGER_OUTPUT: "TM",
    Quantity.TRIGGER_STEP: "TW",
}
_MODES = {
    1: SweepMode.CONTINUOUS_ONE_WAY,
    2: SweepMode.CONTINUOUS_TWO_WAY,
    3: SweepMode.STEP_ONE_WAY,
    4: SweepMode.STEP_TWO_WAY,
}
_STATUS = re.compile(r"(-?)(\d)(\d)([0-5])(\d)(\d)([0-7])")
#: How many wavelengths the laser can log.
_LOG_MOST = 65_535
_LOG_RECORD = 4


class CommandSet2(Dialect):
    """The letters, over one connection.

    `action_wait_s` is how long a reply to a setting or an action is waited for; `log_order` is the order of
    the bytes of the log: the manual's worked example (00E66860 is 1510.0000 nm) is big-endian, its table
    says otherwise.
    """

    def __init__(
        self,
        transport: Transport,
        delimiter: bytes = b"\r",
        action_wait_s: Seconds = 0.1,
        log_order: Literal["big", "little"] = "big",
    ) -> None:
        self._transport = transport
        self._delimiter = delimiter
        self._action_wait_s = action_wait_s
        self._log_type = np.dtype({"big": ">u4", "little": "<u4"}[log_order])
        self._shutter_open: bool | None = None

    # The wire

    def ask(self, command: str) -> str:
        """The reply to a reading. Raises `ReplyTimeout`; replies without anything in them are passed over."""
        line = self._transport.exchange(
            self._line(command), self._delimiter, accept=lambda line: bool(line.strip())
        )
        return line.decode("ascii", "replace").strip()

    def act(self, command: str) -> None:
        """Send a setting or an action, and throw away what comes back within `action_wait_s`."""
        with self._transport.lock:
            self._transport.drain()
            self._transport.write(self._line(command))
            self._throw_away_reply()

    def _throw_away_reply(self) -> None:
        end = time.monotonic() + self._action_wait_s
        while (left := end - time.monotonic()) > 0:
            if self._transport.read_some(left).endswith(self._delimiter):
                return

    def number(self, command: str) -> float:
        """The number that a reading returns. Raises `BadReply` if it is none."""
        reply = self.ask(command)
        try:
            return float(reply)
        except ValueError:
            raise self._bad(command, reply) from None

    def _line(self, command: str) -> bytes:
        return command.encode("ascii") + self._delimiter

    def _bad(self, command: str, reply: str) -> BadReply:
        self._transport.doubt()
        return BadReply(
            f"{self._transport.name} answered {command!r} with {reply!r}; "
            "is it set to command set 2, and to this delimiter?",
            command,
            reply.encode("ascii", "replace"),
        )

    # What is said with it

    def identify(self) -> Identity | None:
        """None: there is no question for it."""
        return None

    def read(self, quantity: Quantity) -> float:
        """The value of a quantity. Raises `NotSupported`, `BadReply`, `ReplyTimeout`."""
        return self.number(self._command(quantity))

    def write(self, quantity: Quantity, value: float) -> None:
        """Set a quantity, in all the digits that the laser resolves."""
        self.act(self._command(quantity) + quantity.text(value))

    def _command(self, quantity: Quantity) -> str:
        try:
            return _COMMANDS[quantity]
        except KeyError:
            raise NotSupported(f"command set 2 has no {quantity.title}") from None

    def _status(self) -> re.Match[str]:
        """`SU`: minus while the diode is on; coherence, fine tuning, power, two errors, what is busy."""
        reply = self.ask("SU")
        found = _STATUS.fullmatch(reply)
        if found is None:
            raise self._bad("SU", reply)
        return found

    def tuned(self) -> bool:
        """True while neither wavelength, nor current, nor attenuator is busy."""
        return self._status()[7] == "0"

    def errors(self) -> list[str]:
        """The two errors that the status has: temperature and current of the laser diode."""
        status = self._status()
        titles = {5: "temperature of the laser diode", 6: "current of the laser diode"}
        return [f"error: {title}" for field, title in titles.items() if status[field] != "0"]

    def read_emission(self) -> bool:
        """True while the laser diode is on."""
        return self._status()[1] == "-"

    def write_emission(self, emission: bool) -> None:
        """Switch the laser diode."""
        self.act("LO" if emission else "LF")

    def read_shutter_open(self) -> bool:
        """What the shutter was set to. Raises `WrongMode` before it was: the laser cannot be asked."""
        if self._shutter_open is None:
            raise WrongMode("command set 2 cannot ask for the shutter; set shutter_open once")
        return self._shutter_open

    def write_shutter_open(self, opened: bool) -> None:
        """Move the shutter."""
        self.act("SO" if opened else "SC")
        self._shutter_open = opened

    def read_coherence_control(self) -> bool:
        """True while the line is broadened."""
        return self._status()[2] != "0"

    def write_coherence_control(self, enabled: bool) -> None:
        """Broaden the line, or not."""
        self.act("CO" if enabled else "CF")

    def write_automatic_power(self, enabled: bool) -> None:
        """Regulate the power by the attenuator, or leave the attenuator alone."""
        self.act("AF" if enabled else "AO")

    def stop_fine_tuning(self) -> None:
        """End the fine tuning, and regulate the wavelength again."""
        self.act("FTF")

    def read_sweep_mode(self) -> SweepMode:
        """How a sweep goes; 7 to 12 are 1 to 6, started by a trigger."""
        code = int(self.number("SM"))
        try:
            return _MODES[(code - 1) % 6 + 1]
        except KeyError:
            raise WrongMode(
                f"the laser sweeps in steps of constant frequency (mode {code}); set sweep_mode"
            ) from None

    def write_sweep_mode(self, mode: SweepMode) -> None:
        """Choose how a sweep goes, started by `start_sweep`."""
        self.act(f"SM{next(code for code, each in _MODES.items() if each is mode)}")

    def read_sweep_state(self) -> SweepState:
        """What the sweep is doing."""
        reply = self.ask("SK")
        try:
            return SWEEP_STATES[int(reply)]
        except (KeyError, ValueError):
            raise self._bad("SK", reply) from None

    def start_sweep(self) -> None:
        """Start to sweep."""
        self.act("SG")

    def pause_sweep(self) -> None:
        """Hold the sweep."""
        self.act("SP")

    def resume_sweep(self) -> None:
        """Go on."""
        self.act("SR")

    def stop_sweep(self) -> None:
        """End the sweep."""
        self.act("SQ")

    def read_log(self) -> NDArray[np.float64]:
        """The logged wavelengths in nm: `TN` says how many, `TA` sends them in counts of 0.1 pm."""
        with self._transport.lock:
            count = int(self.number("TN"))
            if not 0 <= count <= _LOG_MOST:
                raise self._bad("TN", str(count))
            if count == 0:
                return np.empty(0)
            self._transport.drain()
            self._transport.write(self._line("TA"))
            try:
                data = self._transport.read_exactly(count * _LOG_RECORD, timeout_s=self._log_timeout(count))
            except ReplyTimeout as error:
                raise self._short_log(error, count) from error
            self._throw_away_reply()  # a delimiter, or nothing
        return nanometres(np.frombuffer(data, self._log_type))

    def _log_timeout(self, count: int) -> float:
        """As long as the bytes take at the slowest speed of the serial port (2400 baud), and the timeout."""
        return self._transport.timeout_s + count * _LOG_RECORD * 10 / 2400

    def _short_log(self, error: ReplyTimeout, count: int) -> ReplyTimeout:
        return ReplyTimeout(
            f"the log of {count} wavelengths is {count * _LOG_RECORD} bytes, but {len(error.got)} came; "
            "read it again",
            error.name,
            error.waited_s,
            error.got,
        )
