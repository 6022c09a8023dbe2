"""What each reward gives for what."""

from __future__ import annotations

from typing import Any

import pytest

from app.parts.options_form import expanded, gathered
from studio_core import rewards, texts
from studio_core.base.errors import BadInput
from studio_core.curation.best_of import BEST_OF
from studio_core.generation.answer_jobs import AnswerSource
from studio_core.rewards.base import Reward


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
        ("tags", "", "<think>2 + 2</think>\n<answer>4</answer>", 1.0),
        ("tags", "", "<think>2 + 2</think> so <answer>4</answer>", 0.0),
        ("tags", "", "<answer>4</answer><think>2 + 2</think>", 0.0),
        ("tags", "", "<think>2 + 2</think><answer> </answer>", 0.0),
        ("tags", "", "<think></think>4</think><answer>4</answer>", 0.0),
        ("repetition", "", "one two three four", 1.0),
        ("repetition", "", "no no no no no", 1 / 3),
        ("repetition", "", "天天天天天", 1 / 3),
        ("repetition", "", "", 1.0),
        ("number", "", "It costs 1,240 of them", 1.0),
        ("number", "", r"First 1234, but \boxed{1300}", 0.0),
        ("number", "", "none", 0.0),
        ("language", "zh", "这是一个用中文写成的句子。", 1.0),
        ("language", "zh", "This is a sentence that was written in English by the people.", 0.0),
        ("language", "en", "42", 0.5),
    ],
)
def test_rewards(name: str, setting: str, answer: str, value: float) -> None:
    record = {"prompt": [], "answer": "61 * 20 + 14 = 1234 #### 1,234"}
    assert rewards.score(name, rewards.options_of_setting(name, setting))("1234?", answer, record) == value


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": [], "completion": [{"role": "assistant", "content": r"\boxed{7}"}]},
        {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "7"}]},
        {"prompt": [], "solution": "3 + 4 #### 7"},
    ],
)
def test_a_worked_solution_is_a_reference_too(record: dict[str, Any]) -> None:
    assert rewards.score("equality", {})("", "The answer is 7.", record) == 1.0


def test_a_conversation_without_an_answer_has_no_reference() -> None:
    assert rewards.score("equality", {})("", "7", {"messages": [{"role": "user", "content": "7"}]}) == 0.0


@pytest.mark.parametrize(
    ("name", "setting"),
    [("shorter", "many"), ("longer", "0"), ("near_length", "-3"), ("contains", ""), ("lacks", ""),
     ("matches", "("), ("language", "English"), ("sorcery", "")],
)  # fmt: skip
def test_what_cannot_be_rewarded_is_said(name: str, setting: str) -> None:
    with pytest.raises(BadInput):
        rewards.score(name, rewards.options_of_setting(name, setting))


def test_the_form_offers_every_reward() -> None:
    [field] = [field for field in BEST_OF.fields if field.name == "reward"]
    assert field.kind == "choice" and field.choices == tuple(rewards.REWARDS)
    drawn = {field.name: field for field in expanded(BEST_OF.fields)}
    assert drawn["reward_options.characters"].owners == ("shorter", "longer", "near_length")
    assert drawn["reward_options.text"].owners == ("contains", "lacks")


@pytest.mark.parametrize("reward", rewards.REWARDS.values(), ids=list(rewards.REWARDS))
def test_every_reward_says_what_it_is_and_keeps_to_its_range(
    reward: Reward, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [key for part in (reward, *reward.fields) for key in (part.title_key, part.help_key)]
    for language in texts.LANGUAGES:
        assert not [key for key in keys if key not in texts.catalogue(language)]
    monkeypatch.setenv("TUNESMITH_OWN_REWARDS", "1")
    given = {"text": "four", "pattern": "f"}
    record = {"answer": "4", "tests": "assert True"}
    options = reward.checked({name: given[name] for name in reward.Options.model_fields if name in given})
    for answer in ("", "four", "x" * 5000, r"\boxed{4}", "[1]"):
        assert reward.lowest <= reward.score(options)("?", answer, record) <= reward.highest
    assert bool(reward.columns(options)) is (reward.name in ("equality", "math", "number", "unit_tests"))
    assert reward.setting in ("", *reward.Options.model_fields)


def test_the_form_gives_the_options_of_the_chosen_reward_only() -> None:
    held: dict[str, Any] = {field.name: field.default for field in expanded(BEST_OF.fields)}
    held |= {"reward": "shorter", "reward_options.characters": 40, "reward_options.text": "left over"}
    options = gathered(BEST_OF.fields, {**held, "model": "tiny-chat"})
    assert (options["reward"], options["reward_options"]) == ("shorter", {"characters": 40})
    assert BEST_OF.checked(options).reward_options == {"characters": 40}
    assert "reward_options" not in gathered(BEST_OF.fields, {**held, "reward": "boxed"})


@pytest.mark.parametrize(
    ("stored", "options"),
    [
        ({"reward": "shorter", "reward_setting": "200"}, {"characters": "200"}),
        ({"reward_setting": " target "}, {"column": "target"}),
        ({"reward": "boxed", "reward_setting": "200"}, {}),
        ({"reward": "matches", "reward_setting": "a+"}, {"pattern": "a+"}),
        ({"scored_by": "judge", "judge_model": "x", "reward_setting": ""}, {}),
    ],
)
def test_what_former_versions_have_stored_stays_readable(
    stored: dict[str, Any], options: dict[str, str]
) -> None:
    asked = BEST_OF.checked({"model": "tiny-chat", **stored})
    assert asked.reward_options == options
    assert BEST_OF.checked(asked.model_dump()) == asked


def scorer(source: AnswerSource) -> rewards.Score:
    return rewards.stored_score(source.reward, source.reward_options, source.setting)


def test_a_stored_source_with_a_setting_is_scored_as_before() -> None:
    stored = AnswerSource.model_validate({"model": "x", "best_of": 2, "reward": "shorter", "setting": "4"})
    assert scorer(stored)("", "eight888", {}) == 0.5
    now = AnswerSource(model="x", best_of=2, reward="shorter", reward_options={"characters": 8})
    assert scorer(now)("", "eight888", {}) == 1.0


def test_options_of_one_name_are_one_option() -> None:
    """A form that offers all rewards has one field for each name."""
    fields = {field.name: field for reward in rewards.OF_TRAININGS.values() for field in reward.fields}
    for reward in rewards.OF_TRAININGS.values():
        for field in reward.fields:
            assert field == fields[field.name], (reward.name, field.name)
