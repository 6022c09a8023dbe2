"""Items that are scored by how likely texts are, without a word being written.

choices   the choice with the most nats a byte of its own text is the answer (as "acc_norm" of lm-evaluation-harness:
          a sum would favour short choices; of letters, which are alike long, it is the same)
text      bits a byte of the item's own text: independent of the tokenizer, lower is better
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

from jobs.curation.measuring import Measured
from jobs.evaluation.questions import Questions
from jobs.generation.answering import Text, digest
from jobs.generation.engines import loop
from jobs.generation.engines.loop import LoopEngine
from jobs.generation.models import Opened
from studio_core.base.errors import StudioError
from studio_core.curation.base import Work
from studio_core.evaluation.items_file import AnsweredItem
from studio_core.suites import Item

# As writing: beyond it a CPU gains hardly anything.
BATCH = loop.BATCH
# Of a model that says no context of its own.
WINDOW = 2048


def answered(
    work: Work, engine: LoopEngine, questions: Questions, done: int, total: int
) -> list[AnsweredItem]:
    """All items with their values; those that were not measured before the user stopped have none."""
    opened = engine.models.open(engine.model)
    who = {**loop.identity(engine.model), "measures": "log-probability"}
    measured = Measured(work, who, lambda texts: [sum(each) for each in engine.scores(texts)], BATCH)
    texts = [_texts(opened, questions, item) for item in questions.items]
    measured.fetch(
        (text for each in texts if not isinstance(each, StudioError) for text in each), total, done
    )
    by = _by_choices if questions.suite.scored_by == "choices" else _by_text
    return [
        _unscored(item, each)
        if isinstance(each, StudioError)
        else by(item, [measured(text.key) for text in each])
        for item, each in zip(questions.items, texts, strict=True)
    ]


def _texts(opened: Opened, questions: Questions, item: Item) -> list[Text] | StudioError:
    """What is measured of an item; or why it cannot be written as the model reads it."""
    try:
        parts = _choices if questions.suite.scored_by == "choices" else _windows
        return list(parts(opened, item))
    except StudioError as error:
        return error


def _choices(opened: Opened, item: Item) -> Iterator[Text]:
    before = opened.prompt([*item.messages])
    for choice in item.choices:
        yield _text(before, opened.tokenizer(choice, add_special_tokens=False)["input_ids"])


def _windows(opened: Opened, item: Item) -> Iterator[Text]:
    """The text in pieces of the context, each after the token that begins texts."""
    tokenizer = opened.tokenizer
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    ids = iter(tokenizer(item.question, add_special_tokens=False)["input_ids"])
    length = min(opened.base.context or WINDOW, WINDOW) - 1
    while window := list(islice(ids, length)):
        yield _text([first] if first is not None else [], window)


def _text(before: list[int], answer: list[int]) -> Text:
    # Nothing says how likely the very first token of all is.
    scored = len(answer) if before else len(answer) - 1
    return Text(digest([before, answer]), [*before, *answer], scored)


def _by_choices(item: Item, nats: list[float | None]) -> AnsweredItem:
    if any(each is None for each in nats):
        return _row(item, math.nan, "unanswered")
    by_byte = [
        float(each or 0.0) / max(len(text.encode()), 1) for each, text in zip(nats, item.choices, strict=True)
    ]
    best = item.choices[by_byte.index(max(by_byte))]
    figures = {text: round(each, 3) for text, each in zip(item.choices, by_byte, strict=True)}
    return _row(
        item, float(best == item.key), "likeliest", {"choice": best, "nats": figures}, answers=(best,)
    )


def _by_text(item: Item, nats: list[float | None]) -> AnsweredItem:
    if not nats or any(each is None for each in nats):
        return _row(item, math.nan, "unanswered")
    bits = -sum(each or 0.0 for each in nats) / math.log(2)
    return _row(item, bits / len(item.question.encode()), "bits", {"bits": round(bits, 1)})


def _unscored(item: Item, error: StudioError) -> AnsweredItem:
    return _row(item, math.nan, "not_scored", {"reason": error.sentence()[:300]})


def _row(
    item: Item, value: float, reason: str, values: dict[str, Any] | None = None, answers: tuple[str, ...] = ()
) -> AnsweredItem:
    return AnsweredItem(
        item=item.id,
        kind=item.kind,
        cluster=item.cluster,
        prompt=[dict(message) for message in item.messages],
        key=item.key,
        answers=answers,
        values=(value,),
        reason=reason,
        reason_values=values or {},
        readable=math.isfinite(value),
    )
