"""Answers that say nothing, one word, or no."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel

from studio_core.data.shapes import HIGHEST_SCORE, LOWEST_SCORE, Shape
from studio_core.reports.batch import Batch
from studio_core.reports.check import ANSWERED, Check, Rows
from studio_core.reports.statistics import Share, share

MOSTLY = 0.5
"""If more of the answers than this are one word, that is the task, and none of them is a finding."""

# A refusal that comes after two sentences of help is a caveat, not a
# refusal; and the pattern's time is bounded.
_LOOKED_AT = 240
"""Characters at the beginning of an answer in which a refusal stands."""

_REFUSALS = re.compile(
    r"\bi(?:'m| am)(?: really| very| so)? (?:sorry|afraid),? (?:but |that )?(?:i|as an ai)\b"
    r"|\bi(?:'m| am) (?:not able|unable|not (?:comfortable|allowed|permitted|programmed)) (?:to|with)\b"
    r"|\b(?:sorry|apologi[sz]e|unfortunately),? (?:but )?i (?:can(?:no|')t|can not|won't|am (?:not able|unable))\b"
    r"|\bi (?:can(?:no|')t|can not|won't|will not|must decline|am unable to) "
    r"(?:help|assist|provide|fulfill?|comply|answer|do that|do this|support|engage|generate|create|write|discuss|share"
    r"|participate|offer|give)\b"
    r"|\bas an ai(?: language)?(?: model| assistant)?,? i (?:can(?:no|')t|can not|don't|do not|am not|won't)\b"
    r"|\bi don't feel comfortable\b|\bagainst my (?:programming|guidelines|policy)\b"
    r"|抱歉[,，。]?(?:但)?我?(?:不能|无法|没办法|没法|不会)|(?:很|非常)?(?:抱歉|对不起)[,，]\s*(?:但)?(?:作为|我)"
    r"|我(?:不能|无法)(?:提供|帮助|协助|回答|满足|完成|参与|支持|生成|讨论)"
    r"|作为(?:一个|一名)?(?:ai|人工智能|语言模型)[^。]{0,16}(?:不能|无法|没有)|恕(?:我)?(?:难以从命|无法)"
)


_SIGNS = (
    "can't", "cannot", "can not", "won't", "will not", "able to", "sorry", "apolog", "as an ai", "afraid",
    "not comfortable", "n't feel comfortable", "decline", "against my", "not ", "unfortunately",
    "不能", "无法", "抱歉", "对不起", "没", "恕",
)  # fmt: skip
"""One of these stands in every refusal: the pattern is slow, and most answers are none."""


def is_refusal(answer: str) -> bool:
    """Whether the answer begins with what refusals begin with, in English or Chinese."""
    # Models write the curly apostrophe, the pattern has the straight one.
    head = answer[:_LOOKED_AT].lower().replace("’", "'")
    return any(map(head.__contains__, _SIGNS)) and _REFUSALS.search(head) is not None


class Answers(BaseModel):
    empty: int
    whitespace: int
    """Of the empty ones, those that hold spaces or line breaks."""
    one_word: int
    one_word_is_the_task: bool
    refusals: Share
    refusals_in_rejected: int
    """Pairs in which the rejected side refuses and the chosen one does not."""


class AnswerCheck(Check[Answers]):
    name: ClassVar[str] = "answers"
    finds: ClassVar[tuple[str, ...]] = ("empty_answer", "one_word_answer", "refusal")
    shapes: ClassVar[frozenset[Shape]] = ANSWERED

    def __init__(self, asked: Any) -> None:
        super().__init__(asked)
        self._empty = self._whitespace = self._one_word = self._refused = self._in_rejected = 0

    def see(self, batch: Batch) -> None:
        wanted = _are_wanted(batch)
        for place, (part, words) in enumerate(zip(batch.parts, batch.answer_words, strict=True)):
            # An empty side of a pair teaches that silence is good or bad, whichever it is.
            if not part.answer.strip() or (batch.shape is Shape.PREFERENCE and not part.other.strip()):
                self._empty += 1
                self._whitespace += bool(part.answer)
                batch.flag(place, "empty_answer")
                continue
            refused = is_refusal(part.answer)
            self._in_rejected += not refused and bool(part.other) and is_refusal(part.other)
            # What a person marked as bad may be short or refuse: that is what is wrong with it.
            if wanted[place] and len(words) <= 1:
                self._one_word += 1
                batch.flag(place, "one_word_answer")
            if wanted[place] and refused:
                self._refused += 1
                batch.flag(place, "refusal")

    def result(self, rows: Rows) -> Answers:
        # Of a classifier's data every answer is one word, and a finding in each row would say nothing.
        is_the_task = self._one_word > MOSTLY * rows.count
        if is_the_task:
            rows.unflag("one_word_answer")
        return Answers(
            empty=self._empty,
            whitespace=self._whitespace,
            one_word=self._one_word,
            one_word_is_the_task=is_the_task,
            refusals=share(self._refused, rows.count),
            refusals_in_rejected=self._in_rejected,
        )


def _are_wanted(batch: Batch) -> Any:
    """Of each record, whether its answer is one to learn from."""
    if batch.shape is Shape.UNPAIRED_PREFERENCE:
        return [bool(record["label"]) for record in batch.records]
    if batch.shape is Shape.SCORED:
        return [record["score"] > (LOWEST_SCORE + HIGHEST_SCORE) / 2 for record in batch.records]
    return np.ones(len(batch), bool)
