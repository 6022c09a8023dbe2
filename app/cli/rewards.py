"""``rewards list | try``: what a training can learn from, and what each gives for answers at hand."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from app.cli.described import fields_of, in_lines, line_of
from app.cli.output import AsJson, Home, opened, options_from, print_json, print_rows
from studio_core.base.errors import BadInput
from studio_core.rewards import OF_TRAININGS, choices, service_of, trial
from studio_core.rewards.base import Reward
from studio_core.rewards.trial import Trial
from studio_core.runs.spec import RewardChoice
from studio_core.texts import text
from studio_core.training import reward_trial

cli = typer.Typer(help="Rewards: how good an answer is, as a number that a training learns from.")

_SHOWN = 120
"""Characters of a prompt or answer in a table; --json prints all."""


@cli.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the rewards by the names that train --reward takes, with their options."""
    if as_json:
        print_json([document(reward) for reward in OF_TRAININGS.values()])
        return
    rows = [
        {**document(reward), "options": [field.name for field in reward.fields], "help": line_of(reward)}
        for reward in OF_TRAININGS.values()
    ]
    print_rows(
        [{**in_lines(row), "options": ", ".join(row["options"])} for row in rows],
        ["reward", "lowest", "highest", "options", "help"],
    )


@cli.command("try")
def try_(
    reward: Annotated[str, typer.Argument(help="NAME[:WEIGHT][:SETTING], as train --reward takes it.")],
    dataset: Annotated[
        str | None, typer.Option(help="Dataset whose records are scored, each with its own answer.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, max=1000, help="Number of records.")] = 10,
    offset: Annotated[int, typer.Option(min=0, help="First record, counted from 0.")] = 0,
    prompt: Annotated[str, typer.Option(help="Prompt, without a dataset.")] = "",
    answer: Annotated[
        str | None, typer.Option(help="Answer to score; with a dataset, instead of its own answers.")
    ] = None,
    record: Annotated[
        str,
        typer.Option(help='Columns of the record as JSON, such as \'{"answer": "4"}\', without a dataset.'),
    ] = "{}",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="An option of the reward: NAME=VALUE. Repeatable.")
    ] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> int:
    """Show what a reward gives for answers. Exits with 1 if none of them could be scored."""
    chosen = choices.read(reward)
    chosen = choices.checked(
        chosen.model_copy(update={"options": {**chosen.options, **options_from(set_ or [])}})
    )
    if dataset is not None:
        with opened(home) as studio:
            judge = reward_trial.judged_by(studio, chosen)
            tried = trial.of_dataset(studio, chosen, dataset, rows, offset, answer, judge)
    elif answer is not None:
        judge = None
        if service_of(chosen):
            with opened(home) as studio:
                judge = reward_trial.judged_by(studio, chosen)
        tried = trial.of_answers(chosen, [(prompt, answer, _record(record))], judge)
    else:
        raise BadInput("cli.reward_on_what")
    _print(chosen, tried, as_json)
    return int(bool(tried) and all(one.value is None for one in tried))


def document(reward: Reward) -> dict[str, Any]:
    """A reward as other programs read it."""
    return {
        "reward": reward.name,
        "title": text(reward.title_key),
        "help": text(reward.help_key),
        # null: without a bound.
        "lowest": _bound(reward.lowest),
        "highest": _bound(reward.highest),
        "columns": list(reward.columns(reward.Options.model_construct())),
        "options": fields_of(reward),
    }


def _bound(value: float) -> float | None:
    return value if abs(value) != float("inf") else None


def _record(text: str) -> dict[str, Any]:
    try:
        record = json.loads(text)
    except ValueError as error:
        raise BadInput("cli.record_not_json", value=text[:80], reason=str(error)) from error
    if not isinstance(record, dict):
        raise BadInput("cli.record_not_json", value=text[:80], reason=type(record).__name__)
    return record


def _print(chosen: RewardChoice, tried: list[Trial], as_json: bool) -> None:
    rows = [
        {"prompt": each.prompt, "answer": each.answer, "value": each.value, "error": each.reason}
        for each in tried
    ]
    values = [each.value for each in tried if each.value is not None]
    mean = sum(values) / len(values) if values else None
    if as_json:
        unscored = len(tried) - len(values)
        print_json({"reward": chosen.model_dump(), "mean": mean, "unscored": unscored, "answers": rows})
        return
    short = [{**row, "prompt": row["prompt"][-_SHOWN:], "answer": row["answer"][-_SHOWN:]} for row in rows]
    print_rows(short, ["value", "prompt", "answer", "error"])
    print(
        text(
            "cli.reward_mean",
            mean="-" if mean is None else f"{mean:.4g}",
            scored=len(values),
            count=len(tried),
        )
    )
