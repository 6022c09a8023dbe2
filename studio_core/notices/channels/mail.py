"""Mail, by a server that an administrator names. Its password is in ``mail.json``, which only its owner can read."""

from __future__ import annotations

import json
import re
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from studio_core.base import audit, clock
from studio_core.base.atomic import write_json
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Notice, NoticeChannel
from studio_core.base.validation import validate
from studio_core.notices.channels.base import PATIENCE, Channel, Undelivered
from studio_core.people.accounts import is_loopback

FILE = "mail.json"
# Nothing that could begin another header or another recipient; the rest is the server's to judge.
_ADDRESS = re.compile(r"[^\s<>,;:\"@\x00-\x20\x7f]{1,64}@[A-Za-z0-9.-]{1,190}")


class MailServer(BaseModel):
    """Where mail is handed in."""

    model_config = ConfigDict(frozen=True)

    host: str = Field(pattern=r"^[A-Za-z0-9.:-]{1,200}$")
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: str
    user: str = Field(default="", max_length=200)
    password: SecretStr = SecretStr("")


def server(home: Path) -> MailServer | None:
    """The one that is kept; None if there is none."""
    try:
        return MailServer.model_validate(json.loads((home / FILE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        # The reason could quote the file, and with it the password.
        raise StudioError("notices.mail_damaged", path=home / FILE) from error


def keep_server(
    home: Path, host: str, port: int, security: str, sender: str, user: str = "", password: str = ""
) -> MailServer:
    """Keep this server; without a new password, the one that is kept for the same host and user."""
    given = {
        "host": host.strip(), "port": port, "security": security,
        "sender": checked_address(sender), "user": user.strip(), "password": password,
    }  # fmt: skip
    kept = validate(MailServer, given, "notices.bad_mail_server")
    before = server(home) if not password else None
    if before is not None and (before.host, before.user) == (kept.host, kept.user):
        kept = kept.model_copy(update={"password": before.password})
    if kept.security == "none" and kept.user and not is_loopback(kept.host):
        raise BadInput("notices.mail_in_clear", host=kept.host)
    document = {**kept.model_dump(exclude={"password"}), "password": kept.password.get_secret_value()}
    write_json(home / FILE, document, mode=0o600)
    audit.note("mail server %s saved", kept.host)
    return kept


def checked_address(address: str) -> str:
    address = address.strip()
    if not _ADDRESS.fullmatch(address):
        raise BadInput("notices.bad_mail", address=address[:80])
    return address


def check(studio: Studio, target: str) -> str:
    address = checked_address(target)
    if server(studio.settings.home) is None:
        raise BadInput("notices.no_mail_server")
    return address


def message(sender: str, recipient: str, notice: Notice) -> EmailMessage:
    """The notice as text: its sentence, and where to look."""
    body, mail = notice.body, EmailMessage()
    mail["From"], mail["To"] = sender, recipient
    # Names of runs are in it: one line, whatever they hold, or it would begin another header.
    mail["Subject"] = " ".join(str(body["title"]).split())[:200]
    mail["Date"] = format_datetime(clock.aware())
    # The same at each attempt: a server that got it twice may know it by this.
    mail["Message-ID"] = make_msgid(notice.delivery, domain=sender.partition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{body['text']}\n\n{body['data'].get('link', '')}\n")
    return mail


def send(studio: Studio, channel: NoticeChannel, notice: Notice) -> None:
    to = server(studio.settings.home)
    if to is None:
        raise Undelivered("notices.no_mail_server")
    try:
        with _connected(to) as connection:
            if to.user:
                connection.login(to.user, to.password.get_secret_value())
            connection.send_message(message(to.sender, channel.target, notice))
    except smtplib.SMTPRecipientsRefused as error:
        raise Undelivered("notices.mail_refused", host=to.host, address=channel.target) from error
    except smtplib.SMTPAuthenticationError as error:
        raise Undelivered("notices.mail_password", host=to.host, user=to.user) from error
    except (smtplib.SMTPException, OSError) as error:
        raise Undelivered(
            "notices.no_answer", host=to.host, reason=str(error) or type(error).__name__
        ) from error


def _connected(to: MailServer) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if to.security == "tls":
        return smtplib.SMTP_SSL(to.host, to.port, timeout=PATIENCE, context=context)
    connection = smtplib.SMTP(to.host, to.port, timeout=PATIENCE)
    if to.security == "starttls":
        try:
            # Refused by the server means not sent: never in the clear instead.
            connection.starttls(context=context)
        except Exception:
            connection.close()
            raise
    return connection


CHANNEL = Channel("mail", check, send)
