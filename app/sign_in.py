"""Our own sign-in page, and signing out."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app import door
from app.access import EVERYONE, PUBLIC, Access
from app.gate import ACCOUNT, SIGN_IN, SIGN_OUT, cookie_flags, cookie_name, own_page
from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio
from studio_core.people import accounts, second_factor, sign_in
from studio_core.people.accounts import LOCAL, Account
from studio_core.people.sign_in_failures import DEVICE_DAYS

# Above the longest password (256) and any address to go on to.
Text = Annotated[str, Form(max_length=2000)]


class SignInPages:
    """The routes of one studio."""

    def __init__(self, studio: Studio, access: Access) -> None:
        self.studio, self.access = studio, access

    def add_to(self, application: Any) -> None:
        """Let everybody reach the sign-in page, and whoever is signed in the way out."""
        first = APIRouter()
        first.get(SIGN_IN)(self.ask)
        first.post(SIGN_IN)(self.sign_in)
        application.include_router(self.access.add(first, PUBLIC))
        second = APIRouter()
        second.post(SIGN_OUT)(self.sign_out)
        application.include_router(self.access.add(second, EVERYONE))

    def ask(self, request: Request, next: str = "") -> Response:
        """The sign-in page; whoever needs it no more is sent on."""
        account = sign_in.account_behind(self.studio, request.cookies.get(cookie_name(request, self.studio)))
        if account is not None or not accounts.any_accounts(self.studio):
            return _go_to(own_page(self.access, account or LOCAL, next))
        return self._page(request, next=next)

    def sign_in(
        self,
        request: Request,
        name: Text = "",
        password: Text = "",
        code: Text = "",
        next: Text = "",
    ) -> Response:
        try:
            account, fresh = sign_in.sign_in(
                self.studio,
                name,
                password,
                address_of(request),
                code=code,
                device=request.cookies.get(device_cookie_name(request, self.studio)),
                browser=request.headers.get("user-agent", ""),
            )
        except StudioError as error:
            return self._page(request, error, next=next, name=name)
        # Never the session that a browser came with: somebody else may have put it there.
        sign_in.sign_out(self.studio, request.cookies.get(cookie_name(request, self.studio)))
        wanted = own_page(self.access, account, next)
        address = ACCOUNT if account.must_change else wanted
        return with_session(request, self.studio, address, account, fresh)

    def sign_out(self, request: Request) -> Response:
        sign_in.sign_out(self.studio, request.cookies.get(cookie_name(request, self.studio)))
        response = _go_to(SIGN_IN)
        response.delete_cookie(cookie_name(request, self.studio), **cookie_flags(request))
        return response

    def _page(self, request: Request, error: StudioError | None = None, **values: Any) -> Response:
        asks_code = second_factor.anybody(self.studio)
        return door.page(request, "sign_in", status_of(error), error, asks_code=asks_code, **values)


def with_session(request: Request, studio: Studio, address: str, account: Account, fresh: str) -> Response:
    """On to a page of one's own, with a new session, in a browser that is known from now on."""
    response = _go_to(address)
    lasts = int(studio.settings.session_hours * 3600)
    response.set_cookie(cookie_name(request, studio), fresh, max_age=lasts, **cookie_flags(request))
    # It outlives the session: it opens nothing, and only keeps strangers' failures from slowing its owner.
    known, days = sign_in.device_cookie(studio, account), DEVICE_DAYS * 86_400
    response.set_cookie(device_cookie_name(request, studio), known, max_age=days, **cookie_flags(request))
    return response


def device_cookie_name(request: Request, studio: Studio) -> str:
    """Where a browser keeps what it is known by; it stays when somebody signs out."""
    return f"{cookie_name(request, studio)}-device"


def address_of(request: Request) -> str:
    """Who asks; uvicorn has put the proxy's word in here, if it is one that is trusted."""
    return request.client.host if request.client else ""


def status_of(error: StudioError | None) -> HTTPStatus:
    if error is None:
        return HTTPStatus.OK
    if isinstance(error, sign_in.LockedOut):
        return HTTPStatus.TOO_MANY_REQUESTS
    # 401 only for what a person can type right; programs that save passwords go by it.
    wrong = ("accounts.wrong", "accounts.code_needed", "accounts.code_wrong")
    return HTTPStatus.UNAUTHORIZED if error.key in wrong else HTTPStatus.BAD_REQUEST


def _go_to(address: str) -> Response:
    return RedirectResponse(address, HTTPStatus.SEE_OTHER)
