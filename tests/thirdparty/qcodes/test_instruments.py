"""Instruments of QCoDeS on its own pyvisa-sim files, hosted as they are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from thirdparty.host import Host

pytestmark = pytest.mark.filterwarnings("ignore")  # QCoDeS' own


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.close()


def test_parameters_are_called_and_looked_into(host: Host) -> None:
    from qcodes.instrument_drivers.rohde_schwarz import RohdeSchwarzSGS100A

    make = partial(_with, ("sgs", "GPIB::1::INSTR"), {"pyvisa_sim_file": "RSSGS100A.yaml"})
    with host.hosting(RohdeSchwarzSGS100A, make) as generator:
        generator.frequency(2.5e9)
        assert generator.frequency() == 2.5e9
        assert (generator.frequency.unit, generator.frequency.label) == ("Hz", "Frequency")
        generator.power.set(-10)
        assert generator.power.get() == -10
        with pytest.raises(ValueError, match="must be between"):
            generator.frequency(1e15)
        assert generator.snapshot()["parameters"]["frequency"]["value"] == 2.5e9


def test_channels_of_a_temperature_controller(host: Host) -> None:
    from qcodes.instrument_drivers.Lakeshore import LakeshoreModel336

    make = partial(_with, ("ls", "GPIB::2::INSTR"), {"pyvisa_sim_file": "lakeshore_model336.yaml"})
    with host.hosting(LakeshoreModel336, make) as lakeshore:
        assert isinstance(lakeshore.A.temperature(), float)
        assert lakeshore.channels[1].short_name == "B"
        assert len(lakeshore.channels) == 4


def _with(args: tuple[Any, ...], kwargs: dict[str, Any], cls: Any) -> Any:
    return cls(*args, **kwargs)
