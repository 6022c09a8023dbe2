"""The answer does not say the same again and again."""

from __future__ import annotations

from studio_core.data.shapes import Record
from studio_core.data.words import words
from studio_core.options import option
from studio_core.rewards.base import Reward, RewardOptions, Score


class RepetitionOptions(RewardOptions):
    # Two are common phrases; of four a loop of three words has none.
    words: int = option(3, at_least=1, at_most=20, unit="words", advanced=False)


def repetition(options: RepetitionOptions) -> Score:
    """The share of an answer's runs of so many words that are there for the first time; 1 if it is shorter than one.

    A character of Chinese, Japanese or Korean counts as a word.
    """
    length = options.words

    def score(prompt: str, answer: str, record: Record) -> float:
        said = words(answer)
        runs = [tuple(said[start : start + length]) for start in range(len(said) - length + 1)]
        return len({*runs}) / len(runs) if runs else 1.0

    return score


REPETITION = Reward("repetition", repetition, RepetitionOptions)
