"""YAML as options and recipes are written in it."""

from __future__ import annotations

import pytest

from app.cli.output import options_from
from studio_core.base import plain_yaml
from studio_core.methods import METHODS
from studio_core.methods.base import validated


def test_on_and_off_are_words_and_true_and_false_are_booleans() -> None:
    document = plain_yaml.load("a: on\nb: off\nc: yes\nd: true\ne: False\nf: 3\ng: null")
    assert document == {"a": "on", "b": "off", "c": "yes", "d": True, "e": False, "f": 3, "g": None}


@pytest.mark.parametrize("word", ["on", "off", "auto"])
def test_a_choice_called_on_or_off_can_be_set_on_the_command_line(word: str) -> None:
    asked = options_from([f"activation_checkpointing={word}", "precompute_reference=yes"])
    options = validated(METHODS["dpo"], "balanced", "full", 2_000_000, asked).model_dump()
    assert (options["activation_checkpointing"], options["precompute_reference"]) == (word, True)
