"""What three people do at once, in any order, never gives out more of an item than is wanted."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select

from studio_core.base import clock
from studio_core.base.errors import Conflict, StudioError
from studio_core.base.studio import open_studio
from studio_core.base.tables import Annotation, LabelItem, Lease
from studio_core.labeling import assignment, undoing, votes
from studio_core.labeling.assignment import next_item
from studio_core.labeling.undoing import undo
from studio_core.labeling.votes import Verdict, cast
from tests.unit.studio_core.labeling.judging import project, row


class Labelling(RuleBasedStateMachine):
    """Anything that three people may do, in any order: no item is ever given out beyond what is wanted."""

    WANTED = 2
    PEOPLE = ("anna", "ben", "cleo")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.studio = open_studio(home=Path(self.folder.name))
        self.moment = datetime(2026, 1, 1)
        self.real_now = clock.now
        clock.now = lambda: self.moment  # type: ignore[assignment]
        self.project = project(self.studio, count=4, votes=self.WANTED)
        self.earlier: dict[str, list[Any]] = {who: [] for who in self.PEOPLE}
        self.rows = 0

    def teardown(self) -> None:
        if hasattr(self, "studio"):
            clock.now = self.real_now
            self.studio.close()
            self.folder.cleanup()

    @rule(who=st.sampled_from(PEOPLE))
    def look(self, who: str) -> None:
        next_item(self.studio, self.project, who)

    @rule(who=st.sampled_from(PEOPLE), verdict=st.sampled_from(["left", "tie", "skip"]))
    def judge(self, who: str, verdict: str) -> None:
        shown = next_item(self.studio, self.project, who)
        if shown:
            with self.acting(who):
                cast(self.studio, self.project, who, shown.item.id, Verdict(verdict))

    @rule(who=st.sampled_from(PEOPLE), item=st.integers(1, 4))
    def judge_what_may_not_be_theirs(self, who: str, item: int) -> None:
        with contextlib.suppress(StudioError), self.acting(who):
            cast(self.studio, self.project, who, item, Verdict("right"))

    @rule(who=st.sampled_from(PEOPLE))
    def take_back(self, who: str) -> None:
        """All that they said is as it was before what they did last; or nothing changed, and it is said why."""
        self.moment += timedelta(seconds=1)  # What was brought back last is what is shown next.
        before, leases = self.said(who), self.leases()
        try:
            shown = undo(self.studio, self.project, who)
        except Conflict as error:
            sentence = "has been assigned to others" if self.earlier[who] else "Nothing to undo"
            assert sentence in str(error)
            assert (self.said(who), self.leases()) == (before, leases)
        else:
            assert self.said(who) == self.earlier[who].pop()
            again = next_item(self.studio, self.project, who)
            assert again is not None and again.item.id == shown.item.id

    @rule(who=st.sampled_from(PEOPLE), item=st.integers(1, 4))
    def come_back(self, who: str, item: int) -> None:
        with contextlib.suppress(Conflict):
            undoing.reopen(self.studio, self.project, who, item)

    @rule(who=st.sampled_from(PEOPLE), item=st.integers(1, 4))
    def withdraw(self, who: str, item: int) -> None:
        with contextlib.suppress(Conflict), self.acting(who):
            undoing.withdraw(self.studio, self.project, who, item)

    @contextlib.contextmanager
    def acting(self, who: str) -> Iterator[None]:
        """What is done here, unless it is refused, can be undone."""
        before = self.said(who)
        yield
        self.earlier[who].append(before)

    def said(self, who: str) -> list[dict[str, Any]]:
        standing = votes.standing(self.studio, self.project)
        return [row(vote) for vote in standing if vote.annotator == who]

    def leases(self) -> list[tuple[Any, ...]]:
        with self.studio.db.read() as session:
            return [(o.item_id, o.annotator, o.until, o.draft) for o in session.scalars(select(Lease))]

    @rule(who=st.sampled_from(PEOPLE), item=st.integers(1, 4))
    def leave(self, who: str, item: int) -> None:
        assignment.release(self.studio, item, who)

    @rule(who=st.sampled_from(PEOPLE), item=st.integers(1, 4))
    def enter(self, who: str, item: int) -> None:
        with contextlib.suppress(StudioError):
            assignment.save_draft(self.studio, item, who, {"comment": "half"})

    @rule(minutes=st.sampled_from([1, 14, 16]))
    def wait(self, minutes: int) -> None:
        self.moment += timedelta(minutes=minutes)

    @invariant()
    def never_beyond_what_is_wanted(self) -> None:
        if not hasattr(self, "studio"):
            return
        with self.studio.db.read() as session:
            leases = session.scalars(select(Lease)).all()
            counted = {item.id: item.votes for item in session.scalars(select(LabelItem))}
            rows = len(session.scalars(select(Annotation.id)).all())
        assert rows >= self.rows  # None is ever deleted.
        self.rows = rows
        cast_ = votes.standing(self.studio, self.project)
        assert len({(vote.item_id, vote.annotator) for vote in cast_}) == len(cast_)
        for item, count in counted.items():
            judged = [vote for vote in cast_ if vote.item_id == item and vote.verdict != "skip"]
            theirs = {vote.annotator for vote in judged}
            held = [
                o for o in leases if o.item_id == item and o.until > self.moment and o.annotator not in theirs
            ]
            assert count == len(judged) and count + len(held) <= self.WANTED


Labelling.TestCase.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
test_any_order = Labelling.TestCase
