"""The broker asks for as many descriptors as it may have, and says when they run out."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest

from pyrolab_broker.descriptors import Alarm, raise_limit

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")


def test_the_limit_is_raised_as_far_as_it_goes() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 1024));"
        "from pyrolab_broker.descriptors import raise_limit; print(raise_limit())"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "1024"


def test_somebody_is_told_once_when_most_are_in_use(caplog: pytest.LogCaptureFixture) -> None:
    alarm = Alarm(len(os.listdir("/dev/fd")) + 1)
    with caplog.at_level(logging.ERROR):
        alarm.look()
        alarm.look()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "file descriptors are in use" in caplog.text


def test_nobody_is_told_while_there_are_enough(caplog: pytest.LogCaptureFixture) -> None:
    Alarm(raise_limit()).look()
    Alarm(None).look()
    assert not caplog.records
