"""GSM8K, MATH-500 and AIME: records read, and answers compared by what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio_core.data.mathematics import equal
from studio_core.sandbox import limits
from studio_core.suites import SUITES
from studio_core.suites.base import Item, records


def item(suite: str, **record: Any) -> Item:
    return SUITES[suite].item(suite, record, 7)


def test_a_record_of_gsm8k_is_an_item_whose_key_has_no_separators() -> None:
    asked = item("gsm8k", question="How many?", answer="6*200+34=<<6*200+34=1234>>1234\n#### 1,234")
    assert (asked.key, asked.id) == ("1234", "7")
    assert asked.question.startswith("How many?\n") and r"\boxed{}" in asked.question


def test_a_record_of_math500_keeps_its_field_and_name() -> None:
    asked = item("math500", problem="1+x?", answer="x+1", subject="Algebra", unique_id="test/1.json")
    assert (asked.kind, asked.key, asked.id) == ("Algebra", "x+1", "test/1.json")


@pytest.mark.parametrize(
    ("record", "key", "id"),
    [
        ({"ID": "2024-I-1", "Problem": "?", "Answer": 204}, "204", "2024-I-1"),
        ({"id": "3", "problem": "?", "answer": "025"}, "25", "3"),
        ({"problem": "?", "answer": "336^\\circ"}, "336", "7"),
    ],
)
def test_records_of_aime_in_the_shapes_of_several_publishers(
    record: dict[str, Any], key: str, id: str
) -> None:
    asked = item("aime24", **record)
    assert (asked.key, asked.id) == (key, id)


@pytest.mark.parametrize(
    ("suite", "record", "wrong"),
    [
        ("gsm8k", {"question": "?"}, "answer"),
        ("gsm8k", {"question": "?", "answer": "It is 3."}, "It is 3"),
        ("gsm8k", {"question": "?", "answer": "#### many"}, "many"),
        ("gsm8k", {"question": " ", "answer": "#### 3"}, "question"),
        ("gsm8k", {"question": 5, "answer": "#### 3"}, "5"),
        ("math500", {"problem": "?", "answer": "1"}, "subject"),
        ("aime25", {"problem": "?", "answer": "1000"}, "1000"),
        ("aime25", {"problem": "?", "answer": True}, "True"),
        ("aime25", {"problem": "?"}, "None"),
    ],
)
def test_what_is_no_record_is_refused_with_its_value(suite: str, record: dict[str, Any], wrong: str) -> None:
    with pytest.raises((KeyError, TypeError, ValueError), match=wrong):
        item(suite, **record)


@pytest.mark.parametrize(
    ("key", "answer", "value", "reason"),
    [
        ("72", r"48/2=24, 48+24=72. \boxed{72}", 1.0, ""),
        ("1234", r"\boxed{1,234}", 1.0, ""),
        ("540", r"\boxed{540\text{ meters}}", 1.0, ""),
        ("18", "The final answer is $18.00.", 1.0, ""),
        ("18", "18", 1.0, ""),
        ("18", r"\boxed{18} no, \boxed{19}", 0.0, "other_answer"),
        ("18", "There are 18 of them.", 0.0, "no_final_answer"),
        ("18", "", 0.0, "no_final_answer"),
        (r"\frac{1}{3}", r"\boxed{\dfrac13}", 1.0, ""),
        (r"\frac{1}{3}", r"\boxed{0.34}", 0.0, "other_answer"),
        (r"\text{Evelyn}", r"\boxed{Evelyn}", 1.0, ""),
        (r"x^2+2x+1", r"\boxed{(x+1)^2}", 1.0, ""),
    ],
)
def test_what_an_answer_is_worth(key: str, answer: str, value: float, reason: str) -> None:
    asked = item("math500", problem="?", answer=key, subject="Algebra")
    verdict = SUITES["math500"].score(asked, answer)
    assert (verdict.value, verdict.reason) == (value, reason)
    assert verdict.readable is (reason != "no_final_answer")


def test_whole_numbers_are_compared_without_algebra(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(wanted: str, given: str) -> bool:
        raise AssertionError(f"{wanted} and {given} need no algebra")

    monkeypatch.setattr("studio_core.data.mathematics.equal", unexpected)
    asked = item("gsm8k", question="?", answer="#### 72")
    assert [SUITES["gsm8k"].score(asked, rf"\boxed{{{n}}}").value for n in (71, 72, "72.0", "1,072")] == [
        0,
        1,
        1,
        0,
    ]


def test_what_holds_up_the_comparison_is_worth_nothing_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SECONDS", 2)
    asked = item("math500", problem="?", answer="10^{10^{10}}", subject="Algebra")
    verdict = SUITES["math500"].score(asked, r"\boxed{10^{9^{10}}}")
    assert (verdict.value, verdict.reason, verdict.readable) == (0.0, "not_comparable", False)


def test_several_answers_are_drawn_to_the_few_problems_of_aime() -> None:
    assert {(SUITES[name].samples, SUITES[name].temperature) for name in ("aime24", "aime25")} == {(8, 0.6)}


@pytest.mark.real_data
def test_every_solution_of_gsm8k_is_right_and_the_next_number_is_not(real_data: Path) -> None:
    suite, file = SUITES["gsm8k"], real_data / "gsm8k" / "test.jsonl"
    items = suite.read(file)
    solutions = [record["answer"] for record in records(file)]
    assert len(items) == 1319 and sum("," in solution.rpartition("####")[2] for solution in solutions) == 14
    assert [
        each.id for each, solution in zip(items, solutions, strict=True) if not suite.right(each, solution)
    ] == []
    assert [each.id for each in items if suite.right(each, rf"\boxed{{{int(each.key) + 1:,}}}")] == []


@pytest.mark.real_data
def test_every_answer_of_math500_is_right_and_math_verify_reads_nearly_all(real_data: Path) -> None:
    suite = SUITES["math500"]
    items = suite.read(real_data / "math500" / "test.jsonl")
    assert len(items) == 500 and len({each.kind for each in items}) == 7
    assert [each.id for each in items if not suite.right(each, rf"so \boxed{{{each.key}}}")] == []
    # By the library alone: words are no expressions, and are compared by their spelling.
    unread = [each.key for each in items if not equal(each.key, rf"\boxed{{{each.key}}}")]
    assert unread == [r"\$32,\!348", r"\$18.90", r"\$36"]
