"""Behind the guard: who sends a request, and whether it is theirs to send.

Everything but the sign-in page, static files and ``/health`` needs a session as soon as
there is one account, on this machine too. Without accounts the local user is whoever gets
past the guard, which lets in this machine only, and knows the token of the first address.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from anyio import CapacityLimiter, create_task_group, sleep, to_thread
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import door
from app.access import PUBLIC, Access, enter
from app.guard import Refused, client_of
from app.parts.html import html
from studio_core.base import audit
from studio_core.base.audit import WHO
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.people import accounts, first_address, sign_in
from studio_core.people.accounts import LOCAL, Account

log = logging.getLogger("tunesmith.web")

SIGN_IN, SIGN_OUT, ACCOUNT = "/sign-in", "/sign-out", "/account"
# Short enough that whoever was disabled sees nothing more, long enough
# that a hundred streams ask the database 20 times a second.
LOOK_AGAIN = 5.0
"""Seconds after which it is looked whether a stream is still somebody's."""
TOKEN_DAYS = 30
"""How long a browser remembers the token, as it does Jupyter's."""


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
        # Before anybody is asked who they are: an address that does not exist tells nobody anything.
        if roles is None:
            raise Refused(HTTPStatus.NOT_FOUND, "shell.refused_path")
        if roles == PUBLIC:
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        account = await to_thread.run_sync(self._who, request, limiter=self._threads)
        if not self._closed and self._brings_token(request):
            await self._take_token(request)(scope, receive, send)
            return
        if account is None:
            await self._ask(request)(scope, receive, send)
            return
        # From here on who it is stands in the scope, and nothing that the browser sends can change it.
        enter(scope, account, self.access)
        WHO.set(account.name)
        elsewhere = self._elsewhere(account, scope["path"])
        if elsewhere and scope["method"] in ("GET", "HEAD"):
            await RedirectResponse(elsewhere, HTTPStatus.SEE_OTHER)(scope, receive, send)
        elif elsewhere or account.role not in roles:
            raise Refused(HTTPStatus.FORBIDDEN, "accounts.not_yours")
        elif account is LOCAL:
            await self.app(scope, receive, send)
        else:
            await self._while_signed_in(request, scope, receive, _not_kept(send))

    async def _while_signed_in(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and break off a stream whose session has ended or whose account was disabled meanwhile."""
        refusal: Exception | None = None
        async with create_task_group() as tasks:

            async def watch() -> None:
                account: Account | None = LOCAL
                while account is not None:  # Few answers take so long: it is streams that are looked after.
                    await sleep(LOOK_AGAIN)
                    account = await to_thread.run_sync(self._who, request, limiter=self._threads)
                tasks.cancel_scope.cancel()

            tasks.start_soon(watch)
            try:
                await self.app(scope, receive, send)
            except Exception as error:
                refusal = error  # The group would wrap it, and the guard answers to what it is.
            tasks.cancel_scope.cancel()
        if refusal is not None:
            raise refusal

    def _who(self, request: Request) -> Account | None:
        account = sign_in.account_behind(self.studio, request.cookies.get(cookie_name(request, self.studio)))
        # Accounts are never deleted: once there was one, there is no need to ask again.
        self._closed = self._closed or account is not None or accounts.any_accounts(self.studio)
        if self._closed:
            return account
        known = request.cookies.get(token_cookie(request, self.studio))
        asked = self.studio.settings.local_token
        return LOCAL if not asked or first_address.fits(self.studio.settings.home, known) else None

    def _brings_token(self, request: Request) -> bool:
        page = (request.url.path.rstrip("/") or "/") in self.access.pages
        return page and request.method == "GET" and "token" in request.query_params

    def _take_token(self, request: Request) -> Response:
        """Remember the token of the address in a cookie, and show the address without it."""
        given = request.query_params["token"]
        fits = first_address.fits(self.studio.settings.home, given)
        audit.note("token from %s %s", client_of(request.scope), "accepted" if fits else "refused")
        if not fits:
            return door.page(request, "token", HTTPStatus.UNAUTHORIZED, BadInput("shell.token_wrong"))
        # The token must not stay in the address bar, in bookmarks or in a picture of the screen.
        rest = urlencode([(k, v) for k, v in request.query_params.multi_items() if k != "token"])
        response = RedirectResponse(request.url.path + (f"?{rest}" if rest else ""), HTTPStatus.SEE_OTHER)
        lasts = TOKEN_DAYS * 86_400
        name = token_cookie(request, self.studio)
        response.set_cookie(name, given, max_age=lasts, **cookie_flags(request))
        return response

    def _elsewhere(self, account: Account, path: str) -> str | None:
        """Where to send somebody who has to choose a password, or whose start page is another one."""
        if path in (ACCOUNT, SIGN_OUT):
            return None
        if account.must_change:
            return ACCOUNT
        if path == "/" and account.role not in self.access.pages["/"]:
            return self.access.first_page(account) or ACCOUNT
        return None

    def _ask(self, request: Request) -> Response:
        """To sign in, or for the token."""
        path, query = request.url.path.rstrip("/") or "/", request.url.query
        # A script's request gets a sentence with 401, on which the page asks
        # to sign in; only pages lead to the form.
        if request.method not in ("GET", "HEAD") or path not in {*self.access.pages, ACCOUNT}:
            key = "accounts.sign_in_first" if self._closed else "shell.token_first"
            raise Refused(HTTPStatus.UNAUTHORIZED, key)
        wanted = f"{path}?{query}" if query else path
        if request.headers.get("sec-fetch-site") == "cross-site":
            # A link on another site: the browser holds the cookie back. It sends it if we lead there ourselves.
            again = html('<meta http-equiv="refresh" content="0; url={}">', wanted)
            return HTMLResponse(again, headers={"Cache-Control": "no-store"})
        if not self._closed:
            return door.page(request, "token", HTTPStatus.UNAUTHORIZED)
        address = SIGN_IN if wanted == "/" else f"{SIGN_IN}?next={quote(wanted, safe='')}"
        return RedirectResponse(address, HTTPStatus.SEE_OTHER)


def cookie_name(request: Request, studio: Studio) -> str:
    """One for each studio of a machine: browsers send the cookies of a host to all of its ports."""
    name = f"tunesmith-{studio.settings.port}"
    # The prefix binds a cookie to this host over https: no neighbour under the same domain can set it.
    return f"__Host-{name}" if request.scope["scheme"] == "https" else name


def token_cookie(request: Request, studio: Studio) -> str:
    """Where a browser keeps the token of a studio without accounts."""
    return f"{cookie_name(request, studio)}-token"


def cookie_flags(request: Request) -> dict[str, Any]:
    """Sent to this host only, with requests of its own pages only, and out of reach of scripts."""
    secure = request.scope["scheme"] == "https"
    return {"path": "/", "httponly": True, "samesite": "strict", "secure": secure}


def own_page(access: Access, account: Account, wanted: str) -> str:
    """``wanted`` if it is a page of this studio that the account may open; else its first page."""
    parts = urlsplit(wanted)
    # ``next`` comes from outside: it leads to a page of ours or nowhere (no open redirect).
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
