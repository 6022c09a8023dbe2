"""An adapter as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobs.export.answering import Answers, Original, Work, of_model
from jobs.export.merged import copy


def write(work: Work, folder: Path) -> dict[str, Any]:
    copy(Path(str(work.run.model.adapter)), folder)
    return {"base": work.subject.folder.name}


def answers(work: Work, folder: Path, original: Original) -> Answers:
    exported = work.run.model.model_copy(update={"adapter": str(folder)})
    return of_model(work, exported, original.chat, len(original.answers.texts))
