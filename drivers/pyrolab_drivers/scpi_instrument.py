"""What instruments that speak SCPI share: connection, identity, errors, reset, self-test."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from pyrolab_drivers.instrument import Identity, Instrument
from pyrolab_drivers.quantities import Seconds
from pyrolab_drivers.transports import Transport, TransportError, open_transport
from pyrolab_drivers.transports.scpi import Scpi
from pyrolab_drivers.transports.wire_log import Tapped


class ScpiInstrument(Instrument, Tapped):
    """An instrument at a VISA resource name, a serial port, or a `Transport` that is open already.

    `check_errors` asks for errors after each setting, and raises `InstrumentErrors` if there are any;
    without it they wait for `errors()`. `any_model` accepts an instrument that says it is something else.
    `settings` are those of the transport, for example `visa_library`.
    """

    #: What `*IDN?` has to contain, and who the instrument is as long as it was not asked.
    model_pattern: ClassVar[str] = ""
    nominal: ClassVar[tuple[str, str]] = ("", "")

    def __init__(
        self,
        address: str | Transport,
        *,
        timeout_s: Seconds = 5.0,
        terminator: str = "\n",
        check_errors: bool = True,
        any_model: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__()
        self._address = address
        self._timeout_s = timeout_s
        self._terminator = terminator
        self._check_errors = check_errors
        self._any_model = any_model
        self._transport_settings = settings
        self._identity = Identity(*self.nominal, str(getattr(address, "name", address)))
        self._scpi_link: Scpi | None = None

    @property
    def identity(self) -> Identity:
        """The four fields of `*IDN?`; before the first connection, the address as the serial number."""
        return self._identity

    def reset(self) -> None:
        """Bring the instrument into the state in which it leaves the factory (`*RST`)."""
        self._tell("*RST")

    def self_test(self) -> str:
        """Let the instrument test itself (`*TST?`, a minute at most); what it says, empty if that is 0."""
        answer = self._scpi.query("*TST?", timeout_s=60.0)
        return "" if answer in ("0", "+0") else answer

    def errors(self) -> list[str]:
        """What is in the error queue, oldest first; takes it away."""
        return [f"{code}, {text}" for code, text in self._scpi.errors()]

    @property
    def _scpi(self) -> Scpi:
        self._require_connection()
        assert self._scpi_link is not None
        return self._scpi_link

    def _tell(self, *commands: str) -> None:
        """Send commands one after the other, and ask once whether the instrument complains."""
        scpi = self._scpi
        with scpi.transport.lock:
            for command in commands:
                scpi.write(command)
            if self._check_errors:
                scpi.check_errors()

    def _wire(self) -> Transport | None:
        return self._scpi_link.transport if self._scpi_link is not None else None

    def _open(self) -> None:
        transport = open_transport(self._address, timeout_s=self._timeout_s, **self._transport_settings)
        try:
            scpi = Scpi(transport, self._terminator)
            self._identity = self._recognised(scpi.query("*IDN?"))
        except BaseException:
            self._free(transport)
            raise
        self._scpi_link = scpi

    def _recognised(self, answer: str) -> Identity:
        if not self._any_model and not re.search(self.model_pattern, answer):
            raise TransportError(
                f"{self._address} says it is {answer!r}, and no {' '.join(self.nominal)}; "
                "check the address, or give any_model=True"
            )
        fields = [field.strip() for field in answer.split(",")]
        vendor, model, serial, firmware = (*fields, "", "", "", "")[:4]
        return Identity(vendor, model, serial, firmware)

    def _make_safe(self) -> None:
        """What is sent before the connection is freed."""

    def _close(self) -> None:
        scpi = self._scpi_link
        if scpi is None:
            return
        self._connected = True  # for the last commands
        try:
            self._make_safe()
        finally:
            self._connected = False
            self._scpi_link = None
            self._free(scpi.transport)

    def _free(self, transport: Transport) -> None:
        """Close what was opened here; a transport that was given stays open for who else uses it."""
        if transport is not self._address:
            transport.close()


def digits(value: float) -> str:
    """`value` in all the digits that it has, as SCPI takes it."""
    return repr(float(value)).upper()
