"""``notices list | add | remove | test | told | mail-server``: who is told of runs, by webhook, mail or browser."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, listed, opened, print_json, print_rows
from app.cli.passwords import FromStdin
from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import NoticeChannel
from studio_core.notices import register
from studio_core.notices.channels import CHANNELS, mail, webhook
from studio_core.notices.rules import DEFAULT, RULES
from studio_core.people import accounts
from studio_core.people.accounts import LOCAL, Account
from studio_core.runs.engine_process import ensure_engine
from studio_core.texts import LANGUAGES, text

cli = typer.Typer(help="Notifications when runs end or need attention.")

Channel = Annotated[int, typer.Argument(metavar="CHANNEL", help="Channel number, as in `notices list`.")]
Whose = Annotated[str | None, typer.Option("--account", help="Whose channels, in a studio with accounts.")]


@cli.command("list")
def list_(account: Whose = None, as_json: AsJson = False, home: Home = None) -> None:
    """List notification channels. Of webhooks, only the host is shown."""
    with opened(home) as studio:
        rows = [_described(channel) for channel in register.all_channels(studio, _account(studio, account))]
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, ["channel", "kind", "target", "rules", "language", "created_at"])


@cli.command("add")
def add(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"{listed(CHANNELS)}.")],
    target: Annotated[
        str,
        typer.Argument(
            metavar="[TARGET]", help="URL of a webhook, or a mail address. `-` reads it from stdin."
        ),
    ] = "",
    rule: Annotated[
        list[str] | None,
        typer.Option(
            help=f"What to be told of (repeatable): {listed(RULES)}. Default: {listed(DEFAULT, 'and')}."
        ),
    ] = None,
    address: Annotated[
        str, typer.Option(help="Address of the studio's pages in links, such as https://studio.example.org.")
    ] = "",
    language: Annotated[str, typer.Option(help=f"Language of notifications: {listed(LANGUAGES)}.")] = "en",
    account: Whose = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Add a channel, or change the one with this target. Prints the signing secret of a webhook."""
    target = sys.stdin.readline().strip() if target == "-" else target
    if language not in LANGUAGES:
        raise typer.BadParameter(f"{language!r} is not {listed(LANGUAGES)}", param_hint="--language")
    with opened(home) as studio:
        channel = register.add(
            studio,
            kind,
            target,
            rule or DEFAULT,
            account=_account(studio, account),
            language=language,
            studio_address=address.rstrip("/"),
        )
        secret = webhook.secret_of(studio, channel) if kind == "webhook" else None
        ensure_engine(studio)  # It is the engine that sends.
    if as_json:
        print_json(_described(channel) | ({"secret": secret} if secret else {}))
        return
    print(_sentence("saved", channel))
    if secret:
        print(text("notices.secret", secret=secret))


@cli.command("remove")
def remove(channel: Channel, account: Whose = None, home: Home = None) -> None:
    """Remove a channel."""
    with opened(home) as studio:
        print(_sentence("removed", register.remove(studio, channel, _account(studio, account))))


@cli.command("test")
def test(channel: Channel, account: Whose = None, home: Home = None) -> None:
    """Send a test notification, and say how it went."""
    with opened(home) as studio:
        owner = _account(studio, account)
        kind = register.get(studio, channel, owner).kind
        notice = register.test(studio, channel, owner)
    if notice.error:
        raise StudioError("notices.test_failed", reason=notice.error)
    print(text("notices.test_waits" if kind == "browser" else "notices.test_sent"))


@cli.command("told")
def told(account: Whose = None, as_json: AsJson = False, home: Home = None) -> None:
    """List the latest notifications, and whether each arrived."""
    with opened(home) as studio:
        rows = [
            {
                "created_at": notice.created_at,
                "channel": channel.id,
                "text": notice.body["text"],
                "state": register.state_of(notice),
                "tries": notice.tries,
                "error": notice.error,
            }
            for notice, channel in register.told(studio, _account(studio, account), limit=50)
        ]
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, ["created_at", "channel", "state", "tries", "text", "error"])


@cli.command("mail-server")
def mail_server(
    host: Annotated[str, typer.Argument(metavar="HOST", help="SMTP server.")],
    sender: Annotated[str, typer.Option(help="Address that mail comes from.")],
    port: Annotated[int, typer.Option(help="Port.", min=1, max=65535)] = 587,
    security: Annotated[str, typer.Option(help="starttls, tls or none.")] = "starttls",
    user: Annotated[str, typer.Option(help="User name, if the server asks for one.")] = "",
    password_stdin: FromStdin = False,
    home: Home = None,
) -> None:
    """Set the mail server of the studio. Without a new password, the stored one is kept."""
    password = sys.stdin.readline().rstrip("\n") if password_stdin else ""
    with opened(home) as studio:
        kept = mail.keep_server(studio.settings.home, host, port, security, sender, user, password)
    print(text("notices.mail_server_saved", host=kept.host))


def _account(studio: Studio, name: str | None) -> Account:
    return accounts.account_of(accounts.find(studio, name)) if name else LOCAL


def _sentence(key: str, channel: NoticeChannel) -> str:
    target = register.shown(channel.kind, channel.target)
    return text(f"notices.{key}", channel=text(f"notices.channel_{channel.kind}"), target=target)


def _described(channel: NoticeChannel) -> dict[str, Any]:
    return {
        "channel": channel.id,
        "kind": channel.kind,
        "target": register.shown(channel.kind, channel.target),
        "rules": channel.rules,
        "language": channel.language,
        "created_at": channel.created_at,
    }
