"""Texts on pages: translated by the browser (``t``) or filled in here (``say``), in one language."""

from __future__ import annotations

import hashlib
from typing import Any

from gradio import I18n
from gradio.i18n import I18nData
from starlette.requests import Request

from studio_core import texts

COOKIE = "lang"

_combined: dict[str, dict[str, str]] = {language: {} for language in texts.LANGUAGES}


def t(key: str) -> I18nData:
    """A label, button or other fixed text, in the reader's language. An unknown key raises ``KeyError``."""
    texts.catalogue(texts.DEFAULT_LANGUAGE)[key]
    return I18nData(key)


def combined(template: str, *keys: str) -> I18nData:
    """Several texts in one label, such as ``combined("{} ({})", "methods.batch", "methods.unit.rows")``.

    Gradio translates a label only as a whole, so that the whole gets a key of its own.
    """
    # Gradio's script finds a key by its braces: ours must have none.
    name = "combined." + hashlib.sha256(repr((template, keys)).encode()).hexdigest()[:16]
    for language in texts.LANGUAGES:
        _combined[language][name] = template.format(*(texts.text(key, language) for key in keys))
    return I18nData(name)


def catalogue(language: str) -> dict[str, str]:
    """All that the browser needs to translate labels into one language."""
    english = texts.catalogue(texts.DEFAULT_LANGUAGE)
    return {**english, **texts.catalogue(language), **_combined[language]}


def say(key: str, language: str, **values: Any) -> str:
    """A sentence with values filled in. The values are not escaped: see ``parts.html``."""
    return texts.text(key, language, **values)


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
