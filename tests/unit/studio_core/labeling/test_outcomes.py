"""What came of a round, and in which words it is said."""

from __future__ import annotations

from typing import Any

import pytest

from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation, Dataset, LabelItem, LabelProject, Model
from studio_core.data import store
from studio_core.labeling import changing, exports, outcomes, projects
from studio_core.labeling.items import Answer, NewItem, add, is_held_out, prompt_hash
from studio_core.labeling.outcomes import sentence
from studio_core.labeling.records import Yield, records
from studio_core.statistics.winrate import win_rate
from tests.unit.studio_core.labeling.comparing import add_model, asked, compared, judged, pair


@pytest.mark.parametrize(
    ("counts", "english", "chinese"),
    [
        (
            (34, 16),
            "after wins 34 of 50: 68% (54 to 79): better",
            "after 在 50 对中胜 34 对：68%（54 到 79）：更好",
        ),
        (
            (16, 34),
            "after wins 16 of 50: 32% (21 to 46): worse",
            "after 在 50 对中胜 16 对：32%（21 到 46）：更差",
        ),
        (
            (31, 21),
            "after wins 31 of 52: 60% (46 to 72): inconclusive, about 60 more votes needed",
            "after 在 52 对中胜 31 对：60%（46 到 72）：尚无定论，约需再投 60 票",
        ),
        (
            (20, 12, 10),
            "after wins 20 of 42, 10 ties: 60% (44 to 73): inconclusive, about 50 more votes needed",
            "after 在 42 对中胜 20 对、平 10 对：60%（44 到 73）：尚无定论，约需再投 50 票",
        ),
        (
            (7, 7),
            "after wins 7 of 14: 50% (27 to 73): inconclusive; similar votes would not change that",
            "after 在 14 对中胜 7 对：50%（27 到 73）：无法分出高下，更多类似投票也不会改变",
        ),
        ((0, 0), "No votes yet.", "还没有投票。"),
    ],
)
def test_a_win_rate_in_words(counts: tuple[int, ...], english: str, chinese: str) -> None:
    assert sentence("after", win_rate(*counts)) == english
    assert sentence("after", win_rate(*counts), "zh-CN") == chinese


@pytest.fixture
def models(studio: Studio) -> list[Model]:
    before = add_model(studio, "before")
    return [before, add_model(studio, "after", before)]


def round_of(studio: Studio, models: list[Model], pairs: int, **of: Any) -> LabelProject:
    root = projects.create(studio, "root")
    before, after = models
    said = {"project": root.id, "number": 1, "before": before.id, "after": after.id, "base": before.id}
    items = [pair(f"q{n}", *(models if n % 2 else models[::-1])) for n in range(pairs)]
    return compared(studio, "root-round-1", items, round={**said, "against": "previous", "job": 1, **of})


def test_the_majority_of_people_decides_each_prompt(studio: Studio, models: list[Model]) -> None:
    one = round_of(studio, models, 6)
    changing.change(studio, one.id, {"votes": 2})

    def better(item: Any) -> str:
        return "ab"[[answer["model"] for answer in item.answers].index(models[1].id)]

    def worse(item: Any) -> str:
        return "b" if better(item) == "a" else "a"

    judged(
        studio,
        one,
        lambda item: [better, better, worse, better, lambda _: "tie", lambda _: "skip"][item.number - 1](
            item
        ),
    )
    judged(
        studio,
        one,
        lambda item: [better, worse, worse, better, lambda _: "both_bad", lambda _: ""][item.number - 1](
            item
        ),
        "ben",
    )
    with studio.db.write() as session:  # A judge's verdicts say nothing here.
        judge = {
            "project_id": one.id,
            "item_id": 6,
            "order": [0, 1],
            "annotator": "judge:x",
            "origin": "judge",
        }
        session.add(Annotation(verdict="a", **judge))
    found = outcomes.result(studio, one)
    # 1 and 4: both for the model after; 2 and 5: they disagree evenly; 3: both against it; 6: skipped.
    assert (found.found.wins, found.found.losses, found.found.ties) == (2, 1, 0)
    assert (found.items, found.disagreement, found.waiting, found.skipped) == (6, 2, 0, 1)
    document = outcomes.document(found)
    assert (document["before"], document["after"], document["round"]) == ("before", "after", 1)
    assert document["rate"] == pytest.approx(2 / 3) and document["outcome"] == "open"
    assert [one.number for one in outcomes.results(studio, projects.get(studio, "root"))] == [1]


def test_what_was_compared_goes_into_the_next_version_and_is_held_out_no_more(
    studio: Studio, models: list[Model]
) -> None:
    root = projects.create(studio, "p", settings={"held_out": 0.5, "repeats": 0.0})
    prompts = [f"q{n}" for n in range(20)]
    add(studio, root.id, [pair(prompt, *models) for prompt in prompts])
    judged(studio, root, lambda _: "a")
    kept = [prompt for prompt in prompts if is_held_out(prompt_hash(asked(prompt)), 0.5)]
    assert 4 <= len(kept) <= 16
    sides = {dataset.name: asked_in(studio, dataset) for dataset in exports.make_dataset(studio, root.id)}
    assert sides["p"] == set(prompts) - set(kept) and sides["p-held-out"] == set(kept)

    round = {
        "project": root.id,
        "number": 1,
        "before": 1,
        "after": 2,
        "base": 1,
        "against": "previous",
        "job": 1,
    }
    one = compared(
        studio, "p-round-1", [pair(prompt, *models) for prompt in kept[:3]], round=round, held_out=0.0
    )
    judged(studio, one, ["a", "b", "tie"])
    counted = Yield()
    again = list(records(studio, root, "preference", counted))
    assert {record["prompt"][0]["content"] for held_out, record in again if held_out} == set(kept[3:])
    assert counted.counts["from_rounds"] == 3 and counted.counts["pairs"] == 22
    from_round = [record for held_out, record in again[20:] if not held_out]
    assert [record["prompt"][0]["content"] for record in from_round] == kept[:2]
    train, held_out = exports.make_dataset(studio, root.id)
    assert (train.name, train.version, train.rows, held_out.rows) == (
        "p",
        2,
        20 - len(kept) + 3 + 2,
        len(kept) - 3,
    )


def asked_in(studio: Studio, dataset: Dataset) -> set[str]:
    return {record["prompt"][0]["content"] for record in store.records(studio, dataset, limit=100)}


def test_which_source_is_preferred_whatever_place_its_answers_have(
    studio: Studio, models: list[Model]
) -> None:
    third = add_model(studio, "third")
    named = [{"name": model.name} for model in (*models, third)]
    root = projects.create(studio, "p", settings={"repeats": 0.0}, sources=named)
    pairs = [pair(f"q{n}", *(models if n % 2 else models[::-1])) for n in range(10)]
    add(studio, root.id, [*pairs, pair("t", third, models[0]), *FROM_A_FILE])

    def shorter(item: LabelItem) -> str:  # "after" is shorter than "before", and "third" as long as it.
        a, b = (len(answer["source"]) for answer in item.answers)
        return "a" if a < b else "b" if b < a else "tie"

    judged(studio, root, shorter)
    assert [
        (one, other, rate.wins, rate.losses) for one, other, rate in outcomes.of_sources(studio, root)
    ] == [
        ("before", "after", 0, 10),
        ("before", "third", 0, 1),
    ]
    assert outcomes.sources_document(studio, root)[0]["outcome"] == "worse"
    assert outcomes.of_sources(studio, compared(studio, "uploaded", pairs)) == []


FROM_A_FILE = [NewItem(asked("f"), [Answer("x", "file:chosen"), Answer("yy", "before")])]


def test_the_first_round_is_against_the_base_as_well(studio: Studio, models: list[Model]) -> None:
    one = round_of(studio, models, 1)
    assert outcomes.result(studio, one).against == ("previous", "base")
    third = add_model(studio, "third", models[1])
    root = projects.get(studio, "root")
    said = {"project": root.id, "number": 2, "after": third.id, "base": models[0].id, "job": 2}
    later = [
        compared(
            studio,
            f"root-{n}",
            [pair("q", before, third)],
            round={**said, "before": before.id, "against": against},
        )
        for n, (before, against) in enumerate(((models[1], "previous"), (models[0], "base")))
    ]
    assert [outcomes.result(studio, one).against for one in later] == [("previous",), ("base",)]
    assert len(outcomes.results(studio, root)) == 3
