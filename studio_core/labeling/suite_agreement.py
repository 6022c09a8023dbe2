"""How far the judge of a suite agrees with people who judged the same two answers in some project of pairs."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean

from sqlalchemy import select

from studio_core.base.studio import Studio
from studio_core.base.tables import Job, LabelItem
from studio_core.evaluation import browsing, results
from studio_core.evaluation.browsing import Pair
from studio_core.evaluation.items_file import AnsweredItem
from studio_core.evaluation.judged_words import judged_words
from studio_core.labeling import records
from studio_core.labeling import votes as votes_of
from studio_core.labeling.items import content_hash
from studio_core.labeling.records import Yield
from studio_core.labeling.writing import JUDGE
from studio_core.statistics.agreement_rate import AgreementRate
from studio_core.suites import Verdict
from studio_core.suites.judged.protocol import agreement_with_people

# SQLite takes some 30,000 values in a statement.
_AT_ONCE = 1000


def judged_lines(studio: Studio, job: Job, language: str) -> list[str]:
    """What the judge has said of each model and suite of an evaluation, a sentence each."""
    lines = []
    for row in results.of_job(studio, job.id):
        if "judge" in row.figures.get("judged", {}):
            both = agreement(studio, browsing.pair(studio, job, row.suite, row.model))
            lines.append(judged_words(row, both.share if both else None, language))
    return lines


def agreement(studio: Studio, pair: Pair) -> AgreementRate | None:
    """By the preference of either for the second model; None where no judge compared these two.

    It is the answers that count, wherever they were shown: the same question with the same two texts.
    """
    judged = pair.after.figures.get("judged") or {}
    if "judge" not in judged or judged.get("baseline", pair.before.model) != pair.before.model:
        return None
    if pair.before.model == pair.after.model:
        return None
    both = [rows for rows in pair.read(pair.places("all")) if _comparable(rows)]
    verdicts = {_content(rows): _verdict(*rows) for rows in both}
    answers = {_content(rows): rows[1].answers[0].strip() for rows in both}
    return agreement_with_people(verdicts, _votes(studio, answers))


def _comparable(rows: tuple[AnsweredItem, AnsweredItem]) -> bool:
    """Both have a value, and the last answers are to the same conversation."""
    before, after = rows
    return before.readable and after.readable and before.prompt == after.prompt


def _content(rows: tuple[AnsweredItem, AnsweredItem]) -> str:
    return content_hash(rows[1].prompt, [row.answers[0].strip() for row in rows])


def _verdict(before: AnsweredItem, after: AnsweredItem) -> Verdict:
    """Of scores the higher one is preferred."""
    return Verdict(0.5 + (after.value > before.value) / 2 - (after.value < before.value) / 2)


def _votes(studio: Studio, answers: dict[str, str]) -> dict[str, float]:
    """What people prefer, from 0 to 1, by content; ``answers``: of each the text of the second model."""
    preferences: dict[str, list[float]] = defaultdict(list)
    contents = list(answers)
    for start in range(0, len(contents), _AT_ONCE):
        asked = contents[start : start + _AT_ONCE]
        query = select(LabelItem).where(LabelItem.content_hash.in_(asked), LabelItem.votes > 0)
        with studio.db.read() as session:
            items = session.scalars(query).all()
        for item in items:
            people = [
                vote
                for vote in votes_of.standing(studio, item.project_id, item_ids=[item.id])
                if vote.repeats_id is None and vote.origin != JUDGE
            ]
            if carried := records.carried(people, 1, 0.0, Yield()):
                first = item.answers[0]["text"].strip() == answers[item.content_hash]
                sides = {"a": float(first), "b": float(not first)}
                preferences[item.content_hash].append(sides.get(carried[0].verdict, 0.5))
    return {content: fmean(each) for content, each in preferences.items()}
