"""What an ITLA module can say it did not like: one class for each code, under the standard's names."""

from __future__ import annotations

from typing import ClassVar


class ItlaError(RuntimeError):
    """The module refused a command. `name` is the standard's name for it, `register` where it happened."""

    code: ClassVar[int] = 0
    name: ClassVar[str] = "?"
    meaning: ClassVar[str] = "an error that the standard has no name for"
    register: int

    def __init__(self, register: int, doing: str = "using") -> None:
        super().__init__(f"{self.name}: {self.meaning} ({doing} register {register:#04x})")
        self.register = register


class RNI(ItlaError):
    """The module has no such register."""

    code, name, meaning = 1, "RNI", "the module has no such register"


class RNW(ItlaError):
    """The register can't be written."""

    code, name, meaning = 2, "RNW", "the register can't be written"


class RVE(ItlaError, ValueError):
    """The value is out of the module's range."""

    code, name, meaning = 3, "RVE", "the value is out of the module's range"


class CIP(ItlaError):
    """Ignored because an operation is pending."""

    code, name, meaning = 4, "CIP", "ignored because another operation is still going on"


class CII(ItlaError):
    """Ignored because the module is starting up."""

    code, name, meaning = 5, "CII", "ignored because the module is starting up"


class ERE(ItlaError):
    """Extended address out of range."""

    code, name, meaning = 6, "ERE", "the extended address is out of range"


class ERO(ItlaError):
    """Extended address is read only."""

    code, name, meaning = 7, "ERO", "the extended address is read only"


class EXF(ItlaError):
    """Execution failed."""

    code, name, meaning = 8, "EXF", "the execution failed"


class CIE(ItlaError):
    """Ignored because the output is on."""

    code, name, meaning = 9, "CIE", "ignored because the output is on; switch it off first"


class IVC(ItlaError):
    """Invalid configuration."""

    code, name, meaning = 10, "IVC", "the configuration is invalid"


class VSE(ItlaError):
    """The vendor's own error."""

    code, name, meaning = 15, "VSE", "an error of the vendor's own; its manual explains it"


ERRORS: dict[int, type[ItlaError]] = {
    error.code: error for error in (RNI, RNW, RVE, CIP, CII, ERE, ERO, EXF, CIE, IVC, VSE)
}


class OutputIsOn(RuntimeError):
    """The wavelength can't go so far while the output is on; nothing was sent."""
