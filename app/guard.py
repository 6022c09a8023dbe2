"""Stands before every route: who may ask, for what, and with how much.

Only the page itself can make the studio do something. Another site in the same
browser can send requests here too, so that each one has to name this host
(against rebinding of names) and to come from our own page (against forged
requests). Who may open what is the gate's business, which stands behind the
guard and knows the addresses that there are.

Plain ASGI, since Starlette's middleware classes hold back streams of events.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.buckets import Bucket
from app.i18n import language_of, say
from studio_core.base.settings import Settings

log = logging.getLogger("tunesmith.web")

HOST_NAMES = {"localhost", "127.0.0.1", "[::1]"}
# Twice a chunk of the page, for programs that send larger ones; and
# what a server can hold of many people at once.
BODY_LIMIT = 8 << 20
"""Bytes of the largest request: a chunk of a file, or a text that is pasted on the Data page."""
FORM_LIMIT = 16 << 10
"""Forms with passwords, and whatever only names something."""
TEXT_LIMIT = 1 << 20
"""An answer of 100,000 characters, in any script, with the corrections of others."""

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
_UPLOADS = re.compile(r"/api/uploads(/.*)?")
_LIMITS = [
    (re.compile(r"/api/uploads/[^/]+"), BODY_LIMIT),
    (re.compile(r"/gradio_api/(queue/join|run/[^/]+)/?"), BODY_LIMIT),
    (re.compile(r"/api/.+|/gradio_api/component_server/?"), TEXT_LIMIT),
]
"""The first that fits counts. What is in none of them takes a form's worth."""

# 16 KB a second is a bad telephone line; slower than that somebody holds connections on purpose.
BEGINNING, SLOWEST = 10.0, 16 << 10
"""Seconds that a body may take in any case, and the bytes a second with which it has longer."""

_FORWARDED = re.compile(rb"forwarded|x-(forwarded|real|original)-.+|x-(real-ip|rewrite-url|script-name)")
"""Words of proxies. Those of a proxy that is trusted have been taken by the server before; the rest is nobody's,
and Gradio would believe it."""
_HSTS = "max-age=31536000"
"""A year of https only, said only over https."""


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
        # A person mistypes some times in a row; one form in two seconds is more than a hand can do.
        self.forms = Bucket(burst=15, per_second=0.5)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:  # No page opens a web socket.
            # 1008: policy violation (RFC 6455).
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if scope["scheme"] == "https":
                    headers["Strict-Transport-Security"] = _HSTS
            await send(message)

        try:
            self._check(scope)
            # After the check, which looks at the headers as they came.
            scope["headers"] = [pair for pair in scope["headers"] if not _FORWARDED.fullmatch(pair[0])]
            await self._with_limit(scope, receive, send_with_headers)
        except Refused as refused:
            log.warning("refused %s %s: %s", scope["method"], scope["path"], refused.key)
            sentence = say(refused.key, language_of(Request(scope)))
            # Closed: the rest of a body that was refused is still on its way.
            response = PlainTextResponse(sentence, refused.status, {"Connection": "close"})
            await response(scope, receive, send_with_headers)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        # Two Host headers: one program in between may read the first, another the last.
        if not self._is_ours(scope, host) or len(headers.getlist("host")) != 1:
            raise Refused(HTTPStatus.BAD_REQUEST, "shell.refused_host")
        reading = scope["method"] in ("GET", "HEAD")
        site = headers.get("sec-fetch-site", "none")
        # A link on another site may open a page; it cannot read it, and gets no cookie (SameSite=Strict).
        opened = reading and headers.get("sec-fetch-mode") == "navigate"
        if site not in ("same-origin", "none") and not opened:
            raise Refused(HTTPStatus.FORBIDDEN, "shell.refused_origin")
        origin = headers.get("origin")
        # Programs send no Origin; browsers always do with what changes something.
        if not reading and origin is not None and origin != f"{scope['scheme']}://{host}":
            raise Refused(HTTPStatus.FORBIDDEN, "shell.refused_origin")
        if scope["method"] in ("OPTIONS", "TRACE", "CONNECT"):
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "shell.refused_path")
        if not reading and _UPLOADS.fullmatch(scope["path"]) and not self.uploads.take(client_of(scope)):
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "shell.refused_rate")
        if not reading and scope["path"] in FORMS:
            if origin is None:  # Every browser sends it with a form.
                raise Refused(HTTPStatus.FORBIDDEN, "shell.refused_origin")
            if not self.forms.take(client_of(scope)):
                raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "accounts.too_often")

    def _is_ours(self, scope: Scope, host: str) -> bool:
        """Whether a request names this studio: by a name that it has, or by the address at which it arrived.

        Nobody can make a browser send a bare address that the reader did not open.
        """
        # Without the port: a tunnel or proxy may have another.
        name = re.sub(r":\d+$", "", host.lower())
        arrived = (scope.get("server") or ("",))[0]
        return name in self.names or (_is_address(arrived) and name.strip("[]") == arrived)

    async def _with_limit(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; stop it when more bytes arrive than the route takes, or too slowly."""
        limit = limit_of(scope["path"])
        announced = Headers(scope=scope).get("content-length", "0")
        # Before a byte of it is read; what is not announced is counted as it comes.
        if not announced.isdigit() or int(announced) > limit:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(limit))
        body = Body(receive, limit)
        started = False

        async def unless_refused(message: Message) -> None:
            nonlocal started
            if started or body.refused is None:
                started = True
                await send(message)

        try:
            await self.app(scope, body.receive, unless_refused)
        except Exception:
            # The application stumbled because its body ended: the reason is ours.
            if started or body.refused is None:
                raise
        # Once an answer has begun, it cannot be replaced by another.
        if body.refused is not None and not started:
            raise body.refused


class Body:
    """What arrives of a request, as long as it is neither too much nor too slow."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self.limit = receive, limit
        self._size, self._whole = 0, False
        self._begun: float | None = None
        """When the first piece was asked for: until then the request may have waited for its turn."""
        self.refused: Refused | None = None

    async def receive(self) -> Message:
        """The next piece; what comes after the last one, the end of the connection, may take as long as it likes."""
        if self.refused is not None:
            return {"type": "http.disconnect"}
        if self._whole:
            return await self._receive()
        self._begun = self._begun or asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(self._begun + BEGINNING + self._size / SLOWEST):
                message = await self._receive()
        except TimeoutError:
            self.refused = Refused(HTTPStatus.REQUEST_TIMEOUT, "shell.refused_slow")
            return {"type": "http.disconnect"}
        self._size += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._size > self.limit:
            self.refused = Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(self.limit))
            return {"type": "http.disconnect"}
        return message


def limit_of(path: str) -> int:
    """Bytes that a request to a path may have."""
    # The strictest for whatever is not listed.
    return next((limit for paths, limit in _LIMITS if paths.fullmatch(path)), FORM_LIMIT)


def _too_large(limit: int) -> str:
    return "shell.refused_size" if limit == BODY_LIMIT else "shell.refused_long"


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def client_of(scope: Scope) -> str:
    return str(scope["client"][0]) if scope.get("client") else ""
