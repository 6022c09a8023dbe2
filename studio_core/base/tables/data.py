"""Tables of what is trained on and what comes of it: datasets, their reports, models."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from studio_core.base.tables.base import Table, now


class Dataset(Table):
    """One immutable version of a dataset: a complete, hashed Parquet file and what is known of it."""

    __tablename__ = "dataset"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[int]
    shape: Mapped[str]
    """A ``studio_core.data.shapes.Shape``."""
    rows: Mapped[int]
    # The first ones show what is wrong with a source; a million of them would only fill the row.
    rejected: Mapped[list[Any]]
    """``[{"row": 12, "reason": "..."}]``: rows of the source that were left out (the first 1,000)."""
    rejected_count: Mapped[int] = mapped_column(default=0)
    sha256: Mapped[str] = mapped_column(index=True)
    file: Mapped[str]
    """Path of the Parquet file below ``datasets/``."""
    bytes: Mapped[int]
    source: Mapped[str]
    """Name of the file that it was made from, as the user called it."""
    mapping: Mapped[dict[str, Any]]
    """How the source's columns became the record's fields."""
    operation: Mapped[str] = mapped_column(server_default="import", default="import")
    """What made it: ``import``, or the name of a curation operation."""
    parents: Mapped[list[Any]] = mapped_column(server_default="[]", default=list)
    """Ids of the versions that it was made from."""
    made: Mapped[dict[str, Any]] = mapped_column(server_default="{}", default=dict)
    """``{"options": ..., "counts": {name: number}}`` of the operation."""
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    """The job that made it."""
    created_at: Mapped[datetime] = mapped_column(default=now)


class DatasetReport(Table):
    """What was found out about one version, with the token lengths under one tokenizer."""

    __tablename__ = "dataset_report"

    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    tokenizer: Mapped[str] = mapped_column(primary_key=True)
    """Name of the model whose tokenizer counted; empty if none did."""
    body: Mapped[dict[str, Any]]
    """A ``studio_core.reports.Report``."""
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Model(Table):
    """Something that can be chatted with and trained further."""

    __tablename__ = "model"
    __table_args__ = (CheckConstraint("kind IN ('base', 'adapter', 'full')", name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    """``base``: brought from outside; ``adapter``: LoRA weights on ``parent``; ``full``: all weights."""
    path: Mapped[str]
    """Folder with the weights (of the adapter, if it is one)."""
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("model.id"))
    """The model that it was trained from."""
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"), unique=True)
    """The run that made it."""
    source: Mapped[str] = mapped_column(default="")
    """Where it came from: ``demo``, a folder, or the Hub's name."""
    parameters: Mapped[int] = mapped_column(default=0)
    trust_remote_code: Mapped[bool] = mapped_column(default=False)
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=now)
