"""A serial line to an ITLA module: every command ends with an answer, a named error, or a timeout.

A damaged answer is asked for again, a damaged request is sent again (the module has not executed it), and
after an answer that did not come, zero bytes bring both ends back into step before the next command.
"""

from __future__ import annotations

import threading
import time

from pyrolab_drivers.itla.errors import CIP, ERRORS, RNI, ItlaError
from pyrolab_drivers.itla.frames import FRAME_SIZE, BadFrame, Request, Response, Status
from pyrolab_drivers.quantities import Seconds
from pyrolab_drivers.transports import BadReply, ReplyTimeout, Transport, open_transport

NOP, EXTENDED_DATA = 0x00, 0x0B
#: How often a command is sent, or its answer asked for, at most.
ATTEMPTS = 3
#: A module answers within so long; used between the zero bytes of a resynchronisation.
ANSWER_S = 0.1
#: Between two looks at an operation that is pending.
_LOOK_S = 0.02


class ItlaConnection:
    """The line. `timeout_s` limits one command with its repetitions, `pending_timeout_s` what it starts."""

    def __init__(
        self,
        address: str | Transport,
        timeout_s: Seconds = 1.0,
        pending_timeout_s: Seconds = 60.0,
        baud_rate: int = 9600,
    ) -> None:
        self._shared = isinstance(address, Transport)
        self._timeout_s, self._pending_timeout_s = timeout_s, pending_timeout_s
        self.transport = (
            address
            if isinstance(address, Transport)
            else open_transport(address, timeout_s=timeout_s, baudrate=baud_rate)
        )
        self._in_step = True  # until an answer is missing

    def close(self) -> None:
        """Free the line, unless it was given as a transport: then it belongs to who gave it."""
        if not self._shared:
            self.transport.close()

    def read(self, register: int) -> Response:
        """Read a register. Raises the `ItlaError` that the module names, `ReplyTimeout` without an answer."""
        return self._execute(Request(register), "reading")

    def read_bytes(self, register: int) -> bytes:
        """Read a register that has more than two bytes."""
        with self.transport.lock:
            first = self.read(register)
            if first.status is not Status.EXTENDED_ADDRESSING:
                return first.data
            count = first.unsigned
            pairs = [self.read(EXTENDED_DATA).data for _ in range((count + 1) // 2)]
        return b"".join(pairs)[:count]

    def read_text(self, register: int) -> str:
        """Read a register that holds a text."""
        return self.read_bytes(register).split(b"\0")[0].decode("latin-1").strip()

    def has(self, register: int) -> bool:
        """Whether the module has this register; optional ones are found out by reading."""
        try:
            self.read(register)
        except RNI:
            return False
        return True

    def write(self, register: int, value: int) -> None:
        """Write a register, and return when what it started has ended.

        While the module ignores it because something else is pending, it is sent again. Raises the
        `ItlaError` that the module names, `ReplyTimeout` without an answer, `TimeoutError` if it stays
        pending.
        """
        deadline = time.monotonic() + self._pending_timeout_s
        while True:
            try:
                response = self._execute(Request(register, value & 0xFFFF), "writing")
            except CIP:
                self._wait_pending(register, deadline)
                continue
            if response.status is Status.PENDING:
                self._wait_pending(register, deadline)
            return

    def pending(self) -> int:
        """The operations that are pending, as bits; 0 if there are none."""
        return self.read(NOP).unsigned >> 8

    def _wait_pending(self, register: int, deadline: float) -> None:
        pause = threading.Event()
        while self.pending():
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{self.transport.name}: what register {register:#04x} started did not end within "
                    f"{self._pending_timeout_s:g} s"
                )
            pause.wait(_LOOK_S)

    def _execute(self, request: Request, doing: str) -> Response:
        """The error has to be asked for before anybody else says something, so both are one exchange."""
        with self.transport.lock:
            response = self._exchange(request)
            if response.status is Status.EXECUTION_ERROR:
                code = self._exchange(Request(NOP)).unsigned & 0x0F
                raise ERRORS.get(code, ItlaError)(request.register, doing)
            return response

    def _exchange(self, request: Request) -> Response:
        deadline = time.monotonic() + self._timeout_s
        if not self._in_step:
            self._synchronise(deadline)
        if self.transport.drain():
            self.transport.doubt()
        self._in_step = False
        frame, damaged = request, b""
        for attempt in range(ATTEMPTS):
            if attempt > 1:
                self._synchronise(deadline)  # it takes the wrong four bytes for a frame
                frame = request
            self.transport.write(frame.encode())
            damaged = self.transport.read_exactly(FRAME_SIZE, max(0.0, deadline - time.monotonic()))
            response = _decoded(damaged)
            refused = response is not None and response.communication_error
            if response is not None and not refused and response.register == request.register:
                self._in_step = True
                return response
            frame = request if refused else Request(NOP, last_response=True)
            self.transport.doubt()  # there may be more of what was wrong: wait for silence
        raise BadReply(
            f"{self.transport.name} answered {ATTEMPTS} times with something else than register "
            f"{request.register:#04x}, at last {damaged.hex(' ')}; check baud rate and cable",
            f"register {request.register:#04x}",
            damaged,
        )

    def _synchronise(self, deadline: float) -> None:
        """Send single zero bytes until the module has four bytes, and answers."""
        self.transport.drain()
        for _ in range(FRAME_SIZE):
            self.transport.write(b"\0")
            try:
                left = max(0.0, deadline - time.monotonic())
                self.transport.read_exactly(FRAME_SIZE, min(ANSWER_S, left))
            except ReplyTimeout:
                continue
            return
        raise ReplyTimeout(
            f"{self.transport.name} does not answer; is the module on, and is the baud rate right?",
            self.transport.name,
            FRAME_SIZE * ANSWER_S,
        )


def _decoded(frame: bytes) -> Response | None:
    try:
        return Response.decode(frame)
    except BadFrame:
        return None
