"""Whether an exported model answers as the original: both answer the same questions, always with the likeliest token.

Two programs that compute in another order, or in fewer bits, part where two tokens are nearly equally likely, and from
there on write different texts. So what is counted is whole answers that are the same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from studio_core.statistics.winrate import wilson
from studio_core.texts import DEFAULT_LANGUAGE, text


class Difference(BaseModel):
    """A question that both answered, and not with the same text."""

    number: int
    """Of the question, from 1."""
    prompt: str
    original: str
    exported: str


class Parity(BaseModel):
    """What the comparison found; ``manifest.json`` holds it."""

    prompts: int
    same_text: int
    same_tokens: int
    """Questions that both turned into the same tokens, chat template and all."""
    suite: str
    max_tokens: int
    answered_by: str
    """The program that ran the exported files, with its version."""
    low: float = 0.0
    high: float = 0.0
    """Wilson's 95 % interval of the share of equal texts."""
    first: Difference | None = None

    def sentence(self, language: str = DEFAULT_LANGUAGE) -> str:
        values = {"n": self.same_text, "of": self.prompts, "by": self.answered_by}
        if self.first is None:
            return text("model_exports.parity_same", language, **values)
        return text("model_exports.parity_differs", language, number=self.first.number, **values)


_SHOWN = 2_000
"""Characters of a text that differs, which a manifest holds."""


def compared(
    prompts: Sequence[str], originals: Sequence[str], exported: Sequence[str], same_tokens: int, **more: Any
) -> Parity:
    """All three by question, at least one. ``more``: what else ``Parity`` tells."""
    differing = [
        number for number, pair in enumerate(zip(originals, exported, strict=True)) if pair[0] != pair[1]
    ]
    same = len(prompts) - len(differing)
    low, high = wilson(same / len(prompts), len(prompts))
    first = None
    if differing:
        at = differing[0]
        texts = (prompts[at][:_SHOWN], originals[at][:_SHOWN], exported[at][:_SHOWN])
        first = Difference(number=at + 1, prompt=texts[0], original=texts[1], exported=texts[2])
    return Parity(
        prompts=len(prompts), same_text=same, same_tokens=same_tokens, low=low, high=high, first=first, **more
    )
