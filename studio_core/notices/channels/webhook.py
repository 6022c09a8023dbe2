"""A signed POST to an address of its owner's, in the manner of Standard Webhooks (standardwebhooks.com).

``webhook-signature`` is ``v1,`` and the HMAC-SHA256, in base 64, of ``ID.TIMESTAMP.BODY``. The number of the host is
looked up, checked and connected to in one go, so that a name cannot mean another host in between. No redirect is
followed, and no proxy of the environment asked, which would look the name up itself.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx

from studio_core.base import clock
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Notice, NoticeChannel
from studio_core.generation.addresses import (
    AddressRefused,
    CheckedTransport,
    is_disguised,
    is_refused,
    is_reserved,
)
from studio_core.notices.channels.base import PATIENCE, Channel, Undelivered
from studio_core.people.sign_in import secret_key

_PREFIX = "whsec_"
LONGEST = 500


def check(studio: Studio, target: str) -> str:
    """An address with https; with http, and of private networks, only where the studio's owner has allowed these."""
    target = target.strip()
    try:
        parts = urlsplit(target)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise BadInput("notices.bad_url", url=target[:80]) from error
    if len(target) > LONGEST or not target.isprintable() or " " in target or parts.username is not None:
        raise BadInput("notices.bad_url", url=target[:80])
    if parts.scheme not in ("http", "https") or not host or parts.fragment:
        raise BadInput("notices.bad_url", url=target[:80])
    private = studio.settings.private_webhooks
    if is_refused(host) or is_disguised(host) or (is_reserved(host) and not private):
        raise BadInput("notices.private_host", host=host)
    if parts.scheme == "http" and not private:
        raise BadInput("notices.plain_http", host=host)
    return target


def secret_of(studio: Studio, channel: NoticeChannel) -> str:
    """What its receiver checks signatures with: ``whsec_`` and 32 bytes in base 64.

    Derived from ``secret.key`` of the data folder: a copy of the database signs nothing.
    """
    made = hmac.digest(
        secret_key(studio.settings.home), f"tunesmith.webhook.{channel.seed}".encode(), "sha256"
    )
    return _PREFIX + base64.b64encode(made).decode()


def signature(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """``v1,<base 64>``, as the Standard Webhooks specification has it."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = hmac.new(key, b".".join((id.encode(), str(timestamp).encode(), body)), hashlib.sha256)
    return f"v1,{base64.b64encode(signed.digest()).decode()}"


def send(studio: Studio, channel: NoticeChannel, notice: Notice) -> None:
    body = json.dumps(notice.body, ensure_ascii=False).encode()
    # Of this attempt: a receiver refuses what is minutes old.
    timestamp = int(clock.seconds())
    headers = {
        "content-type": "application/json",
        "user-agent": "Tunesmith",
        "webhook-id": notice.delivery,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret_of(studio, channel), notice.delivery, timestamp, body),
    }
    target = check(studio, channel.target)  # What was allowed when it was added may be no longer.
    host = urlsplit(target).hostname or ""
    try:
        status = asyncio.run(_post(target, headers, body, studio.settings.private_webhooks))
    except AddressRefused as error:
        raise Undelivered("notices.private_host", host=host) from error
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise Undelivered(
            "notices.no_answer", host=host, reason=str(error) or type(error).__name__
        ) from error
    if not 200 <= status < 300:
        # 410 Gone: the receiver wants no more of it.
        raise Undelivered("notices.refused_by", final=status == HTTPStatus.GONE, host=host, status=status)


async def _post(target: str, headers: dict[str, str], body: bytes, private: bool) -> int:
    """The status; the answer's body is nobody's business and is not read."""
    transport = CheckedTransport(private=private)
    async with asyncio.timeout(PATIENCE):
        # Without what the environment says: a .netrc would send a password along.
        async with httpx.AsyncClient(
            transport=transport, follow_redirects=False, timeout=PATIENCE, trust_env=False
        ) as client:
            async with client.stream("POST", target, headers=headers, content=body) as answer:
                return answer.status_code


CHANNEL = Channel("webhook", check, send)
