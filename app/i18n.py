"""Texts on pages: translated by the browser (``t``) or filled in here (``say``), in one language."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from gradio import I18n
from gradio.i18n import I18nData
from markupsafe import escape
from starlette.requests import Request

from studio_core import texts

COOKIE = "lang"

# How Gradio writes a text that its script is to translate, also within a longer one.
_MARK = re.compile(r'__i18n__\{"__type__": "translation_metadata", "key": "([\w.-]+)"\}')

_combinations: dict[str, dict[str, str]] = {language: {} for language in texts.LANGUAGES}


def t(key: str) -> I18nData:
    """A label, button or other fixed text, in the reader's language. An unknown key raises ``KeyError``."""
    texts.catalogue(texts.DEFAULT_LANGUAGE)[key]
    return I18nData(key)


def combined(template: str, *keys: str) -> I18nData:
    """Several texts in one label, such as ``combined("{} ({})", "methods.batch", "options.unit.rows")``.

    Gradio translates a label only as a whole, so that the whole gets a key of its own.
    """
    # Gradio's script finds a key by its braces: ours must have none.
    # 64 bits of a hash: the same label has the same key in every process.
    name = "combined." + hashlib.sha256(repr((template, keys)).encode()).hexdigest()[:16]
    for language in texts.LANGUAGES:
        _combinations[language][name] = template.format(*(texts.text(key, language) for key in keys))
    return I18nData(name)


def in_html(key: str) -> str:
    """A fixed text as a part of HTML: the place of a text of its own, which is escaped."""
    name = f"html.{key}"
    for language in texts.LANGUAGES:
        _combinations[language][name] = str(escape(texts.text(key, language)))
    return str(I18nData(name))


def catalogue(language: str) -> dict[str, str]:
    """All labels in one language, as Gradio knows them."""
    english = texts.catalogue(texts.DEFAULT_LANGUAGE)
    return {**english, **texts.catalogue(language), **_combinations[language]}


def translated(value: Any, language: str) -> Any:
    """``value``, as a page would be sent it, with each text that the browser was to translate in ``language``."""
    if isinstance(value, str):
        return (
            _MARK.sub(lambda mark: label_text(mark[1], language) or mark[0], value)
            if "__i18n__" in value
            else value
        )
    if isinstance(value, I18nData):
        return label_text(value.key, language) or value
    if isinstance(value, dict):
        return {name: translated(one, language) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [translated(one, language) for one in value]
    return value


def label_text(key: str, language: str) -> str | None:
    """What a label says; None if nothing of ours has that key."""
    # A text that is missing in one language is better in English than as a key.
    own = texts.catalogue(language).get(key) or _combinations[language].get(key)
    return own or texts.catalogue(texts.DEFAULT_LANGUAGE).get(key)


def say(key: str, language: str, **values: Any) -> str:
    """A sentence with values filled in. The values are not escaped: see ``parts.html``."""
    return texts.text(key, language, **values)


Phrase = Callable[..., str]
"""``say`` for one area and one language: takes the rest of a text's key, and its values."""


def phrases(area: str, language: str) -> Phrase:
    """``phrases("labeling.arena_", language)("pairs", n=3)`` says ``labeling.arena_pairs``."""

    def phrase(key: str, **values: Any) -> str:
        return say(area + key, language, **values)

    return phrase


def language_of(request: Any) -> str:
    """The language that a reader chose (cookie ``lang``), or that the browser prefers.

    Takes a request of Gradio or of Starlette; without one, English.
    """
    if request is None:
        return texts.DEFAULT_LANGUAGE
    chosen = cookie(request, COOKIE) or _plain(request).headers.get("accept-language")
    return texts.matching_language(chosen)


def cookie(request: Any, name: str) -> str | None:
    """What the browser keeps for us under that name."""
    value: str | None = _plain(request).cookies.get(name)
    return value


def _plain(request: Any) -> Request:
    """Starlette's request, which Gradio wraps."""
    return getattr(request, "request", None) or request


def translations() -> I18n:
    """Both catalogues as Gradio wants them."""
    return I18n(**{language: catalogue(language) for language in texts.LANGUAGES})
