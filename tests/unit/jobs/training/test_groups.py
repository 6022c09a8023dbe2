"""Groups without spread: whether they are all best or all worst is known by the rewards of the run."""

from __future__ import annotations

import math

import pytest

from jobs.training.groups import Groups
from studio_core import rewards
from studio_core.methods import METHODS
from studio_core.methods.run_warnings import Watch
from studio_core.runs.spec import RewardChoice

RIGHT = RewardChoice(name="equality")


def shares(alike: float, best: float, worst: float) -> dict[str, float]:
    return {"groups/alike": alike, "groups/all_best": best, "groups/all_worst": worst}


@pytest.mark.parametrize(
    ("worth", "alike", "best", "worst"),
    [
        ((1, 1, 0, 0, 0, 1, 1, 1), 0.75, 0.5, 0.25),
        ((1, 1, 1, 1), 1.0, 1.0, 0.0),
        ((0, 0, 0, 0), 1.0, 0.0, 1.0),  # Alike in the whole step, and yet the worst that there is.
        ((0, 1, 0, 1), 0.0, 0.0, 0.0),
        ((0.5, 0.5, 0, 1), 0.5, 0.0, 0.0),
        ((0.5, 0.5, 0.5, 0.5), 1.0, 0.0, 0.0),
        ((None, None, 1, 1), 0.5, 0.5, 0.0),  # What nobody could say is alike to nothing.
        ((None, None), 0.0, 0.0, 0.0),
    ],
)
def test_groups_without_spread_are_told_by_what_their_answers_are_worth(
    worth: tuple[float | None, ...], alike: float, best: float, worst: float
) -> None:
    assert Groups([RIGHT], 2).shares(worth) == shares(alike, best, worst)


def test_the_ends_of_a_sum_are_those_of_its_parts() -> None:
    lacks = RewardChoice(name="lacks", weight=-0.3)
    boxed = RewardChoice(name="boxed", weight=0.1)
    assert rewards.ends([RIGHT, lacks, boxed]) == pytest.approx((-0.3, 1.1))
    assert Groups([RIGHT, lacks, boxed], 2).shares([1.1, 1.1, -0.3, -0.3]) == shares(1.0, 0.5, 0.5)
    model = RewardChoice(name="reward_model", weight=-1.0)
    assert rewards.ends([RIGHT, model]) == (-math.inf, math.inf)
    assert rewards.ends([RIGHT, model.model_copy(update={"weight": 0.0})]) == (0.0, 1.0)


def test_where_the_range_is_open_the_best_and_the_worst_so_far_say_it() -> None:
    groups = Groups([RewardChoice(name="reward_model")], 2)
    assert groups.shares([3.0, 3.0]) == shares(1.0, 0.0, 0.0), "nothing to compare it with"
    assert groups.shares([5.0, 5.0, 3.0, 3.0]) == shares(1.0, 0.5, 0.5)
    assert groups.shares([4.0, 4.0, 3.0, 3.0]) == shares(1.0, 0.0, 0.5)


@pytest.mark.parametrize(
    ("reward", "weight", "name", "expected"),
    [
        (0.0, 1.0, "equality", "groups_too_hard"),
        (1.0, 1.0, "equality", "groups_done"),
        (0.0, -1.0, "equality", "groups_done"),
        (-1.0, -1.0, "equality", "groups_too_hard"),
        # Of what has no ends nobody can say whether it is much.
        (3.0, 1.0, "reward-model", "groups_alike"),
    ],
)
def test_where_all_answers_are_worth_the_same_the_range_of_the_rewards_says_what_that_means(
    reward: float, weight: float, name: str, expected: str
) -> None:
    groups = Groups([RewardChoice(name=name, weight=weight)], 4)
    watch = Watch(METHODS["grpo"], {})
    values = [groups.shares([reward] * 8) for _ in range(30)]
    told = [warning for step, one in enumerate(values, 1) for warning in watch.look(step, 60, one)]
    assert [warning.name for warning in told] == [expected]
