"""The connection to a Firmata board: who listens to it, and what the board has last said."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from pyrolab_drivers.boards.firmata_protocol import (
    AnalogValue,
    Command,
    Decoder,
    DigitalPort,
    Firmware,
    Message,
    Sysex,
    Text,
    Version,
    report_channel,
    report_port,
    sysex,
)
from pyrolab_drivers.quantities import Seconds
from pyrolab_drivers.transports import Transport

log = logging.getLogger("pyrolab.drivers")

Kind = TypeVar("Kind", bound=Message)

#: How long the listener waits for a byte before it looks whether it has been ended.
_LOOK_S = 0.2
#: A board that is starting does not hear; it is asked again after so many s.
_ASK_AGAIN_S = 0.5
#: Every answer comes by then.
_ANSWER_S = 2.0


class FirmataLink:
    """Listens in a thread of its own. Every wait ends; a lost connection is told at the next use."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._decoder = Decoder()
        self._heard = threading.Condition()
        self._answers: dict[type, Message] = {}
        self._levels: dict[int, int] = {}
        self._samples: dict[int, tuple[int, int]] = {}
        self._failure: ConnectionError | None = None
        self._greeted = False
        self._closed = threading.Event()
        self._listener = threading.Thread(target=self._listen, name="Firmata", daemon=True)
        self._listener.start()

    def close(self) -> None:
        """Listen no longer, and close the transport."""
        self._closed.set()
        self._listener.join()
        self._transport.close()

    # -- talking -----------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send whole messages. Raises `ConnectionError` if the board is lost."""
        with self._heard:
            self.require()
        self._transport.write(data)

    def greet(self, timeout_s: Seconds) -> Firmware:
        """Ask until the board answers: it starts anew when the port is opened, and hears nothing meanwhile.

        Raises `TimeoutError`, with what to check.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                left_s = min(_ASK_AGAIN_S, max(deadline - time.monotonic(), 0.01))
                firmware = self.ask(sysex(Sysex.FIRMWARE), Firmware, left_s)
                break
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"no Firmata board answers at {self._transport.name} within {timeout_s:g} s; check "
                        "the port, that the board runs StandardFirmata, and the baud rate of its sketch"
                    ) from None
        self.ask(bytes([Command.VERSION]), Version)
        self._greeted = True
        return firmware

    def ask(self, question: bytes, kind: type[Kind], timeout_s: Seconds = _ANSWER_S) -> Kind:
        """Send a question; returns the answer of this kind. Raises `TimeoutError`."""
        with self._heard:
            self._answers.pop(kind, None)
            self.send(question)
            self._wait(lambda: kind in self._answers, timeout_s, f"no {kind.__name__} came")
            answer = self._answers[kind]
        assert isinstance(answer, kind)
        return answer

    def listen_to_port(self, port: int) -> None:
        """Have the changes of these eight inputs reported, from now on."""
        with self._heard:
            self._levels.pop(port, None)
            self.send(report_port(port, True))

    def level(self, pin: int) -> bool:
        """Whether an input is high, by the last report. Waits for the first one. Raises `TimeoutError`."""
        port = pin // 8
        with self._heard:
            self.require()
            self._wait(lambda: port in self._levels, _ANSWER_S, f"no report of port {port} came")
            return bool(self._levels[port] >> (pin % 8) & 1)

    def sample(self, channel: int) -> int:
        """The next sample of an analogue channel, in counts: it was taken after this call. Stops reporting.

        Two are waited for, as one may be on its way already. Raises `TimeoutError`.
        """
        with self._heard:
            taken = self._samples.get(channel, (0, 0))[0]
            self.send(report_channel(channel, True))
            try:
                what = f"no sample of channel {channel} came"
                self._wait(lambda: self._samples.get(channel, (0, 0))[0] >= taken + 2, _ANSWER_S, what)
            finally:
                self.send(report_channel(channel, False))
            return self._samples[channel][1]

    def _wait(self, condition: Callable[[], bool], timeout_s: Seconds, what: str) -> None:
        self._heard.wait_for(lambda: condition() or self._failure is not None, timeout_s)
        self.require()
        if not condition():
            raise TimeoutError(f"{what} from the board at {self._transport.name} within {timeout_s:g} s")

    def require(self) -> None:
        """Raise `ConnectionError` if the board is lost, or has started anew."""
        if self._failure is not None:
            raise ConnectionError(str(self._failure)) from self._failure

    # -- listening ---------------------------------------------------------------------------------------

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                data = self._transport.read_some(_LOOK_S)
            except OSError as error:
                if not self._closed.is_set():
                    self._fail(f"the board at {self._transport.name} is lost: {error}")
                return
            with self._heard:
                for message in self._decoder.feed(data):
                    self._take(message)
                self._heard.notify_all()

    def _take(self, message: Message) -> None:
        match message:
            case DigitalPort(port, levels):
                self._levels[port] = levels
            case AnalogValue(channel, counts):
                self._samples[channel] = (self._samples.get(channel, (0, 0))[0] + 1, counts)
            case Text(text):
                log.warning("the board at %s says: %s", self._transport.name, text)
            case Version() if self._greeted:
                self._fail(
                    f"the board at {self._transport.name} has started anew, and its pins are as at first"
                )
            case _:
                self._answers[type(message)] = message

    def _fail(self, why: str) -> None:
        with self._heard:
            self._failure = ConnectionError(f"{why}. Then close() and connect() again")
            self._heard.notify_all()
