"""Rewards for the length of an answer, in characters."""

from __future__ import annotations

from studio_core.data.shapes import Record
from studio_core.options import option
from studio_core.rewards.base import Reward, RewardOptions, Score


class LengthOptions(RewardOptions):
    # About two sentences: what a short answer of a chat is.
    characters: int = option(200, at_least=1, at_most=999_999, unit="characters", advanced=False)


def shorter(options: LengthOptions) -> Score:
    """1 up to so many characters; twice as many give 1/2, and so on."""
    return lambda prompt, answer, record: min(1.0, options.characters / max(1, len(answer.strip())))


def longer(options: LengthOptions) -> Score:
    """1 from so many characters on; half as many give 1/2, and so on."""
    return lambda prompt, answer, record: min(1.0, len(answer.strip()) / options.characters)


def near(options: LengthOptions) -> Score:
    """1 at exactly so many characters; half or twice as many give 1/2."""
    target = options.characters

    def score(prompt: str, answer: str, record: Record) -> float:
        length = len(answer.strip())
        return min(length, target) / max(length, target)

    return score


SHORTER = Reward("shorter", shorter, LengthOptions, setting="characters")
LONGER = Reward("longer", longer, LengthOptions, setting="characters")
NEAR_LENGTH = Reward("near_length", near, LengthOptions, setting="characters")
