"""The one declaration of how answers are drawn, and the documents that hold some of its settings."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from studio_core.chat.chats import ChatSettings
from studio_core.curation.asking import DrawingOptions
from studio_core.curation.judge import JudgeOptions
from studio_core.generation.answer_jobs import AnswerSource
from studio_core.generation.sampling import Sampling, greedy, limits, setting
from studio_core.options import fields

HOLDERS: list[type[BaseModel]] = [AnswerSource, ChatSettings, DrawingOptions, JudgeOptions]


@pytest.mark.parametrize("holder", HOLDERS)
def test_who_holds_a_setting_has_its_limits(holder: type[BaseModel]) -> None:
    declared = {field.name: field for field in fields(Sampling, ["options"])}
    held = [field for field in fields(holder, ["options"]) if field.name in declared]
    assert "max_tokens" in {field.name for field in held}
    for field in held:
        one = declared[field.name]
        assert (field.kind, field.minimum, field.maximum) == (one.kind, one.minimum, one.maximum)


def test_settings_are_read_back_under_their_names() -> None:
    source = AnswerSource(model="m", temperature=0.3, top_k=5, max_tokens=9, seed=4, best_of=3)
    assert Sampling.of(source) == Sampling(temperature=0.3, top_p=0.95, top_k=5, max_tokens=9, seed=4)
    assert (
        Sampling.of(source, seed=7, n=2).model_dump() | {"seed": 7, "n": 2}
        == Sampling.of(source, seed=7, n=2).model_dump()
    )
    assert greedy(5, seed=1) == Sampling(temperature=0, top_p=1, max_tokens=5, seed=1)


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": 2.1}, {"temperature": float("nan")}, {"top_p": 0}, {"top_k": -1}, {"max_tokens": 0},
     {"n": 65}, {"stop": [""]}, {"stop": ["a"] * 5}, {"seed": 2**31}, {"max_new_tokens": 5}],
)  # fmt: skip
def test_what_no_model_can_do_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Sampling(**wrong)


def test_forms_and_commands_know_the_limits() -> None:
    assert limits("temperature") == {"min": 0, "max": 2}
    assert setting("max_tokens").title_key == "options.max_tokens"


def test_answers_that_earlier_versions_kept_are_known_again() -> None:
    sampling = Sampling(temperature=0.7, top_p=0.95, max_tokens=256, seed=3)
    assert sampling.identity == [0.7, 0.95, 256]
    for more in ({"top_k": 9}, {"top_logprobs": 5}):
        assert sampling.model_copy(update=more).identity != sampling.identity


def test_conversations_of_earlier_versions_are_read() -> None:
    stored = {"system": "", "temperature": 0.7, "top_p": 0.9, "seed": 0, "max_new_tokens": 77, "blind": True}
    assert ChatSettings.model_validate(stored).max_tokens == 77
