"""The items of a suite that an evaluation asks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from jobs.generation.answering import digest
from studio_core.evaluation.questions import DRAWING, chosen, items_of, suite_of
from studio_core.runs.spec import ResolvedModel, ResolvedSuite
from studio_core.suites import Item, Suite


@dataclass(frozen=True)
class Questions:
    suite: Suite
    items: tuple[Item, ...]
    sha256: str
    """Of the file."""
    limit: int | None = None
    """So many of the file's questions; None: all."""
    reward_model: ResolvedModel | None = None
    """What scores the answers, where it is one."""
    drawing: tuple[tuple[str, float], ...] = ()
    """How answers are drawn, where it is not as the suite says."""

    @property
    def identity(self) -> str:
        """Equal for the same file and the same choice of it."""
        return digest([self.sha256, self.limit, *([self.drawing] if self.drawing else [])])

    @property
    def written(self) -> int:
        """How many answers or likelihoods a model has to give; what a program asks counts as one."""
        if self.suite.of_program:
            return 1
        passes = 2 if self.suite.scored_by == "drift" else 1  # Written, and then read by both models.
        return passes * sum(self.suite.samples * (1 + len(item.follow_ups)) for item in self.items)

    def limited(self, limit: int | None) -> Questions:
        """So many of them, the same each time; where a program asks, the first ones."""
        if self.suite.of_program:
            return replace(self, limit=limit)
        if limit is None or limit >= len(self.items):
            return self
        kept = chosen(len(self.items), limit)
        return replace(self, items=tuple(self.items[place] for place in kept), limit=limit)

    @cached_property
    def asked(self) -> int:
        """These, and what a judge is asked of them."""
        if self.suite.protocol is None:
            return self.written
        return self.written + self.suite.protocol.cost(self.items, [0] * len(self.items)).calls


def questions(resolved: ResolvedSuite) -> Questions:
    """Suite and all its items; raises ``BadInput`` where the file is not of the suite's shape."""
    choice = resolved.choice
    drawing = tuple((name, value) for name in DRAWING if (value := getattr(choice, name)) is not None)
    return Questions(
        suite_of(choice),
        items_of(resolved),
        resolved.sha256,
        reward_model=resolved.reward_model,
        drawing=drawing,
    )
