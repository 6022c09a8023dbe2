"""Objectives of reward models, each by hand on one batch, and how a score is read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import logsigmoid
from transformers import AutoConfig, AutoModelForSequenceClassification

from jobs.generation.scoring import RewardModel, outputs, token_outputs
from jobs.generation.step_scoring import step_places
from jobs.training.process_reward import LabelledSteps, ProcessTrainer, Verdicts
from jobs.training.reward_ranking import RankedAnswers, RankingTrainer, in_order, plackett_luce
from jobs.training.reward_regression import RegressionTrainer, ScoredAnswers
from studio_core.base.errors import BadInput
from studio_core.data.sequences import Tokens
from studio_core.runs.spec import ResolvedModel
from tests.unit.jobs.generation.small_models import save_llama

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.


def objective(
    kind: Any, scores: list[float], batch: dict[str, torch.Tensor]
) -> tuple[float, dict[str, float]]:
    loss, figures = kind.objective(kind.__new__(kind), torch.tensor(scores), batch)
    return float(loss), {name: float(value) for name, value in figures.items()}


def alone(ranks: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """The places of the answers of one ranking."""
    return torch.tensor(ranks), torch.zeros(len(ranks), dtype=torch.long)


def test_a_ranking_is_a_row_of_choices() -> None:
    s1, s2, s3 = 0.3, -0.7, 1.1
    first = math.log(math.exp(s1) + math.exp(s2) + math.exp(s3)) - s1
    second = math.log(math.exp(s2) + math.exp(s3)) - s2
    given = torch.tensor([s3, s1, s2])
    assert float(plackett_luce(given, *alone([3, 1, 2]))) == pytest.approx(first + second)


def test_a_ranking_of_two_is_a_pair() -> None:
    scores = torch.tensor([0.4, -0.2])
    assert plackett_luce(scores, *alone([1, 2])).item() == pytest.approx(
        -logsigmoid(torch.tensor(0.6)).item()
    )


def test_answers_of_the_same_place_are_not_compared() -> None:
    s1, s2, s3 = 0.3, -0.7, 1.1
    # Both of the first place are chosen over the last one, neither over the other.
    tied = sum(math.log(math.exp(s) + math.exp(s3)) - s for s in (s1, s2))
    assert float(plackett_luce(torch.tensor([s1, s2, s3]), *alone([1, 1, 2]))) == pytest.approx(tied)
    # A tie at the end is chosen from, and chooses nothing.
    last = math.log(math.exp(s1) + math.exp(s2) + math.exp(s3)) - s1
    assert float(plackett_luce(torch.tensor([s1, s2, s3]), *alone([1, 2, 2]))) == pytest.approx(last)


def test_rankings_of_a_batch_are_told_apart() -> None:
    rows = [
        {"answers": [[1, 2], [3]], "ranks": [2, 1]},
        {"answers": [[4], [5, 6, 7], [8]], "ranks": [1, 2, 2]},
    ]
    batch = RankedAnswers(pad=0)(rows)
    assert batch["input_ids"].shape == (5, 3) and batch["attention_mask"].sum() == 8
    assert RankingTrainer.rows_in(RankingTrainer.__new__(RankingTrainer), batch) == 2
    scores = [0.5, 1.0, 0.1, 0.2, -0.3]
    loss, figures = objective(RankingTrainer, scores, batch)
    one = plackett_luce(torch.tensor(scores[:2]), *alone([2, 1]))
    other = plackett_luce(torch.tensor(scores[2:]), *alone([1, 2, 2]))
    assert loss == pytest.approx(float((one + other) / 2))
    assert figures["accuracy"] == pytest.approx((1 + 0.5) / 2) and figures["best_first"] == 0.5


def test_a_tie_at_the_top_has_two_best_answers() -> None:
    right, first = in_order(torch.tensor([0.1, 0.9, 0.5]), *alone([1, 1, 2]))
    assert (float(right), float(first)) == (0.5, 1.0)


def test_equal_scores_put_no_answer_first() -> None:
    right, first = in_order(torch.tensor([0.5, 0.5, 0.2]), *alone([1, 2, 3]))
    assert (float(right), float(first)) == (pytest.approx(2 / 3), 0.0)


def test_scores_are_learnt_in_grades() -> None:
    rows = [{"input_ids": [1, 2], "score": 10.0}, {"input_ids": [3], "score": 4.0}]
    loss, figures = objective(RegressionTrainer, [1.0, 0.0], ScoredAnswers(pad=0)(rows))
    assert loss == pytest.approx(((1 - 1.5) ** 2 + (0 + 0.5) ** 2) / 2)
    # 8.5 in place of 10, and 5.5 in place of 4.
    assert figures["mae"] == pytest.approx(1.5) and figures["max_reward"] == pytest.approx(8.5)


def test_a_step_is_judged_at_its_last_token() -> None:
    rows = [
        {"input_ids": [1, 2, 3, 4], "step_ends": [1, 3], "steps_learnt": [True, False]},
        {"input_ids": [5, 6], "step_ends": [1], "steps_learnt": [True]},
    ]
    batch = LabelledSteps(pad=0)(rows)
    assert [*zip(batch["row"].tolist(), batch["place"].tolist(), strict=True)] == [(0, 1), (0, 3), (1, 1)]
    loss, figures = objective(ProcessTrainer, [2.0, 1.0, -1.0], batch)
    by_hand = -sum(float(logsigmoid(torch.tensor(value))) for value in (2.0, -1.0, -1.0)) / 3
    assert loss == pytest.approx(by_hand)
    assert figures["accuracy"] == pytest.approx(1 / 3) and figures["most_frequent"] == pytest.approx(2 / 3)


def test_steps_are_found_in_what_the_template_makes_of_them() -> None:
    text = "ask<a>one\ntwo!<e>"
    offsets = [(0, 3), (3, 6), (6, 9), (9, 10), (10, 13), (13, 14), (14, 17)]
    made = Tokens("", text, [*range(7)], offsets, [True] * 7)
    assert step_places(["one", "two!"], made) == ([2, 4], [2, 5])
    with pytest.raises(BadInput, match="three"):
        step_places(["three"], made)


def test_a_solution_is_judged_by_its_first_wrong_step() -> None:
    labels = [[True, False, True], [True, True], [False, True]]
    judged = [[True, False, False], [True, True], [True, True]]
    found = Verdicts.of(labels, judged)
    assert found.solutions == 2 and found.steps == pytest.approx(5 / 7)


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = save_llama(tmp_path_factory.mktemp("models") / "scorer")
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1)
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("pad", ["own", "none", "last"])
def test_a_batch_is_scored_as_its_texts_are_one_by_one(scorer: Path, pad: str) -> None:
    """Also by a model without a padding token, and where a text ends in it."""
    model = AutoModelForSequenceClassification.from_pretrained(scorer).eval()
    texts = [[5, 6, 7, 8, 9], [10, 11], [12, 13, 14]]
    model.config.pad_token_id = {"own": model.config.pad_token_id, "none": None, "last": 11}[pad]
    with torch.inference_mode():
        alone = [float(model(torch.tensor([ids])).logits[0, 0]) for ids in texts]
    before = model.config.pad_token_id
    assert outputs(model, texts) == pytest.approx(alone, abs=1e-5)
    assert model.config.pad_token_id == before


def test_every_token_has_a_score(scorer: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(scorer).eval()
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.inference_mode():
        by_token = token_outputs(model, ids, torch.ones_like(ids))
        assert by_token.shape == (1, 4)
        assert float(by_token[0, 2]) == pytest.approx(float(model(ids[:, :3]).logits[0, 0]), abs=1e-5)


def test_a_regression_speaks_in_scores(scorer: Path) -> None:
    named = ResolvedModel(name="scorer", path=str(scorer))
    plain = RewardModel.load(named)
    text = plain.text([{"role": "user", "content": "hi"}], "yo")
    [value] = plain.scores([text])
    config = json.loads((scorer / "config.json").read_text())
    (scorer / "config.json").write_text(json.dumps({**config, "score_middle": 5.5, "score_unit": 3.0}))
    assert AutoConfig.from_pretrained(scorer).score_unit == 3.0
    assert RewardModel.load(named).scores([text]) == [pytest.approx(5.5 + 3 * value, abs=1e-5)]
