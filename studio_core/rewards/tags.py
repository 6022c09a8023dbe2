"""The answer is parts in tags, such as ``<think>..</think><answer>..</answer>``, and nothing else."""

from __future__ import annotations

import re

from pydantic import field_validator

from studio_core.base.errors import BadInput
from studio_core.data.shapes import Record
from studio_core.options import option
from studio_core.rewards.base import Reward, RewardOptions, Score


class TagsOptions(RewardOptions):
    # Those of R1 (arXiv:2501.12948), which models of many makers write since.
    tags: str = option("think, answer", advanced=False)

    @field_validator("tags")
    @classmethod
    def _names(cls, tags: str) -> str:
        for name in names(tags) or [""]:
            if not re.fullmatch(r"[A-Za-z][\w-]*", name):
                raise BadInput("rewards.not_a_tag", value=name[:80])
        return tags


def names(tags: str) -> list[str]:
    return [name.strip() for name in tags.split(",") if name.strip()]


def tags(options: TagsOptions) -> Score:
    """1 if each tag is opened and closed once, in this order, with something in it and nothing around; else 0."""
    wanted = names(options.tags)
    marks = [mark for name in wanted for mark in (f"<{name}>", f"</{name}>")]

    def score(prompt: str, answer: str, record: Record) -> float:
        if any(answer.count(mark) != 1 for mark in marks):
            return 0.0
        rest = answer
        for name in wanted:
            before, _, rest = rest.partition(f"<{name}>")
            inside, closed, rest = rest.partition(f"</{name}>")
            if before.strip() or not closed or not inside.strip():
                return 0.0
        return float(not rest.strip())

    return score


TAGS = Reward("tags", tags, TagsOptions)
