"""``trackers list | on | off``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, listed, opened, options_from, print_json, print_rows
from app.cli.services import key_from
from studio_core.base.settings import Settings
from studio_core.base.studio import Studio
from studio_core.texts import text
from studio_core.trackers import TRACKERS, named, switches
from studio_core.trackers.base import FOLDER
from studio_core.trackers.switches import Switch

cli = typer.Typer(help="Experiment trackers that trainings are also logged to.")

Name = Annotated[str, typer.Argument(help=f"Tracker: {listed(TRACKERS)}.")]


@cli.command("list")
def list_(as_json: AsJson = False, home: Home = None) -> None:
    """List the trackers. Keys are never printed."""
    with opened(home) as studio:
        known = switches.switches(studio.settings.home / switches.FILE)
        rows = [_summary(studio.settings, name, switch) for name, switch in known.items()]
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, ["tracker", "on", "installed", "logs_to", "options", "key"])


@cli.command("on")
def on(
    name: Name,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="An option, such as project=NAME. Repeatable.")
    ] = None,
    key_stdin: Annotated[
        bool, typer.Option("--key-stdin", help="Read the API key from standard input (one line).")
    ] = False,
    key_variable: Annotated[
        str | None, typer.Option(help="Read the API key from this environment variable.")
    ] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Turn a tracker on for trainings that start from now on. Options and key that are not given are kept."""
    key = key_from(key_stdin, key_variable)
    with opened(home) as studio:
        named(name)
        before = switches.switches(studio.settings.home / switches.FILE)[name].options
        options = {**before, **options_from(set_ or [])}
        _told(studio, name, switches.switch(studio.settings, name, True, options, key), as_json)


@cli.command("off")
def off(name: Name, as_json: AsJson = False, home: Home = None) -> None:
    """Turn a tracker off for trainings that start from now on; options, key and logged runs are kept."""
    with opened(home) as studio:
        _told(studio, name, switches.switch(studio.settings, name, False), as_json)


def _told(studio: Studio, name: str, switch: Switch, as_json: bool) -> None:
    summary = _summary(studio.settings, name, switch)
    if as_json:
        print_json(summary)
        return
    key = "turned_on" if switch.on else "turned_off"
    print(text(f"trackers.{key}", title=text(f"trackers.{name}"), where=summary["logs_to"]))


def _summary(settings: Settings, name: str, switch: Switch) -> dict[str, Any]:
    tracker = named(name)
    address = tracker.address(switch.checked(tracker), switch.key.get_secret_value())
    return {
        "tracker": name,
        "on": switch.on,
        "installed": switches.is_installed(tracker, settings.trackers_python),
        "logs_to": address or str(settings.home / FOLDER / name),
        "options": switch.checked(tracker).model_dump(),
        "key": text("trackers.key_stored") if switch.key.get_secret_value() else None,
    }
