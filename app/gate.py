"""Behind the guard: who sends a request, and whether it is theirs to send.

Everything but the sign-in page, static files and ``/health`` needs a session as soon as
there is one account, on this machine too. Without accounts everybody who gets past the
guard, which lets in this machine only, is the local user.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from anyio import CapacityLimiter, to_thread
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access import PUBLIC, Access, enter
from app.guard import Refused
from app.parts.html import html
from studio_core import accounts, sign_in
from studio_core.accounts import LOCAL, Account
from studio_core.studio import Studio

log = logging.getLogger("tunesmith.web")

SIGN_IN, SIGN_OUT, ACCOUNT = "/sign-in", "/sign-out", "/account"


class Gate:
    """Plain ASGI, as the guard is."""

    def __init__(self, app: ASGIApp, studio: Studio, access: Access) -> None:
        self.app, self.studio, self.access = app, studio, access
        self._closed = False
        # Own threads: a handler that takes long must not keep others from being known.
        self._threads = CapacityLimiter(4)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        roles = self.access.roles_for(scope["path"])
        if roles is None:
            raise Refused(HTTPStatus.NOT_FOUND, "shell.refused_path")
        if roles == PUBLIC:
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        account = await to_thread.run_sync(self._who, request, limiter=self._threads)
        if account is None:
            await self._ask_to_sign_in(request, receive, send)
            return
        enter(scope, account, self.access)
        elsewhere = self._elsewhere(account, scope["path"])
        if elsewhere and scope["method"] in ("GET", "HEAD"):
            await RedirectResponse(elsewhere, HTTPStatus.SEE_OTHER)(scope, receive, send)
        elif elsewhere or account.role not in roles:
            raise Refused(HTTPStatus.FORBIDDEN, "accounts.not_yours")
        else:
            await self.app(scope, receive, send if account is LOCAL else _not_kept(send))

    def _who(self, request: Request) -> Account | None:
        account = sign_in.account_behind(self.studio, request.cookies.get(cookie_name(request, self.studio)))
        # Accounts are never deleted: once there was one, there is no need to ask again.
        self._closed = self._closed or account is not None or accounts.any_accounts(self.studio)
        return account if self._closed else LOCAL

    def _elsewhere(self, account: Account, path: str) -> str | None:
        """Where to send somebody who has to choose a password, or whose start page is another one."""
        if path in (ACCOUNT, SIGN_OUT):
            return None
        if account.must_change:
            return ACCOUNT
        if path == "/" and account.role not in self.access.pages["/"]:
            return self.access.first_page(account) or ACCOUNT
        return None

    async def _ask_to_sign_in(self, request: Request, receive: Receive, send: Send) -> None:
        path, query = request.url.path.rstrip("/") or "/", request.url.query
        if request.method not in ("GET", "HEAD") or path not in {*self.access.pages, ACCOUNT}:
            raise Refused(HTTPStatus.UNAUTHORIZED, "accounts.sign_in_first")
        wanted = f"{path}?{query}" if query else path
        if request.headers.get("sec-fetch-site") == "cross-site":
            # A link on another site: the browser holds the cookie back. It sends it if we lead there ourselves.
            again = html('<meta http-equiv="refresh" content="0; url={}">', wanted)
            await HTMLResponse(again, headers={"Cache-Control": "no-store"})(request.scope, receive, send)
            return
        address = SIGN_IN if wanted == "/" else f"{SIGN_IN}?next={quote(wanted, safe='')}"
        await RedirectResponse(address, HTTPStatus.SEE_OTHER)(request.scope, receive, send)


def cookie_name(request: Request, studio: Studio) -> str:
    """One for each studio of a machine: browsers send the cookies of a host to all of its ports."""
    name = f"tunesmith-{studio.settings.port}"
    return f"__Host-{name}" if request.scope["scheme"] == "https" else name


def own_page(access: Access, account: Account, wanted: str) -> str:
    """``wanted`` if it is a page of this studio that the account may open; else its first page."""
    parts = urlsplit(wanted)
    known = not parts.scheme and not parts.netloc and wanted.startswith(parts.path or "?")
    if known and account.role in access.pages.get(parts.path, PUBLIC):
        return parts.path + (f"?{quote(parts.query, safe='=&%+')}" if parts.query else "")
    return access.first_page(account) or ACCOUNT


def _not_kept(send: Send) -> Send:
    """What somebody saw who has signed out must not be in the browser's cache."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).setdefault("Cache-Control", "no-store")
        await send(message)

    return sending
