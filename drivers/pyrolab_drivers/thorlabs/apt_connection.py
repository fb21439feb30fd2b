"""A connection to an APT controller: requests find their replies, and what nobody asked for is kept.

Only what asks reads from the line: no thread of its own, and no periodic updates, which would need keep-alive
messages. Messages that come in between (a move has ended, an error) go to listeners.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from pyrolab_drivers.quantities import Seconds
from pyrolab_drivers.thorlabs.apt_messages import HOST, INSTRUMENTS, Decoder, Message, MessageId
from pyrolab_drivers.thorlabs.apt_payloads import HardwareInfo, RichError
from pyrolab_drivers.transports import ReplyTimeout, SerialTransport, Transport, open_transport

#: What APT controllers use.
BAUD_RATE = 115_200
#: How many errors and other messages are kept until somebody asks.
KEPT = 64
#: How long RTS is held after opening.
_RTS_S = 0.05
_ERRORS = (MessageId.HW_RESPONSE, MessageId.HW_RICHRESPONSE)


class AptError(RuntimeError):
    """The controller reports an error: `code` is its number, `message_id` what caused it, if known."""

    code: int
    message_id: int

    def __init__(self, message: str, code: int = 0, message_id: int = 0) -> None:
        super().__init__(message)
        self.code, self.message_id = code, message_id


class AptConnection:
    """One serial line to a controller, or to a rack with several bays."""

    def __init__(self, address: str | Transport, timeout_s: Seconds = 1.0) -> None:
        """Open the line (115200 baud, 8N1, handshake on RTS and CTS) and drop what is left in it."""
        self._shared = isinstance(address, Transport)
        self._timeout_s = timeout_s
        self.transport = _open(address, timeout_s)
        self._decoder = Decoder(dests={HOST}, sources=INSTRUMENTS)
        self._writing = threading.Lock()
        self._listeners: list[Callable[[Message], None]] = []
        self._errors: deque[Message] = deque(maxlen=KEPT)

    @property
    def name(self) -> str:
        """The port, for messages."""
        return self.transport.name

    def close(self) -> None:
        """Free the line, unless it was given as a transport: then it belongs to who gave it."""
        if not self._shared:
            self.transport.close()

    def listen(self, listener: Callable[[Message], None]) -> None:
        """Call `listener` with every message that is no reply, where somebody asks; it has to be quick."""
        self._listeners.append(listener)

    def errors(self) -> list[AptError]:
        """The errors that came since the last call, oldest first."""
        with self.transport.lock:
            self._take_note(self.transport.drain())
            return [_error(self._errors.popleft()) for _ in range(len(self._errors))]

    def post(self, message: Message) -> None:
        """Send a message that has no reply. Never waits for another thread's exchange: `stop` uses it."""
        with self._writing:
            self.transport.write(message.encode())

    def request(self, message: Message, reply: MessageId) -> Message:
        """Send `message` and return its reply.

        Raises `ReplyTimeout` without one, and `AptError` if the controller answers with an error.
        """
        with self.transport.lock:
            self._take_note(self.transport.drain())
            self._decoder.reset()  # half a message from before: its end would be taken from the reply
            self.post(message)
            deadline = time.monotonic() + self._timeout_s
            while True:
                answer: Message | None = None
                for got in self._read(deadline):
                    if answer is None and _answers(got, message, reply):
                        answer = got
                    else:
                        self._sort(got, message)
                if answer is not None:
                    return answer

    def hardware_info(self, dest: int) -> HardwareInfo:
        """What the controller, or the bay, at `dest` says it is."""
        info = self.request(Message(MessageId.HW_REQ_INFO, dest), MessageId.HW_GET_INFO).payload
        assert isinstance(info, HardwareInfo)
        return info

    def _read(self, deadline: float) -> list[Message]:
        left = max(0.0, deadline - time.monotonic())
        try:
            return self._decoder.feed(self.transport.read_exactly(self._decoder.missing, left))
        except ReplyTimeout as error:
            skipped = self._decoder.skipped
            self._decoder.reset()
            noise = f"; {skipped} bytes that make no sense since the connection was opened" if skipped else ""
            raise ReplyTimeout(
                f"{self.name} did not answer within {self._timeout_s:g} s{noise}; is the controller on?",
                self.name,
                self._timeout_s,
                error.got,
            ) from None

    def _take_note(self, data: bytes) -> None:
        for message in self._decoder.feed(data):
            self._sort(message)

    def _sort(self, message: Message, asked: Message | None = None) -> None:
        """Raise an error that answers `asked`, keep others, and tell the listeners of the rest."""
        if message.id in _ERRORS:
            error = _error(message)
            if asked is not None and error.message_id in (0, asked.id):
                raise error
            self._errors.append(message)
        else:
            for listener in self._listeners:
                listener(message)


def _open(address: str | Transport, timeout_s: Seconds) -> Transport:
    if isinstance(address, Transport):
        return address
    transport = open_transport(
        address, timeout_s=timeout_s, baudrate=BAUD_RATE, rtscts=True, modem_lines_optional=True
    )
    if isinstance(transport, SerialTransport):
        _toggle_rts(transport)
    return transport


def _toggle_rts(transport: SerialTransport) -> None:
    """Customary after opening: the USB bridge forgets what it holds. Pseudo-terminals have no RTS."""
    pause = threading.Event()
    transport.set_modem_lines(rts=True)
    pause.wait(_RTS_S)
    transport.drain()
    transport.set_modem_lines(rts=False)


def _answers(got: Message, asked: Message, reply: MessageId) -> bool:
    """Some controllers leave the source out; a rack's bays all call their channel 1."""
    same_channel = not asked.channel or got.payload is None or got.channel == asked.channel
    return got.id == reply and got.source in (asked.dest, 0) and same_channel


def _error(message: Message) -> AptError:
    if isinstance(message.payload, RichError):
        error = message.payload
        text = f"the controller at {message.source:#04x} reports error {error.code}: {error.text}"
        return AptError(text, error.code, error.message_id)
    return AptError(f"the controller at {message.source:#04x} reports an error without saying which")
