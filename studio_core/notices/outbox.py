"""From what happened to what is sent: notices are written once for each cause, and tried until they arrive.

``look`` writes what is due, and how far it has looked, in one transaction; ``send_due`` sends what is in the table.
Both may die at any moment: a cause that is looked at again makes no second notice, and a notice that was sent just
before its row said so is sent again under the same id.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from urllib.parse import quote

from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from studio_core.base import clock
from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Notice, NoticeChannel, User
from studio_core.notices import causes
from studio_core.notices.causes import Cause
from studio_core.notices.channels import CHANNELS
from studio_core.notices.channels.base import Undelivered
from studio_core.people.accounts import Role
from studio_core.runs import metrics
from studio_core.runs.reasons import ending, waiting_reason
from studio_core.texts import text

log = logging.getLogger("tunesmith.notices")

PAUSES = (5, 30, 120, 600, 1800, 3600, 2 * 3600, 4 * 3600)
"""Seconds before each further attempt; the last one again and again. A tenth is added or taken away at random."""
PATIENCE = timedelta(days=1)
"""After which a notice is given up."""
KEPT = timedelta(days=30)
"""For how long it is known what was told."""
AT_ONCE = 20
"""Notices of one channel in a row."""
SENDERS = 4
"""Channels at once, so that a server that does not answer holds up its own notices only."""


def look(studio: Studio, *, waits: bool = True) -> int:
    """Write the notices of all that happened since the last look; how many.

    ``waits``: also of jobs that wait, which asks the queue about each of the first fifty.
    """
    with studio.db.read() as session:
        channels = session.scalars(select(NoticeChannel).order_by(NoticeChannel.id)).all()
        if not channels:
            return 0
        heard = _heard(session)
        newest = causes.newest_event(session)
        found = causes.since(session, min(channel.event_id for channel in channels)) if heard else []
    if waits and heard:
        found += causes.waits(studio)
    rows = [_row(studio, channel, cause) for channel in heard for cause in _due(channel, found)]
    if not rows and all(channel.event_id == newest for channel in channels):
        return 0
    with studio.db.write() as session:
        written = 0
        for row in rows:
            if row["rule"] in ("person", "waits") and _told_lately(session, row["channel_id"], row["rule"]):
                continue
            added = session.execute(insert(Notice).values(row).on_conflict_do_nothing())
            written += added.rowcount  # type: ignore[attr-defined]
        # In the same transaction: what was looked at is told, or neither. Of all channels, so that nobody who may
        # see runs again is told of all that was meanwhile.
        session.execute(update(NoticeChannel).values(event_id=newest))
        return written


def _heard(session: Session) -> Sequence[NoticeChannel]:
    """The channels of people who may see runs now."""
    return session.scalars(
        select(NoticeChannel)
        .outerjoin(User, User.id == NoticeChannel.user_id)
        .where(or_(NoticeChannel.user_id.is_(None), (~User.disabled) & (User.role != Role.ANNOTATOR)))
        .order_by(NoticeChannel.id)
    ).all()


def _due(channel: NoticeChannel, found: Sequence[Cause]) -> list[Cause]:
    """What a channel tells: of its rules, and of nothing that was before it was there."""
    return [
        cause
        for cause in found
        if cause.rule in channel.rules
        and (cause.event_id > channel.event_id if cause.event_id else cause.at >= channel.created_at)
    ]


def _told_lately(session: Session, channel_id: int, rule: str) -> bool:
    """Whether a job that waits was told of within the hour: the runs of a sweep come to the front one after another."""
    lately = clock.now() - causes.LONG_WAIT
    told = select(Notice.id).where(
        Notice.channel_id == channel_id, Notice.rule == rule, Notice.created_at > lately
    )
    return session.scalar(told.limit(1)) is not None


def _row(studio: Studio, channel: NoticeChannel, cause: Cause) -> dict[str, Any]:
    return row_of(channel, cause.id, cause.rule, cause.job.id, body(studio, channel, cause))


def row_of(
    channel: NoticeChannel, cause: str, rule: str, job_id: int | None, body: dict[str, Any]
) -> dict[str, Any]:
    """A row of the table, to be sent at once; what a page fetches is not sent."""
    now = clock.now()
    fetched = CHANNELS[channel.kind].send is None
    return {
        "channel_id": channel.id, "delivery": f"msg_{secrets.token_hex(12)}", "cause": cause, "rule": rule,
        "job_id": job_id, "body": body, "created_at": now, "tries": 0,
        "next_at": None if fetched else now, "sent_at": now if fetched else None,
    }  # fmt: skip


def body(studio: Studio, channel: NoticeChannel, cause: Cause) -> dict[str, Any]:
    """What is sent, as JSON: ``type``, ``timestamp``, ``title``, ``text`` (all of it in words) and ``data``."""
    job, language = cause.job, channel.language
    key = f"notices.state_{job.state}" if cause.rule in ("ended", "failed") else f"notices.tell_{cause.rule}"
    title = text(key, language, run=job.id, name=_plain(job.name))
    said = f"{title} {_plain(_reason(studio, cause, language))}".strip()
    run = {
        name: getattr(job, name)
        for name in ("id", "name", "kind", "method", "state", "cause", "step", "total_steps")
    }
    link = f"{channel.studio_address}/runs?run={quote(str(job.id))}"
    return {
        "type": f"run.{cause.rule}",
        "timestamp": clock.iso(cause.at),
        "title": title,
        "text": said,
        "data": {"run": run, "link": link},
    }


def _reason(studio: Studio, cause: Cause, language: str) -> str:
    if cause.note is not None:
        return metrics.sentence(cause.note, language)
    if cause.rule in ("person", "waits"):
        return waiting_reason(studio, cause.job, language)
    return ending(cause.job, language)


_MARKUP = str.maketrans({"<": "‹", ">": "›", "@": "@\u2060"})


def _plain(said: str) -> str:
    """Names and errors for programs that read markup in a text: nobody is called by ``<!channel>`` or ``@all``."""
    kept = "".join(sign if sign.isprintable() else " " for sign in said)
    return " ".join(kept.split()).translate(_MARKUP)[:2000]


def send_due(studio: Studio) -> int:
    """Try all notices whose time has come, several channels at once; how many arrived."""
    with studio.db.read() as session:
        query = select(Notice, NoticeChannel).join(NoticeChannel, NoticeChannel.id == Notice.channel_id)
        query = query.where(Notice.next_at <= clock.now()).order_by(Notice.channel_id, Notice.id)
        due = [(notice, channel) for notice, channel in session.execute(query)]
    if not due:
        return 0
    batches = [list(batch)[:AT_ONCE] for _, batch in groupby(due, key=lambda pair: pair[1].id)]
    with ThreadPoolExecutor(SENDERS, thread_name_prefix="notices") as pool:
        return sum(pool.map(lambda batch: _send_batch(studio, batch), batches))


def _send_batch(studio: Studio, batch: Sequence[tuple[Notice, NoticeChannel]]) -> int:
    arrived = 0
    for notice, channel in batch:
        if not attempt(studio, channel, notice):
            break  # What does not answer now would keep each of them waiting.
        arrived += 1
    return arrived


def attempt(studio: Studio, channel: NoticeChannel, notice: Notice) -> bool:
    """Send one notice and write down how it went."""
    send, error = CHANNELS[channel.kind].send, None
    try:
        if send is not None:
            send(studio, channel, notice)
    except StudioError as refusal:
        error = refusal
    except Exception as fault:  # Of one notice: the others are sent all the same.
        log.exception("notice %d could not be sent", notice.id)
        error = StudioError("notices.no_answer", host=channel.kind, reason=type(fault).__name__)
    now, tries = clock.now(), notice.tries + 1
    values: dict[str, Any] = {"tries": tries, "error": None, "sent_at": now, "next_at": None}
    if error is not None:
        final = isinstance(error, Undelivered) and error.final
        again = None if final else _next(notice.created_at, now, tries)
        values |= {"error": error.sentence(channel.language), "sent_at": None, "next_at": again}
        if again is None:
            log.warning("notice %d is given up after %d attempts: %s", notice.id, tries, error)
    with studio.db.write() as session:
        session.execute(update(Notice).where(Notice.id == notice.id).values(values))
    return error is None


def _next(created: datetime, now: datetime, tries: int) -> datetime | None:
    pause = PAUSES[min(tries, len(PAUSES)) - 1] * (0.9 + 0.2 * secrets.randbelow(1000) / 1000)
    again = now + timedelta(seconds=pause)
    # The last attempt is at the end of the day, and not hours before it.
    end = created + PATIENCE
    return min(again, end) if now < end else None


def tidy(studio: Studio) -> None:
    """Forget what was told, or given up, a month ago."""
    with studio.db.write() as session:
        old = delete(Notice).where(Notice.next_at.is_(None), Notice.created_at < clock.now() - KEPT)
        session.execute(old)
