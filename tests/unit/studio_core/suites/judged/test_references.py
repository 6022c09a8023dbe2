"""Published answers beside published questions: every shape that authors have, and what is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.cli import run
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.suites import SUITES, adding
from studio_core.suites.judged.arena_hard import ArenaHard
from studio_core.suites.judged.references import generators, joined, references

Records = list[dict[str, Any]]

MT_BENCH: Records = [
    {"question_id": 101, "category": "math", "turns": ["1 + 1?", "And twice that?"]},
    {"question_id": 102, "category": "math", "turns": ["2 + 2?", "And twice that?"]},
]
ALPACA_EVAL: Records = [
    {"instruction": "Name a colour.", "dataset": "a", "output": "Blue.", "generator": "text_davinci_003"},
    {"instruction": "Name a bird.", "dataset": "a"},
]
ARENA_HARD: Records = [
    {"uid": "ab", "category": "hard_prompt", "subcategory": "x", "prompt": "Prove it."},
    {"uid": "cd", "category": "creative_writing", "subcategory": "x", "prompt": "Write it."},
]
TURNS = {"question_id": 101, "model_id": "gpt-4", "choices": [{"index": 0, "turns": ["2", "4"]}]}
CONTENTS = {"uid": "ab", "model": "gpt-4-0314", "choices": [{"turns": [{"content": "So.", "token_len": 2}]}]}
MESSAGES = {
    "uid": "cd",
    "model": "gemini",
    "messages": [
        {"role": "user", "content": "Write it."},
        {"role": "assistant", "content": {"answer": "O."}},
    ],
}
OUTPUT = {"instruction": "Name a bird.", "output": "A wren.", "generator": "gpt4_1106_preview"}


@pytest.mark.parametrize(
    ("name", "questions", "answers", "texts", "who"),
    [
        ("mt_bench", MT_BENCH, [TURNS], [["2", "4"], []], "gpt-4"),
        ("arena_hard", ARENA_HARD, [CONTENTS, MESSAGES], [["So."], ["O."]], "gemini, gpt-4-0314"),
        (
            "alpaca_eval",
            ALPACA_EVAL,
            [OUTPUT],
            [["Blue."], ["A wren."]],
            "gpt4_1106_preview, text_davinci_003",
        ),
    ],
)
def test_answers_of_each_published_shape_belong_to_their_questions(
    name: str, questions: Records, answers: Records, texts: list[list[str]], who: str
) -> None:
    suite = SUITES[name]
    items = [suite.item(name, record, 1) for record in joined(questions, answers)]
    assert [list(references(item)) for item in items] == texts
    assert generators(items) == who


def test_an_answer_to_one_turn_of_two_is_no_reference() -> None:
    half = {**TURNS, "choices": [{"turns": ["2", ""]}]}
    [item, _] = [SUITES["mt_bench"].item("mt_bench", record, 1) for record in joined(MT_BENCH, [half])]
    assert references(item) == ()


def file(folder: Path, name: str, rows: Records) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_questions_are_added_with_or_without_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(tmp_path / "home")]
    questions = str(file(tmp_path, "question.jsonl", MT_BENCH))
    answers = str(file(tmp_path, "reference_answer/gpt-4.jsonl", [TURNS]))
    assert run(["suites", "add", "mt_bench", questions, "--json", *home]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["questions"], row["references"]) == (2, 0)
    assert run(["suites", "add", "mt_bench", questions, "--answers", answers, "--json", *home]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["questions"], row["references"]) == (2, 1)


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (MT_BENCH, "'category': 'math'"),
        ([{**TURNS, "question_id": 7}], "7"),
        ([{**TURNS, "choices": []}], "'choices': []"),
        ([{**TURNS, "choices": [{"turns": [1]}]}], "101"),
    ],
)
def test_what_is_no_file_of_answers_is_refused_and_leaves_what_was_there(
    studio: Studio, tmp_path: Path, answers: Records, told: str
) -> None:
    questions = file(tmp_path, "question.jsonl", MT_BENCH)
    suite = adding.add(studio, "mt_bench", questions, file(tmp_path, "good.jsonl", [TURNS]))
    with pytest.raises(BadInput) as refusal:
        adding.add(studio, "mt_bench", questions, file(tmp_path, "bad.jsonl", answers))
    assert "bad.jsonl has no published answers" in refusal.value.sentence()
    assert told in refusal.value.sentence()
    assert adding.references_here(studio, suite) == 1


def test_a_suite_of_one_file_has_no_use_for_answers(studio: Studio, tmp_path: Path) -> None:
    only = file(tmp_path, "a.jsonl", [{"question": "1+1?", "answer": "#### 2"}])
    with pytest.raises(BadInput, match="published as one file"):
        adding.add(studio, "gsm8k", only, only)
    assert adding.references_here(studio, SUITES["gsm8k"]) is None


def test_a_protocol_that_takes_published_answers_needs_no_first_model() -> None:
    first, published = ArenaHard(), ArenaHard(baseline="published")
    assert (first.needs_baseline, published.needs_baseline) == (True, False)
    items = [SUITES["arena_hard"].item("arena_hard", record, 1) for record in joined(ARENA_HARD, [CONTENTS])]
    assert (first.cost(items, [10, 10]).calls, published.cost(items, [10, 10]).calls) == (4, 2)
