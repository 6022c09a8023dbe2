"""Projects: what is asked of annotators, under which guidelines."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studio_core.base.errors import BadInput, Conflict, NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Deletion, Guidelines, Job, LabelProject
from studio_core.base.validation import validate
from studio_core.data.naming import checked_name

MODES = ("pairs", "rate", "rank")

REASONS = ("factual", "instruction", "format", "language", "safety", "too_long", "too_short")
"""Chips that are offered unless a project has its own; their texts are ``labeling.reason_<name>``."""


class ProjectSettings(BaseModel):
    """How annotators are asked."""

    model_config = ConfigDict(extra="forbid")

    votes: int = Field(default=1, ge=1, le=20, description="Votes wanted for each item.")
    blind: bool = Field(default=True, description="Where an answer comes from is hidden until it is judged.")
    strength: bool = Field(default=False, description="Ask how much better.")
    scale: int = Field(
        default=10, ge=2, le=10, description="Highest rating of a single answer; 2: up or down."
    )
    repeats: float = Field(default=0.05, ge=0, le=0.5, description="Share of items shown again, mirrored.")
    reasons: list[str] = Field(default_factory=lambda: list(REASONS), max_length=12)
    correct: bool = Field(
        default=False, description="A single answer is to be written better; what is kept is good as it is."
    )
    judges: bool = Field(
        default=False,
        description="Where no person has voted, labels of judges whose agreement is known count.",
    )
    held_out: float = Field(
        default=0.1, ge=0, le=0.5, description="Share of prompts kept for comparing models."
    )

    archived: bool = Field(default=False, description="Put away: nobody is given anything of it.")

    @property
    def marks(self) -> int:
        """The highest rating; of an answer that is to be corrected, 1 says that it was, 2 that it is good."""
        return 2 if self.correct else self.scale


def create(
    studio: Studio,
    name: str,
    *,
    mode: str = "pairs",
    settings: dict[str, Any] | None = None,
    sources: Sequence[dict[str, Any]] = (),
    guidelines: str = "",
    dataset_id: int | None = None,
    seed: int = 0,
    round: dict[str, Any] | None = None,
) -> LabelProject:
    """A new project without items."""
    name = checked_name(name)
    if mode not in MODES:
        raise BadInput("labeling.unknown_mode", mode=mode[:40], known=", ".join(MODES))
    checked = checked_settings(settings or {})
    with studio.db.write() as session:
        if session.scalar(select(LabelProject.id).where(LabelProject.name == name)):
            raise Conflict("labeling.name_taken", name=name)
        project = LabelProject(
            id=_new_id(session),
            name=name,
            mode=mode,
            seed=seed,
            settings=checked.model_dump(),
            sources=list(sources),
            dataset_id=dataset_id,
            job_id=None,
            round=round or {},
        )
        session.add(project)
        session.flush()
        session.add(Guidelines(project_id=project.id, version=1, text=guidelines))
        return project


def _new_id(session: Session) -> int:
    """One that no project had: jobs of a project that was deleted go on naming it, and may be resumed."""
    named = select(func.max(Job.spec["options"]["project"].as_integer())).where(Job.kind == "data")
    deleted = select(func.max(Deletion.numbers[LabelProject.__tablename__].as_integer()))
    newest = select(func.max(LabelProject.id))
    return 1 + max(session.scalar(query) or 0 for query in (named, deleted, newest))


def checked_settings(settings: dict[str, Any]) -> ProjectSettings:
    """Settings as they were given; raises ``BadInput`` that names the first that will not do."""
    return validate(ProjectSettings, settings, "labeling.setting_invalid")


def get(studio: Studio, project: str | int) -> LabelProject:
    """A project by its number or its name."""
    with studio.db.read() as session:
        return load_project(session, project)


def free_name(studio: Studio, wanted: str) -> str:
    """The wanted name, or the first one with a number that no project has."""
    wanted = checked_name(wanted)
    with studio.db.read() as session:
        names = set(session.scalars(select(LabelProject.name)))
    return next(name for n in count(1) if (name := wanted if n == 1 else f"{wanted}-{n}") not in names)


def load_project(session: Session, project: str | int) -> LabelProject:
    text = str(project).strip()
    row = None
    if not isinstance(project, int):
        row = session.scalar(select(LabelProject).where(LabelProject.name == text))
    if row is None and text.isascii() and text.isdigit() and len(text) < 16:
        row = session.get(LabelProject, int(text))
    if row is None:
        raise NotFound("labeling.no_project", project=text[:80])
    return row


def all_projects(studio: Studio) -> Sequence[LabelProject]:
    """Newest first."""
    with studio.db.read() as session:
        return session.scalars(select(LabelProject).order_by(LabelProject.id.desc())).all()


def rounds_of(studio: Studio, project_id: int) -> Sequence[LabelProject]:
    """The projects in which models trained on this one's votes are compared, oldest first."""
    query = select(LabelProject).where(LabelProject.round["project"].as_integer() == project_id)
    with studio.db.read() as session:
        return session.scalars(query.order_by(LabelProject.id)).all()


def root(studio: Studio, project: LabelProject) -> LabelProject:
    """The project itself, or the one whose models it compares."""
    return get(studio, project.round["project"]) if project.round else project


def settings_of(project: LabelProject) -> ProjectSettings:
    return ProjectSettings.model_validate(project.settings)


def write_guidelines(studio: Studio, project: str | int, text: str) -> Guidelines:
    """The next version of the guidelines, unless nothing changed."""
    if len(text) > 100_000:
        raise BadInput("labeling.guidelines_long", characters=len(text), limit=100_000)
    with studio.db.write() as session:
        row = load_project(session, project)
        newest = _newest_guidelines(session, row.id)
        if newest is not None and newest.text == text:
            return newest
        guidelines = Guidelines(project_id=row.id, version=(newest.version if newest else 0) + 1, text=text)
        session.add(guidelines)
        return guidelines


def guidelines(studio: Studio, project_id: int) -> Guidelines | None:
    with studio.db.read() as session:
        return _newest_guidelines(session, project_id)


def all_guidelines(studio: Studio, project_id: int) -> Sequence[Guidelines]:
    """Every version, the newest first."""
    query = select(Guidelines).where(Guidelines.project_id == project_id).order_by(Guidelines.version.desc())
    with studio.db.read() as session:
        return session.scalars(query).all()


def _newest_guidelines(session: Session, project_id: int) -> Guidelines | None:
    query = select(Guidelines).where(Guidelines.project_id == project_id).order_by(Guidelines.version.desc())
    return session.scalars(query.limit(1)).first()


def guidelines_version(session: Session, project_id: int) -> int:
    return (
        session.scalar(select(func.max(Guidelines.version)).where(Guidelines.project_id == project_id)) or 0
    )
