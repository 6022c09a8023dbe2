"""The one catalogue of texts: ``texts/<language>/<area>.json``, keys ``area.name``.

Values of the user, of data and of models are filled in with ``str.format_map``
on *our* sentences only; they are never themselves treated as a template.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

DEFAULT_LANGUAGE = "en"
LANGUAGES = {"en": "English", "zh-CN": "简体中文"}

_FOLDER = Path(__file__).parent


@cache
def catalogue(language: str) -> dict[str, str]:
    """All texts of one language, as ``{"area.name": sentence}``."""
    merged: dict[str, str] = {}
    for file in sorted((_FOLDER / language).glob("*.json")):
        area: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
        merged.update({f"{file.stem}.{name}": sentence for name, sentence in area.items()})
    return merged


class Key(str):
    """A value of a sentence that is a text itself, and is filled in in the sentence's language."""


def text(key: str, language: str = DEFAULT_LANGUAGE, **values: Any) -> str:
    """The sentence of ``key``, with ``values`` filled in.

    A language that lacks the key falls back to English; a key that exists in
    no language raises ``KeyError``, since that is a defect of ours.
    """
    sentence = catalogue(language).get(key) or catalogue(DEFAULT_LANGUAGE)[key]
    if not values:
        return sentence
    values = {
        name: text(str(value), language) if isinstance(value, Key) else value
        for name, value in values.items()
    }
    return _PLURALS.vformat(sentence, (), values) if "|" in sentence else sentence.format_map(values)


class _Plurals(Formatter):
    """Chooses the word that fits a number: ``{n} {n:record|records}``, ``{n:the only one|all {n}}``."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if "|" not in format_spec:
            return str(super().format_field(value, format_spec))
        one, many = format_spec.split("|")
        return one if str(value) == "1" else many


_PLURALS = _Plurals()


def matching_language(header: str | None) -> str:
    """The language of ours that fits a cookie or an Accept-Language header."""
    for part in (header or "").split(","):
        tag = part.split(";")[0].strip().lower()
        if tag.startswith("zh"):
            return "zh-CN"
        if tag.startswith("en"):
            return "en"
    return DEFAULT_LANGUAGE
