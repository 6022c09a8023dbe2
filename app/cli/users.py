"""``users add | list | role | passwd | codes-off | disable | enable``: accounts. No password is ever an argument."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, opened, print_json, print_rows
from app.cli.passwords import FromStdin, asked_password
from studio_core.base.errors import BadInput
from studio_core.base.tables import User
from studio_core.people import accounts, second_factor
from studio_core.texts import text

cli = typer.Typer(help="Accounts and their roles.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Account name (case-insensitive).")]
OneTime = Annotated[
    bool,
    typer.Option("--one-time", help="Print a one-time password, to be changed at the first sign-in."),
]


@cli.command("add")
def add(
    name: Name,
    role: Annotated[
        str,
        typer.Option(
            help="administrator, trainer (all but accounts and settings) or annotator (labelling only)."
        ),
    ],
    password_stdin: FromStdin = False,
    one_time: OneTime = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Add an account. The first must be an administrator; from then on everyone signs in."""
    with opened(home) as studio:
        password = _password(password_stdin, one_time)
        user = accounts.add(studio, name, role, password, one_time)
    _tell(
        user, as_json, text("accounts.added", name=user.name, role=user.role), password if one_time else None
    )


@cli.command("list")
def list_(as_json: AsJson = False, home: Home = None) -> None:
    """List all accounts, disabled ones included."""
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
    """Change the role of an account."""
    with opened(home) as studio:
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
    """Set a new password; ends all sessions and clears failed sign-ins."""
    with opened(home) as studio:
        name = accounts.find(studio, name).name
        password = _password(password_stdin, one_time)
        user = accounts.set_password(studio, name, password, one_time)
    _tell(user, as_json, text("accounts.password_set", name=user.name), password if one_time else None)


@cli.command("codes-off")
def codes_off(name: Name, as_json: AsJson = False, home: Home = None) -> None:
    """Stop asking somebody for codes of an authenticator app, such as after a lost phone."""
    with opened(home) as studio:
        user = second_factor.switch_off(studio, name)
    _tell(user, as_json, text("accounts.codes_off_now", name=user.name))


@cli.command("disable")
def disable(name: Name, as_json: AsJson = False, home: Home = None) -> None:
    """Disable an account. Takes effect at once; its work is kept."""
    with opened(home) as studio:
        user = accounts.set_disabled(studio, name, True)
    _tell(user, as_json, text("accounts.disabled_now", name=user.name))


@cli.command("enable")
def enable(name: Name, as_json: AsJson = False, home: Home = None) -> None:
    """Enable a disabled account."""
    with opened(home) as studio:
        user = accounts.set_disabled(studio, name, False)
    _tell(user, as_json, text("accounts.enabled_now", name=user.name))


def _password(from_stdin: bool, one_time: bool) -> str:
    """A password that was made, piped in, or typed twice without being shown."""
    if from_stdin and one_time:
        raise BadInput("accounts.two_ways")
    if one_time:
        return accounts.one_time_password()
    first = asked_password(from_stdin)
    if not from_stdin and typer.prompt(text("accounts.prompt_again"), hide_input=True, err=True) != first:
        raise BadInput("accounts.password_differs")
    return first


def _tell(user: User, as_json: bool, sentence: str, password: str | None = None) -> None:
    if as_json:
        print_json(_described(user) | ({"one_time_password": password} if password else {}))
        return
    print(sentence)
    if password:
        print(text("accounts.made_password", password=password))


def _described(user: User) -> dict[str, Any]:
    names = ("name", "role", "disabled", "must_change", "signed_in_at", "created_at")
    return {name: getattr(user, name) for name in names}
