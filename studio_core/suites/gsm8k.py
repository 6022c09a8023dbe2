r"""GSM8K: word problems of grade-school mathematics, whose answers are whole numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio_core.data.final_answers import number
from studio_core.suites.base import Item, Source, Suite, text_in
from studio_core.suites.mathematics import score, worked


def item(suite: str, record: Mapping[str, Any], place: int) -> Item:
    """A worked solution ends in ``#### 1,234``. Raises ValueError where no number stands there."""
    solution = text_in(record, "answer")
    _, mark, final = solution.rpartition("####")
    if not mark or number(final) is None:
        raise ValueError(f"answer: no number after #### in {solution[-80:]!r}")
    key = final.strip().replace(",", "")
    return Item(suite, "word problem", worked(text_in(record, "question")), key, id=str(place))


GSM8K = Suite(
    "gsm8k",
    score,
    # The longest published solution has some 400.
    max_tokens=1024,
    item=item,
    source=Source("openai/gsm8k", "test", "main", "MIT", "https://arxiv.org/abs/2110.14168"),
)
