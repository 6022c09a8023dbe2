"""Games of people's votes, and the ratings made of them."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from studio_core.base.errors import BadInput, NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation, Chat, ChatRound, Model, Vote
from studio_core.labeling import arena, changing, items, projects
from studio_core.labeling.assignment import next_item
from studio_core.labeling.items import Answer, NewItem
from studio_core.labeling.votes import Verdict, cast
from studio_core.statistics.ranking import RIDGE, SCALE, Game
from tests.unit.studio_core.labeling.comparing import add_model, asked, compared, judged, pair


@pytest.fixture
def three(studio: Studio) -> list[Model]:
    return [add_model(studio, name) for name in ("large", "middle", "small")]


def games_of(studio: Studio, *models: Model) -> list[tuple[str, str, float]]:
    names = {str(model.id): model.name for model in models}
    found = arena.played(studio, [model.id for model in models]).games
    return [(names[game.one], names[game.other], game.score) for game in found]


def test_games_are_the_votes_of_people_on_two_models(studio: Studio, three: list[Model]) -> None:
    large, middle, small = three
    one = compared(
        studio, "p", [pair("q1", large, middle), pair("q2", middle, small), pair("q3", large, small)]
    )
    judged(studio, one, ["a", "tie", "both_bad"])
    with_dataset = [Answer("x", "file@1:chosen", "dataset"), Answer("y", "large", model=large.id)]
    same = [Answer("at 0.2", "large at 0.2", model=large.id), Answer("at 1", "large at 1", model=large.id)]
    other = compared(studio, "other", [NewItem(asked("q4"), with_dataset), NewItem(asked("q5"), same)])
    judged(studio, other, ["a", "b"])
    assert games_of(studio, *three) == [
        ("large", "middle", 1.0),
        ("middle", "small", 0.5),
        ("large", "small", 0.5),
    ]
    assert games_of(studio, large, middle) == [("large", "middle", 1.0)]
    hashes = {game.prompt for game in arena.played(studio).games}
    assert hashes == {items.prompt_hash(asked(f"Q{n}")) for n in (1, 2, 3)}


def test_judges_repeats_skips_and_what_was_taken_back_are_no_games(
    studio: Studio, three: list[Model]
) -> None:
    large, middle, _ = three
    one = compared(studio, "p", [pair(f"q{n}", large, middle) for n in range(3)], votes=2)
    judged(studio, one, ["skip", "a", "b"])
    shown = next_item(studio, one.id, "ben")
    assert shown is not None
    cast(studio, one.id, "ben", shown.item.id, Verdict("tie"))
    with studio.db.write() as session:
        votes = session.query(Annotation).filter_by(annotator="anna").order_by(Annotation.id).all()
        votes[1].undone_at = votes[1].created_at
        again: dict[str, Any] = {
            "project_id": one.id,
            "item_id": votes[2].item_id,
            "order": [0, 1],
            "verdict": "a",
        }
        session.add(Annotation(annotator="judge:x", origin="judge", **again))
        session.add(Annotation(annotator="anna", repeats_id=votes[2].id, **again))
    assert games_of(studio, *three) == [("large", "middle", 0.0), ("large", "middle", 0.5)]
    with studio.db.write() as session:
        session.add(Annotation(annotator="eve", origin="adjudicator", **again))
    # The third item was adjudicated: what anna said of it counts no more.
    assert sorted(games_of(studio, *three)) == [("large", "middle", 0.5), ("large", "middle", 1.0)]


def test_votes_that_were_not_blind_are_left_out_and_counted(studio: Studio, three: list[Model]) -> None:
    one = compared(studio, "open", [pair("q", three[0], three[1])], blind=False)
    judged(studio, one, ["a"])
    changing.change(studio, one.id, {"blind": True})  # Hiding it afterwards makes no vote blind.
    found = arena.played(studio)
    assert not found.games and found.left_out == {"not_blind": 1}


def test_a_ranking_is_a_game_between_every_two(studio: Studio, three: list[Model]) -> None:
    one = projects.create(studio, "ranks", mode="rank", settings={"repeats": 0.0})
    answers = [Answer(model.name, model.name, model=model.id) for model in three]
    items.add(studio, one.id, [NewItem(asked("q"), answers)])
    shown = next_item(studio, one.id, "anna")
    assert shown is not None
    best_first = [shown.order.index(place) for place in (2, 0, 1)]
    cast(studio, one.id, "anna", shown.item.id, Verdict("ranked", ranking=best_first))
    assert games_of(studio, *three) == [
        ("large", "middle", 1.0),
        ("large", "small", 0.0),
        ("middle", "small", 0.0),
    ]


def chat_vote(studio: Studio, verdict: str, models: list[Model], **record: Any) -> None:
    with studio.db.write() as session:
        chat = Chat(title="t", models=[model.id for model in models], settings={})
        session.add(chat)
        session.flush()
        row = ChatRound(chat_id=chat.id, number=1, prompt="q", answers=[], settings={})
        session.add(row)
        session.flush()
        said = {"prompt": asked("q"), "models": [model.id for model in models], "blind": True, **record}
        session.add(Vote(round_id=row.id, verdict=verdict, left=0, right=1, record=said))


def test_blind_votes_of_chats_are_games_and_flagged_ones_are_not(studio: Studio, three: list[Model]) -> None:
    large, middle, _ = three
    chat_vote(studio, "b", [large, middle], incomplete=False)  # A preference names the chosen one first.
    chat_vote(studio, "tie", [middle, large])
    chat_vote(studio, "a", [large, middle], incomplete=True)
    chat_vote(studio, "a", [large, middle], leak=True)
    chat_vote(studio, "a", [large, middle], blind=False)
    chat_vote(studio, "a", [large, large])
    chat_vote(studio, "a", [large, middle], withdrawn=True)
    found = arena.played(studio)
    assert [(game.one, game.other, game.score) for game in found.games] == [
        (str(large.id), str(middle.id), 1.0),
        (str(middle.id), str(large.id), 0.5),
    ]
    assert found.left_out == {"incomplete": 1, "leak": 1, "not_blind": 1}


def test_what_one_person_says_of_the_same_answers_is_one_game_the_first(
    studio: Studio, three: list[Model]
) -> None:
    """In two projects and a chat; answers that other models gave are others, whatever they say."""
    large, middle, small = three
    one, other = (compared(studio, name, [pair("q", large, middle)], votes=2) for name in ("p", "other"))
    content = items.page(studio, one.id)[0].content_hash
    chat_vote(studio, "a", [large, middle], blind=False, annotator="anna", contents=["another", content])
    chat_vote(studio, "tie", [large, small], annotator="anna", contents=[content])
    judged(studio, one, ["b"], "anna")
    judged(studio, one, ["b"], "ben")
    judged(studio, other, ["a"], "ben")
    found = arena.played(studio)
    assert [game.score for game in found.games] == [0.5, 0.0] and found.left_out == {"not_blind": 1}


def test_of_adjudicated_answers_a_vote_of_a_chat_counts_no_more(studio: Studio, three: list[Model]) -> None:
    one = compared(studio, "p", [pair("q", three[0], three[1])])
    [item] = items.page(studio, one.id)
    chat_vote(studio, "a", three[:2], annotator="eve", contents=[item.content_hash])
    assert [game.score for game in arena.played(studio).games] == [1.0]
    with studio.db.write() as session:
        for verdict in ("a", "b"):
            last = {"annotator": "eve", "origin": "adjudicator", "order": [0, 1], "verdict": verdict}
            session.add(Annotation(project_id=one.id, item_id=item.id, **last))
    assert [game.score for game in arena.played(studio).games] == [0.0]


def season(seed: int = 0, prompts: int = 120) -> list[Game]:
    """Games of four players whose strengths are known, three on each prompt."""
    random_, strength = random.Random(seed), {"1": 1.2, "2": 0.4, "3": 0.3, "4": -1.5}
    games = []
    for prompt in range(prompts):
        for _ in range(3):
            one, other = random_.sample(sorted(strength), 2)
            chance = 1 / (1 + np.exp(strength[other] - strength[one]))
            score = 0.5 if random_.random() < 0.2 else float(random_.random() < chance)
            games.append(Game(str(prompt), one, other, score))
    return games


def test_ratings_are_those_of_another_way_to_fit_the_same_model() -> None:
    """The penalised likelihood, maximised by a general optimiser."""
    games = season()
    found = arena.rated(arena.Games(games), {str(n): f"m{n}" for n in range(1, 5)})

    def loss(beta: np.ndarray[Any, Any]) -> float:
        margins = np.array([beta[int(g.one) - 1] - beta[int(g.other) - 1] for g in games])
        scores = np.array([g.score for g in games])
        likelihood = scores * np.logaddexp(0, -margins) + (1 - scores) * np.logaddexp(0, margins)
        return float(likelihood.sum() + RIDGE / 2 * (beta**2).sum())

    best = minimize(
        loss,
        np.zeros(4),
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 10**5, "maxfev": 10**5},
    ).x
    expected = {f"m{n + 1}": 1000 + SCALE * (value - best.mean()) for n, value in enumerate(best)}
    for row in found.standings:
        assert row.rating == pytest.approx(expected[row.model], abs=0.01)
    assert sum(row.games for row in found.standings) == 2 * len(games) == 2 * found.games
    counted = {(pair.one, pair.other): pair.found for pair in found.pairs}
    assert sum(one.judged for one in counted.values()) == len(games)


def test_ranks_and_overlaps_say_what_the_intervals_say() -> None:
    found = arena.rated(arena.Games(season(prompts=300)), {str(n): f"m{n}" for n in range(1, 6)})
    rows = {row.model: row for row in found.standings}
    assert (rows["m1"].rank, rows["m1"].last) == (1, 1) and (rows["m4"].rank, rows["m4"].last) == (4, 4)
    assert (rows["m2"].rank, rows["m2"].last) == (rows["m3"].rank, rows["m3"].last) == (2, 3)
    assert [set(pair) for pair in found.overlaps] == [{"m2", "m3"}]
    assert rows["m5"].rating is None and found.standings[-1].model == "m5"
    said = arena.sentences(found)
    assert any("overlap" in one and "m2" in one and "m3" in one for one in said)
    assert any("m1 ranks above" in one for one in said)
    assert len(arena.sentences(found, "zh-CN")) == len(said)


def test_models_that_never_met_are_said_to_be_so(studio: Studio) -> None:
    games = [Game("q", "1", "2", 1.0)] * 9 + [Game("q", "3", "4", 1.0)] * 9
    found = arena.rated(arena.Games(games), {str(n): f"m{n}" for n in range(1, 5)})
    assert sorted(map(sorted, found.groups)) == [["m1", "m2"], ["m3", "m4"]]
    assert "never compared" in arena.sentences(found)[0]
    assert arena.sentences(arena.rated(arena.Games(), {}))[0].startswith(
        "These models have not been compared"
    )


def test_an_arena_needs_three_models_of_the_studio(studio: Studio, three: list[Model]) -> None:
    with pytest.raises(BadInput, match="at least 3 models; 2"):
        arena.arena(studio, ["large", "middle", three[0].id])
    with pytest.raises(NotFound):
        arena.arena(studio, ["large", "middle", "nobody"])
    found = arena.arena(studio, ["large", "middle", "small"])
    assert [row.games for row in found.standings] == [0, 0, 0] and found.games == 0
    judged(studio, compared(studio, "p", [pair("q", three[0], three[1])]), ["a"])
    two = arena.arena(studio)
    assert [(row.model, row.games, row.rating) for row in two.standings] == [
        ("large", 1, None),
        ("middle", 1, None),
    ]
    assert two.pairs[0].found.wins == 1 and "win rate" in arena.sentences(two)[0]
    document = arena.document(arena.arena(studio, ["large", "middle", "small"]))
    assert document["models"][0]["model"] == "large" and document["pairs"][0]["wins"] == 1
