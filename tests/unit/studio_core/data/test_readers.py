"""Files as rows: every format, every encoding, and every way in which a file can be broken."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio_core.data import jsonstream, readers
from studio_core.data.turns import Rejected
from studio_core.errors import BadInput

RECORDS = [{"prompt": "你好, “Ana”", "completion": "1,234"}, {"prompt": "a\nb", "completion": "=1"}]
LINES = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in RECORDS)


def table(delimiter: str) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["prompt", "completion"], delimiter=delimiter)
    writer.writeheader()
    writer.writerows(RECORDS)
    return text.getvalue()


def parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(RECORDS), file)
    return file.getvalue()


FILES = {
    "a.jsonl": LINES.encode(),
    "a.json": json.dumps(RECORDS, ensure_ascii=False, indent=1).encode(),
    "wrapped.json": json.dumps({"version": 2, "data": RECORDS, "by": "x"}, indent=1).encode(),
    "one_line.json": json.dumps({"data": RECORDS}).encode(),
    "stream.json": "\n".join(json.dumps(record, indent=2) for record in RECORDS).encode(),
    "a.csv": table(",").encode(),
    "semicolon.csv": table(";").encode(),
    "a.tsv": table("\t").encode(),
    "a.parquet": parquet(),
}


def read(path: Path, **options: Any) -> list[tuple[int, Any]]:
    return list(readers.rows(readers.recognise(path, **options)))


def rows(path: Path) -> list[Any]:
    return [row for _, row in read(path)]


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize("name", FILES)
def test_each_format_gives_the_same_rows(written: Any, name: str) -> None:
    assert read(written(name, FILES[name])) == [(1, RECORDS[0]), (2, RECORDS[1])]


@pytest.mark.parametrize("name", FILES)
def test_each_format_gzipped(written: Any, name: str) -> None:
    assert rows(written(f"{name}.gz", gzip.compress(FILES[name]))) == RECORDS


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.parquet"])
def test_content_counts_more_than_the_name(written: Any, name: str) -> None:
    assert rows(written("upload.bin", FILES[name])) == RECORDS


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.tsv"])
def test_unicode_with_a_byte_order_mark(written: Any, name: str, encoding: str) -> None:
    path = written(name, FILES[name].decode().encode(encoding))
    assert readers.recognise(path).encoding == encoding
    assert rows(path) == RECORDS


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
@pytest.mark.parametrize(
    ("encoding", "text", "likely"),
    [
        ("gb18030", "你好，世界。今天天气很好，我们去公园散步吧。", "GB18030"),
        ("windows-1252", "déjà vu, señor, naïve café, Größe", "WINDOWS-1252"),
        ("windows-1251", "Привет, как дела? Всё хорошо", "WINDOWS-1251"),
    ],
)
def test_other_encodings_are_named_with_the_place(
    written: Any, name: str, encoding: str, text: str, likely: str
) -> None:
    content = {
        "a.jsonl": json.dumps({"text": "first"}) + "\n" + json.dumps({"text": text}, ensure_ascii=False),
        "a.json": json.dumps([{"text": "first"}, {"text": text}], ensure_ascii=False),
        "a.csv": f'text,more\nfirst,x\n"{text}",y\n',
    }[name].encode(encoding)
    position = next(place for place, byte in enumerate(content) if byte > 127)
    with pytest.raises(BadInput) as raised:
        read(written(name, content))
    assert f"{name} is not UTF-8: byte {position} does not fit. It is probably {likely}." in str(raised.value)


def test_utf_16_without_a_mark_is_named(written: Any) -> None:
    with pytest.raises(BadInput, match=r"not UTF-8: byte 1 .* probably UTF-16LE"):
        read(written("a.jsonl", LINES.encode("utf-16-le")))


@pytest.mark.parametrize("content", ["", "  \n\n", b"\xef\xbb\xbf"])
def test_empty(written: Any, content: Any) -> None:
    path = written("a.jsonl", content)
    if content == b"\xef\xbb\xbf":
        assert rows(path) == []
        return
    with pytest.raises(BadInput, match=r"a\.jsonl is empty\. Choose a file"):
        read(path)


def test_an_empty_gzip(written: Any) -> None:
    with pytest.raises(BadInput, match="is empty"):
        read(written("a.jsonl.gz", gzip.compress(b"")))


@pytest.mark.parametrize(
    ("start", "kind"), [(b"PK\x03\x04rest", "ZIP / XLSX"), (b"%PDF-1.7", "PDF"), (b"BZh9", "bzip2")]
)
def test_archives_are_named(written: Any, start: bytes, kind: str) -> None:
    with pytest.raises(BadInput, match=f"is a {kind} file"):
        read(written("a.csv", start))


def test_pictures_are_not_text(written: Any) -> None:
    with pytest.raises(BadInput, match="not a text file: byte 8 is zero"):
        read(written("a.csv", b"\x89PNG\r\n\x1a\n\x00\x00\x01" + b"x" * 99))


def test_prose_is_no_table(written: Any) -> None:
    with pytest.raises(BadInput, match="neither JSONL, JSON, CSV"):
        read(written("story", "Once upon a time"))


class TestJsonLines:
    def test_a_broken_line_in_the_middle_is_one_bad_row(self, written: Any) -> None:
        path = written("a.jsonl", '{"text": "a"}\n{"text": "b"\n\n{"text": "c"}\n')
        first, broken, last = read(path)
        assert (first, last) == ((1, {"text": "a"}), (4, {"text": "c"}))
        assert broken[0] == 2
        assert (broken[1].code, broken[1].values["reason"]) == ("json", "Expecting ',' delimiter")

    def test_a_broken_first_line(self, written: Any) -> None:
        numbers = [
            (n, isinstance(row, Rejected)) for n, row in read(written("a.jsonl", '{"a": }\n{"a": 1}\n'))
        ]
        assert numbers == [(1, True), (2, False)]

    @pytest.mark.parametrize("end", ['{"text": "b', '{"text": "你'.encode()[:-1]])
    def test_a_torn_last_line_says_so(self, written: Any, end: Any) -> None:
        content = b'{"text": "a"}\n' + (end if isinstance(end, bytes) else end.encode())
        good, torn = read(written("a.jsonl", content))
        assert good == (1, {"text": "a"})
        assert torn[0] == 2 and torn[1].code == "line_torn"

    def test_what_is_no_standard_json_is_refused(self, written: Any) -> None:
        content = '{"a": NaN}\n' + "[" * 100_000 + "\n" + '{"a": ' + "9" * 5000 + "}\n42\n"
        codes = [row.code for row in rows(written("a.jsonl", content))]
        assert codes == ["json", "json", "json", "not_object"]

    def test_bare_strings_and_bare_conversations_get_a_name(self, written: Any) -> None:
        content = '"a"\n[{"role": "user", "content": "b"}]\n'
        assert rows(written("a.jsonl", content)) == [
            {"text": "a"},
            {"messages": [{"role": "user", "content": "b"}]},
        ]

    def test_line_separators_of_unicode_do_not_end_a_line(self, written: Any) -> None:
        for encoding in ("utf-8", "utf-16"):
            path = written(f"{encoding}.jsonl", '{"text": "a\u2028b\x85c"}\n{"text": "d"}'.encode(encoding))
            assert rows(path) == [{"text": "a\u2028b\x85c"}, {"text": "d"}]

    def test_windows_line_ends(self, written: Any) -> None:
        assert rows(written("a.jsonl", LINES.replace("\n", "\r\n"))) == RECORDS


class TestJson:
    @pytest.mark.parametrize("keep", [0.2, 0.5, 0.9, 0.98])
    def test_cut_off(self, written: Any, keep: float) -> None:
        whole = json.dumps([{"text": f"row {n}", "n": n} for n in range(100)])
        with pytest.raises(BadInput, match=r"ends in the middle of row \d+: it was cut off") as raised:
            read(written("a.json", whole[: int(len(whole) * keep)]))
        assert abs(raised.value.values["row"] - 100 * keep) <= 2

    def test_broken_in_the_middle(self, written: Any) -> None:
        with pytest.raises(BadInput, match=r"no valid JSON in row 2, at character 24: Expecting"):
            read(written("a.json", '[{"text": "a"},{"text" "b"},{"text": "c"}]'))

    def test_a_comma_too_many(self, written: Any) -> None:
        with pytest.raises(BadInput, match="no valid JSON in row 2"):
            read(written("a.json", '[{"text": "a"},]'))

    def test_named_json_but_is_not(self, written: Any) -> None:
        with pytest.raises(BadInput, match="is named JSON but begins with 'hello'"):
            read(written("a.json", "hello"))

    def test_two_lists(self, written: Any) -> None:
        document = {"train": [{"text": "a"}], "test": [{"text": "b"}]}
        with pytest.raises(BadInput, match="more than one list of records; the second is 'test'"):
            read(written("a.json", json.dumps(document, indent=1)))

    def test_one_record_over_many_lines(self, written: Any) -> None:
        record = {"messages": [{"role": "user", "content": "a"}], "tags": ["x"]}
        assert rows(written("a.json", json.dumps(record, indent=2))) == [record]

    def test_records_across_the_blocks_that_are_read(self) -> None:
        records = [{"text": "x" * n, "n": n, "ok": True, "none": None, "é": "\u2603"} for n in range(60)]
        for text in (json.dumps(records), json.dumps({"list": records}, indent=1)):
            for size in (1, 7, 64):
                blocks = (text[start : start + size] for start in range(0, len(text), size))
                assert list(jsonstream.JsonStream(blocks, "a").records()) == records

    def test_a_quote_that_is_never_closed_does_not_fill_the_memory(
        self, written: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(jsonstream, "MAX_RECORD", 1 << 20)
        with pytest.raises(BadInput, match="record of more than 1 MB, row 2"):
            read(written("a.json", '[{"text": "a"}, {"text": "' + "x" * (3 << 20)))


class TestTables:
    def test_cells_missing_or_too_many(self, written: Any) -> None:
        first, second, third = read(written("a.csv", "a,b\n1,2\n3\n\n4,5,6\n"))
        assert first == (1, {"a": "1", "b": "2"})
        assert (second[0], second[1].values) == (2, {"cells": 1, "columns": 2})
        assert (third[0], third[1].values) == (3, {"cells": 3, "columns": 2})

    def test_a_quote_that_does_not_match_is_one_bad_row(self, written: Any) -> None:
        numbered = read(written("a.csv", 'a,b\n"x"y,1\n"z",2\n'))
        assert numbered[0][0] == 1 and numbered[0][1].code == "csv"
        assert numbered[1] == (2, {"a": "z", "b": "2"})

    def test_cut_off_inside_a_quote(self, written: Any) -> None:
        with pytest.raises(BadInput, match="ends inside a quote that opens in row 2, line 3"):
            read(written("a.csv", 'a,b\n1,2\n"three\nand,more'))

    @pytest.mark.parametrize("header", ["a,a", "a,", ",b"])
    def test_columns_without_a_name_of_their_own(self, written: Any, header: str) -> None:
        with pytest.raises(BadInput, match="must name each column once"):
            read(written("a.csv", f"{header}\n1,2\n"))

    def test_numbers_stay_as_they_are_written(self, written: Any) -> None:
        assert rows(written("a.csv", 'a,b\n"1,234",007\n')) == [{"a": "1,234", "b": "007"}]

    def test_a_long_cell(self, written: Any) -> None:
        long = "x" * 500_000
        assert rows(written("a.csv", f"a,b\n{long},1\n")) == [{"a": long, "b": "1"}]


class TestDamage:
    @pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
    def test_gzip_cut_off(self, written: Any, name: str) -> None:
        whole = gzip.compress(LINES.encode() * 200)
        with pytest.raises(BadInput, match="ends before its compressed data does: it was cut off"):
            read(written(f"{name}.gz", whole[: len(whole) // 2]))

    def test_gzip_damaged(self, written: Any) -> None:
        whole = bytearray(gzip.compress(LINES.encode() * 50))
        whole[-6] ^= 255
        with pytest.raises(BadInput, match="is damaged"):
            read(written("a.jsonl.gz", bytes(whole)))

    def test_gzip_that_unpacks_to_more_than_allowed(self, written: Any) -> None:
        path = written("a.jsonl.gz", gzip.compress(b'{"text": "aaaa"}\n' * 500_000))
        with pytest.raises(BadInput, match="unpacks to more than 2 MB"):
            read(path, limit=2 << 20)

    @pytest.mark.parametrize("packed", [False, True])
    def test_parquet_cut_off(self, written: Any, packed: bool) -> None:
        half = FILES["a.parquet"][: len(FILES["a.parquet"]) // 2]
        path = written("a.parquet", gzip.compress(half) if packed else half)
        with pytest.raises(BadInput, match="not a complete Parquet file"):
            read(path)
