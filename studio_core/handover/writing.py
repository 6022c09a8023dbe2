"""A run written into a folder for another trainer: rows, configuration, script, README and three rendered rows."""

from __future__ import annotations

import json
import random
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from studio_core import methods, tunings
from studio_core.base.about import studio_version
from studio_core.base.atomic import whole_folder
from studio_core.base.errors import BadInput, Conflict, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.data import exports, parquet, tokenized
from studio_core.data.exports import writers
from studio_core.data.exports.forms import Form, Layout
from studio_core.data.shapes import Record, Shape, further_columns
from studio_core.handover import readme, rewards
from studio_core.handover.base import HELD_OUT, OUTPUT, TRAIN, Fields, Given, Trainer, Way
from studio_core.runs import queue
from studio_core.runs.spec import ResolvedDataset, RunSpec

CONFIG, SCRIPT, RENDERED, ABOUT = "config.yaml", "run.sh", "rendered.json", "handover.json"
ROWS_RENDERED = 3
"""Enough to see a system prompt, the end of a turn and a second row, and few enough to be read."""
LOOKED_AT = 2000
"""Rows from which those are drawn."""


@dataclass
class Handover:
    """What was written."""

    run: int
    name: str
    trainer: str
    version: str
    """Of the trainer, whose fields these are."""
    folder: str
    rows: dict[str, int]
    """Rows in each file of rows."""
    left_out: dict[str, int]
    """Rows that the trainer's form cannot hold, by reason (``exports.unfit_<reason>``)."""
    fields: Fields
    without: dict[str, Any]
    """Options that are set in the run and have no counterpart."""
    nearest: dict[str, tuple[Any, Any]]
    """Options of which the trainer lacks the value: the run's, and what is written."""
    by_default: dict[str, Any] = field(default_factory=dict)
    """Options without a counterpart that the run has at their default."""
    not_rendered: str = ""
    """Why no rows could be rendered; empty: they are there."""


def hand_over(studio: Studio, number: int, trainer: Trainer, folder: Path) -> Handover:
    """Write the folder, which must not exist. Raises ``BadInput`` that says what the trainer cannot do of the run."""
    job = queue.get(studio, number)
    run = _run_of(job)
    way = trainer.way(run)
    if folder.exists():
        raise Conflict("handover.exists", folder=folder)
    if not folder.parent.is_dir():
        raise BadInput("handover.no_parent", folder=folder.parent)
    given = given_of(run, trainer)
    apart = _held_out(run, given)
    fields = way.fields(given)
    result = Handover(
        run=job.id,
        name=job.name,
        trainer=trainer.name,
        version=trainer.version,
        folder=str(folder),
        rows={},
        left_out={},
        fields=fields,
        without={name: value for name, (value, changed) in given.unread().items() if changed},
        nearest=given.nearest,
        by_default={name: value for name, (value, changed) in given.unread().items() if not changed},
    )
    with whole_folder(folder) as partial:
        (partial / "data").mkdir()
        _rows(run, way, trainer, apart, partial / "data", result)
        _render(run, given, apart, partial / RENDERED, result)
        for name, text in trainer.files(given).items():
            (partial / name).write_text(text, encoding="utf-8")
        if trainer.config == "yaml":
            (partial / CONFIG).write_text(_yaml(fields), encoding="utf-8")
        script = partial / SCRIPT
        script.write_text(script_of(trainer, way, fields, run.spec.gpus), encoding="utf-8")
        script.chmod(0o755)
        (partial / "README.md").write_text(readme.text_of(result, trainer, run), encoding="utf-8")
        about = {**asdict(result), "folder": "", "studio": studio_version(), "spec": run.spec.model_dump()}
        about |= {"dataset_sha256": run.dataset.sha256, "base": run.model.name}
        (partial / ABOUT).write_text(json.dumps(about, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return result


def _run_of(job: Job) -> RunSpec:
    """The training as it is resolved, with everything that it is made of still there."""
    if job.kind != "train":
        raise BadInput("handover.no_training", job=job.id, kind=job.kind)
    run = RunSpec.model_validate(job.spec["run"])
    for dataset in (run.dataset, *run.data.values()):
        if not Path(dataset.path).is_file():
            raise BadInput("handover.no_data", dataset=f"{dataset.name}@{dataset.version}", job=job.id)
    if not Path(run.model.path).is_dir():
        raise BadInput("handover.no_model", model=run.spec.model, job=job.id)
    if "replay" in run.data:
        raise BadInput("handover.no_replay", dataset=run.data["replay"].name, job=job.id)
    return run


def given_of(run: RunSpec, trainer: Trainer) -> Given:
    """The run with its options and how many rows are for what."""
    method, tuning = methods.named(run.spec.method), tunings.named(run.spec.tuning)
    options: Any = methods.base.read(method, tuning, run.options)
    total, measured = run.dataset.rows, run.data.get("held_out")
    held_out = measured.rows if measured else options.held_out(total)
    judged = Shape(run.dataset.shape) is Shape.UNPAIRED_PREFERENCE
    return Given(
        run=run,
        options=options,
        rows=total if measured else total - held_out,
        held_out=held_out,
        trainer=trainer.title,
        name=trainer.name,
        good=parquet.good_answers(Path(run.dataset.path)) if judged else 0,
    )


def _held_out(run: RunSpec, given: Given) -> set[int]:
    """Numbers of the rows to measure on, from 1: drawn as the run draws them where it leaves no row out."""
    if "held_out" in run.data or not given.held_out:
        return set()
    return {row + 1 for row in random.Random(run.spec.seed).sample(range(run.dataset.rows), given.held_out)}


# Rows


def _rows(run: RunSpec, way: Way, trainer: Trainer, apart: set[int], folder: Path, result: Handover) -> None:
    """Both files of rows. Raises ``BadInput`` if the form can hold none of them."""
    form = way.forms[Shape(run.dataset.shape)]
    files: list[tuple[str, ResolvedDataset, bool]] = [(TRAIN, run.dataset, False)]
    if measured := run.data.get("held_out"):
        if Shape(measured.shape) not in way.forms:
            raise BadInput("handover.other_shape", dataset=measured.name, shape=measured.shape)
        files.append((HELD_OUT, measured, False))
    elif apart:
        files.append((HELD_OUT, run.dataset, True))
    lost: dict[str, exports.Rows] = {}
    for name, dataset, these in files:
        plan = _plan(dataset, way.forms[Shape(dataset.shape)], trainer)
        unfit: dict[str, exports.Rows] = {}
        rows = (row for number, _, row in plan.rows(unfit) if not apart or (number in apart) is these)
        target = folder / f"{name}.{trainer.format}"
        result.rows[target.name] = writers.WRITERS[trainer.format](target, plan.table, rows)
        # A dataset that is read twice, once for each file, says the same twice.
        if not these:
            for code, found in unfit.items():
                result.left_out[code] = result.left_out.get(code, 0) + found.n
                lost.setdefault(code, found)
    if not result.rows[f"{TRAIN}.{trainer.format}"]:
        reasons = exports.reasons(exports.Fit("", "", form.becomes, form.becomes, left_out=lost))
        raise BadInput("handover.nothing_fits", trainer=trainer.title, reasons=reasons)


def _plan(dataset: ResolvedDataset, form: Form, trainer: Trainer) -> exports.Plan:
    shape, stored = Shape(dataset.shape), Path(dataset.path)
    layout = Layout(trainer.name, (trainer.format,), {shape: form})
    kept = further_columns(shape, parquet.columns(stored)) if trainer.format != "parquet" else []
    return exports.Plan(stored, shape, layout, trainer.format, form, kept)


def _render(run: RunSpec, given: Given, apart: set[int], target: Path, result: Handover) -> None:
    """The first rows as this studio renders them, to be compared with what the trainer makes of them."""
    records: list[Record] = []
    for number, record in enumerate(parquet.read(Path(run.dataset.path), limit=LOOKED_AT), start=1):
        if number not in apart and len(records) < ROWS_RENDERED:
            records.append(record)
    shape = given.shape
    if methods.named(given.method).rewards:
        shape, records = Shape.PROMPT_ONLY, [rewards.asked(record) for record in records]
    try:
        shown = [
            tokenized.preview_record(
                run.model, shape, record, given.options.max_length, given.options.learning()
            )
            for record in records
        ]
    except StudioError as error:
        result.not_rendered = error.sentence()
        return
    document = [
        {
            "tokens": each.lengths,
            "trained": each.learnt,
            "text": "".join(piece.text for piece in each.segments),
            "segments": [asdict(piece) for piece in each.segments],
        }
        for each in shown
    ]
    target.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


# Configuration and script


class _Dumper(yaml.SafeDumper):
    """Without aliases: what two files of rows have in common is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yaml(fields: Fields) -> str:
    return str(yaml.dump(fields, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


_BARE = re.compile(r"[\w./@:+-]+")


def script_of(trainer: Trainer, way: Way, fields: Fields, gpus: int) -> str:
    """``run.sh``: what starts it, from its own folder, so that paths within it hold wherever it lies.

    On as many GPUs as the run has: most trainers take all that they see, and the batch of a step would grow with them.
    """
    cards = ",".join(map(str, range(gpus)))
    words = [word.format(gpus=gpus) for word in way.command]
    settings = {"yaml": _file, "flags": _flags, "hydra": _hydra}[trainer.config](fields)
    # A variable is the shell's to fill in: where a trainer's repository lies.
    started = " ".join(f'"{word}"' if word.startswith("$") else shlex.quote(word) for word in words)
    lines = " \\\n  ".join([started, *settings])
    head = [
        "#!/usr/bin/env bash",
        "set -euo pipefail",
        'cd "$(dirname "$0")"',
        f'export CUDA_VISIBLE_DEVICES="${{CUDA_VISIBLE_DEVICES:-{cards}}}" NPROC_PER_NODE={gpus}',
    ]
    return "\n".join([*head, f'{lines} "$@"']) + "\n"


def _file(fields: Fields) -> list[str]:
    return [CONFIG]


def _flags(fields: Fields) -> list[str]:
    """``--name value``; a switch stands alone, and is absent where it is off."""
    words = []
    for name, value in fields.items():
        if value is True:
            words.append(f"--{name}")
        elif value is not False and value is not None:
            values = value if isinstance(value, list) else [value]
            words.append(" ".join([f"--{name}", *map(_word, values)]))
    return words


def _hydra(fields: Fields) -> list[str]:
    # Single quotes are Hydra's, double ones the shell's, which puts the folder in.
    return [
        f"\"{name}='$PWD/{value}'\"" if _within(value) else shlex.quote(f"{name}={_hydra_value(value)}")
        for name, value in fields.items()
    ]


def _within(value: Any) -> bool:
    """Whether it is a path in the folder: written whole, since workers of Ray may run elsewhere."""
    return isinstance(value, str) and (
        value in (OUTPUT, rewards.PROGRAM) or value.startswith(("data/", f"{OUTPUT}/"))
    )


def _word(value: Any) -> str:
    return f'"$PWD"/{value}' if _within(value) else shlex.quote(str(value))


def _hydra_value(value: Any) -> str:
    """As Hydra's grammar has it: texts that are no plain word in quotes."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{name}:{_hydra_value(part)}" for name, part in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{','.join(map(_hydra_value, value))}]"
    if _BARE.fullmatch(value):
        return str(value)
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{quoted}'"
