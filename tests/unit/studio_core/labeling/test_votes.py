"""Who sees what, what is said of it, and how that is taken back."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select

from studio_core import clock
from studio_core.data import store
from studio_core.errors import BadInput, Conflict, NotFound, StudioError
from studio_core.labeling import assignment, exports, imports, items, projects, records, votes
from studio_core.labeling.assignment import LEASE, next_item
from studio_core.labeling.items import Answer, NewItem
from studio_core.labeling.votes import Verdict, cast, undo
from studio_core.studio import Studio, open_studio
from studio_core.tables import Annotation, LabelItem, Lease


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    moment = [datetime(2026, 1, 1)]
    monkeypatch.setattr(clock, "now", lambda: moment[0])

    def passed(by: timedelta) -> None:
        moment[0] += by

    return passed


def pair(n: int, answers: int = 2) -> NewItem:
    said = [Answer(f"answer {n} {place}" + "!" * place, f"model-{place}") for place in range(answers)]
    return NewItem([{"role": "user", "content": f"question {n}"}], said)


def project(studio: Studio, count: int = 5, mode: str = "pairs", **settings: Any) -> int:
    one = projects.create(studio, f"project-{mode}", mode=mode, settings={"repeats": 0.0, **settings})
    answers = {"pairs": 2, "rate": 1, "rank": 3}[mode]
    items.add(studio, one.id, (pair(n, answers) for n in range(1, count + 1)))
    return one.id


def judge(studio: Studio, project: int, annotator: str, **said: Any) -> Annotation:
    shown = next_item(studio, project, annotator)
    assert shown is not None
    return cast(studio, project, annotator, shown.item.id, Verdict(**{"verdict": "left", **said}))


def number(studio: Studio, project: int, annotator: str) -> int | None:
    shown = next_item(studio, project, annotator)
    return shown.item.number if shown else None


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
    with pytest.raises(Conflict, match="judged by others"):
        cast(studio, one, "anna", shown.item.id, Verdict("left"))
    assert number(studio, one, "anna") is None


def test_what_was_begun_on_a_vote_that_is_changed_is_not_lost(
    studio: Studio, pass_time: Callable[[timedelta], None]
) -> None:
    one = project(studio, votes=1)
    item = judge(studio, one, "anna").item_id
    votes.reopen(studio, one, "anna", item)
    assignment.save_draft(studio, item, "anna", {"comment": "half a thou"})
    pass_time(2 * LEASE)  # Her vote has kept its place all the time.
    assignment.save_draft(studio, item, "anna", {"comment": "half a thought"})
    assignment.release(studio, item, "anna")
    assert number(studio, one, "anna") == 2
    assert votes.reopen(studio, one, "anna", item).draft == {"comment": "half a thought"}
    pass_time(2 * LEASE)
    assert cast(studio, one, "anna", item, Verdict("tie")).verdict == "tie"
    assert [(vote.item_id, vote.verdict) for vote in votes.standing(studio, one)] == [(item, "tie")]


def test_what_was_not_given_cannot_be_judged(studio: Studio) -> None:
    one = project(studio)
    shown = next_item(studio, one, "anna")
    assert shown is not None
    for annotator, item in (("ben", shown.item.id), ("anna", 999)):
        with pytest.raises(NotFound, match="is not before"):
            cast(studio, one, annotator, item, Verdict("left"))
    other = projects.create(studio, "other")
    with pytest.raises(BadInput, match="is not before"):
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


def test_undo_fifty_across_everything(studio: Studio) -> None:
    one = project(studio, count=60)
    for n in range(55):
        judge(studio, one, "anna", verdict="skip" if n % 7 == 0 else "right", comment=f"no {n}")
    for n in reversed(range(5, 55)):
        back = undo(studio, one, "anna")
        assert back.item.number == n + 1 and back.draft["comment"] == f"no {n}"
        assert back.draft["verdict"] == ("skip" if n % 7 == 0 else "right")
    with pytest.raises(Conflict, match="newest 50"):
        undo(studio, one, "anna")
    with studio.db.read() as session:
        assert len(session.scalars(select(Annotation)).all()) == 55  # Nothing is ever deleted.
    assert number(studio, one, "anna") == 6
    judge(studio, one, "anna")
    assert undo(studio, one, "anna").item.number == 6
    with pytest.raises(Conflict, match="no vote of yours"):
        undo(studio, one, "ben")


def test_a_changed_verdict_replaces_the_old_one_and_undo_brings_it_back(studio: Studio) -> None:
    one = project(studio)
    first = judge(studio, one, "anna", verdict="tie")
    shown = votes.reopen(studio, one, "anna", first.item_id)
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
    with pytest.raises(Conflict, match="has gone to others"):
        undo(studio, one, "anna")
    assert [vote.verdict for vote in votes.standing(studio, one)] == ["skip"]


def test_a_skip_in_place_of_a_verdict_is_undone_while_there_is_room(studio: Studio) -> None:
    one = project(studio, 1, votes=2)
    item = judge(studio, one, "anna").item_id
    votes.reopen(studio, one, "anna", item)
    cast(studio, one, "anna", item, Verdict("skip"))
    judge(studio, one, "ben")
    undo(studio, one, "anna")  # Two votes are wanted, and there is one: hers may come back.
    assert Counter(vote.annotator for vote in votes.standing(studio, one)) == {"anna": 1, "ben": 1}
    cast(studio, one, "anna", item, Verdict("skip"))
    judge(studio, one, "cleo")
    with pytest.raises(Conflict, match="gone to others"):
        undo(studio, one, "anna")


@pytest.mark.parametrize(
    ("mode", "said", "sentence"),
    [
        ("pairs", {"verdict": "a"}, "'a' is not a verdict here"),
        ("pairs", {"strength": "clearly"}, "is not asked for"),
        ("pairs", {"reasons": ["<script>"]}, "is not a reason of this project"),
        ("pairs", {"edits": {0: " "}}, "must say something"),
        ("pairs", {"comment": "x" * 20_001}, "20001 characters"),
        ("rate", {"verdict": "rated", "rating": 11}, "goes from 1 to 10"),
        ("rate", {"verdict": "left"}, "not a verdict here"),
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


def made(studio: Studio, one: int, shape: str, **given: Any) -> tuple[list[dict[str, Any]], dict[str, int]]:
    counted = records.Yield()
    found = list(records.records(studio, projects.get(studio, one), shape, counted, **given))
    return [record for _, record in found], dict(counted.counts)


def test_pairs_of_every_verdict(studio: Studio) -> None:
    one = project(studio, count=7, held_out=0.0)
    shown = next_item(studio, one, "anna")
    assert shown is not None
    left, right = (answer["text"] for answer in shown.answers)
    judge(studio, one, "anna", verdict="left")
    judge(studio, one, "anna", verdict="tie")
    judge(studio, one, "anna", verdict="both_bad")
    judge(studio, one, "anna", verdict="skip")
    shown = next_item(studio, one, "anna")
    assert shown is not None
    original = shown.answers[1]["text"]
    judge(studio, one, "anna", verdict="both_bad", edits={1: "far better"})
    pairs, counts = made(studio, one, "preference")
    assert [(p["chosen"][0]["content"], p["rejected"][0]["content"]) for p in pairs] == [
        (left, right),
        ("far better", original),
    ]
    assert counts == {"pairs": 1, "edited": 1, "tie": 1, "both_bad": 1, "skip": 1, "unlabelled": 2}
    rated, _ = made(studio, one, "unpaired")
    assert [(r["completion"][0]["content"], r["label"]) for r in rated][:2] in (
        [(left, True), (right, False)],
        [(right, False), (left, True)],
    )
    assert sum(r["label"] for r in rated) == 2 and len(rated) == 2 + 2 + 3
    audit, _ = made(studio, one, "audit")
    assert len(audit) == 5 and {row["verdict"] for row in audit} >= {"skip", "tie"}


def test_the_majority_decides_and_ties_of_votes_are_left_out(studio: Studio) -> None:
    one = project(studio, count=2, votes=3)
    for annotator, wanted in (("anna", 0), ("ben", 0), ("cleo", 1)):
        for _ in range(2):
            shown = next_item(studio, one, annotator)
            assert shown is not None
            side = "left" if shown.order[0] == wanted else "right"
            if shown.item.number == 2 and annotator == "ben":
                side = "tie"
            cast(studio, one, annotator, shown.item.id, Verdict(side))
    pairs, counts = made(studio, one, "preference")
    assert len(pairs) == 1 and pairs[0]["chosen"][0]["content"] == "answer 1 0"
    assert counts == {"pairs": 1, "disagreement": 1}
    assert made(studio, one, "preference", min_agreement=0.9)[1] == {"disagreement": 2}
    assert made(studio, one, "preference", min_votes=4)[1] == {"too_few_votes": 2}


def test_ratings_and_rankings(studio: Studio) -> None:
    rate = project(studio, mode="rate", votes=2, count=1)
    judge(studio, rate, "anna", verdict="rated", rating=3)
    judge(studio, rate, "ben", verdict="rated", rating=6)
    scored, _ = made(studio, rate, "score")
    assert [(row["completion"], row["score"]) for row in scored] == [("answer 1 0", "4.5")]
    rank = project(studio, mode="rank", count=1)
    shown = next_item(studio, rank, "anna")
    assert shown is not None
    judge(studio, rank, "anna", verdict="ranked", ranking=[2, 0, 1])
    best, middle, worst = (shown.answers[place]["text"] for place in (2, 0, 1))
    pairs, _ = made(studio, rank, "preference")
    said = {(p["chosen"][0]["content"], p["rejected"][0]["content"]) for p in pairs}
    assert said == {(best, middle), (best, worst), (middle, worst)}


def test_the_majority_says_whether_an_answer_is_good(studio: Studio) -> None:
    one = project(studio, 2, "rate", votes=3, scale=2)
    for annotator, marks in (("anna", (1, 2)), ("ben", (1, 2)), ("cleo", (2, 1))):
        for rating in marks:
            judge(studio, one, annotator, verdict="rated", rating=rating)
    made = records.records(studio, projects.get(studio, one), "unpaired", records.Yield())
    assert [record["label"] for _, record in made] == [False, True]
    counted = records.Yield()
    strict = records.records(studio, projects.get(studio, one), "unpaired", counted, min_agreement=0.7)
    assert not list(strict) and counted.counts["disagreement"] == 2


def test_a_dataset_has_no_prompt_on_two_sides_and_comes_back_as_it_went(
    studio: Studio, tmp_path: Path
) -> None:
    one = project(studio, count=80, held_out=0.3)
    for n in range(80):
        judge(studio, one, "anna", verdict="left" if n % 3 else "right")
    train, held_out = exports.make_dataset(studio, one)
    assert (train.name, held_out.name) == ("project-pairs", "project-pairs-held-out")
    assert train.rows + held_out.rows == 80 and 10 < held_out.rows < 40 and train.operation == "labelling"
    prompts = [
        {r["prompt"][0]["content"] for r in store.records(studio, side, limit=80)}
        for side in (train, held_out)
    ]
    assert not prompts[0] & prompts[1]
    rows, _ = exports.write(studio, one, "preference", tmp_path / "votes.jsonl")
    again = store.import_file(studio, tmp_path / "votes.jsonl")
    written = [json.loads(line) for line in (tmp_path / "votes.jsonl").read_text().splitlines()]
    assert rows == 80 and not again.rejected and store.records(studio, again.dataset, limit=100) == written
    other = projects.create(studio, "again")
    assert imports.from_dataset(studio, other.id, again.dataset).added == 80
    assert imports.from_dataset(studio, other.id, again.dataset).known == 80


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
    with pytest.raises(BadInput, match="has 2 answers, and 3 were given"):
        items.add(studio, one.id, [pair(1, 3)])


class Labelling(RuleBasedStateMachine):
    """Anything that three people may do, in any order: no item is ever given out beyond what is wanted."""

    WANTED = 2
    PEOPLE = ("anna", "ben", "cleo")

    @initialize()
    def begin(self) -> None:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.studio = open_studio(home=Path(self.folder.name))
        self.moment = datetime(2026, 1, 1)
        self.real_now = clock.now
        clock.now = lambda: self.moment  # type: ignore[assignment]
        self.project = project(self.studio, count=4, votes=self.WANTED)

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
            cast(self.studio, self.project, who, shown.item.id, Verdict(verdict))

    @rule(who=st.sampled_from(PEOPLE), item=st.integers(1, 4))
    def judge_what_may_not_be_theirs(self, who: str, item: int) -> None:
        with contextlib.suppress(StudioError):
            cast(self.studio, self.project, who, item, Verdict("right"))

    @rule(who=st.sampled_from(PEOPLE))
    def take_back(self, who: str) -> None:
        with contextlib.suppress(Conflict):
            undo(self.studio, self.project, who)

    @rule(
        who=st.sampled_from(PEOPLE),
        item=st.integers(1, 4),
        act=st.sampled_from([votes.reopen, votes.withdraw]),
    )
    def come_back(self, who: str, item: int, act: Callable[..., Any]) -> None:
        with contextlib.suppress(Conflict):
            act(self.studio, self.project, who, item)

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
        cast_ = votes.standing(self.studio, self.project)
        assert len({(vote.item_id, vote.annotator) for vote in cast_}) == len(cast_)
        for item, count in counted.items():
            judged = [vote for vote in cast_ if vote.item_id == item and vote.verdict != "skip"]
            theirs = {vote.annotator for vote in judged}
            held = [
                o for o in leases if o.item_id == item and o.until > self.moment and o.annotator not in theirs
            ]
            assert count == len(judged) and count + len(held) <= self.WANTED


Labelling.TestCase.settings = hypothesis_settings(max_examples=15, stateful_step_count=25, deadline=None)
test_any_order = Labelling.TestCase
