"""What came of a round: how often the newer model was preferred, and whether that says anything."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from studio_core import texts
from studio_core.base.studio import Studio
from studio_core.base.tables import LabelProject, Model
from studio_core.labeling import projects
from studio_core.labeling.records import Yield, carried, voted
from studio_core.statistics.winrate import WinRate, win_rate

AGAINST = ("previous", "base")
"""What a new model is compared with: that of the round before, or the one with which all began."""


@dataclass(frozen=True)
class Result:
    """What people said of the two models of a round."""

    round: LabelProject
    before: str
    """Name of the model."""
    after: str
    found: WinRate
    """Of the model after; one verdict for each prompt, that of the majority."""
    items: int
    disagreement: int
    """Prompts on which people disagree evenly: they count for neither."""
    waiting: int
    """Prompts that nobody has judged yet."""
    skipped: int
    """Prompts that were skipped, and judged by nobody."""
    identical: int
    """Prompts to which both wrote the same: there was nothing to judge."""

    @property
    def number(self) -> int:
        return int(self.round.round["number"])

    @property
    def against(self) -> tuple[str, ...]:
        """The lines of the chart to which it belongs: the first round is against the base as well."""
        of = self.round.round
        return AGAINST if of["before"] == of["base"] and of["number"] == 1 else (of["against"],)

    @property
    def answered(self) -> int:
        """Prompts that both have answered."""
        return self.items + self.identical

    @property
    def alike(self) -> bool:
        """Whether the two can hardly be told apart: to half of the prompts or more both wrote the same.

        Were the newer one then preferred on every other prompt, that would still be a minority of all.
        """
        return self.identical > 0 and self.identical >= self.items


def result(studio: Studio, round: LabelProject) -> Result:
    """The settled verdicts of a round; judges' do not count."""
    after, counts, counted, total = round.round["after"], Counter[str](), Yield(), 0
    for item, votes in voted(studio, round):
        total += 1
        people = [vote for vote in votes if vote.repeats_id is None and vote.origin != "judge"]
        if settled := carried(people, 1, 0.0, counted):
            counts[_outcome(item.answers, settled[-1].verdict, after)] += 1
    return Result(
        round=round,
        before=_model_name(studio, round.round["before"]),
        after=_model_name(studio, after),
        found=win_rate(counts["win"], counts["loss"], counts["tie"]),
        items=total,
        disagreement=counted.counts["disagreement"],
        waiting=counted.counts["unlabelled"],
        skipped=counted.counts["skip"],
        identical=int(round.counts.get("identical", 0)),
    )


def _outcome(answers: Sequence[Mapping[str, Any]], verdict: str, after: int) -> str:
    """A verdict as the model after sees it."""
    if verdict not in ("a", "b"):
        return "tie"
    return "win" if answers["ab".index(verdict)].get("model") == after else "loss"


def _model_name(studio: Studio, model_id: int) -> str:
    with studio.db.read() as session:
        model = session.get(Model, model_id)
    return model.name if model else f"#{model_id}"


def results(studio: Studio, project: LabelProject) -> list[Result]:
    """Of all rounds of a project, in the order of their numbers."""
    outcomes = [result(studio, round) for round in projects.rounds_of(studio, project.id)]
    return sorted(outcomes, key=lambda round: (round.number, round.round.id))


def of_sources(studio: Studio, project: LabelProject) -> list[tuple[str, str, WinRate]]:
    """``(one source, another, how often the first was preferred)`` of every two whose answers were judged as pairs.

    Only of projects with sources of their own: in an uploaded set nobody knows who wrote what.
    """
    places = {source["name"]: place for place, source in enumerate(project.sources)}
    if project.mode != "pairs" or len(places) < 2:
        return []
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for item, votes in voted(studio, project):
        one, other = (answer["source"] for answer in item.answers)
        people = [vote for vote in votes if vote.repeats_id is None and vote.origin != "judge"]
        if one not in places or other not in places or one == other:
            continue
        if settled := carried(people, 1, 0.0, Yield()):
            turned = places[one] > places[other]
            key, verdict = ((other, one) if turned else (one, other)), settled[-1].verdict
            counts[key][{"a": "b", "b": "a"}.get(verdict, verdict) if turned else verdict] += 1
    return [
        (one, other, win_rate(verdicts["a"], verdicts["b"], verdicts["tie"] + verdicts["both_bad"]))
        for (one, other), verdicts in sorted(
            counts.items(), key=lambda pair: [places[name] for name in pair[0]]
        )
    ]


def sources_document(studio: Studio, project: LabelProject) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {
            "one": source,
            "other": other,
            **asdict(rate),
            "outcome": rate.outcome,
            "words": sentence(source, rate),
        }
        for source, other, rate in of_sources(studio, project)
    ]


def sentence(name: str, found: WinRate, language: str = texts.DEFAULT_LANGUAGE) -> str:
    """A win rate in words: ``after wins 34 of 50, 68 % (54 to 79): better``."""
    if not found.judged:
        return texts.text("labeling.round_unjudged", language)
    rate, low, high = (f"{100 * share:.0f}" for share in (found.rate, found.low, found.high))
    values = {"name": name, "wins": found.wins, "ties": found.ties, "judged": found.judged}
    key = "labeling.round_counts_ties" if found.ties else "labeling.round_counts"
    counts = texts.text(key, language, **values, rate=rate, low=low, high=high)
    outcome = found.outcome
    if outcome == "open" and found.more_needed is None:
        outcome = "even"
    about = found.more_needed and _rounded(found.more_needed)
    return texts.text(f"labeling.round_{outcome}", language, counts=counts, more=about)


def describe(result: Result, language: str = texts.DEFAULT_LANGUAGE) -> str:
    """What came of a round in words; of two models that answer alike that there is little to judge, and why."""
    words = sentence(result.after, result.found, language)
    if not result.alike:
        return words
    alike = texts.text("labeling.round_alike", language, identical=result.identical, answered=result.answered)
    return f"{words} {alike}" if result.found.judged else alike


def _rounded(votes: int) -> int:
    """An estimate is no exact number: from 20 on in tens, from 200 on in fifties."""
    unit = 1 if votes < 20 else 10 if votes < 200 else 50
    return round(votes / unit) * unit


def document(result: Result) -> dict[str, Any]:
    """The same for programs."""
    rate = result.found
    return {
        "round": result.number,
        "project": result.round.name,
        "against": result.round.round["against"],
        "run": result.round.round["job"],
        "before": result.before,
        "after": result.after,
        "wins": rate.wins,
        "losses": rate.losses,
        "ties": rate.ties,
        "judged": rate.judged,
        "rate": rate.rate,
        "low": rate.low,
        "high": rate.high,
        "p_value": rate.p_value,
        "at_any_look": rate.at_any_look,
        "outcome": rate.outcome,
        "more_needed": rate.more_needed,
        "items": result.items,
        "waiting": result.waiting,
        "skipped": result.skipped,
        "disagreement": result.disagreement,
        "identical": result.identical,
    }
