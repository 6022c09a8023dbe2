"""What was done is taken back, one after the other, and nothing of it is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from studio_core.base.errors import Conflict
from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation, Lease
from studio_core.labeling import assignment, items, projects, records, undoing, votes
from studio_core.labeling.assignment import LEASE, next_item
from studio_core.labeling.undoing import undo
from studio_core.labeling.votes import Verdict, cast
from tests.unit.studio_core.labeling.judging import judge, number, project, row


def test_undo_fifty_across_everything(studio: Studio) -> None:
    one = project(studio, count=60)
    for n in range(55):
        judge(studio, one, "anna", verdict="skip" if n % 7 == 0 else "right", comment=f"no {n}")
    for n in reversed(range(5, 55)):
        back = undo(studio, one, "anna")
        assert back.item.number == n + 1 and back.draft["comment"] == f"no {n}"
        assert back.draft["verdict"] == ("skip" if n % 7 == 0 else "right")
    with pytest.raises(Conflict, match="last 50"):
        undo(studio, one, "anna")
    with studio.db.read() as session:
        assert len(session.scalars(select(Annotation)).all()) == 55  # Nothing is ever deleted.
    assert number(studio, one, "anna") == 6
    judge(studio, one, "anna")
    assert undo(studio, one, "anna").item.number == 6
    with pytest.raises(Conflict, match="Nothing to undo"):
        undo(studio, one, "ben")


def test_a_changed_verdict_replaces_the_old_one_and_undo_brings_it_back(studio: Studio) -> None:
    one = project(studio)
    first = judge(studio, one, "anna", verdict="tie")
    shown = undoing.reopen(studio, one, "anna", first.item_id)
    assert shown.draft["verdict"] == "tie"
    cast(studio, one, "anna", first.item_id, Verdict("both_bad"))
    assert [vote.verdict for vote in votes.standing(studio, one)] == ["both_bad"]
    undo(studio, one, "anna")
    assert [vote.verdict for vote in votes.standing(studio, one)] == ["tie"]
    item = items.get(studio, first.item_id)
    assert item is not None and item.votes == 1


def test_what_was_skipped_and_went_to_others_does_not_come_back(studio: Studio) -> None:
    one = project(studio, count=1)
    judge(studio, one, "anna", verdict="skip")
    assert number(studio, one, "ben") == 1
    with pytest.raises(Conflict, match="has been assigned to others"):
        undo(studio, one, "anna")
    assert [vote.verdict for vote in votes.standing(studio, one)] == ["skip"]


def test_a_skip_in_place_of_a_verdict_is_undone_while_there_is_room(studio: Studio) -> None:
    one = project(studio, 1, votes=2)
    item = judge(studio, one, "anna").item_id
    undoing.reopen(studio, one, "anna", item)
    cast(studio, one, "anna", item, Verdict("skip"))
    judge(studio, one, "ben")
    undo(studio, one, "anna")  # Two votes are wanted, and there is one: hers may come back.
    assert Counter(vote.annotator for vote in votes.standing(studio, one)) == {"anna": 1, "ben": 1}
    cast(studio, one, "anna", item, Verdict("skip"))
    judge(studio, one, "cleo")
    with pytest.raises(Conflict, match="assigned to others"):
        undo(studio, one, "anna")


@pytest.mark.parametrize(
    "said",
    [
        {
            "verdict": "right",
            "strength": "clearly",
            "reasons": ["factual", "format"],
            "comment": "names its source",
            "edits": {0: "better still"},
        },
        {"verdict": "both_bad", "comment": "neither"},
        {"verdict": "skip", "comment": "cannot say"},
    ],
)
def test_a_vote_that_was_withdrawn_comes_back_as_it_was(studio: Studio, said: dict[str, Any]) -> None:
    one = project(studio, votes=1, strength=True)
    before = row(judge(studio, one, "anna", **said))
    judge(studio, one, "anna", comment="the next")
    item = before["item_id"]
    undoing.reopen(studio, one, "anna", item)
    assignment.save_draft(studio, item, "anna", {"comment": "about to change it"})
    undoing.withdraw(studio, one, "anna", item)
    assert [vote.comment for vote in votes.standing(studio, one)] == ["the next"]
    assert [vote.comment for vote in votes.history(studio, one, "anna")] == ["the next"]
    assert items.get(studio, item).votes == 0  # type: ignore[union-attr]
    counted = records.Yield()
    exported = list(records.records(studio, projects.get(studio, one), "audit", counted))
    assert len(exported) == 1 and counted.counts == {"votes": 1}
    assert number(studio, one, "anna") == 3  # She goes on where she was; what she took back comes last.

    shown = undo(studio, one, "anna")
    assert shown.item.id == item and shown.draft == {"comment": "about to change it"}
    assert votes.state_of(studio, shown, "anna") == ("skipped" if said["verdict"] == "skip" else "submitted")
    assert row(votes.standing(studio, one)[0]) == before
    assert items.get(studio, item).votes == (said["verdict"] != "skip")  # type: ignore[union-attr]
    assert [undo(studio, one, "anna").item.number for _ in range(2)] == [2, 1]


def test_whoever_withdraws_goes_on_where_they_were(studio: Studio) -> None:
    one = project(studio)
    ids = [judge(studio, one, "anna").item_id for _ in range(3)]
    for item in ids[1::-1]:
        undoing.withdraw(studio, one, "anna", item)
    assert number(studio, one, "anna") == 4


def test_withdrawals_are_undone_in_their_order_among_the_last_fifty(studio: Studio) -> None:
    one = project(studio, count=40, votes=1)
    ids = [judge(studio, one, "anna", comment=f"no {n}").item_id for n in range(1, 41)]
    for n in range(1, 31, 2):  # 15 of them, the oldest votes first.
        undoing.withdraw(studio, one, "anna", ids[n - 1])
    undone = [undo(studio, one, "anna").item.number for _ in range(50)]
    assert undone == [*range(29, 0, -2), *range(40, 5, -1)]
    with pytest.raises(Conflict, match="last 50 actions"):
        undo(studio, one, "anna")
    assert [vote.comment for vote in votes.standing(studio, one)] == [f"no {n}" for n in range(1, 6)]
    with studio.db.read() as session:
        assert len(session.scalars(select(Annotation)).all()) == 55  # Nothing is ever deleted.


def test_what_was_withdrawn_and_went_to_others_stays_so(
    studio: Studio, pass_time: Callable[[timedelta], None]
) -> None:
    one = project(studio, count=1)
    item = judge(studio, one, "anna").item_id
    undoing.withdraw(studio, one, "anna", item)
    assert number(studio, one, "ben") == 1

    def refused() -> None:
        with studio.db.read() as session:
            rows = [row(vote) for vote in session.scalars(select(Annotation))]
            leases = len(session.scalars(select(Lease)).all())
        with pytest.raises(Conflict, match="Item 1 has been assigned to others since you withdrew your vote"):
            undo(studio, one, "anna")
        with studio.db.read() as session:
            assert [row(vote) for vote in session.scalars(select(Annotation))] == rows
            assert len(session.scalars(select(Lease)).all()) == leases

    refused()
    pass_time(LEASE + timedelta(seconds=1))  # Ben went away: there is room for her vote again.
    assert undo(studio, one, "anna").draft["verdict"] == "left"
    with pytest.raises(Conflict, match="others have labelled it"):
        cast(studio, one, "ben", item, Verdict("tie"))
    undoing.withdraw(studio, one, "anna", item)
    judge(studio, one, "ben")
    refused()
    undo(studio, one, "ben")
    pass_time(LEASE + timedelta(seconds=1))
    undo(studio, one, "anna")
    assert [vote.annotator for vote in votes.standing(studio, one)] == ["anna"]


def test_voted_anew_after_a_withdrawal_both_are_undone_one_by_one(studio: Studio) -> None:
    one = project(studio, count=1, votes=1)
    first = judge(studio, one, "anna", verdict="tie", comment="first")
    item = first.item_id
    undoing.withdraw(studio, one, "anna", item)
    judge(studio, one, "anna", verdict="both_bad", comment="second")
    undoing.withdraw(studio, one, "anna", item)

    def stands() -> list[str]:
        return [vote.comment for vote in votes.standing(studio, one)]

    seen = [stands()]
    for _ in range(4):
        undo(studio, one, "anna")
        seen.append(stands())
    assert seen == [[], ["second"], [], ["first"], []]
    assert number(studio, one, "anna") == 1


def test_a_withdrawal_of_a_changed_vote_brings_the_change_back_and_then_the_first(studio: Studio) -> None:
    one = project(studio, count=2)
    item = judge(studio, one, "anna", verdict="tie").item_id
    undoing.reopen(studio, one, "anna", item)
    cast(studio, one, "anna", item, Verdict("both_bad"))
    undoing.withdraw(studio, one, "anna", item)
    assert votes.standing(studio, one) == []
    for verdict in ("both_bad", "tie"):
        undo(studio, one, "anna")
        assert [vote.verdict for vote in votes.standing(studio, one)] == [verdict]


def test_undoing_loses_nothing_that_was_begun(studio: Studio) -> None:
    one = project(studio)
    item = judge(studio, one, "anna", comment="said").item_id
    undoing.reopen(studio, one, "anna", item)
    assignment.save_draft(studio, item, "anna", {"comment": "said, and much more"})
    assert undo(studio, one, "anna").draft == {"comment": "said, and much more"}


def test_skipping_loses_nothing_that_was_begun(studio: Studio) -> None:
    one = project(studio, mode="rank")
    shown = next_item(studio, one, "anna")
    assert shown is not None
    assignment.save_draft(studio, shown.item.id, "anna", {"ranking": [2, 0], "comment": "hm"})
    cast(studio, one, "anna", shown.item.id, Verdict("skip", comment="hm"))
    assert undo(studio, one, "anna").draft == {
        "verdict": "skip",
        "reasons": [],
        "comment": "hm",
        "ranking": [2, 0],
    }
