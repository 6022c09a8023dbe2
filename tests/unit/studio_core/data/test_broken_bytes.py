"""Whatever bytes a file holds: rows, reasons or a refusal come of it, and what can be read is read exactly."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio_core.data import readers
from studio_core.data.cells import unescape_formula
from studio_core.data.columns import columns_of
from studio_core.data.guesses import guess
from studio_core.data.mapping import PARTS
from studio_core.data.shapes import Shape
from tests.faults.fuzz_readers import ENDINGS, TOKENS, check

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
cells = texts.map(lambda text: text.replace("\0", ""))  # Zero bytes make a file binary.
names = st.sampled_from(
    [
        "prompt",
        "completion",
        "messages",
        "role",
        "content",
        "from",
        "value",
        "data",
        "label",
        "fields",
        "input",
        "",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names | texts, inner, max_size=4),
    max_leaves=12,
)


def outcome(name: str, content: bytes) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return check(name, content, Path(folder))


def rows_of(name: str, content: bytes) -> list[Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return [row for _, row in readers.rows(readers.recognise(path))]


@QUICK
@given(st.binary(max_size=600), st.sampled_from(ENDINGS))
def test_any_bytes(content: bytes, ending: str) -> None:
    assert outcome(f"a.{ending}", content)


@QUICK
@given(
    st.lists(st.sampled_from([*TOKENS, b'"prompt"', b'"completion"', b"prompt,completion\n"]), max_size=40)
)
def test_any_signs_in_any_order(tokens: list[bytes]) -> None:
    for ending in ("jsonl", "json", "csv", "txt"):
        assert outcome(f"a.{ending}", b"".join(tokens))


@QUICK
@given(
    st.lists(values, min_size=1, max_size=4), st.sampled_from(["jsonl", "json"]), st.sampled_from([None, 1])
)
def test_any_json(documents: list[Any], ending: str, indent: int | None) -> None:
    text = "\n".join(json.dumps(value, indent=indent) for value in documents)
    assert outcome(f"a.{ending}", text.encode())


@QUICK
@given(
    st.lists(
        st.dictionaries(texts.filter(bool), texts | st.integers() | st.none(), min_size=1),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_json_lines_are_read_exactly(rows: list[dict[str, Any]], encoding: str) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    assert rows_of("a.jsonl", text.encode(encoding)) == rows
    assert rows_of("a.json", json.dumps(rows, ensure_ascii=False).encode(encoding)) == rows


@QUICK
@given(
    st.lists(st.tuples(cells, cells, cells).filter(lambda row: any(row)), min_size=1, max_size=5),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_tables_are_read_exactly(rows: list[tuple[str, str, str]], separator: str, encoding: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL)
    writer.writerows([("one", "two", "three"), *rows])
    ending = "tsv" if separator == "\t" else "csv"
    values = [[unescape_formula(cell) if cell else None for cell in cells] for cells in rows]
    expected = [dict(zip(("one", "two", "three"), cells, strict=True)) for cells in values]
    assert rows_of(f"a.{ending}", text.getvalue().encode(encoding)) == expected


@QUICK
@given(st.lists(st.dictionaries(names, values, max_size=5), min_size=1, max_size=4))
def test_a_guess_names_columns_and_parts_that_there_are(rows: list[dict[str, Any]]) -> None:
    columns = columns_of(rows)
    mapping = guess(columns, rows).mapping
    assert isinstance(mapping.shape, Shape)
    assert set(mapping.columns.values()) <= set(columns)
    assert set(mapping.columns) <= {part for parts in PARTS[mapping.shape] for part in parts}
