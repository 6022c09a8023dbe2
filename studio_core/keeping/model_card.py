"""The card of a model: what it is, learnt from, reached and is not good for. Generated, until somebody writes it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from studio_core.base.errors import BadInput, NotFound
from studio_core.base.files import open_below
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, Mark, Model
from studio_core.evaluation import loading, results
from studio_core.evaluation.report import Report, report
from studio_core.evaluation.sentences import figure
from studio_core.keeping import marks
from studio_core.keeping.models import MODELS
from studio_core.models import checkpoints, registry
from studio_core.runs import queue
from studio_core.texts import text

# The first letters of a README: its head is some lines.
_HEAD = 16_384
_SIGNS = re.compile(r"([\\`*_{}\[\]<>#|~$])")


def text_of(studio: Studio, model: Model, language: str) -> str:
    """The card in Markdown: as somebody wrote it, else as it is generated."""
    mark = marks.of(studio, MODELS, [model.id]).get(model.id)
    return mark.card if mark and mark.card else generated(studio, model, language)


def written(mark: Mark | None) -> bool:
    return bool(mark and mark.card)


def generated(studio: Studio, model: Model, language: str) -> str:
    """From what the studio knows; what it does not know is said to be missing."""
    say = _saying(language)
    parts = [
        f"# {_plain(model.name)}",
        "\n".join(_what(studio, model, say)),
        f"## {say('data')}",
        "\n".join(_data(studio, model, say)),
        f"## {say('results')}",
        "\n".join(_results(studio, model, say, language)),
        f"## {say('limits')}",
        say("limits_text"),
        f"## {say('licence')}",
        _licence(studio, model, say),
    ]
    return "\n\n".join(parts) + "\n"


Say = Callable[..., str]


def _saying(language: str) -> Say:
    def say(key: str, **values: Any) -> str:
        return text(f"keeping.card_{key}", language, **values)

    return say


def _what(studio: Studio, model: Model, say: Say) -> Iterator[str]:
    """Where it comes from, and how it was trained."""
    yield say(
        "kind",
        kind=say(f"kind_{model.kind}"),
        parameters=f"{model.parameters:,}",
        source=_plain(model.source),
    )
    generations = registry.lineage(studio, model)
    if len(generations) > 1:
        yield ""
        yield say("from", models=" → ".join(_plain(one.model.name) for one in generations[::-1]))
    job = _job(studio, model)
    training = model.details.get("training") or {}
    if job is None or job.kind != "train":
        return
    yield ""
    if there := (job.spec.get("run") or {}).get("elsewhere"):
        by = f"{there['trainer']} {there['version']}"
        yield f"- {say('elsewhere')}: {_plain(by)}"
    yield f"- {say('method')}: {_plain((job.method or '').upper())}, {_plain(str(job.spec.get('tuning', '')))}"
    if training.get("total_steps"):
        yield f"- {say('steps')}: {training.get('step')} / {training['total_steps']}"
    if training.get("seconds"):
        yield f"- {say('seconds')}: {training['seconds']:,.0f}"
    if options := job.spec.get("options"):
        changed = ", ".join(f"{name} = {value}" for name, value in sorted(options.items()))
        yield f"- {say('options')}: {_plain(changed)}"
    yield f"- {say('seed')}: {job.spec.get('seed', 0)}"


def _data(studio: Studio, model: Model, say: Say) -> Iterator[str]:
    """The datasets of all trainings of its lineage, the newest first."""
    found = False
    for ancestor in registry.lineage(studio, model):
        job = _job(studio, ancestor.model)
        dataset = (job.spec.get("run") or {}).get("dataset") if job else None
        if dataset:
            found = True
            name = _plain(f"{dataset['name']}@{dataset['version']}")
            rows = say("rows", rows=dataset["rows"])
            yield f"- {_plain(ancestor.model.name)}: {name}, {rows}, sha256 {dataset['sha256'][:16]}"
    if not found:
        yield say("no_data")


def _results(studio: Studio, model: Model, say: Say, language: str) -> Iterator[str]:
    """What was measured, each with its interval of 95 % and the number of items."""
    measured = report_of(studio, model, language)
    cells = [cell for cell in measured.cells if cell.mean is not None] if measured else []
    if measured is None or not cells:
        yield say("no_results")
        return
    yield f"| {say('suite')} | {say('value')} | {say('interval')} | {say('items')} |"
    yield "|---|---|---|---|"
    for cell in cells:
        suite = measured.suite(cell.suite)
        interval = "–"
        if cell.low is not None and cell.high is not None:
            interval = f"{figure(cell.low, suite.unit)} – {figure(cell.high, suite.unit)}"
        yield f"| {_plain(suite.title)} | {figure(cell.mean, suite.unit)} | {interval} | {cell.n} |"


def _licence(studio: Studio, model: Model, say: Say) -> str:
    """What the README.md of its base states in its head, as on the Hub; its own licence is for people to state."""
    base = registry.lineage(studio, model)[-1].model
    try:
        with open_below(Path(base.path).resolve(), "README.md") as file:
            head = file.read(_HEAD).decode("utf-8", "replace")
    except (OSError, BadInput):
        return str(say("licence_text"))
    licence = _stated(head.splitlines())
    stated = f"{say('licence_base', model=_plain(base.name), licence=_plain(licence))}\n\n" if licence else ""
    return f"{stated}{say('licence_text')}"


def _stated(lines: list[str]) -> str:
    """``license`` of the front matter; empty if there is none."""
    if not lines or lines[0].strip() != "---":
        return ""
    head = itertools.takewhile(lambda line: line.strip() != "---", lines[1:])
    named = (line.partition(":") for line in head)
    return next((value.strip()[:100] for name, _, value in named if name == "license"), "")


def report_of(studio: Studio, model: Model, language: str) -> Report | None:
    """What it reached, of each suite the newest; None if nothing was measured or is there any more."""
    found = []
    for row in results.newest(studio, [model.name]):
        # Items of an evaluation that was deleted are gone; the others are told.
        with suppress(NotFound):
            found += loading.results_of(studio, [row], language)
    newest = {result.suite: result for result in found}
    return report(list(newest.values())) if newest else None


def _job(studio: Studio, model: Model) -> Job | None:
    run = checkpoints.run_of(model)
    return queue.get(studio, run) if run is not None else None


def _plain(words: str) -> str:
    """Text of others as text of Markdown: no sign of it means anything."""
    return _SIGNS.sub(r"\\\1", " ".join(words.split()))
