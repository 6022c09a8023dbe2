"""Scores of an answer's steps: where they are read, and what becomes of them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from jobs.generation.scoring import RewardModel
from jobs.generation.step_scoring import AGGREGATIONS, StepRewardModel, reward_model, steps_of
from studio_core.curation.scoring import StepAggregation
from studio_core.data.sequences import tokens
from studio_core.data.shapes import Message, Shape
from studio_core.runs.spec import ResolvedModel
from tests.unit.jobs.generation.small_models import save_llama

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

PROMPT: list[Message] = [{"role": "user", "content": "hi"}]


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = save_llama(tmp_path_factory.mktemp("models") / "scorer")
    torch.manual_seed(0)
    AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1).save_pretrained(folder)
    return folder


def test_steps_are_lines_that_say_something() -> None:
    assert steps_of("one \n\n  two\r\nthree\n") == ["one", "  two", "three"]
    assert steps_of(" \n\n") == []


@pytest.mark.parametrize(("how", "value"), [("min", 0.5), ("product", 0.27), ("mean", 0.6667), ("last", 0.9)])
def test_chances_become_one_number(how: StepAggregation, value: float) -> None:
    assert AGGREGATIONS[how]([0.6, 0.5, 0.9]) == pytest.approx(value, abs=1e-4)


def test_each_step_is_read_at_its_last_token(scorer: Path) -> None:
    """In a batch with answers of other lengths, as alone."""
    named = ResolvedModel(name="scorer", path=str(scorer))
    model = StepRewardModel.load(named)
    answers = ["ab\ncd\nef", "a", "abc\n\nd"]
    texts = [model.text(PROMPT, answer) for answer in answers]
    together = model.step_chances([*texts])
    assert [len(chances) for chances in together] == [3, 1, 2]
    plain = AutoModelForSequenceClassification.from_pretrained(scorer).eval()
    for text, chances in zip(texts, together, strict=True):
        for end, chance in zip(text.ends, chances, strict=True):
            with torch.inference_mode():
                score = float(plain(torch.tensor([text.tokens[: end + 1]])).logits[0, 0])
            assert chance == pytest.approx(1 / (1 + math.exp(-score)), abs=1e-5)
    # What is read is what training reads: the same tokens.
    record = {"prompt": PROMPT, "completions": ["abc", "d"]}
    [[trained]] = tokens(model.chat, Shape.STEPWISE, [record])
    assert texts[2].tokens == trained.ids


def test_an_answer_is_scored_by_its_steps(scorer: Path) -> None:
    named = ResolvedModel(name="scorer", path=str(scorer))
    least, last = reward_model(named, "min"), reward_model(named, "last")
    text = least.text(PROMPT, "ab\ncd\nef")
    [chances] = StepRewardModel.load(named).step_chances([text])
    assert least.scores([text]) == [min(chances)] and last.scores([text]) == [chances[-1]]
    assert len({str(model.identity) for model in (least, last, reward_model(named, "whole"))}) == 3
    assert type(reward_model(named, "whole")) is RewardModel


def test_what_has_no_steps_or_too_many_tokens_has_no_score(scorer: Path) -> None:
    model = StepRewardModel.load(ResolvedModel(name="scorer", path=str(scorer)))
    model.model.config.max_position_embeddings = 20
    long = model.text(PROMPT, "\n".join(["abcdefgh"] * 20))
    scores = model.scores([model.text(PROMPT, " \n"), long, model.text(PROMPT, "a")])
    assert math.isnan(scores[0]) and math.isnan(scores[1]) and 0 < scores[2] < 1
