"""In which language a text is written.

By script where that decides, by the commonest English words where those do, else by ``py3langid`` on the
first few hundred characters. What is too short to tell is said to be unknown.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

UNKNOWN = ""

# Three or four words: below that languages of one family cannot be told apart.
_FEWEST_LETTERS = 20
# A common word or two: each sign says as much as two or three letters.
_FEWEST_CJK = 4
# A wrong language hides a record from a filter; "unknown" does not.
_SURE = 0.9
# ISO 639-2 for what is no language: code, numbers.
_NO_LANGUAGE = "zxx"

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_HANGUL = re.compile(r"[\uac00-\ud7af]")
_LETTERS = re.compile(r"[^\W\d_]")
# fmt: off
# About a third of any English text, and looked up far quicker than a classifier answers.
_ENGLISH = frozenset((
    "the", "of", "and", "to", "in", "is", "you", "that", "it", "he", "was", "for", "on", "are", "as", "with", "his",
    "they", "at", "be", "this", "have", "from", "or", "had", "by", "but", "what", "all", "were", "we", "when", "your",
    "can", "said", "there", "an", "each", "which", "she", "do", "how", "their", "if", "will",
))
# fmt: on
_ENGLISH_SHARE = 0.17
"""Of the first words; other languages share at most a few of these words."""


def language_of(text: str, words: list[str]) -> str:
    """ISO 639-1 code, or ``""``. ``words`` are the first ones of ``text``."""
    if text.isascii():
        english, all_words = sum(map(_ENGLISH.__contains__, words)), sum(map(str.isalpha, words))
        # Of fewer words one would decide.
        if all_words >= 5 and english >= _ENGLISH_SHARE * all_words:
            return "en"
    else:
        han, kana, hangul = (len(script.findall(text)) for script in (_HAN, _KANA, _HANGUL))
        letters = len(_LETTERS.findall(text))
        # Such a character says as much as two or three letters.
        if han + kana + hangul >= max(_FEWEST_CJK, 0.2 * letters):
            # Japanese always has kana between its Chinese signs; a tenth leaves room for quotations.
            return "ko" if hangul > han + kana else "ja" if kana > 0.1 * (han + kana) else "zh"
    if sum(map(len, words)) < _FEWEST_LETTERS:
        return UNKNOWN
    code, probability = _identifier().classify(text)
    return str(code) if probability >= _SURE and code != _NO_LANGUAGE else UNKNOWN


def likeliest_language(text: str, words: list[str]) -> str:
    """ISO 639-1 code, however unsure; ``""`` only where there is nothing to tell by. For whoever asked for one."""
    sure = language_of(text, words)
    if sure or not _LETTERS.search(text):
        return sure
    code = str(_identifier().classify(text)[0])
    return code if code != _NO_LANGUAGE else UNKNOWN


@cache
def _identifier() -> Any:
    """Loaded when the first text needs it: it takes a second."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
