"""What each reward gives for what."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from studio_core import rewards
from studio_core.base.errors import BadInput
from studio_core.curation.best_of import BestOfOptions


@pytest.mark.parametrize(
    ("name", "setting", "answer", "value"),
    [
        ("equality", "", r"So \boxed{1234}.", 1.0),
        ("equality", "answer", "The answer is 1,234.", 1.0),
        ("equality", "", "1234", 1.0),
        ("equality", "", r"\boxed{1235}", 0.0),
        ("equality", "", "", 0.0),
        ("equality", "nowhere", "1234", 0.0),
        ("boxed", "", r"so \boxed{4}", 1.0),
        ("boxed", "", r"\boxed{ }", 0.0),
        ("boxed", "", "4", 0.0),
        ("shorter", "4", "four", 1.0),
        ("shorter", "4", "four" * 2, 0.5),
        ("longer", "4", "fo", 0.5),
        ("longer", "4", "你好世界", 1.0),
        ("near_length", "4", "fo", 0.5),
        ("near_length", "4", "four" * 2, 0.5),
        ("near_length", "4", " four ", 1.0),
        ("near_length", "4", "", 0.0),
        ("contains", "Please", "yes please", 1.0),
        ("contains", "please", "no", 0.0),
        ("lacks", "I cannot", "i cannot", 0.0),
        ("lacks", "I cannot", "I can", 1.0),
        ("matches", r"\bplease\b", "pleased", 0.0),
        ("matches", r"(a+)+$", "a" * 5000 + "b", 0.0),
        ("valid_json", "", '{"a": 1}', 1.0),
        ("valid_json", "", '```json\n{"a": 1}\n```', 1.0),
        ("valid_json", "", 'Here: {"a": 1}', 0.0),
        ("valid_json", "", "7", 0.0),
        ("valid_json", "", "[NaN]", 0.0),
        ("valid_json", "", "[" * 100_000, 0.0),
        ("language", "zh", "这是一个用中文写成的句子。", 1.0),
        ("language", "zh", "This is a sentence that was written in English by the people.", 0.0),
        ("language", "en", "42", 0.5),
    ],
)
def test_rewards(name: str, setting: str, answer: str, value: float) -> None:
    record = {"prompt": [], "answer": "61 * 20 + 14 = 1234 #### 1,234"}
    assert rewards.made(name, setting)("1234?", answer, record) == value


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": [], "completion": [{"role": "assistant", "content": r"\boxed{7}"}]},
        {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "7"}]},
        {"prompt": [], "solution": "3 + 4 #### 7"},
    ],
)
def test_a_worked_solution_is_a_reference_too(record: dict[str, Any]) -> None:
    assert rewards.made("equality")("", "The answer is 7.", record) == 1.0


def test_a_conversation_without_an_answer_has_no_reference() -> None:
    assert rewards.made("equality")("", "7", {"messages": [{"role": "user", "content": "7"}]}) == 0.0


@pytest.mark.parametrize(
    ("name", "setting"),
    [("shorter", "many"), ("longer", "0"), ("near_length", "-3"), ("contains", ""), ("lacks", ""),
     ("matches", "("), ("language", "English"), ("sorcery", "")],
)  # fmt: skip
def test_what_cannot_be_rewarded_is_said(name: str, setting: str) -> None:
    with pytest.raises(BadInput):
        rewards.made(name, setting)


def test_the_form_offers_every_reward() -> None:
    assert get_args(BestOfOptions.model_fields["reward"].annotation) == tuple(rewards.REWARDS)
