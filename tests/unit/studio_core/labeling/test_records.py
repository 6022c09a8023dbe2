"""What becomes of votes: pairs, ratings and scores to train on, and the datasets that hold them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from studio_core.base.studio import Studio
from studio_core.data import store
from studio_core.labeling import exports, imports, projects, records
from studio_core.labeling.assignment import next_item
from studio_core.labeling.votes import Verdict, cast
from tests.unit.studio_core.labeling.judging import judge, project


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
    [row] = scored
    assert (row["completion"], row["score"]) == ([{"role": "assistant", "content": "answer 1 0"}], 4.5)
    rank = project(studio, mode="rank", count=1)
    shown = next_item(studio, rank, "anna")
    assert shown is not None
    judge(studio, rank, "anna", verdict="ranked", ranking=[2, 0, 1])
    best, middle, worst = (shown.answers[place]["text"] for place in (2, 0, 1))
    pairs, _ = made(studio, rank, "preference")
    said = {(p["chosen"][0]["content"], p["rejected"][0]["content"]) for p in pairs}
    assert said == {(best, middle), (best, worst), (middle, worst)}
    [ranking], counts = made(studio, rank, "ranking")
    assert dict(zip(ranking["completions"], ranking["ranks"], strict=True)) == {best: 1, middle: 2, worst: 3}
    assert counts == {"rankings": 1}


def test_ratings_of_any_scale_become_scores_from_1_to_10(studio: Studio) -> None:
    one = project(studio, mode="rate", count=3, scale=5)
    for rating in (1, 3, 5):
        judge(studio, one, "anna", verdict="rated", rating=rating)
    scored, counts = made(studio, one, "score")
    assert [row["score"] for row in scored] == [1.0, 5.5, 10.0] and counts == {"scores": 3}


def test_several_rankings_of_an_answer_are_one_with_ties(studio: Studio) -> None:
    """Borda: the mean place decides, and equal ones are a tie."""
    one = project(studio, mode="rank", votes=2, count=1)
    for annotator, wanted in (("anna", (0, 1, 2)), ("ben", (0, 2, 1))):
        shown = next_item(studio, one, annotator)
        assert shown is not None
        places = {answer["text"]: place for place, answer in enumerate(shown.answers)}
        first, second, third = sorted(places)
        ranking = [places[(first, second, third)[answer]] for answer in wanted]
        judge(studio, one, annotator, verdict="ranked", ranking=ranking)
    [row], _ = made(studio, one, "ranking")
    ranks = dict(zip(row["completions"], row["ranks"], strict=True))
    assert ranks == {first: 1, second: 2, third: 2}


def test_pairs_are_rankings_of_two(studio: Studio) -> None:
    one = project(studio, count=2)
    judge(studio, one, "anna", verdict="left")
    judge(studio, one, "anna", verdict="tie")
    rankings, counts = made(studio, one, "ranking")
    assert [sorted(row["ranks"]) for row in rankings] == [[1, 2]] and counts == {"rankings": 1, "tie": 1}


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
