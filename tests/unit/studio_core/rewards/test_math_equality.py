"""Which final answers mean the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio_core import rewards
from studio_core.base.errors import BadInput
from studio_core.data.final_answers import final_answer
from studio_core.data.mathematics import equal
from studio_core.sandbox import limits


@pytest.mark.parametrize(
    ("reference", "answer", "value"),
    [
        ("72", r"so \boxed{72}", 1.0),
        ("72", "71", 0.0),
        ("1,234", "#### 1234", 1.0),
        ("540", r"\boxed{540 \text{ meters}}", 1.0),
        (r"\frac12", r"\boxed{0.5}", 1.0),
        ("x^2+2x+1", "The answer is $(x+1)^2$", 1.0),
        ("2x+1", "1", 0.0),
        ("2x+1", "1+2x", 1.0),
        (r"\sqrt{8}", r"\boxed{2\sqrt{2}}", 1.0),
        # Bare LaTeX and tuples are read, too.
        (r"(3, \frac{\pi}{2})", r"\boxed{\left(3, \frac{\pi}{2}\right)}", 1.0),
        (r"(3, \frac{\pi}{2})", r"\boxed{(3, \pi)}", 0.0),
        (r"\{1,2\}", r"\boxed{\{2,1\}}", 1.0),
        ("[2,5)", r"\boxed{(2,5)}", 0.0),
        ("x=3", r"\boxed{3}", 1.0),
        ("6-5i", r"\boxed{-5i+6}", 1.0),
        # Words, which SymPy would take for products of letters.
        ("Paris", r"\boxed{\text{paris}}", 1.0),
        ("no", "on", 0.0),
        ("三角形", "三角形", 1.0),
        ("x+1", "", 0.0),
    ],
)
def test_answers_are_compared_by_what_they_mean(reference: str, answer: str, value: float) -> None:
    assert rewards.score("math", {})("?", answer, {"answer": reference}) == value


def test_what_holds_up_the_comparison_is_ended_and_has_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SECONDS", 2)
    answered = [("?", r"\boxed{10^{9^{10}}}", {"answer": "10^{10^{10}}"}), ("?", "2x", {"answer": "x+x"})]
    held_up, good = rewards.scores("math", {})(answered)
    assert isinstance(held_up, BadInput) and held_up.key == "rewards.not_comparable" and good == 1.0


def test_a_record_without_a_reference_has_no_value() -> None:
    with pytest.raises(BadInput, match="no reference answer"):
        rewards.score("math", {})("?", "7", {"prompt": []})


@pytest.mark.real_data
def test_every_reference_of_gsm8k_equals_itself(real_data: Path) -> None:
    lines = (real_data / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    solutions = {json.loads(line)["answer"] for line in lines}
    score = rewards.score("math", {})
    assert len(solutions) > 1300
    assert all(score("?", solution, {"answer": solution}) == 1.0 for solution in solutions)
    # And by the library alone, whose numbers have separators as well.
    finals = {final_answer(solution) or "" for solution in solutions}
    assert [final for final in finals if not equal(final, rf"\boxed{{{final}}}")] == []
