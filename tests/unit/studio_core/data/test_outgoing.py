"""Versions as files of other programs: layouts, cells that spreadsheets leave alone, cards, and what does not fit."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, DatasetReport
from studio_core.data import exports, outgoing, store, versions
from studio_core.data.exports.tools import without_ids
from studio_core.data.shapes import Shape
from studio_core.data.versions import Made


def turn(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


PAIR = {"prompt": [turn("user", "q")], "completion": [turn("assistant", "a")]}
LONG_PAIR = {
    "prompt": [turn("system", "s"), turn("user", "q1"), turn("assistant", "a1"), turn("user", "q2")],
    "completion": [turn("assistant", "a2")],
}
PREFERENCE = {
    "prompt": [turn("system", "s"), turn("user", "q, “q”")],
    "chosen": [turn("assistant", "=1+1")],
    "rejected": [turn("assistant", "no")],
}
UNPAIRED = {**PAIR, "label": False}
CHAT = {"messages": [turn("user", "q"), turn("assistant", "a\nb")]}
PROMPT = {"prompt": [turn("user", "q")], "level": "3", "note": None, "empty": ""}
STEPWISE = {"prompt": "q", "completions": ["one", "two"], "labels": [True, False]}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
TOOLS = {
    "tools": [TOOL],
    "messages": [
        turn("system", "Be exact."),
        turn("user", "1+1?"),
        {
            "role": "assistant",
            "content": "I add.",
            "tool_calls": [
                {"id": "x", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "x", "content": "2"},
        turn("assistant", "2"),
    ],
}
TOOL_UNASKED = {
    "messages": [turn("user", "q"), turn("assistant", "a"), turn("tool", "t"), turn("assistant", "b")]
}


def imported(studio: Studio, tmp_path: Path, *rows: Any, name: str = "a") -> Dataset:
    file = tmp_path / f"{name}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return store.import_file(studio, file).dataset


def written(studio: Studio, dataset: Dataset, layout: str, target: Path) -> list[Any]:
    outgoing.export(studio, dataset, target, "jsonl", layout=layout)
    return [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("record", [{"text": "t"}, PAIR, CHAT, PREFERENCE, UNPAIRED, PROMPT, STEPWISE, TOOLS])
@pytest.mark.parametrize("format", exports.FORMATS)
def test_exports_can_be_imported_again(studio: Studio, tmp_path: Path, record: Any, format: str) -> None:
    dataset = imported(studio, tmp_path, record)
    target = outgoing.export(studio, dataset, tmp_path / f"out.{format}", format).file
    again = store.import_file(studio, target, name="a")
    assert not again.new and again.dataset.id == dataset.id
    assert list(tmp_path.glob(".*.partial")) == []


@pytest.mark.parametrize(
    ("layout", "record", "row"),
    [
        ("trl-text", PAIR, {"prompt": "q", "completion": "a"}),
        ("trl-text", CHAT, {"prompt": "q", "completion": "a\nb"}),
        ("trl-text", UNPAIRED, {"prompt": "q", "completion": "a", "label": False}),
        ("trl-text", PROMPT, {"prompt": "q", "level": "3", "note": None, "empty": ""}),
        ("trl-text", STEPWISE, STEPWISE),
        ("openai", PAIR, {"messages": [*PAIR["prompt"], *PAIR["completion"]]}),
        (
            "openai",
            PREFERENCE,
            {
                "input": {"messages": PREFERENCE["prompt"], "tools": [], "parallel_tool_calls": True},
                "preferred_output": PREFERENCE["chosen"],
                "non_preferred_output": PREFERENCE["rejected"],
            },
        ),
        (
            "alpaca",
            LONG_PAIR,
            {"instruction": "q2", "input": "", "output": "a2", "history": [["q1", "a1"]], "system": "s"},
        ),
        (
            "alpaca",
            PREFERENCE,
            {
                "instruction": "q, “q”",
                "input": "",
                "chosen": "=1+1",
                "rejected": "no",
                "history": [],
                "system": "s",
            },
        ),
        (
            "alpaca",
            UNPAIRED,
            {"instruction": "q", "input": "", "output": "a", "history": [], "system": "", "kto_tag": False},
        ),
        (
            "sharegpt",
            LONG_PAIR,
            {
                "conversations": [
                    {"from": "human", "value": "q1"},
                    {"from": "gpt", "value": "a1"},
                    {"from": "human", "value": "q2"},
                    {"from": "gpt", "value": "a2"},
                ],
                "system": "s",
                "tools": "",
            },
        ),
        (
            "sharegpt",
            PREFERENCE,
            {
                "conversations": [{"from": "human", "value": "q, “q”"}],
                "chosen": {"from": "gpt", "value": "=1+1"},
                "rejected": {"from": "gpt", "value": "no"},
                "system": "s",
                "tools": "",
            },
        ),
    ],
)
def test_rows_in_the_layouts_of_others(
    studio: Studio, tmp_path: Path, layout: str, record: Any, row: Any
) -> None:
    assert written(studio, imported(studio, tmp_path, record), layout, tmp_path / "out.jsonl") == [row]


def test_tools_are_openais_again(studio: Studio, tmp_path: Path) -> None:
    [row] = written(studio, imported(studio, tmp_path, TOOLS), "openai", tmp_path / "out.jsonl")
    assert row["tools"] == [TOOL]
    assert row["messages"][0] == turn("system", "Be exact.")
    called = row["messages"][2]
    assert called["content"] == "I add."
    assert called["tool_calls"] == [
        {"id": "x", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    ]
    assert row["messages"][3] == {"role": "tool", "tool_call_id": "x", "content": "2"}


def test_a_sharegpt_call_has_its_own_role(studio: Studio, tmp_path: Path) -> None:
    call = '{"name": "add", "arguments": {}}'
    record = {
        "conversations": [
            {"from": "human", "value": "q"},
            {"from": "function_call", "value": call},
            {"from": "observation", "value": "2"},
            {"from": "gpt", "value": "a"},
        ],
        "tools": json.dumps([TOOL]),
    }
    [row] = written(studio, imported(studio, tmp_path, record), "sharegpt", tmp_path / "out.jsonl")
    assert row == {**record, "system": ""}


def test_calls_are_turns_of_their_own_in_ms_swift(studio: Studio, tmp_path: Path) -> None:
    [row] = written(studio, imported(studio, tmp_path, TOOLS), "ms-swift", tmp_path / "out.jsonl")
    assert row == {
        "messages": [
            turn("system", "Be exact."),
            turn("user", "1+1?"),
            turn("assistant", "I add."),
            turn("tool_call", '{"name": "add", "arguments": {"a": 1}}'),
            turn("tool_response", "2"),
            turn("assistant", "2"),
        ],
        "tools": json.dumps([TOOL]),
    }


RICH = {
    "messages": [
        turn("user", "q"),
        {**turn("assistant", "a"), "weight": 0},
        turn("user", "r"),
        {**turn("assistant", "b"), "reasoning_content": "hm"},
    ]
}


@pytest.mark.parametrize(
    ("layout", "messages"),
    [
        ("trl", [RICH["messages"][0], {**turn("assistant", "a"), "train": False}, *RICH["messages"][2:]]),
        ("openai", RICH["messages"]),
        (
            "ms-swift",
            [
                RICH["messages"][0],
                {**turn("assistant", "a"), "loss": False},
                RICH["messages"][2],
                turn("assistant", "<think>\nhm\n</think>\n\nb"),
            ],
        ),
    ],
)
def test_reasoning_and_weights_are_written_as_the_layout_has_them(
    studio: Studio, tmp_path: Path, layout: str, messages: Any
) -> None:
    assert written(studio, imported(studio, tmp_path, RICH), layout, tmp_path / "a.out") == [
        {"messages": messages}
    ]


def test_what_is_not_to_be_learnt_does_not_fit_where_it_cannot_be_said(
    studio: Studio, tmp_path: Path
) -> None:
    fit = outgoing.look(studio, imported(studio, tmp_path, RICH), "jsonl", "sharegpt")
    assert list(fit.left_out) == ["not_learnt"]


def test_parquet_gives_no_call_the_arguments_of_another(studio: Studio, tmp_path: Path) -> None:
    other = json.loads(json.dumps(TOOLS).replace('{\\"a\\": 1}', '{\\"b\\": 2}'))
    dataset = imported(studio, tmp_path, TOOLS, other)
    target = tmp_path / "out.parquet"
    outgoing.export(studio, dataset, target, "parquet")
    again = store.import_file(studio, target, name="again").dataset
    assert again.sha256 == dataset.sha256
    calls = [json.loads(record["messages"][2]["tool_calls"]) for record in store.records(studio, again)]
    assert [call[0]["arguments"] for call in calls] == [{"a": 1}, {"b": 2}]
    # As other programs write them: arguments as objects, which a column gives the keys of all others.
    pq.write_table(
        pa.Table.from_pylist([_with_objects(TOOLS), _with_objects(other)]), tmp_path / "theirs.parquet"
    )
    theirs = store.import_file(studio, tmp_path / "theirs.parquet").dataset
    assert theirs.sha256 == dataset.sha256


def _with_objects(row: Any) -> Any:
    row = json.loads(json.dumps(row))
    for message in row["messages"]:
        for call in message.get("tool_calls", []):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return row


@pytest.mark.parametrize("layout", ["trl", "openai", "sharegpt", "ms-swift"])
def test_tools_come_back_as_they_were(studio: Studio, tmp_path: Path, layout: str) -> None:
    record = json.loads(json.dumps(TOOLS))
    record["messages"][2]["content"] = None if layout == "sharegpt" else "I add."
    dataset = imported(studio, tmp_path, record)
    target = tmp_path / "out.jsonl"
    done = outgoing.export(studio, dataset, target, "jsonl", layout=layout)
    assert not done.fit.lost and not outgoing.look(studio, dataset, "jsonl", layout).changed.n
    [again] = store.records(studio, store.import_file(studio, target, name="again").dataset)
    [stored] = store.records(studio, dataset)
    if layout in ("sharegpt", "ms-swift"):
        stored = {**stored, "messages": without_ids(stored["messages"])}
    assert again == stored


def test_what_does_not_fit_is_said_and_nothing_is_written(studio: Studio, tmp_path: Path) -> None:
    dataset = imported(studio, tmp_path, PAIR, LONG_PAIR, PAIR, LONG_PAIR)
    target = tmp_path / "out.jsonl"
    fit = outgoing.look(studio, dataset, "jsonl", "trl-text")
    assert (fit.rows, fit.lost, fit.left_out["system"].rows) == (2, 2, [2, 4])
    sentence = (
        r"2 of 4 records do not fit the layout trl-text as jsonl: 2: system prompt "
        r"\(row 2, 4\)\. Nothing was written\."
    )
    with pytest.raises(exports.LeftOut, match=sentence) as raised:
        outgoing.export(studio, dataset, target, "jsonl", layout="trl-text")
    assert "有系统提示" in raised.value.sentence("zh-CN")
    assert not target.exists()
    done = outgoing.export(studio, dataset, target, "jsonl", layout="trl-text", skip=True)
    assert done.fit.lost == 2 and len(target.read_text().splitlines()) == 2
    with pytest.raises(exports.LeftOut, match="None of the 1 records fits"):
        alone = imported(studio, tmp_path, TOOL_UNASKED, name="b")
        outgoing.export(studio, alone, target, "jsonl", layout="openai", skip=True)


def test_what_changes_on_the_way_back_is_said(studio: Studio, tmp_path: Path) -> None:
    looks_like_turns = {"prompt": [turn("user", '[{"role": "user", "content": "x"}]')], **_answer("a")}
    thought = {**PAIR, "completion": [{**turn("assistant", "a"), "reasoning": "hm"}]}
    dataset = imported(studio, tmp_path, looks_like_turns, thought)
    assert outgoing.look(studio, dataset, "jsonl", "trl").changed.n == 0
    fit = outgoing.look(studio, dataset, "jsonl", "trl-text")
    assert fit.lost == 0 and fit.changed.rows == [2]
    assert any(
        "1 record (row 2) changes slightly when imported again" in sentence
        for sentence in exports.describe_fit(fit)
    )
    with_answer = imported(studio, tmp_path, {"prompt": PAIR["prompt"], "level": "1"}, name="b")
    assert outgoing.look(studio, with_answer, "csv").recognised
    with_answer = imported(studio, tmp_path, {"prompt": PAIR["prompt"], "answer": "1"}, name="c")
    assert outgoing.look(studio, with_answer, "jsonl").recognised
    fit = outgoing.look(studio, with_answer, "csv")
    assert not fit.recognised and fit.mapping["shape"] == "prompt-only"


def _answer(text: str) -> dict[str, Any]:
    return {"completion": [turn("assistant", text)]}


def test_layouts_and_formats_that_there_are_not(studio: Studio, tmp_path: Path) -> None:
    dataset = imported(studio, tmp_path, {"text": "t"})
    for layout, format, sentence in (
        ("trl", "xlsx", r"'xlsx' is not an export format\. Choose one of: jsonl, json, csv, parquet\."),
        (
            "x",
            "jsonl",
            r"There is no layout 'x'\. Choose one of: trl, trl-text, openai, alpaca, sharegpt, ms-swift\.",
        ),
        ("openai", "jsonl", r"does not support text records\. Choose one of: trl, trl-text\."),
    ):
        with pytest.raises(BadInput, match=sentence):
            outgoing.export(studio, dataset, tmp_path / "a", format, layout=layout)
    with pytest.raises(BadInput, match="could not be written: No such file or directory"):
        outgoing.export(studio, dataset, tmp_path / "none" / "a.csv", "csv")
    chats = imported(studio, tmp_path, CHAT, name="b")
    with pytest.raises(BadInput, match=r"openai cannot be exported as csv\. Choose one of: jsonl, json\."):
        outgoing.export(studio, chats, tmp_path / "a", "csv", layout="openai")
    named = imported(studio, tmp_path, {"prompt": PAIR["prompt"], " x": "1"}, name="c")
    with pytest.raises(BadInput, match="does not allow a column ' x' in csv files"):
        outgoing.export(studio, named, tmp_path / "a", "csv")


@pytest.mark.parametrize(
    ("cell", "cell_written"),
    [
        ("=1+1", "'=1+1"),
        ("@x", "'@x"),
        ("-cmd", "'-cmd"),
        ("+1 a", "'+1 a"),
        (" =1", "' =1"),
        ("＝1", "'＝1"),
        ("\n=1", "'\n=1"),
        ("'=1", "''=1"),
        ("-5", "-5"),
        ("+1,234", "+1,234"),
        ("'tis", "'tis"),
    ],
)
def test_spreadsheets_run_no_formula_of_the_data(
    studio: Studio, tmp_path: Path, cell: str, cell_written: str
) -> None:
    dataset = imported(studio, tmp_path, {"text": cell})
    file = outgoing.export(studio, dataset, tmp_path / "a.csv", "csv").file
    with open(file, encoding="utf-8-sig", newline="") as lines:
        assert list(csv.reader(lines)) == [["text"], [cell_written]]
    assert store.import_file(studio, file, name="a").dataset.id == dataset.id


def test_a_zip_of_file_and_card_is_the_same_each_time(studio: Studio, tmp_path: Path) -> None:
    parent = imported(studio, tmp_path, PAIR, LONG_PAIR)
    stored = versions.parquet_path(studio, parent)
    partial = tmp_path / "partial"
    partial.write_bytes(stored.read_bytes())
    dataset, _ = versions.add(
        studio,
        partial,
        Made(
            name="a|<b>`c",
            shape=Shape.PROMPT_COMPLETION,
            rows=2,
            sha256=parent.sha256,
            source="",
            operation="filter",
            parents=[parent.id],
            made={"options": {"pattern": "|`<script>"}, "counts": {"left_out": 3}},
        ),
    )
    with studio.db.write() as session:
        body = {"verdicts": {"good": 2}, "findings": [{"name": "near_duplicate", "rows": 1}]}
        session.add(DatasetReport(dataset_id=dataset.id, tokenizer="", body=body))
    first, second = (
        outgoing.export(studio, dataset, tmp_path / name, "jsonl", layout="alpaca", card=True).file
        for name in ("1.zip", "2.zip")
    )
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        data, readme = archive.namelist()
        card = archive.read(readme).decode()
        assert len(archive.read(data).splitlines()) == 2
    assert readme == "README.md" and data.endswith("-alpaca.jsonl")
    for part in (dataset.sha256, "alpaca (Alpaca)", "near_duplicate", "`a@1`, 2 records: imported from `a.jsonl`",
                 "`filter`", "left_out", "## Licence", f'data_files="{data}"', "`instruction`"):  # fmt: skip
        assert part in card, part
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".export")]
    assert store.import_file(studio, first, name="a").dataset.id == parent.id


def test_a_card_and_its_file_are_loaded_by_the_library_it_names(studio: Studio, tmp_path: Path) -> None:
    dataset = imported(studio, tmp_path, LONG_PAIR)
    program = ["import os", "from datasets import load_dataset as load"]
    for format, layout in (("jsonl", "alpaca"), ("parquet", "trl"), ("csv", "trl")):
        folder = tmp_path / f"{format}-{layout}"
        folder.mkdir()
        file = outgoing.export(studio, dataset, folder / "a.zip", format, layout=layout, card=True).file
        with zipfile.ZipFile(file) as archive:
            archive.extractall(folder)
        file.unlink()
        code = (folder / "README.md").read_text().partition("```python\n")[2].partition("```")[0]
        program += [f"os.chdir({str(folder)!r})", code, "print(len(data))"]
        program += [f"print(len(load({str(folder)!r}, split='train')))"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(program)],
        env={"PATH": "", "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["1"] * 6, done.stderr[-500:]
