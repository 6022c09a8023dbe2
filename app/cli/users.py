"""``users add | list | role | passwd | disable | enable``: who may sign in. No password is ever an argument."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, opened, print_json, print_rows
from app.log_file import logged_to_file
from studio_core import accounts
from studio_core.errors import BadInput
from studio_core.studio import Studio
from studio_core.tables import User
from studio_core.texts import text

cli = typer.Typer(help="Accounts: who may sign in, and what each may do.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the account; case does not matter.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input, one line.")
]
OneTime = Annotated[
    bool,
    typer.Option("--one-time", help="Make a password, print it, and have it changed at the first sign-in."),
]


@cli.command("add")
def add(
    name: Name,
    role: Annotated[
        str,
        typer.Option(
            help="administrator, trainer (all but accounts and settings) or annotator (labels only)."
        ),
    ],
    password_stdin: FromStdin = False,
    one_time: OneTime = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Let somebody sign in. From the first account on, which is an administrator's, everybody has to."""
    with _opened(home) as studio:
        password = _password(password_stdin, one_time)
        user = accounts.add(studio, name, role, password, one_time)
    _tell(
        user, as_json, text("accounts.added", name=user.name, role=user.role), password if one_time else None
    )


@cli.command("list")
def list_(as_json: AsJson = False, home: Home = None) -> None:
    """List everybody who may sign in, or no longer."""
    with opened(home) as studio:
        rows = [_described(user) for user in accounts.all_accounts(studio)]
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, ["name", "role", "disabled", "must_change", "signed_in_at", "created_at"])


@cli.command("role")
def role(
    name: Name,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="administrator, trainer or annotator.")],
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Change what somebody may do."""
    with _opened(home) as studio:
        user = accounts.set_role(studio, name, role)
    _tell(user, as_json, text("accounts.role_now", name=user.name, role=user.role))


@cli.command("passwd")
def passwd(
    name: Name,
    password_stdin: FromStdin = False,
    one_time: OneTime = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Set somebody's password; ends their sessions and lifts a lock-out."""
    with _opened(home) as studio:
        name = accounts.find(studio, name).name
        password = _password(password_stdin, one_time)
        user = accounts.set_password(studio, name, password, one_time)
    _tell(user, as_json, text("accounts.password_set", name=user.name), password if one_time else None)


@cli.command("disable")
def disable(name: Name, as_json: AsJson = False, home: Home = None) -> None:
    """Let somebody in no longer; their work stays. Takes effect at once, also where they are signed in."""
    with _opened(home) as studio:
        user = accounts.set_disabled(studio, name, True)
    _tell(user, as_json, text("accounts.disabled_now", name=user.name))


@cli.command("enable")
def enable(name: Name, as_json: AsJson = False, home: Home = None) -> None:
    """Let somebody in again who was disabled."""
    with _opened(home) as studio:
        user = accounts.set_disabled(studio, name, False)
    _tell(user, as_json, text("accounts.enabled_now", name=user.name))


@contextmanager
def _opened(home: Path | None) -> Iterator[Studio]:
    """The studio, with what is changed written to its log."""
    with opened(home) as studio, logged_to_file(studio.settings):
        yield studio


def _password(from_stdin: bool, one_time: bool) -> str:
    """A password that was made, piped in, or typed twice without being shown."""
    if from_stdin and one_time:
        raise BadInput("accounts.two_ways")
    if one_time:
        return accounts.one_time_password()
    if from_stdin:
        line = sys.stdin.readline().rstrip("\r\n")
        if not line:
            raise BadInput("accounts.no_password_given")
        return line
    if not sys.stdin.isatty():
        raise BadInput("accounts.password_from_terminal")
    first = typer.prompt(text("accounts.prompt_password"), hide_input=True, err=True)
    if typer.prompt(text("accounts.prompt_again"), hide_input=True, err=True) != first:
        raise BadInput("accounts.password_differs")
    return str(first)


def _tell(user: User, as_json: bool, sentence: str, made: str | None = None) -> None:
    if as_json:
        print_json(_described(user) | ({"one_time_password": made} if made else {}))
        return
    print(sentence)
    if made:
        print(text("accounts.made_password", password=made))


def _described(user: User) -> dict[str, Any]:
    names = ("name", "role", "disabled", "must_change", "signed_in_at", "created_at")
    return {name: getattr(user, name) for name in names}
