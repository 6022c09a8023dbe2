"""Operations that choose records: deduplicate, select, sample, split, mix."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio_core.base.errors import BadInput
from studio_core.curation.base import Stopped
from studio_core.curation.mix import MixOptions, wanted
from studio_core.curation.parts import normalised, prompt_of
from studio_core.curation.sample import quotas
from studio_core.data.shapes import Record, Shape
from tests.unit.studio_core.curation.bench import answers, carried_out, chat, pair, pc, stored

LONG = "the quick brown fox jumps over the lazy dog and runs far away into the deep green wood {}"


def test_exact_repetitions(tmp_path: Path) -> None:
    records = [pc("a", "1"), pc("A!", "1"), pc("a", "1"), pc("a", "2")]
    source = stored(tmp_path, records)
    assert carried_out("deduplicate", source, what="exact").records == [records[0], records[1], records[3]]
    by_prompt = carried_out("deduplicate", source, what="exact", by="prompt")
    assert by_prompt.records == records[:1] and by_prompt.reasons == {"exact_duplicate": 3}


def test_near_repetitions_and_the_best_of_them(tmp_path: Path) -> None:
    records = [
        pc("tell me", LONG.format("&nbsp; today")),
        pc("what", "Something else entirely is said here in this one answer."),
        pc("tell me", LONG.format("today.")),
        pc("tell me", LONG.format("today")),
    ]
    source = stored(tmp_path, records)
    done = carried_out("deduplicate", source)
    assert done.records == records[:2] and done.reasons == {"near_duplicate": 2}
    assert carried_out("deduplicate", source, keep="best").records == records[1:3]
    assert carried_out("deduplicate", source, by="prompt").records == records[:2]
    with pytest.raises(Stopped):
        carried_out("deduplicate", source, stop_after=2)


def quality_set(count: int) -> list[Record]:
    """Prompts on five topics; of each a few have good answers."""
    topics = [
        "ships harbour sail",
        "bread oven flour",
        "guitar chord string",
        "snow ski mountain",
        "law court judge",
    ]
    chance = random.Random(1)
    records = []
    for number in range(count):
        topic = topics[0] if number % 2 else topics[number // 2 % 5]
        words = topic.split()
        prompt = f"How does {chance.choice(words)} relate to {' '.join(words)} here?"
        good = (
            f"It is about {number} times {chance.choice(words)} and then some more of it, as is known."
            if number % 3
            else "No."
        )
        records.append(pc(prompt, good))
    return records


def test_select_takes_the_best_of_all_topics(tmp_path: Path) -> None:
    source = stored(tmp_path, quality_set(120))
    done = carried_out("select", source, n=20, groups=15)
    assert len(done.records) == 20 and "No." not in answers(done.records)
    topics = Counter(record["prompt"][0]["content"].split()[-4] for record in done.records)
    assert len(topics) == 5 and max(topics.values()) <= 6
    coverage = done.details["coverage"]
    assert coverage["groups"][0] == coverage["groups"][1] > 10 and coverage["score"][1] > coverage["score"][0]
    assert 0 < coverage["phrases"][1] <= coverage["phrases"][0]
    again = carried_out("select", source, n=20, groups=15)
    assert again.records == done.records
    best = carried_out("select", source, n=20, spread="none")
    assert Counter(r["prompt"][0]["content"].split()[-4] for r in best.records)["ships"] > 6
    shares = carried_out("select", source, n=20, groups=15, spread="proportional")
    assert len(shares.records) == 20
    assert Counter(r["prompt"][0]["content"].split()[-4] for r in shares.records)["ships"] > 6


def test_select_by_a_column_with_scores(tmp_path: Path) -> None:
    prompts = ["red ships sail", "blue bread bakes", "green guitars play", "white mountains rise"]
    records = [
        {**pc(prompt, f"answer {place}"), "score": score}
        for place, (prompt, score) in enumerate(zip(prompts, ["3", "9.5", None, "7"], strict=True))
    ]
    source = stored(tmp_path, records, shape=Shape.PROMPT_COMPLETION)  # With a text column that is kept.
    done = carried_out("select", source, n=2, score="score", spread="none")
    assert answers(done.records) == ["answer 1", "answer 3"]
    few = carried_out("select", source, n=4, score="score", spread="none", min_score=5)
    assert answers(few.records) == ["answer 1", "answer 3"] and few.reasons == {"score": 2}
    with pytest.raises(BadInput, match="no number"):
        carried_out("select", source, score="prompt")


def test_sample_is_exact_and_the_same_for_the_same_seed(tmp_path: Path) -> None:
    source = stored(tmp_path, [pc(str(number), "a") for number in range(50)])
    done = carried_out("sample", source, n=13, seed=4)
    assert done.counts == {"kept": 13, "dropped": 37}
    assert done.records == carried_out("sample", source, n=13, seed=4).records
    assert done.records != carried_out("sample", source, n=13, seed=5).records
    assert carried_out("sample", source, share=0.5).counts["kept"] == 25
    assert carried_out("sample", source, n=500).counts == {"kept": 50}


def test_sample_alike_by_a_column(tmp_path: Path) -> None:
    records = [{**pc(str(number), "a"), "source": "ab"[number < 10]} for number in range(40)]
    done = carried_out("sample", stored(tmp_path, records), n=8, alike="source")
    assert Counter(record["source"] for record in done.records) == {"a": 6, "b": 2}


@given(st.dictionaries(st.text(max_size=2), st.integers(1, 50), min_size=1), st.floats(0, 1))
def test_quotas_add_up_and_none_is_above_its_size(sizes: dict[str, int], share: float) -> None:
    wanted = round(share * sum(sizes.values()))
    shared = quotas(sizes, wanted)
    assert sum(shared.values()) == wanted
    assert all(0 <= shared[kind] <= size for kind, size in sizes.items())


prompts = st.lists(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=6).filter(str.strip), min_size=2, max_size=40
)


@settings(max_examples=40, deadline=None)
@given(prompts, st.floats(0.01, 0.99), st.integers(0, 5))
def test_no_prompt_is_on_both_sides_of_a_split(
    tmp_path_factory: pytest.TempPathFactory, said: list[str], share: float, seed: int
) -> None:
    records = [
        pc(prompt, str(place)) for place, prompt in enumerate([*said, *(f" {one.upper()}!" for one in said)])
    ]
    source = stored(tmp_path_factory.mktemp("split"), records)
    done = carried_out("split", source, share=share, seed=seed)
    sides = [
        {normalised(prompt_of(record)) for record in done.outputs[side]} for side in ("-train", "-held-out")
    ]
    assert not sides[0] & sides[1]
    assert len(done.outputs["-train"]) + len(done.outputs["-held-out"]) == len(records)
    if len(sides[0] | sides[1]) > 1:
        assert sides[0] and sides[1]


def test_what_is_held_out_stays_so_when_records_are_added(tmp_path: Path) -> None:
    few = [pc(f"question {number}", "a") for number in range(2000)]
    more = [*few, *(pc(f"another {number}", "a") for number in range(1000))]
    held_out = [
        carried_out("split", stored(tmp_path, records, str(len(records)))).outputs["-held-out"]
        for records in (few, more)
    ]
    assert 150 < len(held_out[0]) < 250
    assert [record for record in held_out[1] if record in few] == held_out[0]


@pytest.mark.parametrize(
    "records",
    [
        [chat("one", "1", "two", "2"), chat("One?", "other"), chat("three", "3")],
        [{"text": "one"}, {"text": "ONE"}, {"text": "two"}],
        [pair("one", "1", "2"), pair("one", "3", "4"), pair("two", "1", "2")],
    ],
)
def test_splitting_other_shapes(tmp_path: Path, records: list[Record]) -> None:
    done = carried_out("split", stored(tmp_path, records), share=0.5)
    sides = sorted((done.outputs["-train"], done.outputs["-held-out"]), key=len)
    assert sides == [records[2:], records[:2]]


def test_mixing_one_after_the_other_and_by_weights(tmp_path: Path) -> None:
    one = stored(tmp_path, [pc(f"a{number}", "a") for number in range(30)], "one")
    two = stored(tmp_path, [chat(f"b{number}", "b") for number in range(10)], "two")
    done = carried_out("mix", [one, two])
    assert answers(done.records) == ["a"] * 30 + ["b"] * 10 and done.shapes == {"": "prompt-completion"}
    assert done.counts == {"one@1": 30, "two@1": 10}
    done = carried_out("mix", [one, two], weights=[1, 1])
    assert done.counts == {"one@1": 10, "two@1": 10}
    assert answers(done.records)[:4] == ["a", "b", "a", "b"]
    done = carried_out("mix", [one, two], weights=[1, 3], n=40)
    assert done.counts == {"one@1": 10, "two@1": 30}
    asked = [record["prompt"][0]["content"] for record in done.records]
    assert Counter(Counter(asked).values()) == {1: 10, 3: 10}


def test_mixing_keeps_further_columns(tmp_path: Path) -> None:
    one = stored(tmp_path, [{**pc("a", "1"), "source": "x"}], "one")
    two = stored(tmp_path, [pc("b", "2")], "two")
    assert carried_out("mix", [two, one]).records == [
        {**pc("b", "2"), "source": None},
        {**pc("a", "1"), "source": "x"},
    ]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"weights": [1]}, "1 weights are given for 2 datasets"),
        ({"weights": [1, -1]}, "-1.0 is not a valid weight"),
        ({"weights": [0, 0]}, "0 is not a valid weight"),
        ({}, "two@1 has preference records, but one@1 has prompt-completion"),
    ],
)
def test_what_cannot_be_mixed(tmp_path: Path, options: dict[str, Any], sentence: str) -> None:
    one = stored(tmp_path, [pc("a", "1")], "one")
    two = stored(tmp_path, [pair("b", "2", "3")], "two")
    with pytest.raises(BadInput, match=sentence):
        carried_out("mix", [one, two], **options)


@given(st.lists(st.tuples(st.integers(1, 1000), st.floats(0.01, 10)), min_size=1, max_size=5))
def test_no_record_is_needed_twice_unless_asked_for(parts: list[tuple[int, float]]) -> None:
    class One:
        def __init__(self, rows: int) -> None:
            self.rows = rows

    sizes = wanted([One(rows) for rows, _ in parts], MixOptions(weights=[w for _, w in parts]))  # type: ignore[arg-type]
    assert all(size <= rows for size, (rows, _) in zip(sizes, parts, strict=True))
