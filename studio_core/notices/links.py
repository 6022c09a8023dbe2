"""Links that show one run to whoever has them, without an account, until they are revoked.

The token is known to whoever made the link, once; the database has its hash. What a link shows is decided by the page
(``app/shared.py``), which is given nothing but the run.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select, update

from studio_core.base import audit, clock
from studio_core.base.errors import BadInput, NotFound
from studio_core.base.settings import Settings
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, RunLink, User
from studio_core.people.accounts import LOCAL, Account, Role, is_loopback
from studio_core.runs import queue

# 256 random bits: nobody comes to one by trying.
_BYTES = 32
_TOKEN = re.compile(r"[\w-]{43}", re.ASCII)
_MINUTE = timedelta(minutes=1)
MOST = 50
"""Links of one run that are open at a time."""


def add(
    studio: Studio, job_id: int, account: Account = LOCAL, *, answers: bool = False
) -> tuple[RunLink, str]:
    """A new link to a training, and its token, which nobody can be told again."""
    job = queue.get(studio, job_id)
    if job.kind != "train":
        raise BadInput("notices.link_not_training", job=job.id, kind=job.kind)
    if len([link for link in of_run(studio, job_id) if link.revoked_at is None]) >= MOST:
        raise BadInput("notices.too_many_links", most=MOST)
    token = secrets.token_urlsafe(_BYTES)
    link = RunLink(
        job_id=job.id, user_id=account.id, by=account.name, token_hash=_hash(token), answers=answers
    )
    with studio.db.write() as session:
        session.add(link)
    audit.note("link %d to run %d made%s", link.id, job.id, ", with answers" if answers else "")
    return link, token


def revoke(studio: Studio, link_id: int) -> RunLink:
    """End a link at once, for everybody who has it."""
    with studio.db.write() as session:
        link = session.get(RunLink, link_id)
        if link is None:
            raise NotFound("notices.no_link", link=link_id)
        link.revoked_at = link.revoked_at or clock.now()
    audit.note("link %d to run %d revoked", link.id, link.job_id)
    return link


def of_run(studio: Studio, job_id: int) -> Sequence[RunLink]:
    """All links of a run, also those that were revoked; the newest first."""
    with studio.db.read() as session:
        query = select(RunLink).where(RunLink.job_id == job_id).order_by(RunLink.id.desc())
        return session.scalars(query).all()


def opened(studio: Studio, token: str) -> tuple[RunLink, Job] | None:
    """The run behind a token; None if it is none, was revoked, or its run or its maker's right is gone: all alike."""
    if not _TOKEN.fullmatch(token):
        return None
    query = (
        select(RunLink, Job)
        .join(Job, Job.id == RunLink.job_id)
        .outerjoin(User, User.id == RunLink.user_id)
        .where(RunLink.token_hash == _hash(token), RunLink.revoked_at.is_(None))
        # Whoever may open the run no longer has nothing to show of it to others.
        .where(RunLink.user_id.is_(None) | (~User.disabled & (User.role != Role.ANNOTATOR)))
    )
    with studio.db.read() as session:
        row = session.execute(query).first()
    if row is None:
        return None
    link, job = row
    now = clock.now()
    if link.seen_at is None or now - link.seen_at > _MINUTE:  # A page asks every few seconds.
        with studio.db.write() as session:
            session.execute(update(RunLink).where(RunLink.id == link.id).values(seen_at=now))
    return link, job


def reaches_others(settings: Settings) -> bool:
    """Whether anybody but this machine can open a page of the studio."""
    return not is_loopback(settings.host) or bool(settings.allowed_hosts or settings.trusted_proxy)


def address(studio_address: str, token: str) -> str:
    return f"{studio_address.rstrip('/')}/shared/{token}"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
