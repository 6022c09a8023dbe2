"""Items of two models beside each other, and what becomes of them."""

from __future__ import annotations

import pytest

from studio_core.base.errors import BadInput, NotFound
from studio_core.base.studio import Studio
from studio_core.data import store
from studio_core.evaluation import browsing, item_records, loading
from studio_core.evaluation.browsing import Pair
from studio_core.evaluation.sentences import verdict
from studio_core.labeling import evaluated as labelled
from studio_core.labeling import items, projects
from studio_core.models import registry
from tests.unit.studio_core.evaluation.evaluated import evaluated


@pytest.fixture
def pair(studio: Studio) -> Pair:
    registry.ensure_demo_models(studio)
    return browsing.pair(studio, evaluated(studio), "facts")


def test_filters_count_what_they_show(pair: Pair) -> None:
    assert pair.counts() == {
        "all": 20, "won": 6, "lost": 2, "both_wrong": 1, "both_right": 10, "no_value": 1,
    }  # fmt: skip
    assert pair.places("lost") == [16, 17] and pair.places("no_value") == [18]
    with pytest.raises(BadInput, match="no filter best"):
        pair.places("best")


def test_where_lower_is_better_won_and_lost_change_places(pair: Pair) -> None:
    pair.after.figures = {**pair.after.figures, "higher_is_better": False}
    assert pair.places("won") == [16, 17] and len(pair.places("lost")) == 6


def test_only_what_was_asked_is_shown(studio: Studio, pair: Pair) -> None:
    job = evaluated(studio, ["sums"])
    for named, told in (
        ({"suite": "facts"}, "It asked: sums"),
        ({"model": "nobody"}, "tiny-base, tiny-chat"),
    ):
        with pytest.raises(NotFound, match=told):
            browsing.pair(studio, job, **named)


def test_the_better_answer_and_the_worse_are_a_pair(studio: Studio, pair: Pair) -> None:
    added = item_records.add(studio, pair, [16], "pair", "next-round")
    [record] = store.records(studio, added.dataset)
    [(before, after)] = pair.read([16])
    assert record["prompt"] == before.prompt
    assert record["chosen"] == [{"role": "assistant", "content": before.answers[0]}]
    assert record["rejected"] == [{"role": "assistant", "content": after.answers[0]}]
    assert added.dataset.made == {"options": {"evaluation": pair.after.job_id, "suite": "facts"}}
    # Of many, those that make one; what is there already is not added again.
    again = item_records.add(studio, pair, pair.places("all"), "pair", "next-round")
    assert (again.dataset.version, again.dataset.rows, again.added) == (2, 8, 7)
    with pytest.raises(BadInput, match="worth the same"):
        item_records.add(studio, pair, pair.places("both_right"), "pair", "next-round")


def test_a_right_answer_is_a_record(studio: Studio, pair: Pair) -> None:
    added = item_records.add(studio, pair, [16, 19], "answer", "right")
    [record] = store.records(studio, added.dataset)
    assert record["completion"][0]["content"].endswith("says tiny-base")
    with pytest.raises(BadInput, match="No answer is right"):
        item_records.add(studio, pair, pair.places("both_wrong"), "answer", "right")
    with pytest.raises(BadInput, match="no kind of record"):
        item_records.add(studio, pair, [0], "poem", "right")
    with pytest.raises(BadInput, match="has prompt-completion records"):
        item_records.add(studio, pair, [16], "pair", "right")


def test_both_answers_are_judged_by_people(studio: Studio, pair: Pair) -> None:
    project, counted = labelled.add(studio, pair, pair.places("lost"), "lost")
    assert (counted.added, counted.known) == (2, 0)
    assert items.count(studio, project.id) == 2
    assert labelled.add(studio, pair, pair.places("lost"), "lost")[1].known == 2
    projects.create(studio, "stars", mode="rate")
    with pytest.raises(BadInput, match="does not take pairs"):
        labelled.add(studio, pair, [0], "stars")


def test_models_are_compared_by_their_newest_on_equal_questions(studio: Studio, pair: Pair) -> None:
    made = loading.of_models(studio, ["tiny-base", "tiny-chat"], ["facts"], "en")
    [change] = made.changes
    assert (change.won, change.lost, change.n, change.left_out) == (6, 2, 19, 1)
    assert change.direction == "unknown" and "too few items to tell" in verdict(made, "tiny-chat", "en")
    with pytest.raises(NotFound, match="was not evaluated yet"):
        loading.of_models(studio, ["tiny-base", "nobody"], [], "en")
