"""One input of an oscilloscope. Voltages are in V; a division is one square of the screen."""

from __future__ import annotations

from abc import abstractmethod
from enum import Enum
from typing import ClassVar

from pyrolab_drivers.instrument import Channel
from pyrolab_drivers.quantities import Hertz, OutOfRange, Range, Volts, choice


class Coupling(Enum):
    """How a signal enters a channel."""

    DC = "DC, 1 MΩ"
    AC = "AC, 1 MΩ"
    DC_50_OHM = "DC, 50 Ω"
    GROUND = "ground"


class ScopeChannel(Channel):
    """One input. A driver supplies the abstract members, and what else the channel has."""

    #: Divisions of the screen from the bottom to the top.
    divisions: ClassVar[int] = 10

    @property
    @abstractmethod
    def scale_limits(self) -> tuple[Volts, Volts]:
        """Least and greatest `scale`, in V per division."""

    @property
    def offset_limits(self) -> tuple[Volts, Volts]:
        """Lowest and highest `offset`, in V."""
        return (-100.0, 100.0)

    @abstractmethod
    def _read_enabled(self) -> bool: ...

    @abstractmethod
    def _write_enabled(self, enabled: bool) -> None: ...

    @abstractmethod
    def _read_scale(self) -> Volts: ...

    @abstractmethod
    def _write_scale(self, scale: Volts) -> None: ...

    @abstractmethod
    def _read_offset(self) -> Volts: ...

    @abstractmethod
    def _write_offset(self, offset: Volts) -> None: ...

    @abstractmethod
    def _read_coupling(self) -> Coupling: ...

    @abstractmethod
    def _write_coupling(self, coupling: Coupling) -> None: ...

    def _read_position(self) -> float:
        raise self._not_supported("a position apart from its offset")

    def _write_position(self, divisions: float) -> None:
        raise self._not_supported("a position apart from its offset")

    @property
    def bandwidths(self) -> tuple[Hertz, ...]:
        """What `bandwidth` can be, in Hz, besides None for all that the instrument has."""
        return ()

    def _read_bandwidth(self) -> Hertz | None:
        raise self._not_supported("a limit of bandwidth")

    def _write_bandwidth(self, bandwidth: Hertz | None) -> None:
        raise self._not_supported("a limit of bandwidth")

    @property
    def enabled(self) -> bool:
        """True while the channel records."""
        self._require_connection()
        return self._read_enabled()

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        self._require_connection()
        self._write_enabled(bool(enabled))

    @property
    def scale(self) -> Volts:
        """Height of one division, in V."""
        self._require_connection()
        return self._read_scale()

    @scale.setter
    def scale(self, scale: Volts) -> None:
        self._require_connection()
        self._write_scale(Range(*self.scale_limits, "V/div").check("scale", scale))

    @property
    def range(self) -> Volts:
        """Height of the whole screen, in V; another view of `scale`."""
        return self.scale * self.divisions

    @range.setter
    def range(self, height: Volts) -> None:
        self._require_connection()
        least, greatest = (self.divisions * limit for limit in self.scale_limits)
        self._write_scale(Range(least, greatest, "V").check("range", height) / self.divisions)

    @property
    def offset(self) -> Volts:
        """Voltage in the middle of the screen, in V."""
        self._require_connection()
        return self._read_offset()

    @offset.setter
    def offset(self, offset: Volts) -> None:
        self._require_connection()
        self._write_offset(Range(*self.offset_limits, "V").check("offset", offset))

    @property
    def position(self) -> float:
        """How many divisions above the middle of the screen the trace is drawn."""
        self._require_connection()
        return self._read_position()

    @position.setter
    def position(self, divisions: float) -> None:
        self._require_connection()
        half = self.divisions / 2
        self._write_position(Range(-half, half, "divisions").check("position", divisions))

    @property
    def coupling(self) -> Coupling:
        """How the signal enters."""
        self._require_connection()
        return self._read_coupling()

    @coupling.setter
    def coupling(self, coupling: Coupling) -> None:
        self._require_connection()
        self._write_coupling(choice(Coupling, "coupling", coupling))

    @property
    def bandwidth(self) -> Hertz | None:
        """Bandwidth to which the channel is limited, in Hz; None is all that the instrument has."""
        self._require_connection()
        return self._read_bandwidth()

    @bandwidth.setter
    def bandwidth(self, bandwidth: Hertz | None) -> None:
        self._require_connection()
        if bandwidth is not None and bandwidth not in self.bandwidths:
            possible = ", ".join(f"{each:g}" for each in self.bandwidths) or "nothing"
            raise OutOfRange(f"bandwidth can be None or {possible} Hz, not {bandwidth:g} Hz", unit="Hz")
        self._write_bandwidth(bandwidth)
