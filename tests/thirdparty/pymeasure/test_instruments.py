"""PyMeasure's own tests of instruments, through proxies: a short selection; `run.py` runs all."""

from __future__ import annotations

from pathlib import Path

import pytest

from thirdparty.sdist import PYMEASURE, NotToBeHad
from thirdparty.suite import run

pytestmark = pytest.mark.timeout(240)

#: Channels, dynamic properties, enums, arrays, binary values, pandas frames, errors of all kinds.
SHORT = [
    "tests/instruments/keithley/test_keithley2400.py",
    "tests/instruments/advantest/test_advantestR624X.py",
    "tests/instruments/santec",
    "tests/instruments/agilent/test_agilentB298x.py",
    "tests/instruments/yokogawa",
    "tests/instruments/test_common_base.py",
]


@pytest.fixture(scope="module")
def source() -> Path:
    """PyMeasure's source, with its tests."""
    try:
        return PYMEASURE.folder()
    except NotToBeHad as reason:
        pytest.skip(str(reason))


def test_instruments_of_pymeasure_do_through_a_proxy_what_they_do_without(source: Path) -> None:
    result = run("thirdparty.pymeasure.plugin", source, SHORT)
    assert result.all.failed == (), result.output
    assert result.with_proxy.passed > 400
