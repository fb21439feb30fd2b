"""What new proxies start with, where a program has said so; `pyrolab.pyro.settings.config` writes it."""

from __future__ import annotations

from pyrolab.protocol.names import Location

#: Seconds that a call may take, or None for any time.
timeout_s: float | None = None
#: How often something that only reads is tried again after a failure.
max_retries: int = 0
#: The broker that is meant where nobody names one; None leaves it to the environment and the configuration.
nameserver: Location | None = None
#: Bytes that a message which is sent may have, else `MessageTooLargeError`; None for the protocol's limit.
max_message_bytes: int | None = None
