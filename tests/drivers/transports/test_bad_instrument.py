"""An instrument that answers garbage, half a line, nothing, late or twice: never a wrong answer."""

from __future__ import annotations

import pytest

from perf.bad_instrument import DRIVERS, FAULTS, SCPI, measured

ROUNDS = 150
TIMEOUT_S = 0.05


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_bad_answer_is_never_taken_for_another_one(driver: str) -> None:
    rounds = ROUNDS if driver == SCPI else ROUNDS // 3
    outcomes = measured(driver, rounds, TIMEOUT_S, seed=6)
    assert sum(outcome.rounds for outcome in outcomes.values()) == rounds
    assert set(outcomes) >= set(FAULTS)
    for fault, outcome in outcomes.items():
        assert outcome.wrong == 0, fault
        assert outcome.errors + outcome.right == outcome.rounds, fault
        assert outcome.next_right == outcome.rounds, fault
    assert outcomes["twice"].right == outcomes["twice"].rounds
    assert outcomes["nothing"].errors == outcomes["nothing"].rounds
