"""Projects whose items ask about answers made up by their number, and people who judge what they are given."""

from __future__ import annotations

from typing import Any

from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation
from studio_core.labeling import items, projects
from studio_core.labeling.assignment import next_item
from studio_core.labeling.items import Answer, NewItem
from studio_core.labeling.votes import Verdict, cast


def pair(n: int, answers: int = 2) -> NewItem:
    said = [Answer(f"answer {n} {place}" + "!" * place, f"model-{place}") for place in range(answers)]
    return NewItem([{"role": "user", "content": f"question {n}"}], said)


def project(studio: Studio, count: int = 5, mode: str = "pairs", **settings: Any) -> int:
    one = projects.create(studio, f"project-{mode}", mode=mode, settings={"repeats": 0.0, **settings})
    answers = {"pairs": 2, "rate": 1, "rank": 3}[mode]
    items.add(studio, one.id, (pair(n, answers) for n in range(1, count + 1)))
    return one.id


def judge(studio: Studio, project: int, annotator: str, **said: Any) -> Annotation:
    shown = next_item(studio, project, annotator)
    assert shown is not None
    return cast(studio, project, annotator, shown.item.id, Verdict(**{"verdict": "left", **said}))


def number(studio: Studio, project: int, annotator: str) -> int | None:
    shown = next_item(studio, project, annotator)
    return shown.item.number if shown else None


def row(vote: Annotation) -> dict[str, Any]:
    """All that is stored of a vote."""
    return {column.key: getattr(vote, column.key) for column in Annotation.__table__.columns}
