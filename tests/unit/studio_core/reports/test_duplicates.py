"""Repetitions are found, exactly and nearly, whatever the order and however little memory there is."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio_core.data.shapes import Shape
from studio_core.data.words import SHINGLE, Words, words
from studio_core.reports import near
from tests.unit.studio_core.reports.judged import answered, judged, pair, rows_of

VOCABULARY = [f"w{n}" for n in range(400)]


def sentence(seed: int, length: int = 60) -> list[str]:
    return random.Random(seed).choices(VOCABULARY, k=length)


def shingles_of(text: list[str]) -> set[tuple[str, ...]]:
    return (
        {tuple(text[at : at + SHINGLE]) for at in range(max(len(text) - SHINGLE + 1, 1))} if text else set()
    )


def clusters(folder: Path, texts: list[list[str]]) -> list[int]:
    made = Words(texts)
    hashes, offsets = made.grams(made.starts[:-1], made.starts[1:], SHINGLE, short=True)
    repeats = near.NearRepeats(folder)
    repeats.add(hashes, offsets)

    def read(places):  # type: ignore[no-untyped-def]
        for place in places.tolist():
            yield place, np.unique(hashes[offsets[place] : offsets[place + 1]])

    try:
        return repeats.repeats(np.zeros(len(texts), bool), read).tolist()
    finally:
        repeats.close()


def test_near_repetitions_point_to_the_first_of_their_cluster(tmp_path: Path) -> None:
    first, other = sentence(1), sentence(2)
    changed = [*first[:30], "changed", *first[31:]]
    again = [*changed[:-1], "different"]
    assert clusters(tmp_path, [other, first, changed, sentence(3), again]) == [0, 1, 1, 3, 1]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 12))
def test_nothing_is_called_similar_that_is_not(tmp_path_factory, seed: int, changes: int) -> None:  # type: ignore[no-untyped-def]
    one, draw = sentence(seed), random.Random(seed + 1)
    other = list(one)
    for _ in range(changes):
        other[draw.randrange(len(other))] = draw.choice(VOCABULARY)
    a, b = shingles_of(one), shingles_of(other)
    similar = len(a & b) / len(a | b) >= near.SIMILAR
    found = clusters(tmp_path_factory.mktemp("bands"), [one, other]) == [0, 0]
    assert found <= similar
    assert found or len(a & b) / len(a | b) < 0.95, "what is nearly the same is always found"


def test_most_of_what_is_similar_enough_is_found(tmp_path: Path) -> None:
    texts, expected = [], 0
    for seed in range(200):
        one = sentence(seed, 100)
        other = [*one[:50], "x", *one[51:80], "y", *one[81:]]
        a, b = shingles_of(one), shingles_of(other)
        expected += len(a & b) / len(a | b) >= near.SIMILAR
        texts += [one, other]
    found = clusters(tmp_path, texts)
    assert expected == 200 and sum(found[at] == at - 1 for at in range(1, 400, 2)) >= 190


def test_little_memory_gives_the_same_clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []
    for seed in range(40):
        one = sentence(seed)
        texts += [one, [*one[:-1], "changed"], [*one[:-2], "both", "changed"]]
    random.Random(0).shuffle(texts)
    whole = clusters(tmp_path, texts)
    monkeypatch.setattr(near, "_KEPT_BYTES", 2000)
    assert clusters(tmp_path, texts) == whole and len(set(whole)) == 40


def test_chinese_texts_are_compared_by_characters(tmp_path: Path) -> None:
    text = (
        "堆是一种树，其中每个节点都不大于它的子节点。要取出最小的元素，就移去根，把最后一片叶子放到根的位置。"
    )
    near_copy = text.replace("最小", "最大")
    assert clusters(
        tmp_path, [words(text), words(near_copy), words("完全不同的一句话，与前面没有任何关系。")]
    ) == [0, 0, 2]


def test_records_and_prompts(tmp_path: Path) -> None:
    prompt = "Which river runs from the mountains to the sea, and where does it begin its long way down?"
    answer = "The long river runs from the mountains to the sea, and it begins below the highest of the peaks there."
    records = [
        answered(prompt, answer),
        answered(prompt, answer),
        answered(prompt, answer.replace("highest", "lowest").replace("long", "broad")),
        answered(prompt, "No river does."),
        answered(
            prompt.replace("mountains", "hills"), "Something else entirely, which nobody has said before."
        ),
        answered("What is two plus two?", "Four, as always."),
    ]
    report, rows = judged(tmp_path, Shape.PROMPT_COMPLETION, records)
    assert rows_of(report, "exact_duplicate") == [2]
    assert rows[1]["duplicate_of"] == 1 and rows[3]["duplicate_of"] is None
    assert rows_of(report, "repeated_prompt") == [1, 2, 3, 4]
    assert rows_of(report, "different_answers") == [1, 2, 3, 4]
    assert report.duplicates.prompts == 3 and report.duplicates.repeated_prompts == 4
    # Each of the four rows leaks unless the other three are held out with it: 4/6 * (1 - 0.1^3).
    assert report.duplicates.leak == pytest.approx(0.666, abs=1e-3)
    assert report.duplicates.largest[0].first == 1


def test_a_duplicate_of_a_near_duplicate_points_to_the_first(tmp_path: Path) -> None:
    first = " ".join(sentence(1))
    changed = first.replace(first.split()[10], "changed", 1)
    _, rows = judged(tmp_path, Shape.TEXT, [{"text": text} for text in (first, changed, changed)])
    assert [row["duplicate_of"] for row in rows] == [None, 1, 1]
    assert [row["findings"] for row in rows] == [[], ["near_duplicate"], ["exact_duplicate"]]


def test_contradictions_in_pairs_and_in_marks(tmp_path: Path) -> None:
    report, _ = judged(
        tmp_path,
        Shape.PREFERENCE,
        [pair("Tea or coffee?", "Tea, please.", "Coffee, please."), pair("Tea or coffee?", "Coffee, please.", "Water."),
         pair("Tea or milk?", "Tea, please.", "Milk, please."), pair("Same?", "Yes it is.", "Yes  it is. ")],
    )  # fmt: skip
    assert rows_of(report, "contradiction") == [2] and rows_of(report, "identical_pair") == [4]
    marked = [
        {**answered("Tea or coffee?", "Tea, please."), "label": True},
        {**answered("Tea or coffee?", "Tea, please."), "label": False},
        {**answered("Tea or coffee?", "Coffee, please."), "label": False},
    ]
    report, _ = judged(tmp_path, Shape.UNPAIRED_PREFERENCE, marked)
    assert rows_of(report, "contradiction") == [1, 2] and rows_of(report, "exact_duplicate") == []
