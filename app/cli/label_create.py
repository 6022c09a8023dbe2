"""``label create | more``: projects whose answers models write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, listed, opened, options_from, print_json
from app.cli.waiting import watch
from studio_core import rewards
from studio_core.base.errors import BadInput
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job, LabelProject
from studio_core.chat import chat_labels
from studio_core.data import store, versions
from studio_core.generation import services
from studio_core.generation.answer_jobs import AnswerSource
from studio_core.generation.sampling import limits
from studio_core.labeling import making, projects
from studio_core.labeling.making import NewPrompt
from studio_core.models import registry
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.reasons import ending
from studio_core.texts import text

Project = Annotated[str, typer.Option(help="Name or number of the project.")]
Prompts = Annotated[str | None, typer.Option(help="Dataset to take prompts from: NAME or NAME@VERSION.")]
PromptsFile = Annotated[
    Path | None,
    typer.Option(help="Text file with one prompt per line, or one per block if it has blank lines."),
]
FromChats = Annotated[bool, typer.Option(help="Use prompts from the Chat page.")]
Limit = Annotated[int, typer.Option(help="Maximum number of prompts.", min=1)]
Wait = Annotated[bool, typer.Option(help="Wait until all answers are generated.")]


def _reward(reward: str, pairs: Sequence[str]) -> dict[str, Any]:
    """What a source says of its reward: ``NAME`` with its options, or ``NAME=VALUE`` for one that has a single one."""
    name, equals, value = reward.partition("=")
    options = options_from(pairs)
    if equals:
        if not rewards.named(name).setting:
            raise BadInput("rewards.no_setting", name=name, value=value[:80])
        options = {**rewards.options_of_setting(name, value), **options}
    return {"reward": name, "reward_options": options}


def add_to(cli: typer.Typer) -> None:
    cli.command("create")(create)
    cli.command("more")(more)


def create(
    project: Annotated[str, typer.Option(help="Name of the project.")],
    source: Annotated[
        list[str],
        typer.Option(help="Answering model or service: NAME or NAME:TEMPERATURE. Repeatable."),
    ],
    prompts: Prompts = None,
    prompts_file: PromptsFile = None,
    from_chats: FromChats = False,
    system: Annotated[
        list[str] | None,
        typer.Option(help="System prompt of each source, in order. Repeatable."),
    ] = None,
    mode: Annotated[
        str, typer.Option(help="pairs: choose the better of two; rate: one answer; rank: three or more.")
    ] = "pairs",
    votes: Annotated[int, typer.Option(help="Votes per pair.", min=1, max=20)] = 1,
    best_of: Annotated[
        int, typer.Option(help="With one source: pair the best and worst of N answers.", min=1, max=64)
    ] = 1,
    reward: Annotated[
        str,
        typer.Option(
            help=f"Reward function that scores them: NAME or NAME=VALUE; {listed(rewards.REWARDS)}."
        ),
    ] = "",
    reward_set: Annotated[
        list[str] | None, typer.Option(help="An option of the reward function: NAME=VALUE. Repeatable.")
    ] = None,
    correct: Annotated[
        bool, typer.Option(help="With mode rate: annotators also correct each answer.")
    ] = False,
    every_pair: Annotated[
        bool, typer.Option(help="With three or more sources: all pairs per prompt, not one.")
    ] = False,
    max_tokens: Annotated[
        int, typer.Option(help="Maximum number of new tokens per answer.", **limits("max_tokens"))
    ] = 256,
    held_out: Annotated[
        float, typer.Option(help="Share of prompts held out for comparing models.", min=0, max=0.5)
    ] = 0.1,
    limit: Limit = 1000,
    seed: Annotated[int, typer.Option(help="Sampling seed.", **limits("seed"))] = 0,
    guidelines: Annotated[Path | None, typer.Option(help="Markdown file shown beside the task.")] = None,
    wait: Wait = False,
    as_json: AsJson = False,
    home: Home = None,
) -> int:
    """Create a project from prompts and answer sources; labelling starts with the first answers."""
    with opened(home) as studio:
        _ready(studio)
        dataset = versions.get(studio, prompts) if prompts else None
        new_prompts = _prompts(studio, dataset, prompts_file, from_chats, limit)
        sources = _sources(
            studio,
            source,
            system or [],
            max_tokens=max_tokens,
            seed=seed,
            best_of=best_of,
            **_reward(reward, reward_set or []),
        )
        project_, job = making.create(
            studio,
            project,
            new_prompts,
            sources,
            mode=mode,
            settings={"votes": votes, "held_out": held_out, "correct": correct},
            guidelines=guidelines.read_text(encoding="utf-8") if guidelines else "",
            dataset_id=dataset.id if dataset else None,
            every_pair=every_pair,
            seed=seed,
        )
        return tell_start(studio, project_, job, wait, as_json)


def more(
    project: Project,
    source: Annotated[
        list[str] | None,
        typer.Option(help="New answering model or service, replacing the current ones. Repeatable."),
    ] = None,
    prompts: Prompts = None,
    prompts_file: PromptsFile = None,
    from_chats: FromChats = False,
    limit: Limit = 1000,
    wait: Wait = False,
    as_json: AsJson = False,
    home: Home = None,
) -> int:
    """Generate answers for more prompts, with the same or new sources; existing pairs are skipped.

    With new sources and no prompts, the project's prompts are answered again.
    """
    with opened(home) as studio:
        _ready(studio)
        dataset = versions.get(studio, prompts) if prompts else None
        again = bool(source) and not (prompts or prompts_file or from_chats)
        asked = None if again else _prompts(studio, dataset, prompts_file, from_chats, limit)
        job = making.more(studio, project, asked, _sources(studio, source, ()) if source else None)
        return tell_start(studio, projects.get(studio, project), job, wait, as_json)


def _ready(studio: Studio) -> None:
    registry.ensure_demo_models(studio)
    store.ensure_samples(studio)


def _prompts(
    studio: Studio, dataset: Dataset | None, file: Path | None, chats: bool, limit: int
) -> Iterable[NewPrompt]:
    if sum((dataset is not None, file is not None, chats)) != 1:
        raise BadInput("labeling.making_one_origin")
    if dataset is not None:
        return making.prompts_of_dataset(studio, dataset, limit=limit)
    if chats:
        return chat_labels.prompts_of_chats(studio, limit)
    try:
        return making.prompts_of_text(Path(file or "").read_text(encoding="utf-8"))[:limit]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("cli.option_file", option="prompts-file", path=file, reason=error) from error


def _sources(
    studio: Studio, typed: Sequence[str], systems: Sequence[str], **shared: Any
) -> list[AnswerSource]:
    if len(systems) > len(typed):
        raise BadInput("labeling.making_systems", systems=len(systems), sources=len(typed))
    names = [source.name for source in services.all_services(studio.settings.home / services.FILE)]
    each = [*systems, *[""] * (len(typed) - len(systems))]
    return [
        making.source_of(source, system=system, services_known=names, **shared)
        for source, system in zip(typed, each, strict=True)
    ]


def tell_start(studio: Studio, project: LabelProject, job: Job, wait: bool, as_json: bool) -> int:
    """Say what was queued, or what came of it."""
    ensure_engine(studio)
    if wait:
        job = watch(studio, job.id)
    document = {
        "project": project.name,
        "id": project.id,
        "job": job.id,
        "state": job.state,
        "counts": projects.get(studio, project.id).counts,
    }
    if as_json:
        print_json(document)
    elif not wait:
        print(text("labeling.making_queued", name=project.name, job=job.id))
    elif job.state != State.SUCCEEDED:
        print(text("cli.data_failed", job=job.id, state=job.state, reason=ending(job)))
    else:
        counts = ", ".join(f"{name.replace('_', ' ')}: {n}" for name, n in document["counts"].items())
        print(text("labeling.making_done", name=project.name, counts=counts))
    return 0 if not wait or job.state == State.SUCCEEDED else 1
