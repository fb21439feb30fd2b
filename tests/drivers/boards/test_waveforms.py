"""Without WaveForms' own library, which can't be installed here, it says where to get it."""

from __future__ import annotations

import sys

import pytest

from pyrolab_drivers.boards.waveforms import AnalogDiscovery
from pyrolab_drivers.quantities import NotConnected


def has_library() -> bool:
    import pydwf

    try:
        pydwf.DwfLibrary()
    except pydwf.PyDwfError:
        return False
    return True


@pytest.mark.skipif(has_library(), reason="WaveForms is installed")
def test_a_missing_library_is_told_with_where_to_get_it() -> None:
    board = AnalogDiscovery()
    with pytest.raises(FileNotFoundError, match=r"WaveForms .*https://digilent\.com/"):
        board.connect()
    assert not board.connected


def test_a_missing_package_is_told_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydwf", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install pyrolab\[waveforms\]"):
        AnalogDiscovery("123").connect()


def test_nothing_is_used_before_connect() -> None:
    board = AnalogDiscovery("123")
    assert board.identity.serial == "123"
    for use in (lambda: board.pins, lambda: board.read_analog(1), lambda: board.waveform(1, 1e6, 100)):
        with pytest.raises(NotConnected):
            use()
