from __future__ import annotations

import pytest

from jobs.training.rollouts import groups
from studio_core.runs.rollouts import Rollout


def rollouts(*rewards: float | None) -> list[Rollout]:
    return [
        Rollout(step=1, prompt="", answer="", rewards={}, reward=value, advantage=0.0, tokens=1, ended=True)
        for value in rewards
    ]


@pytest.mark.parametrize(
    ("rewards", "alike", "best", "worst"),
    [
        ((1, 1, 0, 0, 0, 1, 1, 1), 0.75, 0.5, 0.25),
        ((1, 1, 1, 1), 1.0, 1.0, 0.0),  # All are worth the same: there is nothing better.
        ((0, 1, 0, 1), 0.0, 0.0, 0.0),
        ((0.5, 0.5, 0, 1), 0.5, 0.0, 0.0),
        ((None, None, 1, 1), 0.5, 0.5, 0.0),  # What nobody could say is alike to nothing.
        ((None, None), 0.0, 0.0, 0.0),
    ],
)
def test_groups_without_spread_are_told_by_what_their_answers_are_worth(
    rewards: tuple[float | None, ...], alike: float, best: float, worst: float
) -> None:
    shares = groups(rollouts(*rewards), 2)
    assert shares == {"groups/alike": alike, "groups/all_best": best, "groups/all_worst": worst}
