"""A password for a command: typed without being shown, or piped in; never an argument."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from studio_core.base.errors import BadInput
from studio_core.texts import text

FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input (one line).")
]


def asked_password(from_stdin: bool) -> str:
    """The line of standard input, or what is typed at the terminal."""
    if from_stdin:
        line = sys.stdin.readline().rstrip("\r\n")
        if not line:
            raise BadInput("accounts.no_password_given")
        return line
    if not sys.stdin.isatty():
        raise BadInput("accounts.password_from_terminal")
    return str(typer.prompt(text("accounts.prompt_password"), hide_input=True, err=True))
