"""The seam: questions answered and texts scored by the loop of this program, as by any engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.generation.answering import Failure, Question, Text, answers
from jobs.generation.engines.loop import LoopEngine
from jobs.generation.models import Models
from studio_core.generation.asking import Answer
from studio_core.generation.sampling import Sampling, greedy
from studio_core.runs.spec import ResolvedModel

RIVER = Question([{"role": "user", "content": "Where is the river?"}])
SEA = Question([{"role": "user", "content": "And how far is it to the sea from here?"}])
DRAWN = Sampling(temperature=1.0, top_p=1.0, seed=5, max_tokens=12)


@pytest.fixture
def engine(folders: dict[str, Path]) -> LoopEngine:
    return LoopEngine(Models("cpu"), ResolvedModel(name="base", path=str(folders["base"])))


def asked(engine: LoopEngine, questions: list[Question], sampling: Sampling) -> dict[str, Answer]:
    outcomes = list(answers(engine, questions, sampling))
    assert all(isinstance(answer, Answer) for _, answer in outcomes)
    return {question.key: answer for question, answer in outcomes}  # type: ignore[misc]


def test_an_answer_is_the_same_whatever_is_asked_with_it(engine: LoopEngine) -> None:
    alone = asked(engine, [RIVER], DRAWN)[RIVER.key]
    among = asked(engine, [SEA, RIVER], DRAWN.model_copy(update={"n": 3}))
    assert len(among) == 6
    assert among[RIVER.key] == alone
    assert len({answer.text for answer in among.values()}) == 6


def test_several_answers_share_one_reading_of_their_question(
    engine: LoopEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = engine.models.open(engine.model).base
    forward, rows = base.forward, list[int]()

    def counted(adapters: Sequence[str | None], **inputs: Any) -> Any:
        rows.append(len(adapters))
        return forward(adapters, **inputs)

    monkeypatch.setattr(base, "forward", counted)
    asked(engine, [RIVER], DRAWN.model_copy(update={"n": 4}))
    assert rows[:2] == [1, 4]


def test_an_answer_ends_before_a_stop_sequence(engine: LoopEngine) -> None:
    whole = asked(engine, [RIVER], greedy(20))[RIVER.key].text
    stop = whole[3:5]
    cut = asked(engine, [RIVER], greedy(20, stop=(stop,)))[RIVER.key]
    assert cut.text == whole[: whole.index(stop)] and cut.reason == "stop"


def test_top_k_of_one_is_the_likeliest(engine: LoopEngine) -> None:
    narrow = asked(engine, [RIVER], DRAWN.model_copy(update={"top_k": 1}))
    assert narrow[RIVER.key].text == asked(engine, [RIVER], greedy(12))[RIVER.key].text


def test_logprobs_are_those_that_the_text_scores(engine: LoopEngine) -> None:
    opened = engine.models.open(engine.model)
    prompt = torch.tensor([opened.prompt(RIVER.messages)])
    written = opened.base.model.generate(prompt, do_sample=False, max_new_tokens=8, eos_token_id=None)[0]
    answer = asked(engine, [RIVER], greedy(8, logprobs=True))[RIVER.key]
    assert answer.logprobs is not None and len(answer.logprobs) == 8 == answer.tokens_out
    texts = [Text("short", written.tolist(), 3), Text("long", written.tolist(), 8)]
    short, long = engine.scores(texts)
    assert long == pytest.approx(answer.logprobs, abs=1e-4) and short == pytest.approx(long[-3:], abs=1e-4)
    assert asked(engine, [RIVER], greedy(8))[RIVER.key].logprobs is None
    told = asked(engine, [RIVER], greedy(2, logprobs=True, top_logprobs=3))[RIVER.key].first_token
    # Tokens that are parts of letters have one text between them.
    assert 1 <= len(told) <= 3 and max(told.values()) == pytest.approx(answer.logprobs[0], abs=1e-4)
    assert not answer.first_token


def test_what_cannot_be_asked_fails_alone(engine: LoopEngine) -> None:
    endless = Question([{"role": "user", "content": "x" * 5000}])
    outcomes = {question.key: one for question, one in answers(engine, [endless, RIVER], greedy(4))}
    assert isinstance(outcomes[endless.key], Failure) and isinstance(outcomes[RIVER.key], Answer)
