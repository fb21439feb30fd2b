"""The Rohde & Schwarz RTO oscilloscopes (RTO, RTO6, RTP). RTB, RTM and RTA have other waveform commands.

Sources: R&S's own example for waveforms (firmware 4.80), RTO6 manual, QCoDeS. Waveforms come as 32-bit
floats in volts; the byte order is set before each, because the one after a reset differs between models.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from pyrolab_drivers.oscilloscope import Coupling, Oscilloscope, ScopeChannel, TriggerMode, TriggerSlope
from pyrolab_drivers.quantities import Hertz, NotSupported, OutOfRange, Seconds, Volts
from pyrolab_drivers.scpi_instrument import ScpiInstrument, digits
from pyrolab_drivers.transports import BadReply, Transport
from pyrolab_drivers.waveform import Waveform

_Meaning = TypeVar("_Meaning")

_COUPLINGS = {Coupling.DC_50_OHM: "DC", Coupling.DC: "DCLimit", Coupling.AC: "AC"}
_SLOPES = {TriggerSlope.RISING: "POSitive", TriggerSlope.FALLING: "NEGative", TriggerSlope.EITHER: "EITHer"}
_MODES = {TriggerMode.AUTO: "AUTO", TriggerMode.NORMAL: "NORMal", TriggerMode.FREE_RUN: "FREerun"}
_BANDWIDTHS: dict[Hertz | None, str] = {None: "FULL", 20e6: "B20", 200e6: "B200", 800e6: "B800"}
_EXTERNAL = "EXTernanalog"
#: The trigger levels are numbered as the channels are; the external input comes after them.
_EXTERNAL_LEVEL = 5
#: Bits of the operation status register: a trigger is waited for; an acquisition is under way.
_WAITING, _MEASURING = 1 << 3, 1 << 4


class WaveformFormat(Enum):
    """How waveforms come: as volts in 32-bit floats, or in half the bytes as steps of the converter."""

    REAL32 = "REAL,32"
    INT16 = "INT,16"


class RTOChannel(ScopeChannel):
    """One input of an RTO. `coupling` cannot be `GROUND`."""

    divisions: ClassVar[int] = 10

    def __init__(self, scope: RohdeSchwarzRTO, number: int) -> None:
        super().__init__(scope, number)
        self._scope = scope
        self._name = f"CHANnel{number}"

    @property
    def scale_limits(self) -> tuple[Volts, Volts]:
        """Least and greatest `scale`, in V per division; at 50 Ω the scope allows less."""
        return (0.0005, 10.0)

    @property
    def bandwidths(self) -> tuple[Hertz, ...]:
        """What `bandwidth` can be, in Hz, besides None."""
        return tuple(each for each in _BANDWIDTHS if each is not None)

    def _read_enabled(self) -> bool:
        return self._scope._ask_flag(f"{self._name}:STATe?")

    def _write_enabled(self, enabled: bool) -> None:
        self._scope._tell(f"{self._name}:STATe {'ON' if enabled else 'OFF'}")

    def _read_scale(self) -> Volts:
        return self._scope._ask_number(f"{self._name}:SCALe?")

    def _write_scale(self, scale: Volts) -> None:
        self._scope._tell(f"{self._name}:SCALe {digits(scale)}")

    def _read_offset(self) -> Volts:
        return self._scope._ask_number(f"{self._name}:OFFSet?")

    def _write_offset(self, offset: Volts) -> None:
        self._scope._tell(f"{self._name}:OFFSet {digits(offset)}")

    def _read_position(self) -> float:
        return self._scope._ask_number(f"{self._name}:POSition?")

    def _write_position(self, divisions: float) -> None:
        self._scope._tell(f"{self._name}:POSition {digits(divisions)}")

    def _read_coupling(self) -> Coupling:
        return self._scope._ask_word(f"{self._name}:COUPling?", _COUPLINGS)

    def _write_coupling(self, coupling: Coupling) -> None:
        if coupling is Coupling.GROUND:
            raise NotSupported("an RTO has no ground coupling; take the signal off")
        self._scope._tell(f"{self._name}:COUPling {_COUPLINGS[coupling]}")

    def _read_bandwidth(self) -> Hertz | None:
        return self._scope._ask_word(f"{self._name}:BANDwidth?", _BANDWIDTHS)

    def _write_bandwidth(self, bandwidth: Hertz | None) -> None:
        self._scope._tell(f"{self._name}:BANDwidth {_BANDWIDTHS[bandwidth]}")


class RohdeSchwarzRTO(ScpiInstrument, Oscilloscope):
    """An RTO: `RohdeSchwarzRTO("TCPIP::192.168.1.60::INSTR")`, or `…::5025::SOCKET`.

    `waveform_format` is `REAL32`, in which the scope itself converts to volts. In `INT16` the conversion is
    done here with `int_steps` (steps of the converter over the height of the screen; QCoDeS uses 253·256,
    the manual of another family 255·256): check it against `REAL32` once. Further arguments as in
    `ScpiInstrument`.
    """

    model_pattern: ClassVar[str] = r"RT[OP]"
    nominal: ClassVar[tuple[str, str]] = ("Rohde&Schwarz", "RTO")

    def __init__(
        self,
        address: str | Transport,
        *,
        channels: int = 4,
        waveform_format: WaveformFormat = WaveformFormat.REAL32,
        int_steps: int = 253 * 256,
        **settings: Any,
    ) -> None:
        super().__init__(address, **settings)
        if channels not in (2, 4, 8):
            raise OutOfRange(f"an RTO has 2, 4 or 8 channels, not {channels}", quantity="channels")
        self.waveform_format = waveform_format
        self._int_steps = int_steps
        self._channels = {number: RTOChannel(self, number) for number in range(1, channels + 1)}

    @property
    def channels(self) -> Mapping[int, RTOChannel]:
        """The channels by their numbers, from 1."""
        return self._channels

    @property
    def timebase_limits(self) -> tuple[Seconds, Seconds]:
        """Least and greatest `timebase_scale`, in s per division."""
        return (25e-12, 10_000.0)

    @property
    def record_length_limits(self) -> tuple[int, int]:
        """Least and greatest `record_length`, in samples; options decide how much of it there is."""
        return (1000, 2_000_000_000)

    @property
    def trigger_sources(self) -> tuple[str, ...]:
        """The channels as `CHAN1` and so on, and `EXT`."""
        return (*(f"CHAN{number}" for number in self._channels), "EXT")

    # -- time ----------------------------------------------------------------------------------------

    def _read_timebase_scale(self) -> Seconds:
        return self._ask_number("TIMebase:SCALe?")

    def _write_timebase_scale(self, scale: Seconds) -> None:
        self._tell(f"TIMebase:SCALe {digits(scale)}")

    def _read_timebase_position(self) -> Seconds:
        return self._ask_number("TIMebase:HORizontal:POSition?")

    def _write_timebase_position(self, position: Seconds) -> None:
        self._tell(f"TIMebase:HORizontal:POSition {digits(position)}")

    def _read_record_length(self) -> int:
        return int(self._ask_number("ACQuire:POINts?"))

    def _write_record_length(self, samples: int) -> None:
        self._tell(f"ACQuire:POINts {samples}")

    @property
    def sample_rate(self) -> float:
        """Samples that are taken in a second, in Sa/s."""
        return self._ask_number("ACQuire:SRATe?")

    # -- trigger -------------------------------------------------------------------------------------

    def _read_trigger_source(self) -> str:
        answer = self._ask("TRIGger1:SOURce?").upper()
        return "EXT" if answer.startswith("EXT") else answer.replace("CHANNEL", "CHAN")

    def _write_trigger_source(self, source: str) -> None:
        self._tell(f"TRIGger1:SOURce {_EXTERNAL if source == 'EXT' else source}")

    def _level(self) -> str:
        """The level of the source that triggers now."""
        source = self._read_trigger_source()
        number = _EXTERNAL_LEVEL if source == "EXT" else int(source.removeprefix("CHAN"))
        return f"TRIGger1:LEVel{number}"

    def _read_trigger_level(self) -> Volts:
        return self._ask_number(f"{self._level()}?")

    def _write_trigger_level(self, level: Volts) -> None:
        self._tell(f"{self._level()} {digits(level)}")

    def _read_trigger_slope(self) -> TriggerSlope:
        return self._ask_word("TRIGger1:EDGE:SLOPe?", _SLOPES)

    def _write_trigger_slope(self, slope: TriggerSlope) -> None:
        self._tell(f"TRIGger1:EDGE:SLOPe {_SLOPES[slope]}")

    def _read_trigger_mode(self) -> TriggerMode:
        return self._ask_word("TRIGger1:MODE?", _MODES)

    def _write_trigger_mode(self, mode: TriggerMode) -> None:
        self._tell(f"TRIGger1:MODE {_MODES[mode]}")

    # -- recording -----------------------------------------------------------------------------------

    def _read_running(self) -> bool:
        return bool(int(self._ask_number("STATus:OPERation:CONDition?")) & (_WAITING | _MEASURING))

    def _run(self) -> None:
        self._tell("RUN")

    def _single(self) -> None:
        self._tell("SINGle")

    def _stop(self) -> None:
        self._tell("STOP")

    def _read_waveform(self, channel: int) -> Waveform:
        name, scpi = f"CHANnel{channel}", self._scpi
        with scpi.transport.lock:
            self._tell(
                f"FORMat:DATA {self.waveform_format.value}",
                "FORMat:BORDer LSBFirst",
                "EXPort:WAVeform:INCXvalues OFF",
                "EXPort:WAVeform:MULTichannel OFF",
            )
            start, stop, count = self._header(channel)
            data = scpi.query_block(f"{name}:DATA?")
            volts = self._volts(channel, data)
        if len(volts) != count:
            raise BadReply(
                f"{name}:DATA? returned {len(volts)} samples and not {count}; stop() before you read"
            )
        return Waveform(start, (stop - start) / (count - 1) if count > 1 else 0.0, volts)

    def _header(self, channel: int) -> tuple[Seconds, Seconds, int]:
        """Times of the first and the last sample in s, and how many there are."""
        start, stop, count, each = self._scpi.query_floats(f"CHANnel{channel}:DATA:HEADer?")
        if each != 1:
            raise NotSupported(
                f"channel {channel} records {each:g} values a sample (envelope); set it to samples"
            )
        return start, stop, int(count)

    def _volts(self, channel: int, data: bytes) -> NDArray[np.float64]:
        if self.waveform_format is WaveformFormat.REAL32:
            return np.frombuffer(data, "<f4").astype(np.float64)
        settings = self._channels[channel]
        step = settings.scale * settings.divisions / self._int_steps
        return np.frombuffer(data, "<i2") * step + (settings.offset - settings.position * settings.scale)

    def screenshot(self) -> bytes:
        """The screen as a PNG file. Leaves a file of that name on the scope."""
        name = "'pyrolab.png'"
        with self._scpi.transport.lock:
            self._tell("HCOPy:DEVice1:LANGuage PNG", f"MMEMory:NAME {name}", "HCOPy:IMMediate1")
            self._scpi.complete(30.0)
            return self._scpi.query_block(f"MMEMory:DATA? {name}")

    # What the channels use; not public, because a bus would publish it

    def _ask(self, query: str) -> str:
        """The answer to a query, as it came."""
        return self._scpi.query(query)

    def _ask_number(self, query: str) -> float:
        """The number that answers a query."""
        return self._scpi.query_float(query)

    def _ask_flag(self, query: str) -> bool:
        """The truth value that answers a query."""
        return self._scpi.query_bool(query)

    def _ask_word(self, query: str, words: Mapping[_Meaning, str]) -> _Meaning:
        """What the word that answers a query stands for. Raises `BadReply` if it is none of `words`."""
        answer = self._scpi.query(query).upper()
        for meaning, word in words.items():
            if answer in (word.upper(), "".join(letter for letter in word if not letter.islower())):
                return meaning
        raise BadReply(
            f"{query} was answered with {answer!r}, which means nothing here", query, answer.encode()
        )
