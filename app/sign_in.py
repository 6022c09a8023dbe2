"""Our own sign-in page, signing out, and everybody's own account: drawn by the server, usable without scripts."""

from __future__ import annotations

import re
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.access import EVERYONE, PUBLIC, Access, current_user
from app.document import LANGUAGES_SHORT, THEMES
from app.files import asset
from app.gate import ACCOUNT, SIGN_IN, SIGN_OUT, cookie_name, own_page
from app.i18n import COOKIE, cookie, language_of, say
from studio_core import accounts, sign_in, texts
from studio_core.accounts import LOCAL
from studio_core.errors import StudioError
from studio_core.settings import bundled_folder
from studio_core.studio import Studio

_TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
Text = Annotated[str, Form(max_length=2000)]


class SignInPages:
    """The routes of one studio."""

    def __init__(self, studio: Studio, access: Access) -> None:
        self.studio, self.access = studio, access

    def add_to(self, application: Any) -> None:
        """Let everybody reach the sign-in page, and whoever is signed in the others."""
        first = APIRouter()
        first.get(SIGN_IN)(self.ask)
        first.post(SIGN_IN)(self.sign_in)
        application.include_router(self.access.add(first, PUBLIC))
        second = APIRouter()
        second.post(SIGN_OUT)(self.sign_out)
        second.get(ACCOUNT)(self.account)
        second.post(ACCOUNT)(self.change_password)
        second.get("/api/me")(self.me)
        application.include_router(self.access.add(second, EVERYONE))

    def ask(self, request: Request, next: str = "", lang: str = "") -> Response:
        """The sign-in page; whoever needs it no more is sent on."""
        account = sign_in.account_behind(self.studio, request.cookies.get(self._cookie(request)))
        if account is not None or not accounts.any_accounts(self.studio):
            return _go_to(own_page(self.access, account or LOCAL, next))
        return self._page(request, "sign_in", next=next, chosen=lang)

    def sign_in(
        self,
        request: Request,
        name: Text = "",
        password: Text = "",
        next: Text = "",
    ) -> Response:
        try:
            account, fresh = sign_in.sign_in(self.studio, name, password, _address(request))
        except StudioError as error:
            return self._page(request, "sign_in", error, next=next, name=name)
        # Never the session that a browser came with: somebody else may have put it there.
        sign_in.sign_out(self.studio, request.cookies.get(self._cookie(request)))
        wanted = own_page(self.access, account, next)
        return self._with_session(request, ACCOUNT if account.must_change else wanted, fresh)

    def sign_out(self, request: Request) -> Response:
        sign_in.sign_out(self.studio, request.cookies.get(self._cookie(request)))
        response = _go_to(SIGN_IN)
        response.delete_cookie(self._cookie(request), **_cookie_flags(request))
        return response

    def account(self, request: Request, lang: str = "") -> Response:
        return self._page(request, "account", chosen=lang)

    def change_password(
        self,
        request: Request,
        old: Text = "",
        new: Text = "",
        again: Text = "",
    ) -> Response:
        account = current_user(request)
        if account is LOCAL:
            return _go_to("/")
        try:
            if new != again:
                raise StudioError("accounts.password_differs")
            fresh = sign_in.change_password(self.studio, account, old, new, _address(request))
        except StudioError as error:
            return self._page(request, "account", error)
        return self._with_session(request, own_page(self.access, account, ""), fresh)

    def me(self, request: Request) -> dict[str, str]:
        """Who is signed in; a page that is told 401 asks to sign in again."""
        account = current_user(request)
        return {"name": account.name, "role": account.role}

    def _page(
        self, request: Request, page: str, error: StudioError | None = None, chosen: str = "", **values: Any
    ) -> Response:
        language = chosen if chosen in texts.LANGUAGES else language_of(request)
        theme = cookie(request, "theme") or "auto"
        account = current_user(request) if page == "account" else None
        shown = _TEMPLATES.get_template(f"{page}.html").render(
            say=lambda key, **more: say(f"accounts.{key}", language, **more),
            shell=lambda key: say(f"shell.{key}", language),
            language=language,
            languages=LANGUAGES_SHORT.items(),
            theme=theme if theme in THEMES else "auto",
            dark_tokens=_dark_tokens(),
            asset=asset,
            path=request.url.path,
            error=error.sentence(language) if error else "",
            account=account,
            home=self.access.first_page(account) if account else None,
            least=accounts.SHORTEST,
            **values,
        )
        response = HTMLResponse(shown, _status(error), {"Cache-Control": "no-store"})
        if chosen in texts.LANGUAGES:
            response.set_cookie(COOKIE, chosen, max_age=31_536_000, path="/", samesite="strict")
        return response

    def _with_session(self, request: Request, address: str, fresh: str) -> Response:
        response = _go_to(address)
        lasts = int(self.studio.settings.session_hours * 3600)
        response.set_cookie(self._cookie(request), fresh, max_age=lasts, **_cookie_flags(request))
        return response

    def _cookie(self, request: Request) -> str:
        return cookie_name(request, self.studio)


def _cookie_flags(request: Request) -> dict[str, Any]:
    """Sent to this host only, with requests of its own pages only, and out of reach of scripts."""
    secure = request.scope["scheme"] == "https"
    return {"path": "/", "httponly": True, "samesite": "strict", "secure": secure}


def _address(request: Request) -> str:
    """Who asks; uvicorn has put the proxy's word in here, if it is one that is trusted."""
    return request.client.host if request.client else ""


def _go_to(address: str) -> Response:
    return RedirectResponse(address, HTTPStatus.SEE_OTHER)


def _status(error: StudioError | None) -> HTTPStatus:
    if error is None:
        return HTTPStatus.OK
    if isinstance(error, sign_in.LockedOut):
        return HTTPStatus.TOO_MANY_REQUESTS
    return HTTPStatus.UNAUTHORIZED if error.key == "accounts.wrong" else HTTPStatus.BAD_REQUEST


@cache
def _dark_tokens() -> Markup:
    """The dark colours of our style sheet, for a browser without scripts that prefers them."""
    sheet = (bundled_folder() / "css" / "studio.css").read_text(encoding="utf-8")
    block = re.search(r":root\.dark (\{.*?\})", sheet, re.S)
    if block is None:
        raise RuntimeError("studio.css has no dark colours")
    return Markup(block[1])
