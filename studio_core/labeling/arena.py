"""The arena: ratings of three or more models of the studio, from all that people have said of their answers.

A game is one person's vote on the answers of two models to one prompt: of labelling projects in which it was
hidden who wrote what, and of blind rounds of the Chat page. Of a ranking, every two answers are a game.

What one person says of the same answers to the same prompt is one game, wherever they say it, and the first
vote is the one that counts, with what flags it has: once it was cast, who wrote what may have been shown. So a
turn of a chat counts once, whether it was sent to a project before its vote or after. If answers were
adjudicated, the adjudicator's vote alone counts.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import combinations
from typing import Any

from sqlalchemy import func, select

from studio_core import texts
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation, Job, LabelItem, LabelProject, Model, Vote
from studio_core.generation.answer_jobs import AnswerSource
from studio_core.labeling import making, projects
from studio_core.labeling.assignment import current
from studio_core.labeling.items import prompt_hash
from studio_core.labeling.making import NewPrompt
from studio_core.models import registry
from studio_core.statistics.ranking import Game, Rating, ratings
from studio_core.statistics.winrate import WinRate, win_rate

FEWEST = 3
"""Models; two are told apart by their win rate alone."""
_SCORES = {"a": 1.0, "b": 0.0, "tie": 0.5, "both_bad": 0.5}


@dataclass
class Games:
    """All games between models of the studio, by the models' numbers."""

    games: list[Game] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    """Votes on two models that do not count: ``not_blind``, ``incomplete``, ``leak``."""


@dataclass(frozen=True)
class Standing:
    """One model in the table."""

    model: str
    id: int
    games: int
    rating: float | None
    """None if it has not played, or if no more than two have: those are told apart by their win rate."""
    low: float | None
    high: float | None
    rank: int | None
    last: int | None
    """Its rank lies between ``rank`` and ``last``: as many models are surely above it, as many surely below."""


@dataclass(frozen=True)
class Pair:
    """How often one model was preferred to another, directly."""

    one: str
    other: str
    found: WinRate
    """Of the first."""


@dataclass(frozen=True)
class Arena:
    standings: list[Standing]
    """The strongest first; those that have not played last."""
    pairs: list[Pair]
    overlaps: list[tuple[str, str]]
    """Models whose intervals overlap: they are not told apart."""
    groups: list[list[str]]
    """Models that met, directly or over others. Between two groups nothing can be said."""
    games: int
    left_out: dict[str, int]


@dataclass(frozen=True)
class _PlayedVote:
    """A vote with what is to be known of the answers that were judged, and nothing of what they say."""

    annotator: str
    at: datetime
    contents: tuple[str, ...]
    """``items.content_hash`` of prompt and answers; two of a round of a chat in which each side knew another past."""
    models: frozenset[int]
    games: list[Game]
    flag: str
    """Why it does not count, if it does not."""
    adjudicated: bool = False

    @property
    def answers(self) -> set[_Judged]:
        return {(content, self.models) for content in self.contents}


_Judged = tuple[str, frozenset[int]]
"""The answers that a vote is on: models may happen to have said the same."""


def played(studio: Studio, models: Sequence[int] | None = None) -> Games:
    """Games among these models, or among all."""
    wanted, games = None if models is None else set(models), Games()
    for vote in _counted(sorted([*_of_chats(studio), *_of_projects(studio)], key=lambda vote: vote.at)):
        _take(games, vote.games, wanted, vote.flag)
    return games


def _counted(votes: Sequence[_PlayedVote]) -> Iterator[_PlayedVote]:
    """Of one person's votes on the same answers the first, and of those on adjudicated ones the last word."""
    last = {answers: vote for vote in votes if vote.adjudicated for answers in vote.answers}
    met: set[tuple[str, _Judged]] = set()
    for vote in votes:
        own = {(vote.annotator, answers) for answers in vote.answers}
        final = [last[answers] for answers in vote.answers if answers in last]
        if any(vote is word for word in final) or not (final or own & met):
            yield vote
        met |= own


def _of_projects(studio: Studio) -> Iterator[_PlayedVote]:
    """All votes of people that stand, on items of which models of the studio wrote two answers or more."""
    # Of eight answers, the most that an item may have. Their texts stay in the file: there may be 100,000 items.
    models = func.json_extract(LabelItem.answers, *(f"$[{place}].model" for place in range(8)))
    query = (
        select(
            Annotation.annotator,
            Annotation.created_at,
            LabelItem.content_hash,
            LabelItem.prompt_hash,
            models,
            Annotation.origin,
            Annotation.verdict,
            Annotation.value,
        )
        .join(LabelItem, LabelItem.id == Annotation.item_id)
        .where(
            current(),
            # A pair shown again measures the person; as a second game it would count one opinion twice.
            Annotation.repeats_id.is_(None),
            Annotation.origin != "judge",
            Annotation.verdict.in_((*_SCORES, "ranked")),
            models != "[null,null,null,null,null,null,null,null]",
        )
        .order_by(Annotation.id)
    )
    with studio.db.read() as session:
        for annotator, at, content, prompt, listed, origin, verdict, value in session.execute(query):
            wrote = json.loads(listed)
            yield _PlayedVote(
                annotator,
                at,
                (content,),
                frozenset(one for one in wrote if one is not None),
                list(_games(prompt, wrote, verdict, value)),
                # Whoever knew the names may have voted for a name.
                "not_blind" if value.get("open") else "",
                origin == "adjudicator",
            )


def _games(
    prompt: str, models: Sequence[int | None], verdict: str, value: Mapping[str, Any]
) -> Iterator[Game]:
    ranking = value.get("ranking", [])
    for first, other in combinations(range(len(models)), 2):
        wrote = models[first], models[other]
        if None not in wrote and wrote[0] != wrote[1]:
            ahead = ranking.index(first) < ranking.index(other) if ranking else _SCORES[verdict]
            yield Game(prompt, str(wrote[0]), str(wrote[1]), float(ahead))


def _of_chats(studio: Studio) -> Iterator[_PlayedVote]:
    """All votes on rounds that stand, on two models; a service is no model of the studio."""
    with studio.db.read() as session:
        standing = select(Vote).where(Vote.superseded_by_id.is_(None)).order_by(Vote.id)
        for vote in session.scalars(standing):
            record = vote.record
            if not record.get("withdrawn") and all(isinstance(one, int) for one in record["models"]):
                yield _PlayedVote(
                    record.get("annotator", ""),
                    vote.created_at,
                    tuple(record.get("contents", ())),
                    frozenset(record["models"]),
                    [_chat_game(vote)],
                    _flag(record),
                )


def _chat_game(vote: Vote) -> Game:
    """A preference names the models as chosen and rejected, a tie as left and right."""
    first, other = vote.record["models"]
    # Two bad answers say as little about which model is better as two good ones.
    score = 0.5 if vote.verdict in ("tie", "both_bad") else 1.0
    return Game(prompt_hash(vote.record["prompt"]), str(first), str(other), score)


def _flag(record: Mapping[str, Any]) -> str:
    """Why a vote of the Chat page does not count, if it does not."""
    if not record.get("blind"):
        return "not_blind"
    return next((name for name in ("incomplete", "leak") if record.get(name)), "")


def _take(games: Games, more: Sequence[Game], wanted: set[int] | None, flag: str) -> None:
    for game in more:
        among = wanted is None or (int(game.one) in wanted and int(game.other) in wanted)
        if not among or game.one == game.other:
            continue
        if flag:
            games.left_out[flag] += 1
        else:
            games.games.append(game)


def arena(studio: Studio, models: Sequence[str | int] | None = None) -> Arena:
    """Ratings of these models, or of all that have played; raises if fewer than three are asked for."""
    chosen = None if models is None else _chosen(studio, models)
    games = played(studio, None if chosen is None else [model.id for model in chosen])
    listed = _met(studio, games.games) if chosen is None else chosen
    return rated(games, {str(model.id): model.name for model in listed})


def start(
    studio: Studio,
    models: Sequence[str | int],
    prompts: Iterable[NewPrompt],
    *,
    name: str = "",
    dataset_id: int | None = None,
    votes: int = 1,
) -> tuple[LabelProject, Job]:
    """A project in which the models' answers to each prompt are judged two by two, in a balanced rotation, and
    the job that writes them; all answer with the same sampling and seed."""
    chosen = _chosen(studio, models)
    sources = [AnswerSource(name=model.name[:80], model=model.name) for model in chosen]
    return making.create(
        studio,
        name.strip() or projects.free_name(studio, "arena"),
        prompts,
        sources,
        mode="pairs",
        # Nothing is held out: an arena is for comparing, no model is trained on its votes first.
        settings={"votes": votes, "blind": True, "held_out": 0.0},
        dataset_id=dataset_id,
    )


def _chosen(studio: Studio, models: Sequence[str | int]) -> list[Model]:
    chosen = list({model.id: model for model in (registry.get(studio, name) for name in models)}.values())
    if len(chosen) < FEWEST:
        raise BadInput("labeling.arena_too_few", given=len(chosen), fewest=FEWEST)
    return chosen


def _met(studio: Studio, games: Sequence[Game]) -> list[Model]:
    ids = {int(name) for game in games for name in (game.one, game.other)}
    return [model for model in registry.all_models(studio) if model.id in ids]


def rated(found: Games, names: Mapping[str, str]) -> Arena:
    """Ratings and pairs from games; ``names``: ``{number of a model: its name}`` of all that are to be listed."""
    games = [game for game in found.games if game.one in names and game.other in names]
    met = Counter(model for game in games for model in (game.one, game.other))
    # Of two models the win rate says all; a rating would only hide it.
    by_rating = ratings(games) if len(met) >= FEWEST else []
    rows = [
        Standing(
            names[one.model],
            int(one.model),
            one.games,
            one.rating,
            one.low,
            one.high,
            one.rank,
            _last(one, by_rating),
        )
        for one in by_rating
    ]
    absent = [key for key in names if key not in {one.model for one in by_rating}]
    rows += [Standing(names[key], int(key), met[key], None, None, None, None, None) for key in absent]
    overlaps = [
        (names[one.model], names[other.model])
        for one, other in combinations(by_rating, 2)
        if one.low <= other.high and other.low <= one.high
    ]
    order = [one.model for one in by_rating] or list(met)
    groups = [[names[key] for key in group] for group in _groups(order, games)]
    pairs = _pairs(order, games, names)
    return Arena(rows, pairs, overlaps, groups, len(games), dict(found.left_out))


def _last(rating: Rating, all_: Sequence[Rating]) -> int:
    """The lowest rank that a model may have: how many there are, without those surely below it."""
    return len(all_) - sum(other.high < rating.low for other in all_)


def _groups(models: Sequence[str], games: Sequence[Game]) -> list[list[str]]:
    group = {model: {model} for model in models}
    for game in games:
        merged, other = group[game.one], group[game.other]
        if merged is not other:
            # In place: all of the group hold the same set.
            merged |= other
            group.update(dict.fromkeys(other, merged))
    distinct = {id(members): members for members in group.values()}
    return [[model for model in models if model in members] for members in distinct.values()]


def _pairs(models: Sequence[str], games: Sequence[Game], names: Mapping[str, str]) -> list[Pair]:
    """Of all that met directly, the stronger model first."""
    place = {model: index for index, model in enumerate(models)}
    counts: dict[tuple[str, str], Counter[float]] = defaultdict(Counter)
    for game in games:
        turned = place[game.one] > place[game.other]
        key = (game.other, game.one) if turned else (game.one, game.other)
        counts[key][1 - game.score if turned else game.score] += 1
    return [
        Pair(names[one], names[other], win_rate(*(counts[one, other][score] for score in (1.0, 0.0, 0.5))))
        for one, other in combinations(models, 2)
        if (one, other) in counts
    ]


def sentences(arena: Arena, language: str = texts.DEFAULT_LANGUAGE) -> list[str]:
    """What the table says, in words."""

    def said(key: str, **values: Any) -> str:
        return texts.text(f"labeling.arena_{key}", language, **values)

    if not arena.games:
        return [said("no_games")]
    if all(row.rating is None for row in arena.standings):
        return [said("two")]
    lines = []
    if len(arena.groups) > 1:
        named = "; ".join(", ".join(group) for group in arena.groups)
        lines.append(said("groups", groups=named))
    alike = {frozenset(pair) for pair in arena.overlaps}
    ranked = [row.model for row in arena.standings if row.rating is not None]
    for place, above in enumerate(ranked[:-1]):
        rest = ranked[place + 1 :]
        apart = [below for below in rest if frozenset((above, below)) not in alike]
        if apart:
            lines.append(said("above", above=above, below=", ".join(apart)))
        if overlapping := [below for below in rest if below not in apart]:
            lines.append(said("overlap", above=above, below=", ".join(overlapping)))
    return lines


def document(arena: Arena) -> dict[str, Any]:
    """The same for programs."""
    pairs = [
        {
            "one": pair.one,
            "other": pair.other,
            **asdict(pair.found),
            "outcome": pair.found.outcome,
            "at_any_look": pair.found.at_any_look,
        }
        for pair in arena.pairs
    ]
    return {
        "models": [asdict(row) for row in arena.standings],
        "pairs": pairs,
        "overlaps": [list(pair) for pair in arena.overlaps],
        "groups": arena.groups,
        "games": arena.games,
        "left_out": arena.left_out,
        "words": sentences(arena),
    }
