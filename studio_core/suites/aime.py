r"""AIME: the American Invitational Mathematics Examination, 30 problems a year with answers from 0 to 999."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio_core.suites.base import Item, Source, Suite, text_in
from studio_core.suites.mathematics import score, worked


def item(suite: str, record: Mapping[str, Any], number: int) -> Item:
    """Raises ValueError where the answer is no whole number from 0 to 999, whether written as text or as number."""
    answer = record.get("answer", record.get("Answer"))
    # Some publishers write 025, and one wrote 104 with a degree sign.
    key = str(answer).strip().removesuffix("^\\circ").rstrip("°")
    if isinstance(answer, bool) or not key.isascii() or not key.isdigit() or int(key) > 999:
        raise ValueError(f"answer: {answer!r:.80} is no whole number from 0 to 999")
    id = str(record.get("id", record.get("ID", number)))
    return Item(suite, "competition", worked(text_in(record, "problem", "Problem")), str(int(key)), id=id)


def _year(name: str, source: Source) -> Suite:
    # One answer to each of 30 problems would have a standard error of 9 points. 0.6 is what models that reason are
    # measured with.
    return Suite(name, score, max_tokens=16_384, temperature=0.6, samples=8, item=item, source=source)


AIME24 = _year("aime24", Source("Maxwell-Jia/AIME_2024", "train", licence="MIT"))
AIME25 = _year("aime25", Source("math-ai/aime25", licence="Apache-2.0"))
