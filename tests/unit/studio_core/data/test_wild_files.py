"""Files as other programs write them are understood without help; damaged ones say where and why."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio_core import texts
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.data import store
from studio_core.data.shapes import Shape
from tests.unit.studio_core.data.wild import (
    ARGILLA,
    ARGILLA_FLAT,
    HH,
    IMAGE,
    LABEL_STUDIO_PAIR,
    OPENAI_PREFERENCE,
    WILD,
    assistant,
    lines,
    user,
)


@pytest.mark.parametrize("case", WILD)
def test_files_in_the_wild(studio: Studio, written: Any, case: str) -> None:
    name, content, shape, record = WILD[case]
    imported = store.import_file(studio, written(name, content))
    assert (imported.dataset.shape, imported.dataset.rows, imported.rejected) == (shape.value, 3, [])
    assert store.records(studio, imported.dataset) == [record] * 3


@pytest.mark.parametrize("case", WILD)
def test_files_that_were_cut_off(studio: Studio, written: Any, case: str) -> None:
    name, content, _, record = WILD[case]
    whole = content.encode()
    path = written(name, whole[: len(whole) * 5 // 6])
    try:
        seen = store.inspect_file(studio, path)
    except BadInput as error:
        assert "truncated" in str(error)
        return
    assert seen.sample_records[:2] == [record] * 2
    assert seen.good + seen.bad == 3
    for reason in seen.reasons:
        assert reason["row"] == 3 and reason["reason"]


ALPACA = {"instruction": "Add", "input": "", "output": "3"}
SHAREGPT = {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}
MESSAGES = {"messages": [user("Hi"), assistant("Hello")]}
STEPS = {"prompt": "q", "completions": ["a", "b"], "labels": [True, False]}

DAMAGED: list[tuple[dict[str, Any], Any, str]] = [
    (ALPACA, {**ALPACA, "output": {"a": 1}}, "turn 1 of 'output' has an unknown role 'None'"),
    (ALPACA, {"instruction": "Add"}, "'output' is missing"),
    (SHAREGPT, {"conversations": SHAREGPT["conversations"][:1]}, "has no assistant turn"),
    (SHAREGPT, {"conversations": [{"from": "cat", "value": "Miau"}]}, "has an unknown role 'cat'"),
    (MESSAGES, {"messages": [user("x"), assistant("")]}, "the answer in 'messages' is empty (turn 2)"),
    (MESSAGES, {"messages": [{"role": "user", "content": [IMAGE]}]}, "turn 1 of 'messages' has only an image"),
    (MESSAGES, {"messages": [{"role": "user", "content": [{"type": "file"}]}]}, "contains file; only text"),
    (OPENAI_PREFERENCE, {**OPENAI_PREFERENCE, "input": {"messages": []}}, "prompt in 'input.messages' is empty"),
    (OPENAI_PREFERENCE, {**OPENAI_PREFERENCE, "input": {"tools": []}}, "'input.messages' is missing"),
    (OPENAI_PREFERENCE, {**OPENAI_PREFERENCE, "preferred_output": []}, "answer in 'preferred_output' is empty"),
    (HH, {**HH, "rejected": "\n\nHuman: Else?\n\nAssistant: No."}, "'chosen' and 'rejected' have no prompt in common"),
    (HH, {**HH, "rejected": HH["chosen"]}, "'chosen' and 'rejected' are the same"),
    (STEPS, {**STEPS, "labels": [True]}, "'completions' has 2 steps, but 'labels' has 1 label"),
    (STEPS, {**STEPS, "labels": [True, "perhaps"]}, "'labels' is 'perhaps', not true or false"),
    (STEPS, {**STEPS, "completions": ["a", " "]}, "the answer in 'completions' is empty (turn 2)"),
    (STEPS, {**STEPS, "completions": [], "labels": []}, "'completions' has no steps"),
    (STEPS, {**STEPS, "completions": "a"}, "'completions' is a str, not a list"),
    (LABEL_STUDIO_PAIR, {**LABEL_STUDIO_PAIR, "annotations": []}, "it is not labelled"),
    (LABEL_STUDIO_PAIR, {**LABEL_STUDIO_PAIR, "data": {"prompt": "x"}}, "'chosen' is missing"),
    (LABEL_STUDIO_PAIR, ALPACA, "it does not look like a record of Label Studio"),
    (ARGILLA, {**ARGILLA, "responses": {}, "suggestions": {}}, "'quality' is missing"),
    (ARGILLA, {**ARGILLA, "responses": {"quality": [{"value": "good"}]}}, "'quality' is 'good', not true"),
    (ARGILLA_FLAT, {**ARGILLA_FLAT, "label.responses": ["maybe"]}, "'label' is 'maybe', not true or false"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "damaged", "said"), DAMAGED)
def test_a_damaged_row_says_why_and_costs_no_other(
    studio: Studio, written: Any, good: Any, damaged: Any, said: str
) -> None:
    seen = store.inspect_file(studio, written("a.jsonl", lines(good, good, good, damaged)))
    assert (seen.good, seen.bad) == (3, 1)
    [reason] = seen.reasons
    assert reason["row"] == 4 and said in reason["reason"]
    for language in texts.LANGUAGES:
        assert texts.text(f"data.row_{reason['code']}", language, **reason["values"])


def test_people_who_could_not_choose_leave_no_pair(studio: Studio, written: Any) -> None:
    tie = json.loads(json.dumps(LABEL_STUDIO_PAIR).replace('"right"', '"tie"'))
    seen = store.inspect_file(
        studio, written("a.json", json.dumps([LABEL_STUDIO_PAIR, LABEL_STUDIO_PAIR, tie]))
    )
    assert (seen.good, seen.bad, seen.ties) == (2, 0, 1)
    assert list(seen.notes.kinds) == ["label_studio", "ties"]


def test_openai_tools_inside_of_the_input_are_kept(studio: Studio, written: Any) -> None:
    dataset = store.import_file(studio, written("a.jsonl", lines(OPENAI_PREFERENCE))).dataset
    [record] = store.records(studio, dataset)
    assert '"name": "weather"' in record["tools"] and record["prompt"] == [user("Hi")]


def test_images_are_left_out_and_counted(studio: Studio, written: Any) -> None:
    parts = [{"type": "text", "text": "What is this?"}, IMAGE, IMAGE]
    turns = [{"from": "human", "value": "<image>\nWhat is this?"}, {"from": "gpt", "value": "A cat."}]
    rows: dict[int, Any] = {
        1: {"image": "cat.jpg", "conversations": turns},
        2: {"messages": [{"role": "user", "content": parts}, assistant("A cat.")]},
        3: {"images": ["a.jpg", "b.jpg", "c.jpg"], "conversations": turns},
    }
    for images, row in rows.items():
        seen = store.inspect_file(studio, written("a.jsonl", lines(row)))
        assert seen.sample_records == [{"messages": [user("What is this?"), assistant("A cat.")]}]
        assert seen.notes.kinds["images"]["n"] == images
    asked = {"image": "cat.jpg", "prompt": "What is <image> this?", "completion": "A cat."}
    seen = store.inspect_file(studio, written("a.jsonl", lines(asked)))
    assert (seen.sample_records[0]["prompt"], seen.notes.kinds["images"]["n"]) == ([user("What is this?")], 1)


def test_a_column_of_pictures_as_bytes_is_left_out(studio: Studio, tmp_path: Path) -> None:
    row = {
        "images": [{"bytes": b"\x89PNG", "path": None}],
        "messages": [user("<image>\nWhat is this?"), assistant("Write <image> in HTML.")],
    }
    pq.write_table(pa.Table.from_pylist([row] * 3), tmp_path / "a.parquet")
    seen = store.inspect_file(studio, tmp_path / "a.parquet")
    assert seen.columns == ["messages"]
    assert seen.sample_records[0]["messages"] == [user("What is this?"), assistant("Write <image> in HTML.")]
    assert (seen.notes.kinds["images"]["n"], seen.notes.kinds["column_of_bytes"]["name"]) == (3, "images")


def test_turns_as_python_prints_them_into_a_table(studio: Studio, tmp_path: Path) -> None:
    said = [user("It's 5 o'clock\n"), assistant('"Yes"')]
    cells = [str(said), json.dumps(said), str(said)[:-12], json.dumps(said)[:40]]
    with open(tmp_path / "a.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["messages"], *([cell] for cell in cells)])
    seen = store.inspect_file(studio, tmp_path / "a.csv")
    assert seen.sample_records == [{"messages": said}] * 2
    assert [(reason["row"], reason["code"]) for reason in seen.reasons] == [
        (3, "turns_broken"),
        (4, "turns_broken"),
    ]


@pytest.mark.parametrize(
    "answer", ['[{"value": 1}]', '{"role": 1', '[{"value": 1}', "[{'a': 1}]", '{"a": [1]}', "[1]"]
)
def test_answers_that_are_json_themselves_stay_text(studio: Studio, written: Any, answer: str) -> None:
    [record] = store.inspect_file(
        studio, written("a.jsonl", lines({"prompt": "As JSON?", "completion": answer}))
    ).sample_records
    assert record["completion"] == [assistant(answer)]


def test_cells_that_excel_has_cut_are_said(studio: Studio, written: Any) -> None:
    path = written("a.csv", f"prompt,completion\nq,{'x' * 32767}\nq,{'x' * 32766}\n")
    assert store.inspect_file(studio, path).notes.kinds["cut_by_excel"] == {"n": 1, "row": 1}


def test_an_empty_system_prompt_is_none(studio: Studio, written: Any) -> None:
    row = {"messages": [{"role": "system", "content": " "}, user("Hi"), assistant("Hello")]}
    assert store.inspect_file(studio, written("a.jsonl", lines(row))).sample_records == [
        {"messages": [user("Hi"), assistant("Hello")]}
    ]


@pytest.mark.parametrize(
    ("labels", "shape"),
    [
        ([True, False], Shape.UNPAIRED_PREFERENCE),
        (["👍", "👎"], Shape.UNPAIRED_PREFERENCE),
        (["good", "bad"], Shape.UNPAIRED_PREFERENCE),
        (["positive", "negative"], Shape.PROMPT_COMPLETION),
        (["yes", "no"], Shape.PROMPT_COMPLETION),
        ([3, 4], Shape.PROMPT_COMPLETION),
    ],
)
def test_labels_of_classes_are_no_judgement(
    studio: Studio, written: Any, labels: list[Any], shape: Shape
) -> None:
    rows = [{"prompt": "q", "completion": "a", "label": label} for label in labels]
    assert store.inspect_file(studio, written("a.jsonl", lines(*rows))).shape is shape


def test_turns_of_weight_0_are_not_learnt(studio: Studio, written: Any) -> None:
    row = {
        "messages": [user("a"), {**assistant("b"), "weight": 0}, user("c"), {**assistant("d"), "weight": 1}]
    }
    dataset = store.import_file(studio, written("a.jsonl", lines(row))).dataset
    [record] = store.records(studio, dataset)
    assert record["messages"] == [user("a"), {**assistant("b"), "train": False}, user("c"), assistant("d")]


def test_a_question_whose_name_is_no_unicode_is_no_column(studio: Studio, written: Any) -> None:
    broken = {name.replace("label.responses", "lab\ud800el.responses"): v for name, v in ARGILLA_FLAT.items()}
    text = "".join(json.dumps(row) + "\n" for row in (broken, ARGILLA_FLAT, ARGILLA_FLAT))
    seen = store.inspect_file(studio, written("records.jsonl", text))
    assert seen.mapping.columns["label"] == "label"
    assert seen.good == 3


def test_rows_nested_as_deep_as_json_allows(studio: Studio, written: Any) -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    good = {"question": "q", "more": 1}
    for row in ({"question": "q", "more": deep}, {"question": deep, "more": 1}):
        seen = store.inspect_file(studio, written("a.jsonl", lines(good, good, row)))
        assert seen.good + seen.bad == 3 and seen.good >= 2


def test_what_was_guessed_and_left_out_is_said(studio: Studio, written: Any) -> None:
    text = json.dumps([assistant("x")])
    vote = {"prompt": "q", "response_a": text, "response_b": json.dumps([assistant("y")]), "winner": "a"}
    done = store.import_file(
        studio, written("a.jsonl", lines(vote, vote | {"winner": "tie"}, vote | {"prompt": "r"}))
    )
    assert (done.dataset.rows, done.rejected) == (2, [])
    assert {remark["code"]: remark.get("n") for remark in done.remarks} == {"arena": 1, "ties": 1}
    rows = [{"Customer wrote": "q", "Agent said": text}] * 2
    done = store.import_file(studio, written("b.jsonl", lines(*rows)))
    assert [remark["code"] for remark in done.remarks] == ["doubt", "turns_in_text"]
    assert "Agent said" in done.remarks[1]["text"]
    off = store.inspect_file(studio, written("b.jsonl", lines(*rows))).mapping.model_copy(
        update={"turns_in_text": []}
    )
    done = store.import_file(studio, written("b.jsonl", lines(*rows)), mapping=off, name="c")
    assert store.records(studio, done.dataset)[0]["completion"] == [assistant(text)]
    assert done.dataset.mapping["turns_in_text"] == []


def test_only_ties_are_said(studio: Studio, written: Any) -> None:
    vote = {"prompt": "q", "response_a": "a", "response_b": "b", "winner": "a"}
    ties = [vote | {"winner": "tie"}] * 3
    mapping = store.inspect_file(studio, written("a.jsonl", lines(vote))).mapping
    with pytest.raises(BadInput):
        store.import_file(studio, written("b.jsonl", lines(*ties)), mapping=mapping)


def test_a_line_whose_json_is_not_closed_is_told_as_torn(studio: Studio, written: Any) -> None:
    whole = {"prompt": "q", "completion": "a"}
    file = written("a.jsonl", lines(whole) + json.dumps(whole)[:-1] + "\n")
    assert [one["code"] for one in store.inspect_file(studio, file).reasons] == ["line_torn"]


def test_a_pdf_is_not_told_to_be_unpacked(studio: Studio, written: Any) -> None:
    with pytest.raises(BadInput, match="is a PDF") as raised:
        store.inspect_file(studio, written("a.pdf", b"%PDF-1.7 words"))
    assert raised.value.key == "data.file_pdf"
