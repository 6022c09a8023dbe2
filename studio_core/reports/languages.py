"""In which languages records are written.

By script where that decides, by the commonest English words where those do, else by ``py3langid`` on the
first few hundred characters. What is too short to tell is said to be unknown.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel

from studio_core.reports.batch import Batch
from studio_core.reports.check import Check, Rows

UNKNOWN = ""

_LOOKED_AT = 160
_WORDS_LOOKED_AT = 50
_LONG_ENOUGH = 60
_FEWEST_LETTERS = 20
_FEWEST_CJK = 4
_SURE = 0.9
_NO_LANGUAGE = "zxx"

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_HANGUL = re.compile(r"[\uac00-\ud7af]")
_LETTERS = re.compile(r"[^\W\d_]")
# fmt: off
_ENGLISH = frozenset((
    "the", "of", "and", "to", "in", "is", "you", "that", "it", "he", "was", "for", "on", "are", "as", "with", "his",
    "they", "at", "be", "this", "have", "from", "or", "had", "by", "but", "what", "all", "were", "we", "when", "your",
    "can", "said", "there", "an", "each", "which", "she", "do", "how", "their", "if", "will",
))
# fmt: on
_ENGLISH_SHARE = 0.17
"""Of the first words; other languages share at most a few of these words."""


class Languages(BaseModel):
    rows: dict[str, int]
    """By ISO 639-1 code, most frequent first; ``""``: too short or too mixed to tell."""


class LanguageCheck(Check[Languages]):
    name: ClassVar[str] = "languages"

    def __init__(self, asked: Any) -> None:
        super().__init__(asked)
        self.codes: list[str] = []
        self._rows: Counter[str] = Counter()

    def see(self, batch: Batch) -> None:
        sides = zip(batch.parts, batch.answer_words, batch.prompt_words, strict=True)
        found = []
        for part, answer, prompt in sides:
            code = _of(part.answer, answer) if len(part.answer) >= _LONG_ENOUGH else UNKNOWN
            # A short answer, or one of formulas, is in the language of what was asked.
            found.append(code or _of(f"{part.prompt}\n{part.answer}", prompt + answer))
        self._rows.update(found)
        for code in found:
            if code not in self.codes:
                self.codes.append(code)
        batch.columns["language"] = np.array([self.codes.index(code) for code in found], np.int16)

    def result(self, rows: Rows) -> Languages:
        return Languages(rows=dict(self._rows.most_common()))


def _of(text: str, words: list[str]) -> str:
    return language_of(text[:_LOOKED_AT], words[:_WORDS_LOOKED_AT])


def language_of(text: str, words: list[str]) -> str:
    """ISO 639-1 code, or ``""``. ``words`` are the first ones of ``text``."""
    if text.isascii():
        english, all_words = sum(map(_ENGLISH.__contains__, words)), sum(map(str.isalpha, words))
        if all_words >= 5 and english >= _ENGLISH_SHARE * all_words:
            return "en"
    else:
        han, kana, hangul = (len(script.findall(text)) for script in (_HAN, _KANA, _HANGUL))
        letters = len(_LETTERS.findall(text))
        # Such a character says as much as two or three letters.
        if han + kana + hangul >= max(_FEWEST_CJK, 0.2 * letters):
            return "ko" if hangul > han + kana else "ja" if kana > 0.1 * (han + kana) else "zh"
    if sum(map(len, words)) < _FEWEST_LETTERS:
        return UNKNOWN
    code, probability = _identifier().classify(text)
    return str(code) if probability >= _SURE and code != _NO_LANGUAGE else UNKNOWN


@cache
def _identifier() -> Any:
    """Loaded when the first text needs it: it takes a second."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
