"""What votes become: preference pairs, rankings, rated answers, scores, or all of it for an audit.

The votes of a project's rounds are its own: a prompt on which models were compared has done its duty as
one that was held out, and is trained on from then on.

Only votes that stand count, and of several people's on one item the majority. Ties, skips and items on
which people disagree evenly are left out of pairs, and counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations
from typing import Any

from studio_core.base import clock
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation, LabelItem, LabelProject
from studio_core.data.shapes import HIGHEST_SCORE, LOWEST_SCORE, Message, Record, Shape
from studio_core.labeling import items as items_of
from studio_core.labeling import projects as projects_of
from studio_core.labeling import votes as votes_of
from studio_core.labeling.items import is_held_out
from studio_core.labeling.projects import settings_of
from studio_core.labeling.writing import JUDGE

SCORE = "score"
SHAPES = ("preference", "ranking", "unpaired", SCORE, "audit")
LABELLED_BY = "labelled_by"
"""Column of records that may come from judges: ``human`` or ``judge``."""
# Items that are held in memory at once, with all their answers: a few MB.
_PAGE = 1000


@dataclass
class Yield:
    """Counts of what became of the items."""

    counts: Counter[str] = field(default_factory=Counter)
    """``pairs``, ``edited``, ``tie``, ``both_bad``, ``skip``, ``disagreement``, ``unlabelled`` ..."""


def records(
    studio: Studio,
    project: LabelProject,
    shape: str,
    counted: Yield,
    *,
    min_votes: int = 1,
    min_agreement: float = 0.0,
    judges: Collection[str] = (),
) -> Iterator[tuple[bool, Record]]:
    """``(held out, record)`` of all items and of those of its rounds, in their order, page by page.

    ``min_agreement`` is the share of votes that the majority must have. ``judges``: annotators whose
    verdicts count where no person voted; with them every record says who labelled it.
    """
    if shape not in SHAPES:
        raise BadInput("labeling.unknown_shape", shape=shape[:40], known=", ".join(SHAPES))
    maker = {
        "preference": _preference,
        "ranking": _ranking,
        "unpaired": _unpaired,
        SCORE: _scores,
        "audit": _audit,
    }[shape]
    share = settings_of(project).held_out
    rounds = projects_of.rounds_of(studio, project.id)
    compared = items_of.prompt_hashes(studio, [part.id for part in rounds])
    for item, votes in chain.from_iterable(voted(studio, part) for part in (project, *rounds)):
        # What a round has compared models on was seen by people, is used up, and may be trained on.
        held_out = is_held_out(item.prompt_hash, share) and item.prompt_hash not in compared
        if shape == "audit":
            yield from ((held_out, record) for record in maker(item, votes, counted))
            continue
        people = [vote for vote in votes if vote.repeats_id is None and vote.origin != "judge"]
        # One person outweighs all judges: these only stand in where nobody looked.
        used = people or [vote for vote in votes if vote.annotator in judges and vote.origin == JUDGE]
        settled = carried(used, min_votes, min_agreement, counted)
        if settled and item.project_id != project.id:
            counted.counts["from_rounds"] += 1
        by = "human" if people else JUDGE
        for record in maker(item, settled, counted):
            if judges:
                counted.counts[f"labelled_by_{by}"] += 1
            yield held_out, {**record, LABELLED_BY: by} if judges else record


def voted(studio: Studio, project: LabelProject) -> Iterator[tuple[LabelItem, list[Annotation]]]:
    """Every item with all its votes that stand."""
    after = 0
    while page := items_of.page(studio, project.id, after, _PAGE):
        by_item: dict[int, list[Annotation]] = defaultdict(list)
        for vote in votes_of.standing(studio, project.id, item_ids=[item.id for item in page]):
            by_item[vote.item_id].append(vote)
        for item in page:
            yield item, by_item[item.id]
        after = page[-1].number


def carried(
    votes: Sequence[Annotation], min_votes: int, min_agreement: float, counted: Yield
) -> list[Annotation]:
    """The votes that carry an item: an adjudicator's, else those of the majority; none if there is none."""
    decisive = [vote for vote in votes if vote.verdict != "skip"]
    if not decisive:
        counted.counts["skip" if votes else "unlabelled"] += 1
        return []
    # The last word was asked for because the others disagree: they are not counted against it.
    if last := [vote for vote in decisive if vote.origin == "adjudicator"]:
        return last[-1:]
    if len(decisive) < min_votes:
        counted.counts["too_few_votes"] += 1
        return []
    (meant, most), *others = Counter(map(_meaning, decisive)).most_common()
    # A draw has no majority, whatever share is asked for.
    if (others and others[0][1] == most) or most / len(decisive) < min_agreement:
        counted.counts["disagreement"] += 1
        return []
    return [vote for vote in decisive if _meaning(vote) == meant]


def _meaning(vote: Annotation) -> str:
    """What must be the same for two people to agree: the verdict; of an answer that is good or bad, which."""
    return f"{vote.verdict} {vote.value['rating']}" if vote.value.get("scale") == 2 else vote.verdict


def _as_answer(text: str) -> list[Message]:
    return [{"role": "assistant", "content": text}]


def _pair(item: LabelItem, chosen: str, rejected: str) -> Record:
    return {"prompt": item.prompt, "chosen": _as_answer(chosen), "rejected": _as_answer(rejected)}


def _preference(item: LabelItem, votes: Sequence[Annotation], counted: Yield) -> Iterator[Record]:
    if not votes:
        return
    texts = [answer["text"] for answer in item.answers]
    verdict = votes[0].verdict
    edited = list(_edits(item, votes))
    # The better text beside its original is the clearest pair there is: one person wrote it knowing the other.
    for place, better in edited:
        counted.counts["edited"] += 1
        yield _pair(item, better, texts[place])
    if verdict in ("a", "b"):
        chosen, rejected = texts if verdict == "a" else texts[::-1]
        counted.counts["pairs"] += 1
        yield _pair(item, chosen, rejected)
    elif verdict == "ranked":
        for above, below in _ranked_pairs(votes, len(texts)):
            if texts[above].strip() != texts[below].strip():
                counted.counts["pairs"] += 1
                yield _pair(item, texts[above], texts[below])
    # Of two equal answers nothing can be preferred; a rewritten one was counted above.
    elif not edited:
        counted.counts[verdict] += 1


def _ranked_pairs(votes: Sequence[Annotation], answers: int) -> Iterator[tuple[int, int]]:
    """Every two answers of which more rankings put the first above the second than the other way round."""
    rankings: list[list[int]] = [vote.value["ranking"] for vote in votes]
    for first, other in combinations(range(answers), 2):
        ahead = sum(ranking.index(first) < ranking.index(other) for ranking in rankings)
        # As many say one as the other: no pair is made of it.
        if 2 * ahead != len(rankings):
            yield (first, other) if 2 * ahead > len(rankings) else (other, first)


def _edits(item: LabelItem, votes: Sequence[Annotation]) -> Iterator[tuple[int, str]]:
    """Answers that a person wrote better: ``(place of the original, the better text)``, each once."""
    texts: set[tuple[int, str]] = set()
    for vote in votes:
        for place, text in vote.value.get("edits", {}).items():
            edit = (int(place), text)
            if edit not in texts and text.strip() != item.answers[edit[0]]["text"].strip():
                texts.add(edit)
                yield edit


def _unpaired(item: LabelItem, votes: Sequence[Annotation], counted: Yield) -> Iterator[Record]:
    if not votes:
        return
    # Those that carry an item mean the same; the newest is as good as any.
    texts, vote = [answer["text"] for answer in item.answers], votes[-1]
    labels: dict[int, bool] = {}
    if vote.verdict in ("a", "b"):
        labels = {0: vote.verdict == "a", 1: vote.verdict == "b"}
    elif vote.verdict == "both_bad":
        labels = {0: False, 1: False}
    elif vote.verdict == "rated" and vote.value["scale"] == 2:
        labels = {0: vote.value["rating"] == 2}
    else:
        counted.counts[vote.verdict] += 1
    rated = [(texts[place], label) for place, label in labels.items()]
    # Nobody rated it, but somebody wrote it to be good.
    rated += [(better, True) for _, better in _edits(item, votes)]
    for text, label in rated:
        counted.counts["good" if label else "bad"] += 1
        yield {"prompt": item.prompt, "completion": _as_answer(text), "label": label}


def _scores(item: LabelItem, votes: Sequence[Annotation], counted: Yield) -> Iterator[Record]:
    """One answer with the mean of its ratings, on a scale from 1 to 10 whatever the project's is."""
    ratings = [_out_of_ten(vote.value) for vote in votes if vote.verdict == "rated"]
    if ratings:
        counted.counts["scores"] += 1
        score = round(sum(ratings) / len(ratings), 2)
        yield {"prompt": item.prompt, "completion": _as_answer(item.answers[0]["text"]), "score": score}


def _out_of_ten(value: Mapping[str, Any]) -> float:
    """The best rating of a scale is 10 and the worst is 1; others stand between as they do there."""
    step = (HIGHEST_SCORE - LOWEST_SCORE) / (value["scale"] - 1)
    return float(LOWEST_SCORE + step * (value["rating"] - 1))


def _ranking(item: LabelItem, votes: Sequence[Annotation], counted: Yield) -> Iterator[Record]:
    """All answers with their ranks: of several rankings by the mean place (Borda), equal ones are ties."""
    rankings: list[list[int]] = [vote.value["ranking"] for vote in votes if vote.verdict == "ranked"]
    rankings += [[0, 1] if vote.verdict == "a" else [1, 0] for vote in votes if vote.verdict in ("a", "b")]
    if not rankings:
        for verdict in {vote.verdict for vote in votes}:
            counted.counts[verdict] += 1
        return
    texts = [answer["text"].strip() for answer in item.answers]
    places = [sum(ranking.index(answer) for ranking in rankings) for answer in range(len(texts))]
    # Of answers that say the same the better place counts.
    best: dict[str, int] = {}
    for text, place in zip(texts, places, strict=True):
        best[text] = min(place, best.get(text, place))
    different = sorted(set(best.values()))
    if len(different) < 2:
        counted.counts["tie"] += 1
        return
    counted.counts["rankings"] += 1
    ranks = [1 + different.index(place) for place in best.values()]
    yield {"prompt": item.prompt, "completions": [*best], "ranks": ranks}


def _audit(item: LabelItem, votes: Sequence[Annotation], counted: Yield) -> Iterator[Record]:
    for vote in votes:
        counted.counts["votes"] += 1
        yield {
            "project": item.project_id,
            "item": item.number,
            "prompt": item.prompt,
            "answers": item.answers,
            "annotator": vote.annotator,
            "origin": vote.origin,
            "verdict": vote.verdict,
            "value": vote.value,
            "reasons": vote.reasons,
            "comment": vote.comment,
            "shown_left": vote.order[0],
            "order": vote.order,
            "seconds": round(vote.seconds, 2),
            "guidelines": vote.guidelines,
            "repeats": vote.repeats_id,
            "vote": vote.id,
            "at": clock.iso(vote.created_at),
        }


def usual_shape(project: LabelProject) -> str:
    """What is mostly made of a project's votes."""
    settings = settings_of(project)
    if project.mode != "rate" or settings.correct:
        return "preference"
    return "unpaired" if settings.scale == 2 else SCORE


SHAPE_OF: dict[str, Shape] = {
    "preference": Shape.PREFERENCE,
    "ranking": Shape.RANKING,
    "unpaired": Shape.UNPAIRED_PREFERENCE,
    SCORE: Shape.SCORED,
}
