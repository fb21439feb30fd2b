"""What an emergency stop calls, as the class says."""

from __future__ import annotations

from typing import Any

import pytest

from pyrolab.worker.exposure import emergency_stop
from pyrolab.worker.stop_hooks import stop_hook_of


class Usual:
    def stop(self) -> None: ...


class WithOptions:
    def stop(self, axis: int = 0, *more: int, **options: Any) -> None: ...


class NeedsAnAxis:
    def stop(self, axis: int) -> None: ...


class OfTheClass:
    @classmethod
    def stop(cls) -> None: ...


class Static:
    @staticmethod
    def stop() -> None: ...


class StaticWithArgument:
    @staticmethod
    def stop(axis: int) -> None: ...


class AValue:
    stop = 4


class AProperty:
    @property
    def stop(self) -> int:
        raise AssertionError("nobody may look at this")


class AClass:
    class stop: ...


class Marked:
    @emergency_stop
    def panic(self) -> None: ...

    def stop(self) -> None: ...


class Heir(Marked):
    def panic(self) -> None: ...


class MarkedAgain(Marked):
    @emergency_stop
    def halt(self) -> None: ...


@pytest.mark.parametrize(
    ("cls", "hook"),
    [
        (Usual, "stop"),
        (WithOptions, "stop"),
        (NeedsAnAxis, ""),
        (OfTheClass, "stop"),
        (Static, "stop"),
        (StaticWithArgument, ""),
        (AValue, ""),
        (AProperty, ""),
        (AClass, ""),
        (Marked, "panic"),
        (Heir, "panic"),
        (MarkedAgain, "halt"),
        (object, ""),
    ],
)
def test_the_hook_is_found_in_the_class(cls: type, hook: str) -> None:
    assert stop_hook_of(cls) == hook
