"""Who sees what, what is said of it, and how that is taken back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from studio_core.base.errors import BadInput, Conflict, NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import LabelItem
from studio_core.labeling import assignment, items, projects, undoing, votes
from studio_core.labeling.assignment import LEASE, next_item
from studio_core.labeling.items import Answer, NewItem
from studio_core.labeling.votes import Verdict, cast
from tests.unit.studio_core.labeling.judging import judge, number, pair, project


def test_asked_again_it_is_the_same_item_and_its_draft(studio: Studio) -> None:
    one = project(studio)
    first = next_item(studio, one, "anna")
    assert first is not None and first.item.number == 1
    assignment.save_draft(studio, first.item.id, "anna", {"comment": "half a thou"})
    again = next_item(studio, one, "anna")
    assert again is not None and again.item.id == first.item.id and again.order == first.order
    assert again.draft == {"comment": "half a thou"}


def test_never_more_leases_and_votes_than_wanted(studio: Studio) -> None:
    one = project(studio, votes=2)
    assert [number(studio, one, name) for name in ("anna", "ben", "cleo", "dan", "eve")] == [1, 1, 2, 2, 3]
    judge(studio, one, "anna")
    assert number(studio, one, "fay") == 3 and number(studio, one, "anna") == 4


def test_a_lease_that_ran_out_goes_to_others_and_the_draft_stays(
    studio: Studio, pass_time: Callable[[timedelta], None]
) -> None:
    one = project(studio, count=1)
    shown = next_item(studio, one, "anna")
    assert shown is not None and number(studio, one, "ben") is None
    assignment.save_draft(studio, shown.item.id, "anna", {"verdict": "tie"})
    pass_time(LEASE - timedelta(seconds=1))
    assignment.showing(studio, shown.item.id, "anna")
    pass_time(LEASE - timedelta(seconds=1))
    assert number(studio, one, "ben") is None
    pass_time(timedelta(seconds=2))
    back = next_item(studio, one, "anna")  # Nobody took it: it is still theirs.
    assert back is not None and back.draft == {"verdict": "tie"}
    pass_time(LEASE + timedelta(seconds=1))
    judge(studio, one, "ben")
    with pytest.raises(Conflict, match="others have labelled it"):
        cast(studio, one, "anna", shown.item.id, Verdict("left"))
    assert number(studio, one, "anna") is None


def test_what_was_begun_on_a_vote_that_is_changed_is_not_lost(
    studio: Studio, pass_time: Callable[[timedelta], None]
) -> None:
    one = project(studio, votes=1)
    item = judge(studio, one, "anna").item_id
    undoing.reopen(studio, one, "anna", item)
    assignment.save_draft(studio, item, "anna", {"comment": "half a thou"})
    pass_time(2 * LEASE)  # Her vote has kept its place all the time.
    assignment.save_draft(studio, item, "anna", {"comment": "half a thought"})
    assignment.release(studio, item, "anna")
    assert number(studio, one, "anna") == 2
    assert undoing.reopen(studio, one, "anna", item).draft == {"comment": "half a thought"}
    pass_time(2 * LEASE)
    assert cast(studio, one, "anna", item, Verdict("tie")).verdict == "tie"
    assert [(vote.item_id, vote.verdict) for vote in votes.standing(studio, one)] == [(item, "tie")]


def test_what_was_not_given_cannot_be_judged(studio: Studio) -> None:
    one = project(studio)
    shown = next_item(studio, one, "anna")
    assert shown is not None
    for annotator, item in (("ben", shown.item.id), ("anna", 999)):
        with pytest.raises(NotFound, match="is not assigned to"):
            cast(studio, one, annotator, item, Verdict("left"))
    other = projects.create(studio, "other")
    with pytest.raises(BadInput, match="is not assigned to"):
        cast(studio, other.id, "anna", shown.item.id, Verdict("left"))


def test_sides_are_seeded_and_a_verdict_is_of_the_answer(studio: Studio) -> None:
    one = project(studio, count=60, votes=2)
    for annotator in ("anna", "ben"):
        for _ in range(60):
            judge(studio, one, annotator)
    cast_ = votes.standing(studio, one)
    sides = Counter((vote.annotator, vote.order[0]) for vote in cast_)
    assert all(15 < sides[name, place] < 45 for name in ("anna", "ben") for place in (0, 1))
    assert all("ab"[vote.order[0]] == vote.verdict for vote in cast_)
    orders = {(vote.item_id, vote.annotator): vote.order for vote in cast_}
    differ = sum(orders[item, "anna"] != orders[item, "ben"] for item in {vote.item_id for vote in cast_})
    assert 15 < differ < 45


def test_repeats_come_mirrored_and_count_for_nothing_else(studio: Studio) -> None:
    one = project(studio, count=200, repeats=0.5)
    for _ in range(100):
        judge(studio, one, "anna")
    all_ = votes.standing(studio, one)
    by_id = {vote.id: vote for vote in all_}
    again = [vote for vote in all_ if vote.repeats_id]
    assert 20 < len(again) < 60
    for vote in again:
        earlier = by_id[vote.repeats_id]
        assert vote.order == earlier.order[::-1] and vote.item_id == earlier.item_id
        assert vote.id - earlier.id > 5
    assert len({vote.repeats_id for vote in again}) == len(again)
    with studio.db.read() as session:
        assert max(session.scalars(select(LabelItem.votes)).all()) == 1


@pytest.mark.parametrize(
    ("mode", "said", "sentence"),
    [
        ("pairs", {"verdict": "withdrawn"}, "'withdrawn' is not a valid verdict"),
        ("pairs", {"verdict": "a"}, "'a' is not a valid verdict"),
        ("pairs", {"strength": "clearly"}, "does not accept strength"),
        ("pairs", {"reasons": ["<script>"]}, "is not a reason of this project"),
        ("pairs", {"edits": {0: " "}}, "edited answer is empty"),
        ("pairs", {"comment": "x" * 20_001}, "20001 characters"),
        ("rate", {"verdict": "rated", "rating": 11}, r"out of range \(1 to 10\)"),
        ("rate", {"verdict": "left"}, "not a valid verdict"),
        ("rank", {"verdict": "ranked", "ranking": [0, 0, 1]}, "each of the 3 answers once"),
    ],
)
def test_verdicts_that_will_not_do_change_nothing(
    studio: Studio, mode: str, said: dict[str, Any], sentence: str
) -> None:
    one = project(studio, mode=mode)
    with pytest.raises(BadInput, match=sentence):
        judge(studio, one, "anna", **said)
    assert votes.standing(studio, one) == [] and number(studio, one, "anna") == 1


def test_items_that_ask_nothing_are_counted(studio: Studio) -> None:
    one = projects.create(studio, "p")
    prompt = [{"role": "user", "content": "Q"}]
    added = items.add(
        studio,
        one.id,
        [
            NewItem(prompt, [Answer("a", "x"), Answer("b", "y")]),
            NewItem([{"role": "user", "content": " q "}], [Answer("b", "x"), Answer("a", "y")]),
            NewItem(prompt, [Answer("same", "x"), Answer(" same\n", "y")]),
            NewItem(prompt, [Answer("", "x"), Answer("b", "y")]),
        ],
    )
    assert (added.added, added.known, added.identical, added.empty) == (1, 1, 1, 1)
    with pytest.raises(BadInput, match="needs 2 answers, but 3 were given"):
        items.add(studio, one.id, [pair(1, 3)])
