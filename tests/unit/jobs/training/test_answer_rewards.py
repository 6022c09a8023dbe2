"""What is made of what rewards say."""

from __future__ import annotations

import pytest

from jobs.training.answer_rewards import spreads
from jobs.training.online_dpo import ranked
from jobs.training.rounds import Answer


def test_a_spread_is_that_of_the_answers_that_have_a_value() -> None:
    parts = {
        "wide": [0.0, 10.0, None],
        "narrow": [0.1, 0.1, 0.3],
        "alike": [0.7, 0.7, 0.7],
        "none": [None] * 3,
    }
    assert spreads(parts) == pytest.approx({"wide": 5.0, "narrow": 0.0942809, "alike": 1.0, "none": 1.0})


def test_what_is_learnt_from_is_the_scaled_sum_where_there_is_one() -> None:
    answers = [
        Answer({"prompt_ids": [1]}, [place], "", True, {}, reward, scaled)
        for place, (reward, scaled) in enumerate([(1.0, 0.2), (0.5, 0.9)])
    ]
    [pair] = ranked(answers, 2)
    assert pair and (pair.chosen, pair.rejected) == (answers[1], answers[0])
