"""How records with more than role and content are stored, and read again by all that reads records."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio_core.browse import duck
from studio_core.browse.browse_file import File
from studio_core.data import parquet
from studio_core.data.shapes import Record, Shape, calls_of, tools_of
from studio_core.reports.batch import batches

TOOLS = '[{"name": "weather", "parameters": {"type": "object"}}]'
PLAIN: Record = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
RICH: Record = {
    "messages": [
        {"role": "user", "content": "Bern?", "name": "Ada"},
        {"role": "assistant", "content": "old", "train": False},
        {"role": "user", "content": "And now?"},
        {
            "role": "assistant",
            "content": "",
            "reasoning": "I look it up.",
            "tool_calls": '[{"name": "weather", "arguments": {"city": "Bern"}, "id": "c1"}]',
        },
        {"role": "tool", "content": "7", "name": "weather", "tool_call_id": "c1"},
        {"role": "assistant", "content": "7 degrees"},
    ],
    "tools": TOOLS,
}


def written(path: Path, records: list[Record], shape: Shape = Shape.CHAT, keep: tuple[str, ...] = ()) -> str:
    with open(path, "w+b") as file:
        return parquet.write(file, shape, records, keep)


@pytest.mark.parametrize("first", [0, 1, parquet.ROW_GROUP + 7, 2 * parquet.ROW_GROUP])
def test_what_a_late_record_brings_is_stored_and_others_stay_without_it(tmp_path: Path, first: int) -> None:
    path = tmp_path / "one.parquet"
    records = [*[PLAIN] * first, RICH, PLAIN]
    written(path, records)
    assert list(parquet.read(path)) == records
    assert list(parquet.read(path, offset=first, limit=1)) == [RICH]
    assert [record for batch in batches(path, Shape.CHAT) for record in batch.records] == records
    file = File(duck.connect(tmp_path), path)
    assert file.records([first + 1, first + 2]) == [RICH, PLAIN]


def test_a_file_has_only_the_keys_that_some_record_has(tmp_path: Path) -> None:
    path = tmp_path / "one.parquet"
    written(path, [PLAIN])
    messages = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    assert pq.read_schema(path) == pa.schema([("messages", messages)])
    written(path, [PLAIN, {"messages": [*PLAIN["messages"][:1], {**PLAIN["messages"][1], "train": False}]}])
    assert [field.name for field in pq.read_schema(path).field("messages").type.value_type] == [
        "role",
        "content",
        "train",
    ]


def test_the_hash_of_plain_records_is_what_it_was(tmp_path: Path) -> None:
    content = b"chat\n" + json.dumps(PLAIN, separators=(",", ":")).encode() + b","
    assert written(tmp_path / "one.parquet", [PLAIN]) == hashlib.sha256(content).hexdigest()
    assert written(tmp_path / "two.parquet", [RICH]) != written(tmp_path / "three.parquet", [PLAIN])


def test_calls_and_definitions_are_structure(tmp_path: Path) -> None:
    assert tools_of(RICH) == [{"name": "weather", "parameters": {"type": "object"}}]
    assert calls_of(RICH["messages"][3]) == [{"name": "weather", "arguments": {"city": "Bern"}, "id": "c1"}]
    assert tools_of(PLAIN) == calls_of(PLAIN["messages"][1]) == []


def test_further_columns_keep_their_nulls(tmp_path: Path) -> None:
    path = tmp_path / "one.parquet"
    records: list[Record] = [
        {"prompt": PLAIN["messages"][:1], "answer": None, "tools": TOOLS},
        {"prompt": RICH["messages"][:1], "answer": "4"},
    ]
    written(path, records, Shape.PROMPT_ONLY, ("answer",))
    assert list(parquet.read(path)) == records


def test_a_file_that_another_program_wrote_gives_no_nulls(tmp_path: Path) -> None:
    path = tmp_path / "one.parquet"
    pq.write_table(pa.Table.from_pylist([RICH, PLAIN]), path)
    assert list(parquet.read(path)) == [RICH, PLAIN]
