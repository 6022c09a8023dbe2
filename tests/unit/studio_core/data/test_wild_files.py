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
from studio_core.data import store
from studio_core.data.mapping import Mapping
from studio_core.data.shapes import Shape
from studio_core.errors import BadInput
from studio_core.studio import Studio


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {}}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}

OPENAI_PREFERENCE = {
    "input": {"messages": [user("Hi")], "tools": [WEATHER], "parallel_tool_calls": True},
    "preferred_output": [assistant("Hello")],
    "non_preferred_output": [assistant("Go away")],
}
LABEL_STUDIO_PAIR = {
    "id": 1,
    "data": {"prompt": "Why?", "answer1": "Because.", "answer2": "Rayleigh scattering."},
    "annotations": [
        {"completed_by": 1, "was_cancelled": False, "result": [
                {"from_name": "pref", "to_name": "answer1,answer2", "type": "pairwise",
             "value": {"selected": "right"}},
        ]},
    ],
    "predictions": [],
}  # fmt: skip
LABEL_STUDIO_RATING = {
    "id": 1,
    "data": {"prompt": "Why?", "response": "Because."},
    "annotations": [
        {
            "result": [
                {"from_name": "stars", "to_name": "response", "type": "rating", "value": {"rating": stars}}
            ]
        }
        for stars in (5, 5, 1)
    ],
}
ARGILLA = {
    "id": "1", "status": "completed", "_server_id": "x", "metadata": {}, "vectors": {},
    "fields": {"instruction": "Why?", "response": "Because."},
    "suggestions": {"quality": {"value": 2, "score": 0.5, "agent": "m"}},
    "responses": {"quality": [{"value": 5, "user_id": "u"}, {"value": 1, "user_id": "v", "status": "draft"}]},
}  # fmt: skip
ARGILLA_1 = {
    "fields": {"prompt": "Why?", "response-1": "Because.", "response-2": "Rayleigh."},
    "responses": [{"user_id": "u", "status": "submitted", "values": {"better": {"value": [
        {"value": "response-2", "rank": 1}, {"value": "response-1", "rank": 2}]}}}],
    "suggestions": [{"question_name": "better", "value": None}],
    "external_id": None,
}  # fmt: skip
ARGILLA_FLAT = {
    "id": "1", "status": "completed", "_server_id": "x", "prompt": "Why?", "completion": "Because.",
    "label.suggestion": "good", "label.suggestion.score": 0.5, "label.suggestion.agent": "m",
    "label.responses": ["bad", "bad"], "label.responses.users": ["u", "v"], "label.responses.status": ["submitted"] * 2,
}  # fmt: skip
HH = {
    "chosen": "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant: Because.",
    "rejected": "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant: No.",
}
ASKED = [user("Hi"), assistant("Hello"), user("Why?")]

WILD: dict[str, tuple[str, str, Shape, dict[str, Any]]] = {
    "alpaca": (
        "alpaca.json",
        json.dumps([{"instruction": "Add", "input": "1 2", "output": "3"}] * 3, indent=2),
        Shape.PROMPT_COMPLETION,
        {"prompt": [user("Add\n1 2")], "completion": [assistant("3")]},
    ),
    "sharegpt": (
        "sharegpt.json",
        json.dumps([{"id": "1", "conversations": [
            {"from": "system", "value": "Be kind."},
            {"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"},
        ]}] * 3),
        Shape.CHAT,
        {"messages": [{"role": "system", "content": "Be kind."}, user("Hi"), assistant("Hello")]},
    ),
    "openai_messages": (
        "train.jsonl",
        lines(*[{"messages": [user("Hi"), {"role": "assistant", "content": None, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"at": "Bern"}'}}]},
            {"role": "tool", "tool_call_id": "1", "content": "rain"}, assistant("It rains.")],
            "parallel_tool_calls": False}] * 3),
        Shape.CHAT,
        {"messages": [
            user("Hi"),
            assistant('<tool_call>\n{"name": "weather", "arguments": {"at": "Bern"}}\n</tool_call>'),
            {"role": "tool", "content": "rain"},
            assistant("It rains."),
        ]},
    ),
    "openai_preference": (
        "dpo.jsonl",
        lines(*[{**OPENAI_PREFERENCE, "input": {"messages": [user("Hi")]}}] * 3),
        Shape.PREFERENCE,
        {"prompt": [user("Hi")], "chosen": [assistant("Hello")], "rejected": [assistant("Go away")]},
    ),
    "anthropic_hh": (
        "hh.jsonl",
        lines(HH, HH, HH),
        Shape.PREFERENCE,
        {"prompt": ASKED, "chosen": [assistant("Because.")], "rejected": [assistant("No.")]},
    ),
    "anthropic_hh_in_a_table": (
        "hh.csv",
        "chosen,rejected\n" + f'"{HH["chosen"].strip()}","{HH["rejected"].strip()}"\n' * 3,
        Shape.PREFERENCE,
        {"prompt": ASKED, "chosen": [assistant("Because.")], "rejected": [assistant("No.")]},
    ),
    "trl_implicit_prompt": (
        "trl.jsonl",
        lines(*[{"chosen": "The sky is blue.", "rejected": "The sky is green."}] * 3),
        Shape.PREFERENCE,
        {"prompt": [user("The sky is")], "chosen": [assistant("blue.")], "rejected": [assistant("green.")]},
    ),
    "trl_unpaired_conversations": (
        "kto.jsonl",
        lines(*[{"prompt": [user("Hi")], "completion": [assistant("Hello")], "label": True}] * 3),
        Shape.UNPAIRED_PREFERENCE,
        {"prompt": [user("Hi")], "completion": [assistant("Hello")], "label": True},
    ),
    "trl_stepwise": (
        "prm.jsonl",
        lines(*[{"prompt": "1+1+1?", "completions": ["1+1=2", "2+1=4"], "labels": [True, False]}] * 3),
        Shape.STEPWISE,
        {"prompt": [user("1+1+1?")], "completions": ["1+1=2", "2+1=4"], "labels": [True, False]},
    ),
    "trl_stepwise_in_a_table": (
        "prm.csv",
        'prompt,completions,labels\n' + '1+1?,"[""it is 2""]","[1]"\n' * 3,
        Shape.STEPWISE,
        {"prompt": [user("1+1?")], "completions": ["it is 2"], "labels": [True]},
    ),
    "label_studio_pairs": (
        "project-1.json",
        json.dumps([LABEL_STUDIO_PAIR] * 3),
        Shape.PREFERENCE,
        {"prompt": [user("Why?")], "chosen": [assistant("Rayleigh scattering.")], "rejected": [assistant("Because.")]},
    ),
    "label_studio_ratings": (
        "project-2.json",
        json.dumps([LABEL_STUDIO_RATING] * 3),
        Shape.UNPAIRED_PREFERENCE,
        {"prompt": [user("Why?")], "completion": [assistant("Because.")], "label": True},
    ),
    "label_studio_min": (
        "project-3.json",
        json.dumps([{"id": 1, "prompt": "Why?", "answer1": "Because.", "answer2": "Rayleigh.", "annotator": 1,
                     "annotation_id": 9, "lead_time": 1.5, "pref": {"selected": "left"}}] * 3),
        Shape.PREFERENCE,
        {"prompt": [user("Why?")], "chosen": [assistant("Because.")], "rejected": [assistant("Rayleigh.")]},
    ),
    "argilla": (
        "records.json",
        json.dumps([ARGILLA] * 3),
        Shape.UNPAIRED_PREFERENCE,
        {"prompt": [user("Why?")], "completion": [assistant("Because.")], "label": True},
    ),
    "argilla_1_ranking": (
        "records.jsonl",
        lines(*[ARGILLA_1] * 3),
        Shape.PREFERENCE,
        {"prompt": [user("Why?")], "chosen": [assistant("Rayleigh.")], "rejected": [assistant("Because.")]},
    ),
    "argilla_flat": (
        "records.jsonl",
        lines(*[ARGILLA_FLAT] * 3),
        Shape.UNPAIRED_PREFERENCE,
        {"prompt": [user("Why?")], "completion": [assistant("Because.")], "label": False},
    ),
    "gsm8k": (
        "train.jsonl",
        lines(*[{"question": "How much?", "answer": "500 + 734 = 1,234\n#### 1,234"}] * 3),
        Shape.PROMPT_COMPLETION,
        {"prompt": [user("How much?")], "completion": [assistant("500 + 734 = 1,234\n#### 1,234")]},
    ),
    "pandas": (
        "frame.json",
        json.dumps({"question": {"0": "Why?", "1": "Why?", "2": "Why?"}, "answer": dict.fromkeys("012", "Because.")}),
        Shape.PROMPT_COMPLETION,
        {"prompt": [user("Why?")], "completion": [assistant("Because.")]},
    ),
    "nested": (
        "nested.jsonl",
        lines(*[{"id": 1, "data": {"question": "Why?", "answer": "Because."}}] * 3),
        Shape.PROMPT_COMPLETION,
        {"prompt": [user("Why?")], "completion": [assistant("Because.")]},
    ),
    "wrapped_twice": (
        "export.json",
        json.dumps({"status": 200, "data": {"total": 3, "items": [{"prompt": "Why?", "completion": "Because."}] * 3}}),
        Shape.PROMPT_COMPLETION,
        {"prompt": [user("Why?")], "completion": [assistant("Because.")]},
    ),
    "excel": (
        "excel.csv",
        "\ufeffsep=;\r\nprompt;completion;;\r\n" + '"Why;\r\nreally?";\'=1+1;;\r\n' * 3,
        Shape.PROMPT_COMPLETION,
        {"prompt": [user("Why;\r\nreally?")], "completion": [assistant("=1+1")]},
    ),
    "text": (
        "tale.txt",
        "Once upon\na time, there was.\n\n" * 3,
        Shape.TEXT,
        {"text": "Once upon\na time, there was."},
    ),
    "markdown": ("notes.md", "[link](x) first\n\n" * 3, Shape.TEXT, {"text": "[link](x) first"}),
}  # fmt: skip


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


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
        assert "cut off" in str(error) or "missing there" in str(error)
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
    (ALPACA, {**ALPACA, "output": {"a": 1}}, "turn 1 of 'output' has the unknown role 'None'"),
    (ALPACA, {"instruction": "Add"}, "it has no 'output'"),
    (SHAREGPT, {"conversations": SHAREGPT["conversations"][:1]}, "has no turn of the assistant"),
    (SHAREGPT, {"conversations": [{"from": "cat", "value": "Miau"}]}, "has the unknown role 'cat'"),
    (MESSAGES, {"messages": [user("x"), assistant("")]}, "the answer in 'messages' is empty (turn 2)"),
    (MESSAGES, {"messages": [{"role": "user", "content": [IMAGE]}]}, "turn 1 of 'messages' holds only an image"),
    (MESSAGES, {"messages": [{"role": "user", "content": [{"type": "file"}]}]}, "holds file; only text"),
    (OPENAI_PREFERENCE, {**OPENAI_PREFERENCE, "input": {"messages": []}}, "prompt in 'input.messages' is empty"),
    (OPENAI_PREFERENCE, {**OPENAI_PREFERENCE, "input": {"tools": []}}, "it has no 'input.messages'"),
    (OPENAI_PREFERENCE, {**OPENAI_PREFERENCE, "preferred_output": []}, "answer in 'preferred_output' is empty"),
    (HH, {**HH, "rejected": "\n\nHuman: Else?\n\nAssistant: No."}, "'chosen' and 'rejected' share no prompt"),
    (HH, {**HH, "rejected": HH["chosen"]}, "'chosen' and 'rejected' are the same"),
    (STEPS, {**STEPS, "labels": [True]}, "'completions' has 2 steps, 'labels' has 1 labels"),
    (STEPS, {**STEPS, "labels": [True, "perhaps"]}, "'labels' is 'perhaps', neither true nor false"),
    (STEPS, {**STEPS, "completions": ["a", " "]}, "the answer in 'completions' is empty (turn 2)"),
    (STEPS, {**STEPS, "completions": [], "labels": []}, "'completions' has no steps"),
    (STEPS, {**STEPS, "completions": "a"}, "'completions' is a str, not a list"),
    (LABEL_STUDIO_PAIR, {**LABEL_STUDIO_PAIR, "annotations": []}, "nobody has answered it"),
    (LABEL_STUDIO_PAIR, {**LABEL_STUDIO_PAIR, "data": {"prompt": "x"}}, "it has no 'chosen'"),
    (LABEL_STUDIO_PAIR, ALPACA, "it is not written as Label Studio writes its records"),
    (ARGILLA, {**ARGILLA, "responses": {}, "suggestions": {}}, "it has no 'quality'"),
    (ARGILLA, {**ARGILLA, "responses": {"quality": [{"value": "good"}]}}, "'quality' is 'good', neither"),
    (ARGILLA_FLAT, {**ARGILLA_FLAT, "label.responses": ["maybe"]}, "'label' is 'maybe', neither true nor false"),
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
    assert (seen.good, seen.reasons[0]["reason"]) == (2, "neither answer was preferred (pref: tie)")
    assert list(seen.notes.kinds) == ["label_studio"]


def test_openai_tools_inside_of_the_input_are_kept(studio: Studio, written: Any) -> None:
    dataset = store.import_file(studio, written("a.jsonl", lines(OPENAI_PREFERENCE))).dataset
    [record] = store.records(studio, dataset)
    assert '"name": "weather"' in record["prompt"][0]["content"] and record["prompt"][1] == user("Hi")


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


def test_weights_of_turns_are_said(studio: Studio, written: Any) -> None:
    row = {
        "messages": [user("a"), {**assistant("b"), "weight": 0}, user("c"), {**assistant("d"), "weight": 1}]
    }
    assert store.inspect_file(studio, written("a.jsonl", lines(row))).notes.kinds == {"weight": {"n": 1}}


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


@pytest.mark.parametrize("part", ["reference", "answer"])
def test_a_reference_answer_stays_beside_a_prompt(studio: Studio, written: Any, part: str) -> None:
    path = written("a.jsonl", WILD["gsm8k"][1].replace('"answer"', f'"{part}"'))
    mapping = Mapping(shape=Shape.PROMPT_ONLY, columns={"prompt": "question"}, keep=[part])
    dataset = store.import_file(studio, path, mapping=mapping).dataset
    assert store.records(studio, dataset)[0] == {
        "prompt": [user("How much?")],
        part: "500 + 734 = 1,234\n#### 1,234",
    }


class TestMapping:
    ROWS = lines(
        {"Question text": "Why?", "context": "Sky.", "reply": "Rayleigh.", "n": 1},
        {"Question text": "How?", "context": None, "reply": "So.", "n": 2},
        {"Question text": "", "context": "", "reply": "Empty.", "n": 3},
    )

    def mapping(self, **changes: Any) -> Mapping:
        return Mapping(
            shape=Shape.PROMPT_COMPLETION,
            columns={"completion": "reply"},
            templates={
                "prompt": "{{Question text}}\n\n{{ context }}",
                "system": "You are {{name}}, no. {{n}}.",
            },
            fill={"name": "Ada"},
            **changes,
        )

    def test_templates_over_columns(self, studio: Studio, written: Any) -> None:
        mapping = self.mapping()
        assert mapping.missing() == []
        assert mapping.used() == ["reply", "Question text", "context", "n"]
        seen = store.inspect_file(studio, written("a.jsonl", self.ROWS), mapping=mapping)
        assert [record["prompt"] for record in seen.sample_records] == [
            [{"role": "system", "content": "You are Ada, no. 1."}, user("Why?\n\nSky.")],
            [{"role": "system", "content": "You are Ada, no. 2."}, user("How?\n\n")],
        ]
        assert seen.reasons[0]["reason"] == "the prompt in 'prompt' is empty"

    def test_a_name_that_is_no_column_is_refused(self, studio: Studio, written: Any) -> None:
        mapping = self.mapping()
        mapping.templates["prompt"] = "{{Qestion}}"
        with pytest.raises(
            BadInput, match=r"The template for prompt names 'Qestion', .* Question text, context"
        ):
            store.inspect_file(studio, written("a.jsonl", self.ROWS), mapping=mapping)

    def test_what_a_row_holds_is_never_a_template(self, studio: Studio, written: Any) -> None:
        row = {"q": "{{a}} {{secret}}", "a": "x", "secret": "y"}
        mapping = Mapping(shape=Shape.TEXT, templates={"text": "{{q}} {{a}}"})
        dataset = store.import_file(studio, written("a.jsonl", lines(row)), mapping=mapping).dataset
        assert store.records(studio, dataset) == [{"text": "{{a}} {{secret}} x"}]

    def test_ratings_are_labels_from_a_threshold_on(self, studio: Studio, written: Any) -> None:
        rows = [{"prompt": "q", "answer": "a", "stars": stars} for stars in ("1", 3, 4.5, "none")]
        mapping = Mapping(
            shape=Shape.UNPAIRED_PREFERENCE,
            columns={"prompt": "prompt", "completion": "answer", "label": "stars"},
            good_from=3,
        )
        seen = store.inspect_file(studio, written("a.jsonl", lines(*rows)), mapping=mapping)
        assert [record["label"] for record in seen.sample_records] == [False, True, True]
        assert "is 'none', neither true nor false" in seen.reasons[0]["reason"]

    @pytest.mark.parametrize(("split", "count"), [(None, 2), ("paragraph", 2), ("line", 3), ("file", 1)])
    def test_what_one_record_of_a_text_is(self, studio: Studio, written: Any, split: Any, count: int) -> None:
        path = written("a.txt", "One\nhalf.\n \n\nTwo.\n")
        mapping = Mapping(shape=Shape.TEXT, columns={"text": "text"}, split=split)
        dataset = store.import_file(studio, path, mapping=mapping).dataset
        assert dataset.rows == count
        assert store.records(studio, dataset)[0]["text"] == {
            1: "One\nhalf.\n \n\nTwo.", 2: "One\nhalf.", 3: "One"}[count]  # fmt: skip

    def test_a_text_without_blank_lines_is_read_by_line(self, studio: Studio, written: Any) -> None:
        assert store.inspect_file(studio, written("a.txt", "One, two.\nThree.\nFour, five, six.\n")).good == 3
