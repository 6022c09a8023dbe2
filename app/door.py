"""The pages in front of the studio: signing in, one's account, the token, a shared run. Drawn by the server."""

from __future__ import annotations

import re
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from app.document import LANGUAGES_SHORT, THEMES
from app.files import asset
from app.i18n import COOKIE, cookie, language_of, say
from studio_core import texts
from studio_core.base.errors import StudioError
from studio_core.base.settings import bundled_folder

# Escaping on: names and addresses in these pages come from browsers.
_TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)


def page(
    request: Request, template: str, status: HTTPStatus, error: StudioError | None = None, /, **values: Any
) -> Response:
    """The page of a template, in the reader's language or the one that ``?lang=`` chooses."""
    chosen, language = request.query_params.get("lang", ""), language_for(request)
    theme = cookie(request, "theme") or "auto"
    shown = _TEMPLATES.get_template(f"{template}.html").render(
        say=lambda key, **more: say(f"accounts.{key}", language, **more),
        shell=lambda key: say(f"shell.{key}", language),
        notices=lambda key: say(f"notices.{key}", language),
        language=language,
        languages=LANGUAGES_SHORT.items(),
        theme=theme if theme in THEMES else "auto",
        dark_tokens=_dark_tokens(),
        asset=asset,
        path=request.url.path,
        error=error.sentence(language) if error else "",
        **values,
    )
    # A back button must not show what somebody had typed.
    response = HTMLResponse(shown, status, {"Cache-Control": "no-store"})
    if chosen in texts.LANGUAGES:
        # A year, in seconds.
        response.set_cookie(COOKIE, chosen, max_age=31_536_000, path="/", samesite="strict")
    return response


def language_for(request: Request) -> str:
    """The language that ``?lang=`` chooses, or the reader's."""
    chosen = request.query_params.get("lang", "")
    return chosen if chosen in texts.LANGUAGES else language_of(request)


@cache
def _dark_tokens() -> Markup:
    """The dark colours of our style sheet, for a browser without scripts that prefers them."""
    sheet = (bundled_folder() / "css" / "studio.css").read_text(encoding="utf-8")
    block = re.search(r":root\.dark (\{.*?\})", sheet, re.S)
    if block is None:
        raise RuntimeError("studio.css has no dark colours")
    return Markup(block[1])
