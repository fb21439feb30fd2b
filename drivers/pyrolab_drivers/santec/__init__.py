"""Santec tunable lasers: TSL-550 (command set 2, or SCPI over GPIB) and TSL-570 (SCPI)."""

from pyrolab_drivers.santec.command_set_2 import CommandSet2
from pyrolab_drivers.santec.dialect import Dialect, Quantity, TriggerOutput
from pyrolab_drivers.santec.scpi import SantecSCPI
from pyrolab_drivers.santec.tsl import SantecTSL
from pyrolab_drivers.santec.tsl550 import SantecTSL550
from pyrolab_drivers.santec.tsl570 import SantecTSL570

__all__ = [
    "CommandSet2",
    "Dialect",
    "Quantity",
    "SantecSCPI",
    "SantecTSL",
    "SantecTSL550",
    "SantecTSL570",
    "TriggerOutput",
]
