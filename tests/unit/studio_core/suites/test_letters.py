"""MMLU-Pro and GPQA: options with letters, and the letter read from an answer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from studio_core.suites import SUITES
from studio_core.suites.base import Item, records
from studio_core.suites.letters import LETTERS, letter_in

OPTIONS = [f"option {number}" for number in range(10)]


def item(suite: str = "mmlu_pro", **changes: Any) -> Item:
    record = {"question": "Which?", "options": OPTIONS, "answer": "J", "category": "law", "question_id": 70}
    return SUITES[suite].item(suite, {**record, **changes}, 7)


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("So the answer is (J).", "J"),
        ("The answer is C", "C"),
        ("the answer is (B). Or the answer is (A)?", "B"),
        ("Answer: D", "D"),
        ("answer: (E)", "E"),
        ("A looks good, B is better.\n\nMy choice: **B**", "B"),
        (r"\boxed{H}", "H"),
        ("The answer is Constantinople", ""),
        ("I do not know", "I"),
        ("K", ""),
        ("none of them", ""),
        ("", ""),
    ],
)
def test_the_letter_of_an_answer(answer: str, letter: str) -> None:
    assert letter_in(answer) == letter


def test_a_record_is_asked_with_letters() -> None:
    asked = item()
    assert (asked.kind, asked.id, asked.key) == ("law", "70", "J")
    assert "\nA. option 0\n" in asked.question and "\nJ. option 9\n" in asked.question


def test_what_an_answer_is_worth() -> None:
    score = SUITES["mmlu_pro"].score
    right, wrong, unreadable = (
        score(item(), text) for text in ("The answer is (J).", "Answer: A", "no idea")
    )
    assert (right.value, wrong.value, unreadable.value) == (1.0, 0.0, 0.0)
    assert wrong.values == {"answer": "A", "wanted": "J"} and (wrong.readable, unreadable.readable) == (
        True,
        False,
    )


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"answer": "K"}, "'K'"),
        ({"answer": "D", "options": OPTIONS[:3]}, "'D'"),
        ({"options": OPTIONS[:1]}, "1 instead of"),
        ({"options": [*OPTIONS, "more"]}, "11 instead of"),
        ({"options": "A, B"}, "A, B"),
        ({"answer": 9}, "9"),
    ],
)
def test_what_is_no_record_is_refused_with_its_value(changes: dict[str, Any], wrong: str) -> None:
    with pytest.raises((TypeError, ValueError), match=wrong):
        item(**changes)


def test_by_likelihood_the_options_are_texts_and_the_file_is_that_of_the_letters() -> None:
    suite = SUITES["mmlu_pro_likelihood"]
    asked = item(suite.name)
    assert (asked.question, asked.key, asked.choices) == ("Which?", "option 9", tuple(OPTIONS))
    assert (suite.score(asked, "option 9").value, suite.score(asked, "option 8").value) == (1.0, 0.0)
    assert suite.scored_by == "choices" and suite.file(Path("a")) == SUITES["mmlu_pro"].file(Path("a"))


def test_the_right_option_of_gpqa_is_anywhere_and_always_in_the_same_place() -> None:
    def asked(number: int) -> Item:
        record = {"Question": f"Which {number}?", "Correct Answer": "right\n", "Record ID": f"rec{number}"}
        wrong = {f"Incorrect Answer {place}": f"wrong {place}" for place in (1, 2, 3)}
        return SUITES["gpqa"].item("gpqa", {**record, **wrong}, number)

    items = [asked(number) for number in range(200)]
    assert items == [asked(number) for number in range(200)]
    counts = Counter(each.key for each in items)
    assert set(counts) == set("ABCD") and min(counts.values()) > 30
    assert all(each.choices[LETTERS.index(each.key)] == "right" for each in items)


@pytest.mark.real_data
def test_every_record_of_mmlu_pro_is_read_with_letters_up_to_j(real_data: Path) -> None:
    suite, file = SUITES["mmlu_pro"], real_data / "mmlu_pro" / "sample_700.jsonl"
    items = suite.read(file)
    assert len(items) == 700 and len({each.kind for each in items}) == 14
    assert {each.key for each in items} == set(LETTERS)
    for each, record in zip(items, records(file), strict=True):
        assert LETTERS.index(each.key) == record["answer_index"]
        assert suite.right(each, f"The answer is ({each.key}).")
    of_texts = SUITES["mmlu_pro_likelihood"].read(file)
    assert all(each.key in each.choices for each in of_texts)
