"""The HTML document around each page: head, navigation, switches. It takes the place of Gradio's own.

Drawn by the server, so that the navigation is there at once and in the reader's
language, which Gradio itself can neither translate nor keep.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import gradio.routes
from jinja2 import ChoiceLoader, DictLoader
from starlette.requests import Request

from app.access import STAFF, Access, current_user
from app.files import GRADIO_FRONTEND, asset
from app.i18n import catalogue, language_of, say
from studio_core.accounts import Account
from studio_core.settings import bundled_folder

THEMES = ("auto", "light", "dark")
_OURS = Path(__file__).with_name("page.html")
LANGUAGES_SHORT = {"en": "EN", "zh-CN": "中文"}


@dataclass(frozen=True)
class Link:
    name: str
    path: str
    label: str


@dataclass(frozen=True)
class Shell:
    """What the document says besides the page itself."""

    language: str
    theme: str
    current: str
    """Name of the page."""
    title: str
    pages: Sequence[Link]
    styles: Sequence[str]
    account: Account
    """Who reads the page."""
    works: bool
    """Whether they may know what the queue is doing."""
    languages = tuple(LANGUAGES_SHORT.items())
    themes = THEMES

    @property
    def account_title(self) -> str:
        role = say(f"accounts.role_{self.account.role}", self.language)
        return say("accounts.signed_in_as", self.language, name=self.account.name, role=role)

    def say(self, key: str) -> str:
        return say(key if "." in key else f"shell.{key}", self.language)


def install(pages: Sequence[tuple[str, str, str]], access: Access) -> None:
    """Make Gradio answer with our document. ``pages``: name and path of each, and under which it belongs."""

    def shell_of(request: Request, config: dict[str, Any]) -> Shell:
        language = language_of(request)
        account = current_user(request)
        links = [
            Link(name, path, say(f"shell.nav_{name}", language))
            for name, path, within in pages
            if within == name and access.may_run(account, [path])
        ]
        opened = f"/{config.get('current_page', '')}"
        page, within = next(
            ((name, within) for name, path, within in pages if path == opened), ("home", "home")
        )
        theme = request.cookies.get("theme", "auto")
        title = f"{say(f'shell.nav_{page}', language)} · Tunesmith"
        # Gradio's script sets the title again from here, and needs the texts of one language only.
        config["title"] = title
        config["i18n_translations"] = {language: catalogue(language)}
        return Shell(
            language=language,
            theme=theme if theme in THEMES else "auto",
            current=within,
            title=title,
            pages=links,
            styles=[*_styles(within), *(_styles(page) if page != within else [])],
            account=account,
            works=account.role in STAFF,
        )

    environment = gradio.routes.templates.env
    source = _OURS.read_text(encoding="utf-8")
    environment.loader = ChoiceLoader([DictLoader({"frontend/index.html": source}), _gradio_loader()])
    environment.globals.update(shell_of=shell_of, asset=asset, gradio=gradio_entry())


@cache
def _gradio_loader() -> Any:
    return gradio.routes.templates.env.loader


def gradio_entry() -> dict[str, str]:
    """Addresses of the script and the style sheet that start Gradio, as its own document names them."""
    document = (GRADIO_FRONTEND / "index.html").read_text(encoding="utf-8")
    script = re.search(r'<script type="module" crossorigin src="([^"]+)"', document)
    style = re.search(r'<link rel="stylesheet" crossorigin href="([^"]+)"', document)
    if script is None or style is None:
        raise RuntimeError("Gradio's document has changed: its script or style sheet was not found")
    return {"script": script[1], "style": style[1]}


def _styles(page: str) -> list[str]:
    """A page's own style sheet, ``static/css/<page>.css``, if it has one."""
    name = f"css/{page}.css"
    return [asset(name)] if (bundled_folder() / name).is_file() else []
