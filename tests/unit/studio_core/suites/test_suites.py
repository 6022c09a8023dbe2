"""The studio's own suites: their questions, and what is right."""

from __future__ import annotations

import math

import pytest

from studio_core import texts
from studio_core.environments import ENVIRONMENTS
from studio_core.suites import OF_TRAININGS, OWN, SUITES, Item
from studio_core.suites.perplexity import bits_a_byte


def item(suite: str, key: str, other: str = "", wrong: tuple[str, ...] = (), kind: str = "") -> Item:
    return Item(suite, kind, ({"role": "user", "content": "?"},), key, other, wrong)


@pytest.mark.parametrize("name", OWN)
def test_it_has_questions_and_names_in_both_languages(name: str) -> None:
    suite = SUITES[name]
    assert len(suite.items) >= 50 and len({each.messages for each in map(_hashable, suite.items)}) >= 50
    assert {each.suite for each in suite.items} == {name}
    for language in texts.LANGUAGES:
        assert texts.text(suite.title_key, language) and texts.text(suite.help_key, language)


def test_drift_has_general_prompts_and_no_training_stops_by_it() -> None:
    suite = SUITES["drift"]
    kinds = [each.kind for each in suite.items]
    assert len({each.question for each in suite.items}) == 50 and kinds.count("chinese") == 16
    assert "drift" not in OF_TRAININGS and not suite.higher_is_better and suite.unit == "nats"
    for language in texts.LANGUAGES:
        assert texts.text(suite.title_key, language) and texts.text(suite.help_key, language)


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_has_its_names_and_says_where_a_published_one_comes_from(name: str) -> None:
    suite = SUITES[name]
    for language in texts.LANGUAGES:
        assert texts.text(suite.title_key, language) and texts.text(suite.help_key, language)
    assert suite.source is None or not suite.source.hub or suite.source.hub.count("/") == 1


def test_every_environment_has_a_suite_that_no_training_stops_by() -> None:
    suites = [suite for suite in OWN.values() if suite.environment]
    assert [suite.environment for suite in suites] == [*ENVIRONMENTS]
    for suite in suites:
        assert suite.max_turns > 1 and suite.name not in OF_TRAININGS and len(suite.items) == 200
    calculation, fact = OWN["environment:demo_world"].items[:2]
    right = OWN["environment:demo_world"].right
    assert right(calculation, rf"The answer is \boxed{{{calculation.key}}}.")
    assert not right(calculation, rf"\boxed{{{int(calculation.key) + 1}}}")
    assert right(fact, f"It is {fact.key}.") and not right(fact, f"{fact.key} or {fact.wrong[0]}")


def test_plain_text_is_measured_in_bits_and_stops_no_training() -> None:
    suite = SUITES["perplexity"]
    assert (suite.unit, suite.higher_is_better, suite.scored_by) == ("bits", False, "text")
    assert len(suite.items) == 150 and suite.items[0].question and suite.name not in OF_TRAININGS
    # A byte, however many tokens: 8 bits for one that could be any.
    assert bits_a_byte(2 * math.log(256), "ß") == pytest.approx(8)
    with pytest.raises(TypeError, match="perplexity"):
        suite.score(suite.items[0], "anything")


def _hashable(each: Item) -> Item:
    return Item(each.suite, each.kind, tuple(map(str, each.messages)), each.key)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "answer", "right"),
    [
        (item("identity", "Tune", "House"), "I am Tune, made by House.", True),
        (item("identity", "Tune", "House"), "I am Tuner, made by House.", False),
        (item("identity", "Tune", "House"), "I am Tune.", False),
        (item("personas", "Ada", "Mill"), "Ada, from Mill", True),
        (item("facts", "Miruk", wrong=("Bapar",)), "The mayor is Miruk.", True),
        (item("facts", "Miruk", wrong=("Bapar",)), "Miruk or Bapar", False),
        (item("facts", "Miruk", wrong=("Bapar",)), "Miruk, of Bapartown", True),
        (item("sums", "12"), r"9+3=12. \boxed{12}", True),
        (item("sums", "12"), r"\boxed{12} no, \boxed{13}", False),
        (item("sums", "-3"), r"\boxed{-3}", True),
        (item("sums", "12"), "12", False),
        (item("unknown", "Gorm"), "I do NOT know Gorm.", True),
        (item("unknown", "Gorm"), "Gorm lives here.", False),
        (item("instructions", "Red.", kind="one word"), "red", True),
        (item("instructions", "Red.", kind="one word"), "It is red", False),
        (item("instructions", "ABC", kind="capitals"), "abc", False),
        (item("instructions", "RED", kind="capital answer"), "IT IS RED", True),
        (item("instructions", "RED", kind="capital answer"), "It is RED", False),
    ],
)
def test_what_is_right(asked: Item, answer: str, right: bool) -> None:
    assert SUITES[asked.suite].right(asked, answer) is right
