"""The models of the studio: the demo models, what was brought in, and what was trained, with its lineage."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio_core.base.errors import BadInput, NotFound, StudioError
from studio_core.base.files import Reach
from studio_core.base.settings import bundled_folder
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, Mark, Model
from studio_core.models import checkpoints, hub
from studio_core.models.chat_template import STANDARD_TEMPLATE
from studio_core.models.hub import HUB_NAME
from studio_core.models.inspect import Inspected, architecture, chat_template, inspect
from studio_core.models.own_code import Consent, note
from studio_core.people.reach import reach
from studio_core.runs.spec import ResolvedModel

MERGE = "merge"
"""In the details of a model that was merged: ``{"method", "density", "adapters": [{"id", "name", "weight"}]}``."""

DEMO_MODELS = ("tiny-base", "tiny-chat")

_UNFIT = re.compile(r"[^\w.\-]+")


def ensure_demo_models(studio: Studio) -> None:
    """Make sure that the models which come with the studio are listed, at the place where they are now."""
    folders = {name: bundled_folder() / "models" / name for name in DEMO_MODELS}
    with studio.db.read() as session:
        known = {m.name: m.path for m in session.scalars(select(Model).where(Model.name.in_(folders)))}
    # Only what has moved is looked into: this runs at each start, and a look takes a helper process.
    stale = {
        name: folder
        for name, folder in folders.items()
        if known.get(name) != str(folder) and (folder / "config.json").is_file()
    }
    for name, folder in stale.items():
        found = inspect(folder)
        with studio.db.write() as session:
            model = session.scalar(select(Model).where(Model.name == name))
            if model is None:
                model = Model(name=name, kind="base", parent_id=None, job_id=None, source="demo")
                session.add(model)
            # A person may have given this name to a model of their own.
            if model.source == "demo":
                model.path, model.parameters = str(folder), found.parameters
                model.details = found.details()


def all_models(studio: Studio) -> Sequence[Model]:
    """Bases first, then what was trained, newest first."""
    with studio.db.read() as session:
        models = session.scalars(select(Model).order_by(Model.id)).all()
    trained = [model for model in models if model.job_id is not None]
    return [model for model in models if model.job_id is None] + trained[::-1]


def scores(model: Model) -> bool:
    """Whether it gives answers a score, as reward models do, instead of writing any."""
    return str(model.details.get("architecture", "")).endswith("ForSequenceClassification")


def archived(studio: Studio) -> set[int]:
    """The numbers of the models that somebody has archived."""
    with studio.db.read() as session:
        return set(
            session.scalars(select(Mark.row_id).where(Mark.table == Model.__tablename__, Mark.archived))
        )


def offered(studio: Studio, also: Iterable[str] = ()) -> list[Model]:
    """What there is to choose from: all but the archived, and those of ``also`` that there are, checkpoints too."""
    also, away = set(also), archived(studio)
    found = [model for model in all_models(studio) if model.id not in away or model.name in also]
    for name in also - {model.name for model in found}:
        if checkpoints.step_of(name) is not None:
            # Whoever named it is told what is wrong with it; it is no choice.
            with suppress(StudioError):
                found.append(find(studio, name))
    return found


def writers(studio: Studio, also: Iterable[str] = ()) -> list[Model]:
    """Of these the models that write answers."""
    return [model for model in offered(studio, also) if not scores(model)]


def get(studio: Studio, name_or_id: str | int) -> Model:
    """The model of that name, else of that number."""
    with studio.db.read() as session:
        model = _find(session, name_or_id)
        if model is None:
            # The newest eight: a sentence, not a list.
            names = session.scalars(select(Model.name).order_by(Model.id.desc()).limit(8)).all()
            raise NotFound("models.not_found", model=name_or_id, known=", ".join(names) or "-")
        return model


def find(studio: Studio, name_or_id: str | int) -> Model:
    """As ``get``; also ``NAME@STEP``, a checkpoint, whose row is not stored before something is built on it."""
    try:
        return get(studio, name_or_id)
    except NotFound:
        step = checkpoints.step_of(str(name_or_id))
        if step is None:
            raise
    return checkpoints.row(studio, get(studio, str(name_or_id).rpartition("@")[0]), step)


def _find(session: Session, name_or_id: str | int) -> Model | None:
    # The name first: a model may be called "7".
    model = session.scalar(select(Model).where(Model.name == str(name_or_id)))
    if model is None and str(name_or_id).isascii() and str(name_or_id).isdigit():
        # SQLite's numbers have 64 bits; what is longer is no id, and would be an error of the driver.
        model = session.get(Model, int(name_or_id)) if len(str(name_or_id)) < 16 else None
    return model


def add(studio: Studio, source: str, *, name: str | None = None, own_code: Consent | None = None) -> Model:
    """Bring in a local folder, or a model of the Hub by its name (which downloads it).

    The same source twice gives the same model. With ``own_code`` the Python code that it brings along will run.
    """
    source = source.strip()
    if own_code is not None and own_code.source != source:
        raise BadInput("models.code_needs_administrator")
    if not source:
        raise BadInput("models.no_source")
    # A folder of this name beside the studio wins over the Hub: nothing is fetched that is there.
    named_on_hub = HUB_NAME.fullmatch(source) and not Path(source).expanduser().exists()
    if named_on_hub:
        place = studio.settings.models / "hub" / source.replace("/", "--")
        folder = hub.download(source, place, code=own_code is not None)
    else:
        folder = local_folder(source, reach(studio))
    # Before the transaction: a look into shards on a slow disk takes seconds.
    found = inspect(folder, trust_remote_code=own_code is not None)
    trusted = own_code is not None and found.own_code
    with studio.db.write() as session:
        known = session.scalar(select(Model).where(Model.path == str(folder), Model.job_id.is_(None)))
        if known is not None:
            known.trust_remote_code = trusted
            known.parameters, known.details = found.parameters, found.details()
            return _log_consent(known, own_code)
        model = _base(folder, found, name=_free_name(session, name or folder_name(source)))
        model.source = source if named_on_hub else str(folder)
        model.trust_remote_code = trusted
        session.add(model)
        session.flush()
        return _log_consent(model, own_code)


def _log_consent(model: Model, consent: Consent | None) -> Model:
    if consent is not None and model.trust_remote_code:
        note(consent, model)
    return model


def find_or_describe(studio: Studio, name_or_path: str) -> Model:
    """As ``find_or_add``, but a folder that is not listed yet is only looked into: its row has no number."""
    try:
        return find(studio, name_or_path)
    except NotFound:
        source = _require_path(name_or_path)
    folder = local_folder(source, reach(studio))
    with studio.db.read() as session:
        known = session.scalar(select(Model).where(Model.path == str(folder), Model.job_id.is_(None)))
    return known or _base(folder, inspect(folder), name=folder_name(source))


def _base(folder: Path, found: Inspected, *, name: str) -> Model:
    return Model(
        name=name,
        kind="base",
        path=str(folder),
        parent_id=None,
        job_id=None,
        source=str(folder),
        parameters=found.parameters,
        trust_remote_code=False,
        details=found.details(),
    )


def local_folder(source: str, allowed: Reach) -> Path:
    """The folder that a user named, with links resolved; refused where the studio may not read."""
    try:
        folder = Path(source).expanduser().resolve()
        exists = folder.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise BadInput("models.no_folder", path=source[:300]) from error
    # Asked first, so that nobody learns from the sentence what lies outside.
    if not allowed.allows(folder):
        raise BadInput("models.outside", path=source[:300], roots=allowed.named())
    if not exists:
        raise BadInput("models.no_folder", path=source[:300])
    return folder


def folder_name(source: str) -> str:
    """A model's name made from where it came from: the last part, without odd characters."""
    last = re.split(r"[/\\]", source.rstrip("/\\"))[-1]
    return _UNFIT.sub("-", last).strip("-.")[:80] or "model"


def resolve(studio: Studio, name_or_path: str | int, *, scoring: bool = False) -> ResolvedModel:
    """Where the files of a model are: an adapter's own folder, on the nearest complete model below it.

    A local folder that is not in the studio yet is added to it. One that only scores answers is
    refused, unless it is for ``scoring``.
    """
    return resolve_row(studio, find_or_add(studio, name_or_path), scoring=scoring)


def resolve_row(studio: Studio, model: Model, *, scoring: bool = False) -> ResolvedModel:
    """The same for a row, also one that is not stored."""
    if scores(model) and not scoring:
        raise BadInput("models.scores_only", model=model.name)
    complete = complete_below(studio, model)
    # Now and not when the worker loads it: the sentence names the folder that is gone.
    for folder in {model.path, complete.path}:
        if not Path(folder).is_dir():
            raise BadInput("models.gone", model=model.name, path=folder)
    own = any(chat_template(Path(folder)) for folder in {model.path, complete.path})
    return ResolvedModel(
        id=model.id,
        name=model.name,
        path=complete.path,
        adapter=model.path if model.kind == "adapter" else None,
        parameters=complete.parameters,
        trust_remote_code=complete.trust_remote_code,
        chat_template=None if own else STANDARD_TEMPLATE,
    )


def complete_below(studio: Studio, model: Model) -> Model:
    """The model itself, or of an adapter the complete model that it is on."""
    # Adapters on adapters: the weights are in the first complete model below them.
    with studio.db.read() as session:
        while model.kind == "adapter" and model.parent_id is not None:
            model = session.get_one(Model, model.parent_id)
    return model


def may_run_code(studio: Studio, model_id: int | None) -> bool:
    """Whether a model, or of an adapter the complete one below it, is allowed to run code of its own now."""
    with studio.db.read() as session:
        model = session.get(Model, model_id) if model_id is not None else None
        # An adapter has no code; what runs is that of the model below it.
        while model is not None and model.kind == "adapter" and model.parent_id is not None:
            model = session.get(Model, model.parent_id)
        return model is not None and model.trust_remote_code


def find_or_add(studio: Studio, name_or_path: str | int) -> Model:
    """The model, listed from now on if it is a folder or a checkpoint that was not."""
    try:
        found = find(studio, name_or_path)
    except NotFound:
        return add(studio, _require_path(name_or_path))
    return found if found.id is not None else _listed(studio, found)


def _listed(studio: Studio, checkpoint: Model) -> Model:
    with studio.db.write() as session:
        known = session.scalar(select(Model).where(Model.path == checkpoint.path))
        if known is not None:
            return known
        session.add(checkpoint)
        session.flush()
        return checkpoint


def _require_path(name_or_path: str | int) -> str:
    """What is no name of a model, if it is written as a path; to be called where ``NotFound`` is handled."""
    text = str(name_or_path).strip()
    if HUB_NAME.fullmatch(text) and not Path(text).is_dir():
        raise BadInput("models.not_downloaded", model=text) from None
    if text.startswith(("/", "~", "./", "../")) or "\\" in text:
        return text
    raise


def register_result(
    studio: Studio, job: Job, result: dict[str, Any], details: dict[str, Any] | None = None
) -> Model:
    """List what a run made, under a name of its own; called again for the same run it changes nothing.

    ``result`` is the ``result`` event of the run; its model must lie in the run's folder. ``details``
    are kept beside what is inherited and what the run reported.
    """
    # The event was written by a process that ran a model's code: its path is not trusted.
    run_dir = Path(job.run_dir or "").resolve()
    folder = (run_dir / str(result["model"])).resolve()
    if not folder.is_relative_to(run_dir) or not folder.is_dir():
        raise BadInput("models.result_outside", job=job.id, path=folder)
    run = job.spec.get("run", {})
    parent_id = run.get("model", {}).get("id")
    kind = "adapter" if result.get("kind") == "adapter" else "full"
    with studio.db.write() as session:
        # The engine may be killed after this commit and register the run again.
        known = session.scalar(select(Model).where(Model.job_id == job.id))
        if known is not None:
            return known
        parent = session.get(Model, parent_id) if parent_id is not None else None
        inherited = dict(parent.details) if parent else {}
        for how in (MERGE, checkpoints.KEY):  # How the parent was made says nothing of its children.
            inherited.pop(how, None)
        if kind == "full" and (made := architecture(folder)):
            inherited["architecture"] = made
        kept = ("step", "total_steps", "seconds", "peak_memory", "parameters")
        model = Model(
            name=_free_name(session, job.name),
            kind=kind,
            path=str(folder),
            parent_id=parent.id if parent else None,
            job_id=job.id,
            source=f"run {job.id}",
            parameters=int(result.get("parameters") or (parent.parameters if parent else 0)),
            trust_remote_code=bool(parent and parent.trust_remote_code),
            details={**inherited, "training": {name: result.get(name) for name in kept}, **(details or {})},
        )
        session.add(model)
        session.flush()
        return model


def _free_name(session: Session, wanted: str) -> str:
    wanted = _UNFIT.sub("-", wanted).strip("-.")[:80] or "model"
    # All names with this beginning in one query, and not one query for each number.
    taken = set(session.scalars(select(Model.name).where(Model.name.startswith(wanted))))
    if wanted not in taken:
        return wanted
    return next(name for number in range(2, 10**6) if (name := f"{wanted}-{number}") not in taken)


def free_name(studio: Studio, stem: str) -> str:
    """``stem-1``, or the next number that no run and no model bears."""
    stem = stem[:70]
    with studio.db.read() as session:
        names = {
            *session.scalars(select(Job.name).where(Job.name.startswith(stem))),
            *session.scalars(select(Model.name).where(Model.name.startswith(stem))),
        }
    return next(name for number in range(1, 10**6) if (name := f"{stem}-{number}") not in names)


@dataclass(frozen=True)
class Ancestor:
    """One generation of a model's history, and the training that made it (None for what was brought in)."""

    model: Model
    job_id: int | None
    method: str | None
    dataset: str | None
    merged: dict[str, float]
    """The adapters that it was merged from with their weights; empty if it was not."""
    elsewhere: str = ""
    """The trainer, if another one than ours did it."""


def lineage(studio: Studio, model: Model) -> list[Ancestor]:
    """The model itself first, then what it was trained from, down to the base."""
    generations: list[Ancestor] = []
    current: Model | None = model
    with studio.db.read() as session:
        # A hundred rounds of a loop; a circle in the rows (by a hand that edited them) ends here too.
        while current is not None and len(generations) < 100:
            run = checkpoints.run_of(current)
            job = session.get(Job, run) if run is not None else None
            dataset = job.spec.get("run", {}).get("dataset") if job else None
            named = f"{dataset['name']}@{dataset['version']}" if dataset else None
            method = job.method if job else None
            by = ((job.spec.get("run") or {}).get("elsewhere") or {}).get("trainer", "") if job else ""
            generations.append(
                Ancestor(current, job.id if job else None, method, named, merged_from(current), by)
            )
            current = session.get(Model, current.parent_id) if current.parent_id is not None else None
    return generations


def merged_from(model: Model) -> dict[str, float]:
    """The adapters that a model was merged from with their weights, as they were called then; empty if it was not."""
    adapters = model.details.get(MERGE, {}).get("adapters", [])
    return {adapter["name"]: adapter["weight"] for adapter in adapters}


def result_of(studio: Studio, job_id: int) -> Model | None:
    """The model that a run made."""
    with studio.db.read() as session:
        return session.scalar(select(Model).where(Model.job_id == job_id))
