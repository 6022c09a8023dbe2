"""The command line: the same functions as the pages. ``python -m app`` alone serves the page."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import bound_home, sentence_of
from studio_core.base.about import studio_version
from studio_core.base.errors import StudioError
from studio_core.texts import text

GROUPS = (
    "data",
    "label",
    "chats",
    "methods",
    "tunings",
    "rewards",
    "environments",
    "suites",
    "models",
    "eval",
    "services",
    "trackers",
    "jobs",
    "notices",
    "trash",
    "storage",
    "users",
)
COMMANDS = (
    "train",
    "sweep",
    "estimate",
    "export",
    "handover",
    "handback",
    "chat",
    "address",
    "arena",
    "backup",
    "doctor",
)


def assembled(names: Sequence[str] = (*GROUPS, *COMMANDS)) -> typer.Typer:
    """The command line with these commands. Each has a module of its name; to import all of them takes a second."""
    cli = typer.Typer(
        name="tunesmith",
        help="Tunesmith, a fine-tuning studio in the browser. Without a command, serves the web page.",
        no_args_is_help=False,
        invoke_without_command=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    cli.callback()(root)
    for name in names:
        module = import_module(f"app.cli.{name}")
        if name in GROUPS:
            cli.add_typer(module.cli, name=name)
        else:
            cli.command(name)(getattr(module, name))
    return cli


def root(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="Data folder (default: TUNESMITH_HOME, else ~/.tunesmith).")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Host to listen on; anything but loopback requires accounts.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (default: 7860).")] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser (on a desktop).")
    ] = True,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Serve the page, unless a command is named."""
    if version:
        print(studio_version())
        raise typer.Exit
    bound_home.set(home)
    if context.invoked_subcommand is None:
        from app.cli import serve

        serve.serve(host=host, port=port, browser=browser)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 asked for something that cannot be done."""
    os.umask(0o077)  # What is written, chats and answers among it, is for its owner's eyes.
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """The exit code of one call; every failure is one plain sentence on stderr."""
    try:
        names = arguments[:1] if arguments and arguments[0] in (*GROUPS, *COMMANDS) else (*GROUPS, *COMMANDS)
        result = assembled(names)(arguments, standalone_mode=False)
        return result if isinstance(result, int) else 0
    except StudioError as error:
        return _refuse(sentence_of(error), error.exit_code)
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
