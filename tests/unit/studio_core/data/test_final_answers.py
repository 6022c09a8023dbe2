"""Final answers are found, read as numbers where they are one, and compared by value."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio_core.data.final_answers import Number, final_answer, number, same
from tests.work import work


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("72", 72),
        ("1,234", 1234),
        ("1,234,567.5", Fraction(2469135, 2)),
        ("1.234.567,5", Fraction(2469135, 2)),
        ("1 234", 1234),
        ("1'234", 1234),
        ("$18.00", 18),
        ("-$5", -5),
        ("$-5$", -5),
        ("−7", -7),
        ("(3)", 3),
        ("3/4", Fraction(3, 4)),
        ("1 1/2", Fraction(3, 2)),
        (r"\frac{3}{4}", Fraction(3, 4)),
        (r"1\frac{4}{5}", Fraction(9, 5)),
        (r"\dfrac12", Fraction(1, 2)),
        (r"\$1{,}000", 1000),
        (r"10,\!080", 10080),
        (r"30^\circ", 30),
        (r"12\text{ cm}^2", 12),
        ("1.5e3", 1500),
        (".5", Fraction(1, 2)),
        ("25.", 25),
        ("１２３", 123),
        ("72 dollars", 72),
        ("-5 km/h", -5),
        ("5kg", 5),
        ("5 million", 5_000_000),
        ("3万", 30_000),
        ("1.5亿元", 150_000_000),
    ],
)
def test_numbers_are_read_in_every_dress(text: str, value: int | Fraction) -> None:
    found = number(text)
    assert found is not None and found.value == value


@pytest.mark.parametrize(
    "text",
    [
        "", "abc", "x+1", "x=5", "2k", "3R^2", r"2\pi", r"3\sqrt{2}", "(1,2)", "-2,1", "1,23,4", "12,5", "2 3",
        "3, 4", "5:30", "2^3", "1/0", "5 apples and 3 pears", "12 and 13", "1e999", "p - q", "+-3", "1" * 300,
    ],
)  # fmt: skip
def test_what_is_no_number_is_not_made_one(text: str) -> None:
    assert number(text) is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("So it is 5.\n#### 1,234", "1,234"),
        ("#### 1\n#### 2", "2"),
        (r"thus \boxed{3}, no: \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        ("I think.\nThe answer is 42.", "42"),
        ("The final answer: **3.5**\n", "3.5"),
        ("答案是：18。", "18"),
        ("nothing of the kind", None),
        ("#### ", None),
        (r"\boxed{open", None),
    ],
)
def test_the_final_answer_is_found(text: str, answer: str | None) -> None:
    assert final_answer(text) == answer


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("1,234", "1234.0", True),
        ("1/2", "0.5", True),
        ("50%", "0.5", True),
        ("50%", "50", True),
        ("50%", "51", False),
        ("$18", "18 dollars", True),
        ("3", "4", False),
        (r"\frac{\pi}{2}", r"\dfrac{\pi}{2}", True),
        (r"\text{Evelyn}", "evelyn", True),
        ("p - q", "p-q", True),
        ("p - q", "3", False),
    ],
)
def test_answers_are_compared_by_what_they_say(one: str, other: str, equal: bool) -> None:
    assert same(one, other) is equal
    assert same(other, one) is equal


@given(st.integers(-(10**12), 10**12))
def test_thousands_separators_change_nothing(value: int) -> None:
    assert number(f"{value:,}") == number(str(value)) == Number(Fraction(value))


@given(st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    number(text)
    final_answer(text)
    assert same(text, text)


@pytest.mark.parametrize(
    "piece", ["1", "1 ", "1,", "a", "((", "\\frac", "{", "the answer is ", "\\boxed{", "- "]
)
def test_no_text_takes_long(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    assert work(lambda: (number(text), number(text[:200]), final_answer(text))) < 400
