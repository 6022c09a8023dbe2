"""The last word on what people disagree about."""

from __future__ import annotations

from typing import Any

import pytest

from studio_core.base.errors import BadInput, Conflict, NotFound
from studio_core.base.studio import Studio
from studio_core.labeling import adjudication, projects, records, statistics, undoing, votes
from studio_core.labeling.assignment import next_item
from studio_core.labeling.records import Yield
from studio_core.labeling.votes import Verdict
from tests.unit.studio_core.labeling.judging import judge, project


def of_item(studio: Studio, one: int, annotator: str, place: int, **said: Any) -> int:
    """A vote for the answer at a place of the item itself, whatever side it is shown on."""
    shown = next_item(studio, one, annotator)
    assert shown is not None
    side = ("left", "right")[shown.order.index(place)]
    return votes.cast(studio, one, annotator, shown.item.id, Verdict(side, **said)).item_id


def exported(studio: Studio, one: int) -> list[str]:
    found = records.records(studio, projects.get(studio, one), "preference", Yield())
    return [record["chosen"][0]["content"] for _, record in found]


def test_a_decision_settles_a_tie_and_can_be_taken_back(studio: Studio) -> None:
    one = project(studio, 2, votes=2)
    item = of_item(studio, one, "anna", 0)
    assert adjudication.disagreements(studio, one) == ([], [])  # One vote is still wanted.
    of_item(studio, one, "ben", 1, comment="the other")
    of_item(studio, one, "anna", 0), of_item(studio, one, "ben", 0)
    assert adjudication.disagreements(studio, one) == ([item], [])
    assert len(exported(studio, one)) == 1

    found = adjudication.case(studio, one, item)
    assert [(vote.annotator, vote.verdict) for vote in found.votes] == [("anna", "a"), ("ben", "b")]
    adjudication.decide(studio, one, "ben", item, Verdict("right", comment="b, as it names the source"))
    assert adjudication.disagreements(studio, one) == ([], [item])
    assert exported(studio, one)[0] == found.item.answers[1]["text"]
    # Ben's own vote stands beside it, and is still what he can take back.
    assert len(adjudication.case(studio, one, item).votes) == 2
    adjudication.decide(studio, one, "cleo", item, Verdict("left"))
    assert exported(studio, one)[0] == found.item.answers[0]["text"]
    assert adjudication.case(studio, one, item, "ben").earlier is None
    adjudication.reconsider(studio, one, item)
    for name, verdict in (("cleo", "a"), ("ben", "b")):  # What each had said stands in their form again.
        earlier = adjudication.case(studio, one, item, name).earlier
        assert earlier is not None and earlier.verdict == verdict
    assert adjudication.case(studio, one, item, "anna").earlier is None
    assert adjudication.disagreements(studio, one) == ([item], []) and len(exported(studio, one)) == 1
    with pytest.raises(Conflict):
        adjudication.reconsider(studio, one, item)


def test_what_an_adjudicator_may_not_say(studio: Studio) -> None:
    one = project(studio, 1)
    item = of_item(studio, one, "anna", 0)
    with pytest.raises(BadInput):
        adjudication.decide(studio, one, "ben", item, Verdict("skip"))
    with pytest.raises(NotFound):
        adjudication.decide(studio, one, "ben", item + 1, Verdict("left"))


def test_agreement_of_ratings_and_of_rankings(studio: Studio) -> None:
    rated = project(studio, 20, "rate", votes=2)
    for n in range(20):
        judge(studio, rated, "anna", verdict="rated", rating=1 + n % 5)
        judge(studio, rated, "ben", verdict="rated", rating=(1 + n % 5) if n else 9)
    found = statistics.of_project(studio, rated)
    assert found.agreement.items == 20 and found.agreement.raw == 0.95 and len(found.conflicts) == 1
    assert (
        found.agreement.alpha
        and 0.5 < found.agreement.alpha < 1
        and found.agreement.kappas.keys() == {"anna / ben"}
    )

    ranked = project(studio, 20, "rank", votes=2)
    for n in range(20):
        for name in ("anna", "ben"):
            shown = next_item(studio, ranked, name)
            assert shown is not None
            # Ben turns the last two of every other ranking round: the first place stays.
            places = [0, 2, 1] if name == "ben" and n % 2 else [0, 1, 2]
            ranking = sorted(range(3), key=lambda place, s=shown, p=places: p.index(s.order[place]))  # type: ignore[misc]
            votes.cast(studio, ranked, name, shown.item.id, Verdict("ranked", ranking=ranking))
    found = statistics.of_project(studio, ranked)
    assert found.conflicts == [] and found.agreement.items == 20
    assert found.agreement.raw == pytest.approx(
        50 / 60
    )  # Of three pairs of answers one differs, in half of them.


def test_ratings_and_rankings_disagree_too(studio: Studio) -> None:
    rated = project(studio, 2, "rate", votes=2)
    for name, rating in (("anna", 8), ("ben", 6), ("anna", 9), ("ben", 2)):
        judge(studio, rated, name, verdict="rated", rating=rating)
    assert len(adjudication.disagreements(studio, rated)[0]) == 1
    ranked = project(studio, 2, "rank", votes=2)
    for name, best in (("anna", 0), ("ben", 0), ("anna", 1), ("ben", 2)):
        shown = next_item(studio, ranked, name)
        assert shown is not None
        ranking = sorted(range(3), key=lambda place, s=shown: s.order[place] != best)  # type: ignore[misc]
        votes.cast(studio, ranked, name, shown.item.id, Verdict("ranked", ranking=ranking))
    assert len(adjudication.disagreements(studio, ranked)[0]) == 1


def test_a_vote_or_a_skip_is_withdrawn(studio: Studio) -> None:
    one = project(studio, 2)
    voted = of_item(studio, one, "anna", 0)
    judge(studio, one, "anna", verdict="skip")
    undoing.withdraw(studio, one, "anna", voted)
    assert [vote.verdict for vote in votes.standing(studio, one)] == ["skip"]
    shown = next_item(studio, one, "ben")
    assert shown is not None and shown.item.id == voted
    with pytest.raises(Conflict):
        undoing.withdraw(studio, one, "anna", voted)
    assert [vote.verdict for vote in votes.history(studio, one, "anna", skipped=True)] == ["skip"]
