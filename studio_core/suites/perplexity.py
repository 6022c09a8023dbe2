"""What unseen plain text of the demo models' world costs a model, in bits a byte: what it rises by is forgotten."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from studio_core.suites.base import Item, Suite, Verdict, asked, text_in


def item(suite: str, record: Mapping[str, Any], number: int) -> Item:
    """A record of shape text; its text stands where others have their question."""
    return Item(suite, "document", asked(text_in(record, "text")), "", id=str(number))


def bits_a_byte(nats: float, text: str) -> float:
    """What a text costs a model, from the sum of the negative log-probabilities of its tokens.

    Of a byte in UTF-8 and not of a token, so that models with different tokenizers can be compared.
    """
    return nats / math.log(2) / len(text.encode())


def score(item: Item, answer: str) -> Verdict:
    """Raises TypeError: nobody answers these."""
    raise TypeError(f"{item.suite} is scored by its texts, not by answers")


PERPLEXITY = Suite(
    "perplexity",
    score,
    max_tokens=0,
    item=item,
    scored_by="text",
    questions="plain_text",
    higher_is_better=False,
    unit="bits",
)
