"""The answer has a text in it, or has not; or a pattern is found in it."""

from __future__ import annotations

from pydantic import model_validator

from studio_core.base.errors import BadInput
from studio_core.data.patterns import Pattern
from studio_core.options import option
from studio_core.rewards.base import Reward, RewardOptions, Score


class TextOptions(RewardOptions):
    text: str = option("", advanced=False)

    @model_validator(mode="after")
    def _given(self) -> TextOptions:
        if not self.text.strip():
            raise BadInput("rewards.no_text")
        return self


class PatternOptions(RewardOptions):
    pattern: str = option("", advanced=False)

    @model_validator(mode="after")
    def _readable(self) -> PatternOptions:
        if not self.pattern.strip():
            raise BadInput("rewards.no_text")
        Pattern(self.pattern.strip())
        return self


def contains(options: TextOptions) -> Score:
    """1 if the text is in the answer, in whatever case, else 0."""
    wanted = options.text.strip().casefold()
    return lambda prompt, answer, record: float(wanted in answer.casefold())


def lacks(options: TextOptions) -> Score:
    """1 if the text is not in the answer, else 0."""
    unwanted = options.text.strip().casefold()
    return lambda prompt, answer, record: float(unwanted not in answer.casefold())


def matches(options: PatternOptions) -> Score:
    """1 if the pattern (RE2) is found in the answer, else 0."""
    pattern = Pattern(options.pattern.strip())
    return lambda prompt, answer, record: float(pattern.found([answer])[0])


CONTAINS = Reward("contains", contains, TextOptions, setting="text")
LACKS = Reward("lacks", lacks, TextOptions, setting="text")
MATCHES = Reward("matches", matches, PatternOptions, setting="pattern")
