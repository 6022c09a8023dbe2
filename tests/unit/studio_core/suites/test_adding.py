"""Files of published suites brought in: any format, kept as they are, or refused with the record and its value."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio_core.base.errors import BadInput, NotFound
from studio_core.base.studio import Studio
from studio_core.data import uploads
from studio_core.suites import SUITES, adding, suites_in
from studio_core.suites.base import records

WORD_PROBLEMS = [
    {"question": "1+1?", "answer": "1+1=2\n#### 2"},
    {"question": "Füße?", "answer": "#### 1,000", "level": 3},
]
QUESTIONS = [
    {
        "Question": f"Which {n}?",
        "Correct Answer": "right",
        **{f"Incorrect Answer {p}": f"wrong {p}" for p in (1, 2, 3)},
    }
    for n in (1, 2)
]
REQUESTS = [
    {"key": 1, "prompt": "A", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
    {
        "key": 2,
        "prompt": "B",
        "instruction_id_list": ["length_constraints:number_words"],
        "kwargs": [{"relation": "at least", "num_words": 3}],
    },
]  # fmt: skip


CALL = {
    "id": "simple_0",
    "question": [[{"role": "user", "content": "Far?"}]],
    "function": [{"name": "f", "parameters": {"type": "dict", "properties": {"a": {"type": "integer"}}}}],
}
ACCEPTED = {"id": "simple_0", "ground_truth": [{"f": {"a": [1]}}]}


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(lines.encode()))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        with open(path, "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, [*rows[0]])
            table.writeheader()
            table.writerows(rows)
    else:
        path.write_text(lines if path.suffix == ".jsonl" else json.dumps(rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "file", "rows"),
    [
        ("gsm8k", "test.jsonl", WORD_PROBLEMS),
        ("gsm8k", "test.json", WORD_PROBLEMS),
        ("gsm8k", "test.jsonl.gz", WORD_PROBLEMS),
        ("gpqa", "gpqa_diamond.csv", QUESTIONS),
        ("ifeval", "train.parquet", REQUESTS),
    ],
)
def test_a_file_of_any_format_is_kept_record_by_record(
    studio: Studio, tmp_path: Path, name: str, file: str, rows: list[dict[str, Any]]
) -> None:
    suite = adding.add(studio, name, written(tmp_path / file, rows))
    kept = suite.file(studio.settings.suites)
    assert kept == studio.settings.suites / f"{name}.jsonl"
    if not file.endswith(".parquet"):
        assert [*records(kept)] == rows
    assert len(suite.read(kept)) == adding.questions_here(studio, suite) == 2
    assert [*studio.settings.uploads.iterdir()] == []


def test_an_instruction_of_a_table_has_its_own_values_only(studio: Studio, tmp_path: Path) -> None:
    suite = adding.add(studio, "ifeval", written(tmp_path / "a.parquet", REQUESTS))
    without, three_words = suite.read(suite.file(studio.settings.suites))
    assert suite.right(without, "None here") and suite.right(three_words, "one two three")
    assert not suite.right(three_words, "one two")


def test_two_suites_may_share_a_file(studio: Studio, tmp_path: Path) -> None:
    row = {"question": "?", "options": ["a", "b"], "answer": "B", "category": "law"}
    by_likelihood = adding.add(studio, "mmlu_pro_likelihood", written(tmp_path / "a.jsonl", [row]))
    assert (
        adding.questions_here(studio, SUITES["mmlu_pro"]) == adding.questions_here(studio, by_likelihood) == 1
    )


@pytest.mark.parametrize(
    ("rows", "row", "told"),
    [
        ([*WORD_PROBLEMS, {"question": "?", "answer": "It is five."}], 3, "It is five."),
        ([{"question": "?", "answer": None}], 1, "None"),
        ([{"question": "?", "solution": "#### 5"}], 1, "no column answer, only: question, solution"),
    ],
)
def test_what_is_no_question_is_told_and_leaves_what_was_there(
    studio: Studio, tmp_path: Path, rows: list[dict[str, Any]], row: int, told: str
) -> None:
    suite = adding.add(studio, "gsm8k", written(tmp_path / "good.jsonl", WORD_PROBLEMS))
    with pytest.raises(BadInput) as refusal:
        adding.add(studio, "gsm8k", written(tmp_path / "bad.jsonl", rows))
    sentence = refusal.value.sentence()
    assert f"Record {row} of bad.jsonl" in sentence and told in sentence and "openai/gsm8k" in sentence
    assert [*records(suite.file(studio.settings.suites))] == WORD_PROBLEMS
    assert [*studio.settings.uploads.iterdir()] == []


def test_a_broken_line_is_told(studio: Studio, tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", WORD_PROBLEMS)
    file.write_text(file.read_text() + '{"question": "?"', encoding="utf-8")
    with pytest.raises(BadInput, match=r"Record 3 of a\.jsonl"):
        adding.add(studio, "gsm8k", file)
    assert adding.questions_here(studio, SUITES["gsm8k"]) is None


def test_what_cannot_be_added_is_refused(studio: Studio, tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", WORD_PROBLEMS)
    with pytest.raises(NotFound, match="no suite gsm9k"):
        adding.add(studio, "gsm9k", file)
    with pytest.raises(BadInput, match="facts come with the installation"):
        adding.add(studio, "facts", file)
    with pytest.raises(BadInput, match=r"missing.jsonl cannot be read"):
        adding.add(studio, "gsm8k", tmp_path / "missing.jsonl")
    with pytest.raises(BadInput, match=r"empty.json has no records"):
        adding.add(studio, "gsm8k", written(tmp_path / "empty.json", []))


def test_a_suite_of_two_files_is_kept_as_one(studio: Studio, tmp_path: Path) -> None:
    # Lines of JSON in a file that is called .json, as they are published.
    questions, answers = tmp_path / "BFCL.json", tmp_path / "answers.json"
    for file, row in ((questions, CALL), (answers, ACCEPTED)):
        lines = "".join(json.dumps({**row, "id": f"simple_{n}"}) + "\n" for n in range(2))
        file.write_text(lines, encoding="utf-8")
    suite = adding.add(studio, "bfcl_simple", questions, answers)
    [first, second] = records(suite.file(studio.settings.suites))
    assert first == {**CALL, **ACCEPTED} and second == {**first, "id": "simple_1"}
    for name, given, word in (
        ("bfcl_simple", None, "two files"),
        ("gsm8k", answers, "one file"),
        ("bfcl_irrelevance", answers, "one file"),
        (
            "bfcl_simple",
            written(tmp_path / "other.jsonl", [{**ACCEPTED, "id": "simple_1"}]),
            "no answer simple_0",
        ),
        ("bfcl_simple", questions, "ground_truth"),
        ("bfcl_simple", tmp_path / "gone.json", "gone.json"),
    ):
        with pytest.raises(BadInput) as refused:
            adding.add(studio, name, questions, given)
        assert word in refused.value.sentence(), refused.value.sentence()


TESTS = """
prompts: ["Say {{word}}."]
providers: [some:model]
tests:
  - vars: {word: [yes, "on"]}
    assert: [{type: icontains, value: "{{word}}"}]
"""


def test_tests_of_promptfoo_become_a_suite_of_their_own_name(studio: Studio, tmp_path: Path) -> None:
    file = tmp_path / "promptfooconfig.yaml"
    file.write_text(TESTS, encoding="utf-8")
    suite = adding.add(studio, "my-tests", file)
    assert adding.questions_here(studio, suites_in(studio.settings.suites)["my-tests"]) == 2
    items = suite.read(suite.file(studio.settings.suites))
    assert [item.question for item in items] == ["Say yes.", "Say on."]
    kept = suite.file(studio.settings.suites).read_text(encoding="utf-8")
    file.write_text(TESTS.replace("icontains", "python"), encoding="utf-8")
    with pytest.raises(BadInput, match="test 1: an assertion of type python is code"):
        adding.add(studio, "my-tests", file)
    assert suite.file(studio.settings.suites).read_text(encoding="utf-8") == kept
    as_json = tmp_path / "tests.json"
    as_json.write_text(json.dumps({"prompts": ["?"], "tests": [{"assert": [{"type": "is-json"}]}]}))
    assert adding.questions_here(studio, adding.add(studio, "my-tests", as_json)) == 1


def test_samples_of_openai_evals_need_the_class_that_scores_them(studio: Studio, tmp_path: Path) -> None:
    file = written(tmp_path / "samples.jsonl", [{"input": "1+1?", "ideal": ["2", "two"]}] * 2)
    with pytest.raises(BadInput, match="Choose one: Match, Includes, FuzzyMatch, JsonMatch"):
        adding.add(studio, "mine", file)
    suite = adding.add(studio, "mine", file, scored_by="Includes")
    item, _ = suite.read(suite.file(studio.settings.suites))
    assert suite.right(item, "It is two.") and not suite.right(item, "Three")
    written(file, [{"input": "1+1?", "ideal": "2"}, {"input": "1+1?"}])
    with pytest.raises(BadInput, match=r"Record 2 of samples\.jsonl"):
        adding.add(studio, "mine", file, scored_by="Includes")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("../mine", TESTS, "is not allowed"),
        ("mine", "prompts: [a]", "no prompts and tests"),
        ("mine", "prompts: [&a x, *a]\ntests: []", "alias"),
        ("mine", TESTS.partition("tests:")[0] + "tests: []", "has no records"),
    ],
)
def test_what_is_no_document_of_tests(
    studio: Studio, tmp_path: Path, name: str, content: str, told: str
) -> None:
    file = tmp_path / "tests.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=told):
        adding.add(studio, name, file)
    assert [*suites_in(studio.settings.suites)] == [*SUITES]


@pytest.mark.parametrize(
    "name", ["..", "a/..", "/", "../../up.jsonl", "data", "upload.json", "字" * 200 + ".jsonl"]
)
def test_an_upload_may_be_called_anything(studio: Studio, name: str) -> None:
    content = "".join(json.dumps(row) + "\n" for row in WORD_PROBLEMS).encode()
    upload = uploads.keep(studio.settings, name, content)
    adding.add_uploaded(studio, "gsm8k", [upload.id])
    assert adding.questions_here(studio, SUITES["gsm8k"]) == len(WORD_PROBLEMS)
    assert not list(studio.settings.uploads.iterdir()) and not list(studio.settings.home.glob("*.jsonl"))
