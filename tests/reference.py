"""Writes docs/REFERENCE.md from the code: settings, commands, methods, rewards ... ``python -m tests.reference``"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from app.cli import assembled
from studio_core.base.settings import PREFIX, Settings
from studio_core.exports import FORMATS
from studio_core.methods import METHODS
from studio_core.models import merging
from studio_core.options import OptionField, fields
from studio_core.rewards import OF_TRAININGS
from studio_core.suites.judged import PROTOCOLS
from studio_core.texts import text
from studio_core.tunings import TUNINGS
from studio_core.tunings.base import Tuning
from tests.combinations import proof

FILE = Path(__file__).parent.parent / "docs" / "REFERENCE.md"


def commands(command: Any = None, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every command that can be run, with its full name."""
    command = command or typer.main.get_command(assembled())
    children = getattr(command, "commands", {})
    if not children or not path:
        yield path, command
    for name, child in children.items():
        yield from commands(child, f"{path} {name}".strip())


def markdown() -> str:
    """The whole reference."""
    parts = (
        _head, _settings, _commands, _methods, _gap, _tunings, _gap, _combinations, _gap, _merging, _gap, _exports,
        _gap, _rewards, _gap, _protocols,
    )  # fmt: skip
    return "\n".join(line for part in parts for line in part()) + "\n"


def _gap() -> Iterator[str]:
    yield ""


def _head() -> Iterator[str]:
    yield "# Reference"
    yield ""
    yield "Written from the code by `make docs`; a test fails when it is out of date."
    yield ""


def _settings() -> Iterator[str]:
    yield "## Settings"
    yield ""
    yield "| variable | default | what it does |"
    yield "|---|---|---|"
    for name, field in Settings.model_fields.items():
        default = f"`{field.default}`" if str(field.default) else ""
        yield f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |"
    yield ""


def _commands() -> Iterator[str]:
    yield "## Commands"
    yield ""
    for name, command in commands():
        yield f"### `{' '.join(['python -m app', name]).strip()}`"
        yield ""
        yield (command.help or "").strip()
        yield ""
        for parameter in command.params:
            shown = "`, `".join([*parameter.opts, *parameter.secondary_opts])
            if parameter.param_type_name == "argument":
                shown = parameter.metavar or (parameter.name or "").upper()
            yield f"- `{shown}`: {getattr(parameter, 'help', '')}"
        yield ""


def _methods() -> Iterator[str]:
    yield "## Methods"
    for name, method in METHODS.items():
        yield ""
        yield f"### {name}: {text(method.title_key)}"
        yield ""
        yield f"Data: {', '.join(method.shapes)}. Fine-tuning methods: {', '.join(method.tunings)}."
        yield ""
        yield from _table(method.fields)


def _tunings() -> Iterator[str]:
    yield "## Fine-tuning methods"
    for name, tuning in TUNINGS.items():
        yield ""
        yield f"### {name}: {text(tuning.title_key)}"
        yield ""
        yield text(tuning.help_key)
        yield ""
        yield _facts(tuning)
        if tuning.fields:
            yield ""
            yield from _table(tuning.fields)


def _combinations() -> Iterator[str]:
    yield "## Methods with ways of tuning"
    yield ""
    yield "*conforms*: form, command line, plan, memory, worker, reports, stop, a resumed run equal to the unbroken"
    yield "one, result, registration, page, chat or score are tests (`tests/integration/method_conformance.py`)."
    yield "*tried*: some steps change the model, and what is saved answers or scores. Empty: not offered."
    yield ""
    yield f"| | {' | '.join(METHODS)} |"
    yield "|---" * (len(METHODS) + 1) + "|"
    for name, tuning in TUNINGS.items():
        cells = (proof(method, tuning) for method in METHODS.values())
        yield f"| {name} | {' | '.join('' if cell == 'not offered' else cell for cell in cells)} |"


def _facts(tuning: Tuning) -> str:
    """What its result is and can do; what it needs nobody to say is left out."""
    facts = ["a complete model" if tuning.whole else "an adapter"]
    if not tuning.whole:
        facts.append(f"{'can' if tuning.merges else 'cannot'} be merged into its base model")
        facts.append(f"in chat computed {'in one batch with' if tuning.mixes else 'apart from'} other models")
    if not tuning.packs:
        facts.append("records are not packed")
    if not tuning.checkpoints:
        facts.append("activations are not checkpointed")
    return f"Result: {'; '.join(facts)}."


def _merging() -> Iterator[str]:
    yield "## Merging adapters"
    yield ""
    yield from _table(fields(merging.MergeOptions, merging.AREAS))


def _exports() -> Iterator[str]:
    yield "## Formats of exported models"
    for name, format in FORMATS.items():
        yield ""
        yield f"### {name}: {text(format.title_key)}"
        yield ""
        yield text(format.help_key)
        if format.fields:
            yield ""
            yield from _table(format.fields)


def _rewards() -> Iterator[str]:
    yield "## Reward functions"
    for name, reward in OF_TRAININGS.items():
        yield ""
        yield f"### {name}: {text(reward.title_key)}"
        yield ""
        yield f"{text(reward.help_key)} Range: {reward.lowest:g} to {reward.highest:g}."
        if columns := reward.columns(reward.Options.model_construct()):
            yield f"Needs one of the columns {', '.join(columns)}, or the one that is named."
        if reward.fields:
            yield ""
            yield from _table(reward.fields)


def _protocols() -> Iterator[str]:
    yield "## Protocols of judging"
    yield ""
    yield "For `eval run --protocol NAME --set OPTION=VALUE`. The baseline is the first model."
    for name, kind in PROTOCOLS.items():
        protocol = kind()
        yield ""
        yield f"### {name}: {text(protocol.title_key)}"
        yield ""
        yield text(protocol.help_key)
        yield ""
        yield from _table(protocol.fields)


def _table(fields: list[OptionField]) -> Iterator[str]:
    yield "| option | name | default | range | unit | what it does |"
    yield "|---|---|---|---|---|---|"
    for field in fields:
        choices = ", ".join(str(choice) for choice in field.choices or ())
        bounds = (
            "" if field.minimum is None and field.maximum is None else f"{field.minimum} to {field.maximum}"
        )
        unit = text(f"options.unit.{field.unit}") if field.unit else ""
        title, help_ = text(field.title_key), text(field.help_key)
        cells = f"`{field.name}`", title, f"`{field.default}`", choices or bounds, unit, help_
        yield f"| {' | '.join(cells)} |"
    for field in fields:
        if field.choices_with_help:
            yield from ("", f"| `{field.name}` | what it is for |", "|---|---|")
            yield from (f"| `{choice}` | {text(key)} |" for choice, key in field.choices_with_help.items())


if __name__ == "__main__":
    FILE.write_text(markdown(), encoding="utf-8")
