"""Base classes for services. Deriving from them is convenient, never required."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyrolab
from pyrolab.worker.exposure import behavior, expose, readonly


class Service:
    """A service that can say that it is alive, and which PyroLab it runs."""

    @classmethod
    def set_behavior(
        cls, instance_mode: str = "session", instance_creator: Callable[[type], Any] | None = None
    ) -> None:
        """Say how this class is hosted; the same as decorating it with `behavior`."""
        behavior(instance_mode, instance_creator)(cls)

    @expose
    @readonly
    def ping(self) -> bool:
        """True: the service can be reached and answers."""
        return True

    @expose
    @readonly
    def pyrolab_version(self) -> str:
        """The version of PyroLab that hosts the service."""
        return pyrolab.__version__


class Instrument(Service):
    """A service that connects to something when it is told to, and not when it is made.

    So the service can stay while the instrument is switched off, or is used by hand for an hour.
    """

    #: Arguments for `connect`, filled in by whoever hosts the instrument; not for the instrument's own use.
    _autoconnect_params: dict[str, Any] | None = None

    @staticmethod
    def detect_devices() -> list[dict[str, Any]]:
        """The devices found on this computer, each as the keyword arguments for `connect`.

        Raises `NotImplementedError` if this kind of instrument cannot be looked for.
        """
        raise NotImplementedError("this instrument cannot be looked for; give `connect` its address")

    def connect(self, **parameters: Any) -> bool:
        """Connect to the instrument; keyword arguments only. Returns whether it is connected."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to connect")

    @expose
    def autoconnect(self) -> bool:
        """Connect with the arguments from the configuration. Returns whether it is connected."""
        return self.connect(**(self._autoconnect_params or {}))

    def close(self) -> None:
        """Let the instrument go."""
