"""The answer is written in a language."""

from __future__ import annotations

import re

from pydantic import field_validator

from studio_core.base.errors import BadInput
from studio_core.data.languages import language_of
from studio_core.data.shapes import Record
from studio_core.data.words import words
from studio_core.options import option
from studio_core.rewards.base import Reward, RewardOptions, Score

# Enough for py3langid to be sure, and a reward is asked for thousands of answers.
_LOOKED_AT = 400


class LanguageOptions(RewardOptions):
    language: str = option("en", choices_of="languages", advanced=False)

    @field_validator("language")
    @classmethod
    def _code(cls, language: str) -> str:
        if not re.fullmatch("[a-z]{2}", language.strip()):
            raise BadInput("rewards.not_a_language", value=language[:80])
        return language.strip()


def language(options: LanguageOptions) -> Score:
    """1 if the answer is in the language of this ISO 639-1 code, 0 if it is in another, 1/2 if it cannot be told."""

    def score(prompt: str, answer: str, record: Record) -> float:
        text = answer[:_LOOKED_AT]
        told = language_of(text, words(text)[:50])
        return float(told == options.language) if told else 0.5

    return score


LANGUAGE = Reward("language", language, LanguageOptions, setting="language")
