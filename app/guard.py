"""Stands before every route: who may ask, for what, and with how much.

Only the page itself can make the studio do something. Another site in the same
browser can send requests here too, so that each one has to name this host
(against rebinding of names) and to come from our own page (against forged
requests). Who may open what is the gate's business, which stands behind the
guard and knows the addresses that there are.

Plain ASGI, since Starlette's middleware classes hold back streams of events.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import time
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.i18n import language_of, say
from studio_core.settings import Settings

log = logging.getLogger("tunesmith.web")

HOST_NAMES = {"localhost", "127.0.0.1", "[::1]"}
BODY_LIMIT = 8 << 20
"""Bytes of a request: a form with a long text fits many times; files are sent in chunks."""

HEADERS = {
    # Gradio compiles its templates in the browser, hence 'unsafe-eval'. What the policy is worth:
    # no picture, script or request leads out of this machine, whatever a data set or a model says.
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}

FORMS = frozenset({"/sign-in", "/sign-out", "/account"})
"""Forms with passwords: they are short, come from our own page only, and not often."""
FORM_LIMIT = 16 << 10
_UPLOADS = re.compile(r"/api/uploads(/.*)?")


@dataclass
class Bucket:
    """So many at once, and then so many a second."""

    burst: float
    per_second: float
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)

    def take(self, who: str) -> bool:
        now = time.monotonic()
        left, then = self._left.get(who, (self.burst, now))
        left = min(self.burst, left + (now - then) * self.per_second)
        self._left[who] = (left - 1 if left >= 1 else left, now)
        return left >= 1


class Refused(Exception):
    """A request that goes no further, with the key of the sentence that says why."""

    def __init__(self, status: HTTPStatus, key: str) -> None:
        super().__init__(key)
        self.status, self.key = status, key


class Guard:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.names = HOST_NAMES | settings.names
        # A chunk holds up to 8 MB, a folder up to a thousand small files of three requests each.
        self.uploads = Bucket(burst=600, per_second=200)
        self.forms = Bucket(burst=15, per_second=0.5)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:  # No page opens a web socket.
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        try:
            self._check(scope)
            await self._with_limit(scope, receive, send_with_headers)
        except Refused as refused:
            log.warning("refused %s %s: %s", scope["method"], scope["path"], refused.key)
            sentence = say(refused.key, language_of(Request(scope)))
            response = PlainTextResponse(sentence, refused.status, {"Connection": "close"})
            await response(scope, receive, send_with_headers)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_ours(scope, host) or len(headers.getlist("host")) != 1:
            raise Refused(HTTPStatus.BAD_REQUEST, "shell.refused_host")
        reading = scope["method"] in ("GET", "HEAD")
        site = headers.get("sec-fetch-site", "none")
        opened = reading and headers.get("sec-fetch-mode") == "navigate"
        if site not in ("same-origin", "none") and not opened:
            raise Refused(HTTPStatus.FORBIDDEN, "shell.refused_origin")
        origin = headers.get("origin")
        if not reading and origin is not None and origin != f"{scope['scheme']}://{host}":
            raise Refused(HTTPStatus.FORBIDDEN, "shell.refused_origin")
        if scope["method"] in ("OPTIONS", "TRACE", "CONNECT"):
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "shell.refused_path")
        if not reading and _UPLOADS.fullmatch(scope["path"]) and not self.uploads.take(_client(scope)):
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "shell.refused_rate")
        if not reading and scope["path"] in FORMS:
            if origin is None:  # Every browser sends it with a form.
                raise Refused(HTTPStatus.FORBIDDEN, "shell.refused_origin")
            if not self.forms.take(_client(scope)):
                raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "accounts.too_often")

    def _is_ours(self, scope: Scope, host: str) -> bool:
        """Whether a request names this studio: by a name that it has, or by the address at which it arrived.

        Nobody can make a browser send a bare address that the reader did not open.
        """
        name = re.sub(r":\d+$", "", host.lower())
        arrived = (scope.get("server") or ("",))[0]
        return name in self.names or (_is_address(arrived) and name.strip("[]") == arrived)

    async def _with_limit(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; stop it when more bytes arrive than the route takes, announced or not."""
        limit = FORM_LIMIT if scope["path"] in FORMS else BODY_LIMIT
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdigit() or int(announced) > limit:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "shell.refused_size")
        received = 0
        started = False

        async def counted() -> Message:
            nonlocal received
            if received > limit:
                return {"type": "http.disconnect"}
            message = await receive()
            received += len(message.get("body", b""))
            return {"type": "http.disconnect"} if received > limit else message

        async def unless_refused(message: Message) -> None:
            nonlocal started
            if started or received <= limit:
                started = True
                await send(message)

        try:
            await self.app(scope, counted, unless_refused)
        except Exception:
            if started or received <= limit:
                raise
        if received > limit and not started:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "shell.refused_size")


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _client(scope: Scope) -> str:
    return str(scope["client"][0]) if scope.get("client") else ""
