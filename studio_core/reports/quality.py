"""A mark from 0 to 1 for how well made an answer is, by rules; of plain text the text, without answers the prompt.

The mark is the product of five parts, each from 0 to 1:

    length       1 from five words on, else a fifth for each word; a prompt may be as short as it likes, and where
                 most answers are that short, a low mark is no finding
    variety      1 where words vary as they do in natural text, 0 where the same ones come again and again:
                 (log distinct words / log words - 0.5) / 0.25, for texts of 20 words or more
    letters      1 where at least half of the visible characters are letters or digits, 0 below a fifth
    end          0.7 where a text of 30 words or more ends in the middle of a sentence
    cleanness    0.5 where leftovers of web pages or broken encodings stand in it; 0.8 for filler text and for
                 phrases that assistants pad their answers with

It says nothing of whether an answer is true. A judge does (``data select``).
"""

from __future__ import annotations

import math
import re
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel

from studio_core.data.shapes import Shape
from studio_core.reports.batch import Batch
from studio_core.reports.check import ANSWERED, Check, Rows
from studio_core.reports.statistics import Distribution, marks

# One bad part of the five is enough: 0.5 for leftovers of a page, or half of the words that vary.
LOW = 0.5
"""Below this mark a record is a finding."""

PARTS = ("length", "variety", "letters", "end", "cleanness")

_LEFTOVERS = re.compile(r"&(?:nbsp|amp|quot|lt|gt|#\d{1,7});|</?(?:br|p|div|span|font)\b")
# UTF-8 that was read as Latin-1, and the Chinese signs that come of reading it twice.
_BROKEN = ("\ufffd", "â€", "Ã©", "Ã¨", "Ã¤", "Ã¶", "Ã¼", "锟斤拷")
_PADDING = (
    "as an ai language model", "as an ai model", "i hope this helps", "i hope that helps", "is there anything else",
    "lorem ipsum", "作为一个ai", "作为ai", "希望这对你有帮助", "希望以上内容对您有帮助",
)  # fmt: skip
# A letter or comma at the very end; in Chinese only commas, since titles there end without a mark, too.
_UNFINISHED = re.compile(r"[A-Za-z,;，、；]$")
_ITEM = re.compile(r"\s*(?:[-*•+|#>]|\d+[.)]|```|\$)")


class Quality(BaseModel):
    marks: Distribution
    low: int
    weak: dict[str, int]
    """Of the low ones, by the part that cost the most."""


class QualityCheck(Check[Quality]):
    name: ClassVar[str] = "quality"
    finds: ClassVar[tuple[str, ...]] = ("low_quality",)

    def __init__(self, asked: Any) -> None:
        super().__init__(asked)
        self._weak = dict.fromkeys(PARTS, 0)

    def see(self, batch: Batch) -> None:
        prompts = batch.shape is Shape.PROMPT_ONLY
        all_words = batch.prompt_words if prompts else batch.answer_words
        found = np.empty(len(batch), np.float32)
        for place, (part, words) in enumerate(zip(batch.parts, all_words, strict=True)):
            parts = marks_of(part.prompt if prompts else part.answer, words)
            if prompts and words:
                # A prompt of one word is a prompt.
                parts = (1.0, *parts[1:])
            found[place] = mark = math.prod(parts)
            if mark < LOW:
                # The part that cost the most is what a person has to look at.
                self._weak[PARTS[parts.index(min(parts))]] += 1
                batch.flag(place, "low_quality")
        batch.columns["quality"] = found

    def result(self, rows: Rows) -> Quality:
        # Five words, where the mark for length begins to fall.
        if self.asked.shape in ANSWERED and float(np.median(rows["words"])) < 5:
            # Short answers are the task here.
            rows.unflag("low_quality")
            self._weak.clear()
        return Quality(
            marks=marks(rows["quality"]),
            low=len(rows.with_finding("low_quality")),
            weak={name: count for name, count in self._weak.items() if count},
        )


def quality(text: str, words: list[str]) -> float:
    """The mark; ``words`` are those of ``text``."""
    return math.prod(marks_of(text, words))


def marks_of(text: str, words: list[str]) -> tuple[float, float, float, float, float]:
    """The five parts of the mark."""
    count = len(words)
    if not count:
        # Nothing is said: the length alone is at fault, and the others have nothing to judge.
        return 0.0, 1.0, 1.0, 1.0, 1.0
    length = min(1.0, count / 5)
    variety = 1.0
    # In fewer words the same one twice already weighs too much.
    if count >= 20:
        variety = _between(math.log(len(set(words))) / math.log(count), 0.5, 0.75)
    visible = len(text) - text.count(" ") - text.count("\n")
    # Code and tables have many other signs and are above a half all the
    # same; rows of dashes are below a fifth.
    letters = _between(sum(map(len, words)) / max(visible, 1), 0.2, 0.5)
    end = 0.7 if count >= 30 and _breaks_off(text) else 1.0
    return length, variety, letters, end, _cleanness(text)


def _cleanness(text: str) -> float:
    if ("&" in text or "<" in text) and _LEFTOVERS.search(text):
        return 0.5
    if not text.isascii() and any(map(text.__contains__, _BROKEN)):
        return 0.5
    return 0.8 if any(map(text.lower().__contains__, _PADDING)) else 1.0


def _between(value: float, bottom: float, top: float) -> float:
    return min(1.0, max(0.0, (value - bottom) / (top - bottom)))


def _breaks_off(text: str) -> bool:
    """The last line ends without a mark, and is no item of a list, no table, no code."""
    text = text.rstrip()
    if not _UNFINISHED.search(text[-1:]):
        return False
    last = text[text.rfind("\n") + 1 :]
    # A short last line is a signature, a heading or a name.
    return not _ITEM.match(last) and len(last) > 40
