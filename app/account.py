"""Everybody's own account: the password, codes of an authenticator app, and where one is signed in."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from itsdangerous import BadSignature, TimestampSigner
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from app import door
from app.access import EVERYONE, Access, current_user
from app.gate import ACCOUNT, cookie_name, own_page
from app.i18n import language_of
from app.parts.html import NOTHING, ago
from app.sign_in import Text, address_of, status_of, with_session
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.studio import Studio
from studio_core.people import accounts, second_factor, sign_in
from studio_core.people.accounts import LOCAL, Account

_SET_UP_SECONDS = 900
"""For scanning a code and typing another: a form that lay open for longer is asked for anew."""


@dataclass(frozen=True)
class SessionRow:
    """A session as its owner tells it from others."""

    browser: str
    agent: str
    """The same in the browser's own words."""
    address: str
    seen: Markup
    here: bool


_BROWSERS = {"Edg": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
_SYSTEMS = ("Windows", "Android", "iPhone", "iPad", "Mac OS X", "CrOS", "Linux")
"""By a word of the User-Agent; the first one that is in it, since most name others too, to be let in."""


def browser_name(agent: str) -> str:
    """Such as ``Firefox · Windows``; of others the User-Agent itself."""
    browser = next((name for word, name in _BROWSERS.items() if word in agent), None)
    system = next((name for name in _SYSTEMS if name in agent), None)
    return f"{browser} · {system}" if browser and system else agent or NOTHING


class AccountPages:
    """The routes of one studio."""

    def __init__(self, studio: Studio, access: Access) -> None:
        self.studio, self.access = studio, access
        key = sign_in.secret_key(studio.settings.home)
        # With a salt of its own: what is signed here fits no cookie.
        self._signer = TimestampSigner(key, salt="tunesmith.second-factor")

    def add_to(self, application: Any) -> None:
        router = APIRouter()
        router.get(ACCOUNT)(self.account)
        router.post(ACCOUNT)(self.change_password)
        router.post(f"{ACCOUNT}/codes")(self.begin_codes)
        router.post(f"{ACCOUNT}/codes/on")(self.codes_on)
        router.post(f"{ACCOUNT}/codes/off")(self.codes_off)
        router.post(f"{ACCOUNT}/sessions/end")(self.end_others)
        router.get("/api/me")(self.me)
        application.include_router(self.access.add(router, EVERYONE))

    def account(self, request: Request) -> Response:
        return self._page(request)

    def change_password(self, request: Request, old: Text = "", new: Text = "", again: Text = "") -> Response:
        account = current_user(request)
        if account is LOCAL:
            return _back("/")
        try:
            if new != again:
                raise StudioError("accounts.password_differs")
            fresh = sign_in.change_password(
                self.studio, account, old, new, address_of(request), request.headers.get("user-agent", "")
            )
        except StudioError as error:
            return self._page(request, error)
        # The new password ended what this browser was known by.
        return with_session(request, self.studio, own_page(self.access, account, ""), account, fresh)

    def begin_codes(self, request: Request, password: Text = "") -> Response:
        """Whoever gives the password gets a new secret to scan; nothing is kept until a code of it comes back."""
        # Whoever finds an open browser must not bind the account to their own telephone.
        refused = self._refused(request, password)
        return refused or self._set_up(request, current_user(request), second_factor.new_secret())

    def codes_on(self, request: Request, offer: Text = "", code: Text = "") -> Response:
        account = current_user(request)
        try:
            secret = self._offered(account, offer)
        except StudioError as error:
            return self._page(request, error)
        try:
            second_factor.switch_on(self.studio, account, secret, code)
        except StudioError as error:
            return self._set_up(request, account, secret, error)
        return _back(ACCOUNT)

    def codes_off(self, request: Request, password: Text = "") -> Response:
        if (refused := self._refused(request, password)) is not None:
            return refused
        second_factor.switch_off(self.studio, current_user(request).name)
        return _back(ACCOUNT)

    def _refused(self, request: Request, password: str) -> Response | None:
        """The answer to whoever did not give the own password; None if it is right."""
        account = current_user(request)
        if account is LOCAL:
            return _back("/")
        try:
            sign_in.confirm(self.studio, account, password, address_of(request))
        except StudioError as error:
            return self._page(request, error)
        return None

    def end_others(self, request: Request) -> Response:
        sign_in.end_others(self.studio, current_user(request), self._cookie(request))
        return _back(ACCOUNT)

    def me(self, request: Request) -> dict[str, str]:
        """Who is signed in; a page that is told 401 asks to sign in again."""
        account = current_user(request)
        return {"name": account.name, "role": account.role}

    def _set_up(
        self, request: Request, account: Account, secret: str, error: StudioError | None = None
    ) -> Response:
        # With whom it was made for, and in the form and not in the database:
        # nothing is kept of what is not confirmed.
        offer = self._signer.sign(f"{account.id}.{secret}").decode()
        picture = Markup(second_factor.picture(account, secret))  # Drawn by us, of letters and digits alone.
        return self._page(request, error, offer=offer, secret=secret, picture=picture)

    def _offered(self, account: Account, offer: str) -> str:
        """The secret that this account was shown not long ago."""
        try:
            signed = self._signer.unsign(offer, max_age=_SET_UP_SECONDS).decode()
        except (BadSignature, UnicodeDecodeError) as error:
            raise BadInput("accounts.codes_offer_old") from error
        owner, _, secret = signed.partition(".")
        if owner != str(account.id):
            raise BadInput("accounts.codes_offer_old")
        return secret

    def _page(self, request: Request, error: StudioError | None = None, **values: Any) -> Response:
        account = current_user(request)
        more = {
            "account": account,
            "home": self.access.first_page(account),
            "least": accounts.SHORTEST,
            "codes": account.id is not None
            and accounts.find(self.studio, account.name).totp_secret is not None,
            "sessions": self._sessions(request, account),
            **values,
        }
        return door.page(request, "account", status_of(error), error, **more)

    def _sessions(self, request: Request, account: Account) -> list[SessionRow]:
        language, cookie = language_of(request), self._cookie(request)
        return [
            SessionRow(
                browser=browser_name(opened.browser or ""),
                agent=opened.browser or "",
                address=opened.address or "–",
                seen=ago(opened.seen_at, language),
                here=sign_in.is_session(self.studio, cookie, opened),
            )
            for opened in sign_in.sessions(self.studio, account)
        ]

    def _cookie(self, request: Request) -> str | None:
        return request.cookies.get(cookie_name(request, self.studio))


def _back(address: str) -> Response:
    return RedirectResponse(address, HTTPStatus.SEE_OTHER)
