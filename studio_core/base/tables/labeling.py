"""Tables of labelling: projects, their items, who is at one, and what was said of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from studio_core.base.tables.base import Table, now


class LabelProject(Table):
    """Something to label: items made of prompts and answers, and how people are asked about them."""

    __tablename__ = "label_project"
    __table_args__ = (CheckConstraint("mode IN ('pairs', 'rate', 'rank')", name="mode"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    mode: Mapped[str]
    """``pairs``: which of two answers is better; ``rate``: one answer alone; ``rank``: three or more."""
    seed: Mapped[int] = mapped_column(default=0)
    settings: Mapped[dict[str, Any]]
    """A ``studio_core.labeling.projects.ProjectSettings``."""
    sources: Mapped[list[Any]] = mapped_column(default=list)
    """Who writes the answers: ``studio_core.generation.answer_jobs.AnswerSource``; items name them."""
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("dataset.id"))
    """Where the prompts come from."""
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    """The job that writes the answers."""
    round: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """If it compares two models of a loop: ``{"project", "before", "after", "number"}``."""
    counts: Mapped[dict[str, Any]] = mapped_column(server_default="{}", default=dict)
    """What became of the prompts: ``added``, ``identical``, ``empty``, ``failed``, ``known``, ``held_out``."""
    created_at: Mapped[datetime] = mapped_column(default=now)


class Guidelines(Table):
    """What annotators are told; a change is a new version, and votes name the one they were cast under."""

    __tablename__ = "label_guidelines"

    project_id: Mapped[int] = mapped_column(ForeignKey("label_project.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)


class LabelItem(Table):
    """One prompt with its answers: what is shown to an annotator at once."""

    __tablename__ = "label_item"
    __table_args__ = (
        UniqueConstraint("project_id", "number"),
        # Whoever adds items, and however often: the same answers to the same prompt are judged as one.
        UniqueConstraint("project_id", "content_hash"),
        # The next item to judge among 100,000 is looked for at each key press.
        Index("ix_label_item_votes", "project_id", "votes"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("label_project.id"))
    number: Mapped[int]
    """From 1, in the order in which items are given out."""
    prompt: Mapped[list[Any]]
    """Messages, system prompt included."""
    prompt_hash: Mapped[str]
    content_hash: Mapped[str]
    """Of prompt and answers: the same item never comes twice."""
    answers: Mapped[list[Any]]
    """``[{"text", "source", "origin", "model"}]``; ``origin``: ``model``, ``dataset`` or ``human_edit``;
    ``model``: id of the studio's model that wrote it, or None."""
    votes: Mapped[int] = mapped_column(default=0)
    """Verdicts by different people that count towards the number wanted."""
    created_at: Mapped[datetime] = mapped_column(default=now)


class Lease(Table):
    """One annotator is looking at one item, until a time."""

    __tablename__ = "label_lease"

    item_id: Mapped[int] = mapped_column(ForeignKey("label_item.id"), primary_key=True)
    annotator: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("label_project.id"), index=True)
    until: Mapped[datetime]
    order: Mapped[list[Any]]
    """Places of the answers as they are shown, the leftmost first."""
    repeats_id: Mapped[int | None]
    """The vote that this showing repeats, mirrored."""
    draft: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What has been entered and not submitted."""
    since: Mapped[datetime] = mapped_column(default=now)


class Annotation(Table):
    """One verdict of one annotator, or of a judge, on one item. Never deleted: the newest not undone counts."""

    __tablename__ = "label_vote"
    __table_args__ = (
        Index("ix_label_vote_item", "item_id", "annotator"),
        Index("ix_label_vote_annotator", "project_id", "annotator", "id"),
        Index(
            "ix_label_vote_mine",
            "project_id",
            "annotator",
            sqlite_where=text(
                "repeats_id IS NULL AND origin = 'human' AND undone_at IS NULL AND superseded_by_id IS NULL"
                " AND verdict != 'withdrawn'"
            ),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("label_project.id"))
    item_id: Mapped[int] = mapped_column(ForeignKey("label_item.id"))
    annotator: Mapped[str]
    origin: Mapped[str] = mapped_column(default="human")
    """``human``, ``judge`` or ``adjudicator``."""
    verdict: Mapped[str]
    """Of pairs ``a`` (the first answer of the item), ``b``, ``tie``, ``both_bad``; ``rated``; ``ranked``; ``skip``.
    ``withdrawn`` is none: by this row what they said was taken back."""
    value: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """``{"strength", "rating", "scale", "ranking", "edits": {place: text}, "open"}``, places being those of the
    item's answers; ``open``: it was shown who wrote what. ``begun``, of what was skipped or withdrawn: what the form
    held and the verdict does not say, as a draft. Of judges ``{"said", "may_say_both_bad"}``: what they
    said in either order, and whether they were asked that too."""
    reasons: Mapped[list[Any]] = mapped_column(default=list)
    comment: Mapped[str] = mapped_column(default="")
    order: Mapped[list[Any]]
    """Places of the answers as they were shown, the leftmost first."""
    seconds: Mapped[float] = mapped_column(default=0.0)
    """From showing to submitting."""
    guidelines: Mapped[int] = mapped_column(default=0)
    repeats_id: Mapped[int | None] = mapped_column(ForeignKey("label_vote.id"))
    """The vote that this one repeats, to measure consistency; it does not count beside it."""
    superseded_by_id: Mapped[int | None] = mapped_column(ForeignKey("label_vote.id"))
    undone_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
