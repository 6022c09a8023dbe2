"""The HTML document around each page: head, navigation, switches. It takes the place of Gradio's own.

Drawn by the server, so that the navigation is there at once and in the reader's
language, which Gradio itself can neither translate nor keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import gradio.routes
from gradio.blocks import Blocks
from jinja2 import ChoiceLoader, DictLoader
from markupsafe import Markup
from starlette.requests import Request

from app import gradio_assets, mounting
from app.access import STAFF, Access, current_user
from app.drawing import draw_page
from app.files import asset
from app.i18n import language_of, say, translated
from studio_core.base.settings import bundled_folder
from studio_core.people.accounts import Account

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
    gradio_styles: Sequence[str]
    """Of the components that the page has."""
    early: Markup
    """What stands on the page until Gradio's script has drawn it."""
    languages = tuple(LANGUAGES_SHORT.items())
    themes = THEMES

    @property
    def account_title(self) -> str:
        role = say(f"accounts.role_{self.account.role}", self.language)
        return say("accounts.signed_in_as", self.language, name=self.account.name, role=role)

    def say(self, key: str) -> str:
        return say(key if "." in key else f"shell.{key}", self.language)


def install(demo: Blocks, pages: Sequence[tuple[str, str, str]], access: Access) -> None:
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
        # A page that nobody knows is drawn as the start page; the gate has refused it before.
        page, within = next(
            ((name, within) for name, path, within in pages if path == opened), ("home", "home")
        )
        theme = request.cookies.get("theme", "auto")
        title = f"{say(f'shell.nav_{page}', language)} · Tunesmith"
        config["title"] = title  # Gradio's script sets it again from here.
        mounting.fill(demo, config, request)
        # Gradio's script looks here first, and knows of no other page.
        page_now = {
            "layout": config["layout"],
            "components": [one["id"] for one in config["components"]],
            "dependencies": [one["id"] for one in config["dependencies"]],
        }
        config["page"] = {config["current_page"]: {**config["page"][config["current_page"]], **page_now}}
        # Labels are put in here, so that no document carries the texts of all pages.
        config["components"] = translated(config["components"], language)
        config["i18n_translations"] = {language: {}}
        return Shell(
            language=language,
            theme=theme if theme in THEMES else "auto",
            current=within,
            title=title,
            pages=links,
            styles=[*_styles(within), *(_styles(page) if page != within else [])],
            account=account,
            works=account.role in STAFF,
            gradio_styles=gradio_assets.styles(str(one["type"]) for one in config["components"]),
            # After the labels are in the reader's language, of which it is drawn.
            early=draw_page(config),
        )

    environment = gradio.routes.templates.env
    source = _OURS.read_text(encoding="utf-8")
    # Ours under Gradio's name; all other templates stay its own.
    environment.loader = ChoiceLoader([DictLoader({"frontend/index.html": source}), _gradio_loader()])
    environment.globals.update(shell_of=shell_of, asset=asset, gradio=gradio_assets.entry())


@cache
def _gradio_loader() -> Any:
    return gradio.routes.templates.env.loader


def _styles(page: str) -> list[str]:
    """A page's own style sheet, ``static/css/<page>.css``, if it has one."""
    name = f"css/{page}.css"
    return [asset(name)] if (bundled_folder() / name).is_file() else []
