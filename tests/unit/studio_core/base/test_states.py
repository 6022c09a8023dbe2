from __future__ import annotations

import pytest

from studio_core.base.states import LIVE, TERMINAL, TRANSITIONS, State


def test_every_state_has_its_transitions() -> None:
    assert set(TRANSITIONS) == set(State)


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_the_end_is_final(state: State) -> None:
    assert TRANSITIONS[state] == frozenset()


@pytest.mark.parametrize("state", sorted(LIVE))
def test_every_live_job_can_end_in_every_way(state: State) -> None:
    assert TRANSITIONS[state] >= TERMINAL


def test_only_a_job_that_has_not_begun_goes_back_to_the_queue() -> None:
    assert [state for state, after in TRANSITIONS.items() if State.QUEUED in after] == [State.STARTING]


def test_queued_live_and_terminal_are_all_there_is() -> None:
    assert {State.QUEUED} | LIVE | TERMINAL == set(State)
    assert not LIVE & TERMINAL
