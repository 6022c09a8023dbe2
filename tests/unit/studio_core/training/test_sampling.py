"""What Optuna draws for the runs of a sweep."""

from __future__ import annotations

import math
from typing import Any

import pytest

from studio_core.base.errors import BadInput
from studio_core.training import sampling
from studio_core.training.sampling import Search, Trial
from tests.unit.studio_core.training.runs import spec

VALUES: dict[str, list[Any]] = {
    "learning_rate": ["1e-5..1e-2"],
    "batch_size": ["4..16"],
    "tuning": ["lora", "full"],
}


def search(sampler: str = "tpe", trials: int = 30, values: dict[str, list[Any]] = VALUES) -> Search:
    return Search.model_validate({"sampler": sampler, "trials": trials, "values": values})


def ended(values: dict[str, Any], figure: float | None) -> Trial:
    return Trial(values, "ended", figure)


def test_ranges_and_values_are_drawn_from_as_the_option_is_declared() -> None:
    drawn = sampling.draw(spec(), search("random", values={**VALUES, "warmup_ratio": ["0..1"]}), 40, seed=1)
    rates = [one["learning_rate"] for one in drawn]
    assert all(1e-5 <= rate <= 1e-2 and rate == float(f"{rate:.3g}") for rate in rates)
    # By its logarithm: each power of ten has its third.
    assert 6 <= sum(rate < 1e-4 for rate in rates) <= 20
    assert {type(one["batch_size"]) for one in drawn} == {int}
    assert {one["tuning"] for one in drawn} == {"lora", "full"}
    shares = [one["warmup_ratio"] for one in drawn]
    assert {type(share) for share in shares} == {float} and 0 < min(shares) < 0.3 < 0.7 < max(shares) < 1
    assert drawn == sampling.draw(
        spec(), search("random", values={**VALUES, "warmup_ratio": ["0..1"]}), 40, seed=1
    )
    assert drawn != sampling.draw(
        spec(), search("random", values={**VALUES, "warmup_ratio": ["0..1"]}), 40, seed=2
    )


def test_nothing_is_drawn_twice_and_what_is_used_up_ends() -> None:
    few = search("random", values={"tuning": ["lora", "full"], "batch_size": ["4..6"]})
    drawn = sampling.draw(spec(), few, 40, seed=1)
    assert len(drawn) == 6 == len({tuple(one.items()) for one in drawn})
    assert sampling.draw(spec(), few, 1, seed=2, trials=[ended(one, 1.0) for one in drawn]) == []


@pytest.mark.parametrize("lower", [True, False])
def test_tpe_comes_nearer_to_the_best_than_chance(lower: bool) -> None:
    """A loss with its least at a rate of 3e-4: the runs of TPE after its first ten are nearer in the mean."""

    def off(values: dict[str, Any]) -> float:
        return abs(math.log10(values["learning_rate"] / 3e-4))

    def after(sampler: str) -> float:
        asked = search(sampler, values={"learning_rate": ["1e-6..1e-1"]})
        trials: list[Trial] = []
        for number in range(30):
            [values] = sampling.draw(spec(), asked, 1, number, trials, lower)
            trials.append(ended(values, off(values) if lower else -off(values)))
        return sum(off(trial.values) for trial in trials[10:]) / 20

    assert after("tpe") < 0.6 * after("random")


def test_runs_that_go_on_failed_or_lie_outside_do_not_disturb() -> None:
    trials = [
        Trial({"learning_rate": 1e-3, "batch_size": 4, "tuning": "lora"}, "going"),
        Trial({"learning_rate": 1e-4, "batch_size": 4, "tuning": "lora"}, "failed"),
        ended({"learning_rate": 2e-4, "batch_size": 4, "tuning": "lora"}, math.nan),
        ended({"learning_rate": 2e-4, "batch_size": 8, "tuning": "lora"}, None),
        ended(
            {"learning_rate": 9.0, "batch_size": 8, "tuning": "lora"}, 0.1
        ),  # A clone with a rate of its own.
        ended({"learning_rate": 2e-4, "batch_size": 8, "tuning": "lora", "epochs": 3}, 0.1),
        *(
            ended({"learning_rate": n * 1e-5, "batch_size": 5, "tuning": "full"}, n / 10)
            for n in range(1, 13)
        ),
    ]
    [values] = sampling.draw(spec(), search(), 1, 7, trials)
    assert values.keys() == VALUES.keys() and 1e-5 <= values["learning_rate"] <= 1e-2


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["1e-3..1e-5"], "not a range"),
        (["1..1"], "not a range"),
        (["1..2", 3], "stands alone"),
        (["1..1e999"], "not a range"),
        (["1.2.3..4"], "not a range"),
    ],
)
def test_what_is_no_range_is_told(values: list[Any], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        sampling.draw(spec(), search(values={"learning_rate": values}), 1, 0)


@pytest.mark.parametrize(("trials", "first"), [(1, 1), (3, 3), (6, 3), (20, 6), (200, 10)])
def test_tpe_begins_with_a_few_by_chance(trials: int, first: int) -> None:
    assert sampling.at_once(search(trials=trials)) == first
    assert sampling.at_once(search("random", trials)) == trials
