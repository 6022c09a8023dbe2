"""The command line: the same functions as the pages. ``python -m app`` alone serves the page."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from app.cli import arena, backup, chat, data, doctor, jobs, label, models, serve, services, train, users
from app.cli.output import bound_home
from studio_core.about import studio_version
from studio_core.errors import StudioError
from studio_core.texts import text

cli = typer.Typer(
    name="tunesmith",
    help="Tunesmith, a fine-tuning studio in the browser. Without a command it serves the page.",
    no_args_is_help=False,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
cli.add_typer(data.cli, name="data")
cli.add_typer(label.cli, name="label")
cli.add_typer(models.cli, name="models")
cli.add_typer(services.cli, name="services")
cli.add_typer(jobs.cli, name="jobs")
cli.add_typer(users.cli, name="users")
cli.command("train")(train.train)
cli.command("chat")(chat.chat)
cli.command("arena")(arena.arena)
cli.command("backup")(backup.backup)
cli.command("doctor")(doctor.doctor)


@cli.callback()
def root(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="Data folder; default TUNESMITH_HOME, else ~/.tunesmith.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to serve the page on; others than loopback need accounts.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to serve the page on; default 7860.")] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Serve the page, unless a command is named."""
    if version:
        print(studio_version())
        raise typer.Exit
    bound_home.set(home)
    if context.invoked_subcommand is None:
        serve.serve(host=host, port=port)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 asked for something that cannot be done."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """The exit code of one call; every failure is one plain sentence on stderr."""
    try:
        result = cli(arguments, standalone_mode=False)
        return result if isinstance(result, int) else 0
    except StudioError as error:
        return _refuse(str(error), error.exit_code)
    except typer.Exit as leave:
        return leave.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return _refuse(text("cli.interrupted"), 130)
    except typer.TyperException as error:
        return _refuse(text("cli.wrong_call", reason=error.format_message().rstrip(".")), 2)
    except Exception as error:  # The border of the process: log it all, show one sentence.
        logging.getLogger(__name__).debug("command failed", exc_info=True)
        return _refuse(text("cli.unexpected", error=f"{type(error).__name__}: {error}"), 1)


def _refuse(sentence: str, code: int) -> int:
    print(sentence, file=sys.stderr)
    return code
