from __future__ import annotations

import re

import pytest

from app.parts import train_form
from app.parts.chooser import Choice, drawn
from studio_core import texts
from studio_core.methods import METHODS
from studio_core.tunings import TUNINGS
from tests.unit.app.test_html import EVIL


def options(markup: str) -> list[str]:
    return re.findall(r'role="option" id="\S+" data-value="([\w-]+)"', markup)


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_method_and_tuning_is_there_with_its_help(language: str) -> None:
    methods = train_form.methods("dpo", language)
    assert sorted(options(methods)) == sorted(METHODS)
    tunings = train_form.tunings("dpo", "lora", language)
    assert options(tunings) == list(TUNINGS)
    for part, markup in [
        *((part, methods) for part in METHODS.values()),
        *((t, tunings) for t in TUNINGS.values()),
    ]:
        assert texts.text(part.title_key, language) in markup
    assert methods.count('aria-selected="true"') == tunings.count('aria-selected="true"') == 1
    assert "aria-disabled" not in tunings
    refused = TUNINGS.keys() - METHODS["reward"].tunings.keys()  # What cannot be merged.
    assert train_form.tunings("reward", "lora", language).count("aria-disabled") == len(refused) > 0


def test_entries_of_a_group_stand_together_in_the_order_of_the_groups() -> None:
    choices = [Choice(name, name, "", group) for name, group in (("a", "x"), ("b", "y"), ("c", "x"))]
    assert options(drawn("id", "label", choices, "b")) == ["a", "c", "b"]


def test_texts_are_only_texts() -> None:
    markup = drawn(EVIL, EVIL, [Choice("a", EVIL, EVIL, EVIL), Choice("b", EVIL, EVIL, EVIL, EVIL)], "a")
    assert "<img" not in markup and "<script" not in markup
