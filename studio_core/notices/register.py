"""Channels of people: added, changed, tried, removed; and what each has told."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal
from urllib.parse import urlsplit

from sqlalchemy import Select, delete, func, select

from studio_core import texts
from studio_core.base import audit, clock
from studio_core.base.errors import BadInput, NotFound
from studio_core.base.settings import Settings
from studio_core.base.studio import Studio
from studio_core.base.tables import Notice, NoticeChannel
from studio_core.notices import causes, outbox
from studio_core.notices.channels import CHANNELS
from studio_core.notices.rules import DEFAULT, RULES
from studio_core.people.accounts import LOCAL, Account
from studio_core.texts import text

MOST = 20
"""Channels of one person."""
TESTS, HOUR = 10, timedelta(hours=1)
"""Tests of one channel in an hour: mail goes to whatever address somebody has typed."""
FRESH = timedelta(minutes=10)
"""Notices that are older are no news to a page that is opened: its list of runs says more."""


def all_channels(studio: Studio, account: Account = LOCAL) -> Sequence[NoticeChannel]:
    """Those of one person, in the order in which they were added."""
    with studio.db.read() as session:
        return session.scalars(_of(account).order_by(NoticeChannel.id)).all()


def get(studio: Studio, channel_id: int, account: Account = LOCAL) -> NoticeChannel:
    """One of that person's; another's is as if it were not there."""
    with studio.db.read() as session:
        channel = session.scalar(_of(account).where(NoticeChannel.id == channel_id))
    if channel is None:
        raise NotFound("notices.no_channel", channel=channel_id)
    return channel


def add(
    studio: Studio,
    kind: str,
    target: str = "",
    rules: Sequence[str] = DEFAULT,
    *,
    account: Account = LOCAL,
    language: str = texts.DEFAULT_LANGUAGE,
    studio_address: str = "",
) -> NoticeChannel:
    """A channel of that person's, in the place of the one with the same target. It tells what happens from now on."""
    if kind not in CHANNELS:
        raise BadInput("notices.unknown_channel", channel=kind[:40], known=", ".join(CHANNELS))
    rules = checked_rules(rules)
    target = CHANNELS[kind].check(studio, target)
    with studio.db.write() as session:
        same = _of(account).where(NoticeChannel.kind == kind, NoticeChannel.target == target)
        channel = session.scalar(same)
        if channel is None:
            if (session.scalar(select(func.count()).select_from(_of(account).subquery())) or 0) >= MOST:
                raise BadInput("notices.too_many", most=MOST)
            channel = NoticeChannel(
                user_id=account.id,
                kind=kind,
                target=target,
                seed=secrets.token_hex(16),
                event_id=causes.newest_event(session),
            )
            session.add(channel)
        channel.rules, channel.language = rules, language
        channel.studio_address = studio_address or address_of(studio.settings)
    # Addresses of webhooks often are secrets themselves.
    audit.note("%s for notifications of %r saved: %s", kind, account.name, shown(kind, target))
    return channel


def remove(studio: Studio, channel_id: int, account: Account = LOCAL) -> NoticeChannel:
    """Tell nothing more by this channel; what it has told is forgotten."""
    channel = get(studio, channel_id, account)
    with studio.db.write() as session:
        session.execute(delete(Notice).where(Notice.channel_id == channel.id))
        session.execute(delete(NoticeChannel).where(NoticeChannel.id == channel.id))
    audit.note("%s for notifications of %r removed", channel.kind, account.name)
    return channel


def test(studio: Studio, channel_id: int, account: Account = LOCAL) -> Notice:
    """Send a notice that says what it is, now; how it went stands in it. One that failed is not tried again."""
    channel = get(studio, channel_id, account)
    language, id = channel.language, secrets.token_hex(8)
    body = {
        "type": "test",
        "timestamp": clock.iso(clock.now()),
        "title": text("notices.test_title", language),
        "text": text("notices.test_text", language),
        "data": {"link": f"{channel.studio_address}/notices"},
    }
    with studio.db.write() as session:
        lately = select(func.count()).where(
            Notice.channel_id == channel.id, Notice.rule == "test", Notice.created_at > clock.now() - HOUR
        )
        if (session.scalar(lately) or 0) >= TESTS:
            raise BadInput("notices.too_many_tests", most=TESTS)
        notice = Notice(**outbox.row_of(channel, f"test:{id}", "test", None, body))
        # Its sender is us: the engine has no part in it.
        notice.next_at = None
        session.add(notice)
    if CHANNELS[channel.kind].send is not None:
        outbox.attempt(studio, channel, notice)
    with studio.db.write() as session:
        session.get_one(Notice, notice.id).next_at = None
        return session.get_one(Notice, notice.id)


def told(studio: Studio, account: Account = LOCAL, limit: int = 20) -> list[tuple[Notice, NoticeChannel]]:
    """The newest notices of a person, with how each went."""
    query = (
        select(Notice, NoticeChannel)
        .join(NoticeChannel, NoticeChannel.id == Notice.channel_id)
        .where(
            NoticeChannel.user_id.is_(account.id)
            if account.id is None
            else NoticeChannel.user_id == account.id
        )
        .order_by(Notice.id.desc())
        .limit(limit)
    )
    with studio.db.read() as session:
        return [(notice, channel) for notice, channel in session.execute(query)]


def for_pages(studio: Studio, account: Account, after: int) -> Sequence[Notice]:
    """What the open pages of a person have to show, newer than the notice that they showed last."""
    query = (
        select(Notice)
        .join(NoticeChannel, NoticeChannel.id == Notice.channel_id)
        .where(NoticeChannel.kind == "browser", Notice.id > after, Notice.created_at > clock.now() - FRESH)
        .where(
            NoticeChannel.user_id.is_(account.id)
            if account.id is None
            else NoticeChannel.user_id == account.id
        )
        .order_by(Notice.id)
        .limit(10)
    )
    with studio.db.read() as session:
        return session.scalars(query).all()


def checked_rules(rules: Sequence[str]) -> list[str]:
    """In the order of ``RULES``; raises ``BadInput`` for one that is none, or if there is none."""
    for name in rules:
        if name not in RULES:
            raise BadInput("notices.unknown_rule", rule=str(name)[:40], known=", ".join(RULES))
    if not rules:
        raise BadInput("notices.no_rule")
    return [name for name in RULES if name in rules]


def state_of(notice: Notice) -> Literal["sent", "waits", "given_up"]:
    """Texts ``notices.notice_<state>``."""
    return "sent" if notice.sent_at else "waits" if notice.next_at else "given_up"


def shown(kind: str, target: str) -> str:
    """A target for lists and logs: of a webhook its host, since the rest of the address often is a secret."""
    parts = urlsplit(target)
    return f"{parts.scheme}://{parts.netloc}/…" if kind == "webhook" else target


def address_of(settings: Settings) -> str:
    """Where the studio's pages are, as far as its settings know."""
    if name := min(settings.names, default=""):
        return f"https://{name}"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def _of(account: Account) -> Select[NoticeChannel]:
    return select(NoticeChannel).where(NoticeChannel.user_id.is_not_distinct_from(account.id))
