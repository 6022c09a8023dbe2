"""``eval run | show | compare | items``: models against suites."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from app.cli.output import AsJson, Home, listed, opened, options_from, print_json, print_rows
from app.cli.waiting import watch
from studio_core.base.errors import BadInput, Conflict
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Evaluation, Job
from studio_core.base.validation import validate
from studio_core.data import store
from studio_core.evaluation import browsing, contamination, judges, loading, results, submitting
from studio_core.evaluation.files import cells_csv
from studio_core.evaluation.further_words import further_lines
from studio_core.evaluation.items_file import AnsweredItem
from studio_core.evaluation.judges import JudgeWork
from studio_core.evaluation.page import page
from studio_core.evaluation.report import Cell, Report
from studio_core.evaluation.sentences import figure, verdict
from studio_core.labeling.suite_agreement import judged_lines
from studio_core.models import registry
from studio_core.rewards import REWARDS, choices
from studio_core.runs import queue
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.spec import EvalSpec
from studio_core.suites import SUITES, tool_use
from studio_core.suites.judged import PROTOCOLS
from studio_core.texts import DEFAULT_LANGUAGE, text

cli = typer.Typer(help="Evaluations: models against suites, before and after.")


@cli.command("run")
def run(
    models: Annotated[
        str,
        typer.Option(help="Models, comma-separated (a checkpoint: NAME@STEP); compared with the first."),
    ],
    suite: Annotated[
        str,
        typer.Option(help=f"Suites, comma-separated: {listed(SUITES)}; or lm_eval:TASK[:FILTER[:METRIC]]."),
    ] = "",
    dataset: Annotated[str, typer.Option(help="A dataset as test set: NAME, or NAME@VERSION.")] = "",
    reward: Annotated[
        str,
        typer.Option(help=f"What scores answers to the test set: NAME[:SETTING]; {listed(REWARDS)}."),
    ] = "",
    judge: Annotated[str, typer.Option(help="Model that judges, where a suite needs a judge.")] = "",
    judge_service: Annotated[
        str, typer.Option(help="Service that judges, where a suite needs a judge.")
    ] = "",
    protocol: Annotated[
        str,
        typer.Option(help=f"How the judge scores, if not as the suite says: {listed(PROTOCOLS)}."),
    ] = "",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="An option of the protocol: NAME=VALUE. Repeatable.")
    ] = None,
    reward_model: Annotated[
        str, typer.Option(help="A reward model that scores answers to the test set, in place of a reward.")
    ] = "",
    limit: Annotated[
        int | None, typer.Option(help="So many questions of each suite, the same each time.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(help="Time to spend: as many questions as fit into it, at least 10 a suite."),
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Most tokens of an answer.")] = None,
    samples: Annotated[
        int | None, typer.Option(help="Answers drawn to each question; of several, pass@k is told.")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="Temperature, if not that of the suite.")] = None,
    tools_in_prompt: Annotated[
        bool | None,
        typer.Option(
            "--tools-in-prompt/--no-tools-in-prompt",
            help="Whether prompts say which tools there are, for suites named environment:NAME; default: they do.",
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="Job name; generated if empty.")] = "",
    seed: Annotated[int, typer.Option(help="Random seed of answers that are drawn.")] = 0,
    device: Annotated[str, typer.Option(help="Device: auto, cpu or gpu.")] = "auto",
    after: Annotated[int | None, typer.Option(help="Start after this job has succeeded.")] = None,
    priority: Annotated[int, typer.Option(help="Higher starts first.")] = 0,
    wait: Annotated[bool, typer.Option("--wait", help="Show a progress bar until the job ends.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Start nothing; print what the judge would be asked, and its cost."),
    ] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> int:
    """Evaluate models on suites. Prints the job number; with --wait also what they reached."""
    asked: list[dict[str, Any]] = [{"name": each} for each in _names(suite)]
    if dataset:
        scored = {
            "reward": choices.read(reward).model_dump() if reward else None,
            "reward_model": reward_model,
        }
        asked.append({"dataset": dataset, **scored})
    elif reward or reward_model:
        raise BadInput("cli.reward_without_dataset", reward=reward or reward_model)
    asked = _judged(asked, protocol, options_from(set_ or []))
    drawing = {"max_tokens": max_tokens, "samples": samples, "temperature": temperature}
    spec = validate(
        EvalSpec,
        {
            "models": _names(models),
            "suites": [{**each, **drawing} for each in _with_tools(asked, tools_in_prompt)],
            "judge_model": judge,
            "judge_service": judge_service,
            "limit": limit,
            "seconds": seconds,
            "name": name,
            "seed": seed,
            "device": device,
            "after": after,
            "priority": priority,
        },
        "evaluation.invalid",
    )
    with opened(home) as studio:
        # A first command may come before any page was opened.
        registry.ensure_demo_models(studio)
        store.ensure_samples(studio)
        if dry_run:
            print_judge_work(judges.work_of(studio, submitting.resolved(studio, spec)), as_json)
            return 0
        job = submitting.submit(studio, spec)
        ensure_engine(studio)
        if wait:
            job = watch(studio, job.id)
            print_results(studio, job, as_json)
            return 0 if job.state == State.SUCCEEDED else 1
    if as_json:
        print_json({"job": job.id})
    else:
        print(text("cli.train_queued", job=job.id, name=job.name))
    return 0


def _judged(asked: list[dict[str, Any]], protocol: str, options: dict[str, Any]) -> list[dict[str, Any]]:
    """The choices, those that a judge scores with this protocol; where none is one, all, which is refused by name."""

    def needs_judge(choice: dict[str, Any]) -> bool:
        suite = SUITES.get(choice.get("name", ""))
        return bool(suite.protocol) if suite else bool(protocol) and not choice.get("reward")

    if not (protocol or options):
        return asked
    which = [choice for choice in asked if needs_judge(choice)] or asked
    return [
        {**choice, "protocol": protocol, "options": options} if choice in which else choice
        for choice in asked
    ]


def _with_tools(asked: list[dict[str, Any]], told: bool | None) -> list[dict[str, Any]]:
    """The choices, those with tools told as wanted; where none has any, all, which is refused by name."""
    if told is None:
        return asked
    which = [each for each in asked if each.get("name", "").startswith(tool_use.PREFIX)] or asked
    return [{**each, "tools_in_prompt": told} if each in which else each for each in asked]


def print_judge_work(work: list[JudgeWork], as_json: bool) -> None:
    """What a judge will be asked; nothing where no suite needs one."""
    if as_json:
        print_json({"judge": [asdict(each) for each in work]})
        return
    print_rows(
        [asdict(each) for each in work],
        ["suite", "protocol", "items", "calls", "tokens_in", "tokens_out", "cost"],
    )


@cli.command("show")
def show(
    job: Annotated[int, typer.Argument(help="Number of the evaluation.")],
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Show what an evaluation reached."""
    with opened(home) as studio:
        print_results(studio, evaluation_job(studio, job), as_json)


@cli.command("contamination")
def trained_on(
    job: Annotated[int, typer.Argument(help="Number of the evaluation.")],
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Count the items that stand in the data that led to each model, with the value without them."""
    with opened(home) as studio:
        reached = results.of_job(studio, evaluation_job(studio, job).id)
        rows = [_contaminated(studio, each) for each in reached]
    if as_json:
        print_json({"job": job, "results": rows})
    else:
        print_rows(rows, ["model", "suite", "items", "trained_on", "value", "value_without"])


def _contaminated(studio: Studio, each: Evaluation) -> dict[str, Any]:
    told = contamination.of(studio, each)
    return {
        "model": each.model,
        "suite": each.suite,
        "items": each.figures["items"],
        "trained_on": len(told.items),
        "value": each.value,
        "value_without": contamination.value_without(studio, each, told.items),
        "datasets": told.datasets,
        "gone": told.gone,
    }


@cli.command("items")
def items(
    job: Annotated[int, typer.Argument(help="Number of the evaluation.")],
    suite: Annotated[str, typer.Option(help="Suite; empty if there is one.")] = "",
    model: Annotated[str, typer.Option(help="Model; empty: the last one.")] = "",
    against: Annotated[str, typer.Option(help="Compared with this model; empty: the first one.")] = "",
    which: Annotated[
        Literal["all", "won", "lost", "both_wrong", "both_right", "no_value"],
        typer.Option(help="Which items."),
    ] = "all",
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """List items with the answers and values of two models beside each other."""
    with opened(home) as studio:
        pair = browsing.pair(studio, evaluation_job(studio, job), suite, model, against)
        places = pair.places(which)
        rows = list(pair.read(places[:limit]))
    if as_json:
        print_json({"count": len(places), "items": [_item(pair, each) for each in rows]})
        return
    columns = ["item", "value_before", "value_after", "before", "after"]
    print_rows([_line(before, after) for before, after in rows], columns)
    for both in rows:
        for name, row in zip((pair.before.model, pair.after.model), both, strict=True):
            for line in _exchanges(name, row):
                print(line)


@cli.command("compare")
def compare(
    before: Annotated[str, typer.Argument(help="The model that is compared with.")],
    after: Annotated[list[str], typer.Argument(help="The models that are compared with it.")],
    suite: Annotated[str, typer.Option(help="Suites, comma-separated; empty: all that they share.")] = "",
    html: Annotated[Path | None, typer.Option(help="Write the report as one HTML page.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the report's cells as CSV.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Compare models by their newest evaluations on the same questions."""
    with opened(home) as studio:
        made = loading.of_models(studio, [before, *after], _names(suite), DEFAULT_LANGUAGE)
    for file, written in ((html, page), (csv, lambda made, _: cells_csv(made))):
        if file is not None:
            _write(file, written(made, DEFAULT_LANGUAGE))
    print_report(made, as_json)


def print_results(studio: Studio, job: Job, as_json: bool) -> None:
    """What a job reached; raises ``Conflict`` if that is nothing yet."""
    made = loading.of_job(studio, job, DEFAULT_LANGUAGE)
    if as_json:
        document = {"job": job.id, "state": job.state, "cause": job.cause, "detail": job.detail}
        reached = [_document(each) for each in results.of_job(studio, job.id)]
        print_json({**document, "results": reached, "report": made and made.model_dump()})
    elif made is None:
        raise Conflict("evaluation.no_results", job=job.id, state=job.state)
    else:
        print_report(made, as_json)
        reached_rows = results.of_job(studio, job.id)
        for line in (
            *further_lines(reached_rows, DEFAULT_LANGUAGE),
            *judged_lines(studio, job, DEFAULT_LANGUAGE),
        ):
            print(line)


def print_report(made: Report, as_json: bool) -> None:
    """Cells as a table, and what has changed in words."""
    if as_json:
        print_json(made.model_dump())
        return
    print_rows(
        [_cell(made, cell) for cell in made.cells], ["model", "suite", "value", "interval", "n", "tokens"]
    )
    for model in made.models[1:]:
        print(f"{model}: {verdict(made, model, DEFAULT_LANGUAGE)}")


def _cell(made: Report, cell: Cell) -> dict[str, Any]:
    unit = made.suite(cell.suite).unit
    low, high = figure(cell.low, unit), figure(cell.high, unit)
    return {
        "model": cell.model,
        "suite": cell.suite,
        "value": figure(cell.mean, unit),
        "interval": "" if cell.low is None else f"{low} .. {high}",
        "n": cell.n,
        "tokens": cell.tokens,
    }


def _write(file: Path, written: str) -> None:
    try:
        file.write_text(written, encoding="utf-8")
    except OSError as error:
        raise BadInput("cli.cannot_write", path=file, reason=error.strerror or error) from error


def evaluation_job(studio: Studio, number: int) -> Job:
    job = queue.get(studio, number)
    if job.kind != "evaluate":
        raise BadInput("evaluation.not_evaluation", job=number)
    return job


def _document(reached: Evaluation) -> dict[str, Any]:
    """What programs read."""
    names = ("model", "suite", "value", "figures", "questions")
    return {name: getattr(reached, name) for name in names}


def _item(pair: browsing.Pair, both: tuple[AnsweredItem, AnsweredItem]) -> dict[str, Any]:
    before, after = both
    return {
        "item": after.item,
        "kind": after.kind,
        "prompt": after.prompt,
        "key": after.key,
        "answers": [
            {
                "model": name,
                "value": None if each.value != each.value else each.value,
                "answers": each.answers,
                "reason": browsing.reason(each),
                "truncated": each.truncated,
                "readable": each.readable,
                "turns": each.turns,
            }
            for name, each in ((pair.before.model, before), (pair.after.model, after))
        ],
    }


def _line(before: AnsweredItem, after: AnsweredItem) -> dict[str, Any]:
    return {
        "item": after.item,
        "value_before": before.value,
        "value_after": after.value,
        "before": " | ".join(before.answers)[:60],
        "after": " | ".join(after.answers)[:60],
    }


def _exchanges(model: str, row: AnsweredItem) -> Iterator[str]:
    """All turns of each answer, a line each; nothing where answers have one turn."""
    for turns in [turns for turns in row.turns if len(turns) > 1]:
        yield text("cli.eval_exchange", item=row.item, model=model)
        for turn in turns:
            role = turn["role"] if turn["role"] in ("assistant", "tool", "user") else "other"
            said = " ".join(turn["content"].split())
            yield f"  {text(f'evaluation.turn_{role}')}: {said}"


def _names(listed: str) -> list[str]:
    return [name.strip() for name in listed.split(",") if name.strip()]
