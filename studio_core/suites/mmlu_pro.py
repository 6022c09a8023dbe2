"""MMLU-Pro: questions of 14 subjects with up to ten options; by the letter written, or by the likeliest option."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from studio_core.suites.base import Item, Source, Suite, Verdict, asked, text_in
from studio_core.suites.letters import LETTERS, lettered, options_in, score


def item(suite: str, record: Mapping[str, Any], number: int) -> Item:
    """Raises ValueError where the answer is none of the options."""
    options, letter = options_in(record["options"]), text_in(record, "answer")
    if letter not in LETTERS[: len(options)]:
        raise ValueError(f"answer: {letter!r:.80} is none of {LETTERS[: len(options)]}")
    return Item(
        suite,
        text_in(record, "category"),
        lettered(text_in(record, "question"), options),
        letter,
        id=str(record.get("question_id", number)),
        choices=options,
    )


def item_of_texts(suite: str, record: Mapping[str, Any], number: int) -> Item:
    """The bare question, and the text of the right option as key: no letters, whose order some models prefer."""
    of_letters = item(suite, record, number)
    key = of_letters.choices[LETTERS.index(of_letters.key)]
    return replace(of_letters, messages=asked(text_in(record, "question").strip()), key=key)


def score_of_text(item: Item, answer: str) -> Verdict:
    """1 if the likeliest option is the right one."""
    if answer == item.key:
        return Verdict(1.0)
    return Verdict(0.0, "other_answer", {"answer": answer, "wanted": item.key})


_SOURCE = Source("TIGER-Lab/MMLU-Pro", licence="MIT", about="https://arxiv.org/abs/2406.01574")

MMLU_PRO = Suite("mmlu_pro", score, max_tokens=2048, item=item, source=_SOURCE)
MMLU_PRO_LIKELIHOOD = Suite(
    "mmlu_pro_likelihood",
    score_of_text,
    max_tokens=0,
    item=item_of_texts,
    source=_SOURCE,
    scored_by="choices",
    questions="mmlu_pro",
)
