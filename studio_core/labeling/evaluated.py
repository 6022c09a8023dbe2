"""Items of an evaluation as items of a labelling project: two models' answers to one question, for people to judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import LabelProject
from studio_core.evaluation.browsing import Pair
from studio_core.evaluation.items_file import AnsweredItem
from studio_core.labeling import imports, items
from studio_core.labeling.items import Added, Answer, NewItem


def add(studio: Studio, pair: Pair, places: Sequence[int], project: str) -> tuple[LabelProject, Added]:
    """Add the items at these places to the project of pairs, which is made if there is none.

    Left out and counted are items with two equal answers or an empty one; raises ``BadInput`` if none was answered by
    both.
    """
    both = [rows for rows in pair.read(places) if all(row.answers for row in rows)]
    if not both:
        raise BadInput("evaluation.nothing_to_judge", items=len(places))
    taken = imports.project_for(studio, project)
    if taken.mode != "pairs" or taken.round:
        raise BadInput("evaluation.project_of_pairs", project=taken.name)
    return taken, items.add(studio, taken.id, _items(pair, both))


def _text(row: AnsweredItem) -> str:
    """What is judged: the answer, or with tools all turns that led to it."""
    return "\n\n".join(turn["content"] for turn in row.turns[0]) if row.turns else row.answers[0]


def _items(pair: Pair, both: Sequence[tuple[AnsweredItem, AnsweredItem]]) -> Iterator[NewItem]:
    models = (pair.before, pair.after)
    for rows in both:
        answers = [
            Answer(_text(row), model.model, model=model.model_id)
            for row, model in zip(rows, models, strict=True)
        ]
        yield NewItem(
            [{"role": each["role"], "content": each["content"]} for each in rows[1].prompt], answers
        )
