"""A training script by itself, on a plain file: no studio, no queue, no database.

    python -m jobs.training.dpo --model MODEL_FOLDER --data pairs.jsonl --out RUN_FOLDER

What the studio would hand to the script is made here from the command: the file's records as Parquet, the options as a
preset with changes, and ``spec.json``. The run's folder is one of the studio's (``studio_core/runs/run_folder.py``).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from studio_core import methods, texts, tunings
from studio_core.base import atomic, plain_yaml
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.files import Reach
from studio_core.base.validation import validate
from studio_core.data import archives, parquet
from studio_core.data.inspection import Reading
from studio_core.methods.base import PRESETS, Method, validated
from studio_core.methods.roles import missing, other_tokens
from studio_core.models.chat_template import STANDARD_TEMPLATE
from studio_core.models.inspect import chat_template, inspect
from studio_core.models.size import ModelSize
from studio_core.runs import run_folder
from studio_core.runs.spec import ResolvedDataset, ResolvedModel, RoleName, RunSpec, TrainSpec
from studio_core.tunings.base import Case

_DATA = "data.parquet"
_LARGEST = 64 << 30
"""Bytes that an archive may unpack to: more is a mistake."""


def run(method: str, main: Callable[[Path], None]) -> None:
    """What a script does when it is called from a shell: a run in ``RUN_DIR``, or one made from the options."""
    if len(sys.argv) == 2 and not sys.argv[1].startswith("-"):
        main(Path(sys.argv[1]).resolve())
        return

    def command(
        model: Annotated[Path, typer.Option(help="Folder of the base model.")],
        data: Annotated[Path, typer.Option(help="File with the records: JSONL, CSV, Parquet ...")],
        out: Annotated[Path, typer.Option(help="New folder for the run; the model will be OUT/model.")],
        tuning: Annotated[str, typer.Option(help=f"{', '.join(tunings.TUNINGS)}.")] = tunings.DEFAULT,
        preset: Annotated[str, typer.Option(help=f"{', '.join(PRESETS)}.")] = "balanced",
        set_: Annotated[
            list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="An option; may be repeated.")
        ] = None,
        role: Annotated[
            list[str] | None, typer.Option(metavar="ROLE=FOLDER", help="A further model; may be repeated.")
        ] = None,
        prompt: Annotated[
            list[str] | None, typer.Option(help="A prompt to answer before and after; may be repeated.")
        ] = None,
        seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
        device: Annotated[str, typer.Option(help="auto, cpu or gpu.")] = "auto",
    ) -> None:
        try:
            values = {
                "method": method, "tuning": tuning, "preset": preset, "seed": seed, "device": device,
                "model": model.name, "dataset": data.name, "prompts": prompt or [],
                "models": {name: str(folder) for name, folder in map(_setting, role or [])},
                "options": dict(_setting(pair) for pair in set_ or []),
            }  # fmt: skip
            spec = validate(TrainSpec, values, "cli.invalid")
            run_dir = prepare(spec, model.resolve(), data.resolve(), out.resolve())
            main(run_dir)
        except StudioError as error:
            print(error.sentence(), file=sys.stderr)
            raise typer.Exit(error.exit_code) from error
        print(f"The model is in {run_dir / run_folder.MODEL}.")

    typer.run(command)


def prepare(spec: TrainSpec, model: Path, data: Path, out: Path) -> Path:
    """The folder of a run, with its data and its ``spec.json``, as the engine would hand it to a worker."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput("cli.out_taken", path=out)
    if not data.exists():
        raise BadInput("data.file_missing", file=data)
    method, base = methods.named(spec.method), inspect(model)
    options = validated(method, spec.preset, spec.tuning, base.parameters, spec.options)
    tuning = tunings.named(spec.tuning)
    case = Case(
        model.name,
        base.quantised,
        method.writes,
        compares=method.compares,
        size=ModelSize.of(base.parameters, base.details()),
        checkpointing=options.activation_checkpointing,
        options=options.model_dump(),
    )
    for problem in (*filter(None, [tuning.missing()]), *tunings.problems(tuning, case)):
        raise problem
    policy = _resolved(model)
    others = _others(spec, method, policy)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as partial:
        made = _records(data, Path(partial) / _DATA)
        if made.shape not in method.shapes:
            wanted = ", ".join(method.shapes)
            raise BadInput(
                "train.shape_misfit", dataset=data.name, shape=made.shape, method=method.name, wanted=wanted
            )
        if problems := method.against(made):
            raise problems[0]
        run = RunSpec(
            spec=spec,
            model=policy,
            models=others,
            dataset=made.model_copy(update={"path": str(out / _DATA)}),
            options=options.model_dump(),
            prompts=spec.prompts if method.writes else [],
        )
        atomic.write_json(Path(partial) / run_folder.SPEC, run.model_dump())
        out.mkdir(exist_ok=True)
        for file in Path(partial).iterdir():
            file.rename(out / file.name)
    return out


def _resolved(folder: Path) -> ResolvedModel:
    return ResolvedModel(
        name=folder.name,
        path=str(folder),
        parameters=inspect(folder).parameters,
        chat_template=None if chat_template(folder) else STANDARD_TEMPLATE,
    )


def _others(spec: TrainSpec, method: Method, policy: ResolvedModel) -> dict[RoleName, ResolvedModel]:
    """The models of further roles, which the command names by their folders."""
    made: dict[RoleName, ResolvedModel] = {}
    known = ", ".join(method.named_roles) or "-"
    for name, folder in spec.models.items():
        if name not in method.named_roles:
            raise BadInput("train.role_unknown", role=name, model=folder, method=method.name, known=known)
        made[name] = _resolved(Path(folder).resolve())
    for role in method.named_roles.values():
        if role.name not in made and not role.optional:
            raise missing(role, method.name)
        if role.compared and (values := other_tokens(made[role.name], policy)):
            print(texts.text("train.role_other_tokens", **values))
    return made


def _records(source: Path, target: Path) -> ResolvedDataset:
    """The good rows of a file, in the shape that its columns say; what is left out is told."""
    allowed = Reach((source.parent,))
    with archives.open_bundle(
        [source], [source.name], scratch=target.parent, limit=_LARGEST, allowed=allowed
    ) as bundle:
        reading = Reading(bundle, source.name, None, limit=_LARGEST)
        seen = reading.seen
        with open(target, "w+b") as file:
            sha256 = parquet.write(file, seen.shape, reading.to_store(), seen.mapping.keep)
    if seen.bad:
        first = seen.reasons[0]
        print(
            f"{seen.bad} of {seen.good + seen.bad} rows are left out; row {first['row']}: {first['reason']}"
        )
    return ResolvedDataset(
        id=0, name=source.name, version=1, shape=seen.shape, rows=seen.good, path=str(target), sha256=sha256
    )


def _setting(pair: str) -> tuple[str, object]:
    name, equals, value = pair.partition("=")
    if not equals:
        raise BadInput("cli.not_a_pair", value=pair)
    try:
        return name, plain_yaml.load(value)
    except ValueError as error:
        raise BadInput("cli.not_a_pair", value=pair) from error
