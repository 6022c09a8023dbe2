"""Tables of evaluations: what models reached in suites."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from studio_core.base.tables.base import Table, now


class Evaluation(Table):
    """What one model reached in one suite, once all its questions were answered."""

    __tablename__ = "evaluation"
    __table_args__ = (
        UniqueConstraint("job_id", "model", "suite"),
        # The newest of each model and suite, for the leaderboard.
        Index("ix_evaluation_model", "model_id", "suite"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"))
    model_id: Mapped[int | None] = mapped_column(ForeignKey("model.id"))
    model: Mapped[str]
    """Its name then."""
    suite: Mapped[str]
    """A suite's name, or ``NAME@VERSION`` of a test set."""
    questions: Mapped[str]
    """Hash of the file of questions and of what was chosen of it: only equal ones are compared by item."""
    value: Mapped[float | None]
    """Mean over the items; null if none has a value."""
    figures: Mapped[dict[str, Any]]
    """``items``, ``without_value``, ``truncated``, ``unreadable``, ``tokens``, ``seconds``, ``asked``, ``unit`` and
    ``higher_is_better``."""
    file: Mapped[str]
    """Parquet file of its items, by its name in the folder of the job."""
    created_at: Mapped[datetime] = mapped_column(default=now)
