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

from studio_core.base.errors import BadInput
from studio_core.data import readers
from studio_core.data.reading import jsonstream
from studio_core.data.turns import Rejected, plain_text

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


FOREIGN = {
    "gb18030": "你好，世界。今天天气很好，我们去公园散步吧。",
    "big5": "請把下面的句子翻譯成英文：春天來了，花兒都開了。",
    "shift_jis": "東京は日本の首都です。次の文を英語に翻訳してください。",
    "euc_jp": "東京は日本の首都です。次の文を英語に翻訳してください。",
    "euc_kr": "서울은 대한민국의 수도입니다. 오늘 날씨가 좋습니다.",
    "windows-1251": "Привет, как дела? Всё хорошо — спасибо",
    "koi8-r": "Привет, как дела? Всё хорошо",
    "windows-1252": "déjà vu, señor, naïve café, Größe – it’s “fine” for 5 €",
    "windows-1250": "Zażółć gęślą jaźń, příliš žluťoučký kůň",
}


def as_files(text: str) -> dict[str, str]:
    return {
        "a.jsonl": json.dumps({"text": "first"}) + "\n" + json.dumps({"text": text}, ensure_ascii=False),
        "a.json": json.dumps([{"text": "first"}, {"text": text}], ensure_ascii=False),
        "a.csv": f'text\nfirst\n"{text}"\n',
    }


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
@pytest.mark.parametrize("encoding", [*FOREIGN, "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_other_encodings_are_found_and_read(written: Any, name: str, encoding: str) -> None:
    text = FOREIGN.get(encoding, FOREIGN["gb18030"])
    path = written(name, as_files(text)[name].encode(encoding))
    assert readers.recognise(path).encoding == encoding
    assert rows(path) == [{"text": "first"}, {"text": text}]


def test_an_encoding_is_told_by_what_stands_late_in_a_file(written: Any) -> None:
    text = '{"text": "plain"}\n' * 90_000 + '{"text": "Größe"}\n'
    path = written("a.jsonl", text.encode("windows-1252"))
    assert rows(path)[-1] == {"text": "Größe"}


@pytest.mark.parametrize(
    "content",
    [
        bytes(range(128, 256)),
        "\n".join(["Größe"] * 5).encode() + "\n".join(["Größe"] * 5).encode("latin-1"),
        "Þetta er íslenska, það er satt".encode("windows-1252"),
        "Γειά σου Κόσμε".encode("iso8859-7"),
    ],
)
def test_an_encoding_that_is_not_certain_is_refused(written: Any, content: bytes) -> None:
    with pytest.raises(BadInput) as raised:
        read(written("a.csv", b"text\n" + content))
    assert raised.value.key in ("data.encoding", "data.encoding_unknown")
    assert f"not valid UTF-8 (byte {raised.value.values['position']})" in str(raised.value)
    wrong = (b"text\n" + content)[raised.value.values["position"] :]
    assert wrong[0] > 127


def test_a_few_broken_bytes_cost_their_rows_only(written: Any) -> None:
    good = "Größe, naïve, 你好\n"
    jsonl = "".join(json.dumps({"text": good * 3}, ensure_ascii=False) + "\n" for _ in range(9)).encode()
    numbered = read(written("a.jsonl", jsonl + b'{"text": "\xff\xfe"}\n' + jsonl))
    assert len(numbered) == 19
    [(number, bad)] = [(number, row) for number, row in numbered if isinstance(row, Rejected)]
    assert (number, bad.code, bad.values) == (10, "line_bytes", {"place": 11})
    for name in ("a.json", "a.csv"):
        text = (
            json.dumps([{"text": good}] * 9, ensure_ascii=False)
            if name == "a.json"
            else "text\n" + f'"{good}"\n' * 9
        )
        broken = text.encode().replace("你好".encode(), b"\xe4\xbd\xa0\xff", 1)
        texts = [row["text"] for row in rows(written(name, broken))]
        assert [text == good for text in texts] == [False] + [True] * 8
        with pytest.raises(Rejected) as raised:
            plain_text(texts[0], "text")
        assert raised.value.code == "bytes"


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
    ("start", "sentence"),
    [
        (b"PK\x03\x04rest", r"is a spreadsheet \(ZIP / XLSX\)"),
        (b"%PDF-1.7", "is a PDF, which holds pages"),
        (b"BZh9", "is a bzip2 file"),
    ],
)
def test_files_that_hold_no_rows_are_named(written: Any, start: bytes, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        read(written("a.csv", start))


def test_pictures_are_not_text(written: Any) -> None:
    with pytest.raises(BadInput, match="not a text file: byte 8 is zero"):
        read(written("a.csv", b"\x89PNG\r\n\x1a\n\x00\x00\x01" + b"x" * 99))


def test_prose_is_no_table(written: Any) -> None:
    with pytest.raises(BadInput, match="not JSONL, JSON, CSV"):
        read(written("story", "Once upon a time"))


class TestJsonLines:
    def test_a_broken_line_in_the_middle_is_one_bad_row(self, written: Any) -> None:
        path = written("a.jsonl", '{"text": "a"}\n{"text": "b"\n\n{"text": "c"}\n')
        first, broken, last = read(path)
        assert (first, last) == ((1, {"text": "a"}), (4, {"text": "c"}))
        assert broken[0] == 2
        assert (broken[1].code, broken[1].values) == ("line_torn", {})

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
        content = '{"a": nan}\n' + "[" * 100_000 + "\n" + '{"a": ' + "9" * 5000 + "}\n42\n"
        codes = [row.code for row in rows(written("a.jsonl", content))]
        assert codes == ["json", "json", "json", "not_object"]

    def test_not_a_number_is_nothing_and_said(self, written: Any) -> None:
        for name, content in (
            ("a.jsonl", '{"a": NaN, "b": [Infinity]}\n{"a": -Infinity}\n'),
            ("a.json", '[{"a": NaN, "b": [Infinity]}, {"a": -Infinity}]'),
        ):
            file = readers.recognise(written(name, content))
            assert [row for _, row in readers.rows(file)] == [{"a": None, "b": [None]}, {"a": None}]
            assert file.notes.kinds["not_a_number"] == {"n": 3, "name": "NaN"}

    def test_commas_between_lines_of_a_lost_list(self, written: Any) -> None:
        numbered = read(written("a.jsonl", '{"a": 1},\n{"a": 2}, \n{"a" 3},\n{"a": 4}\n'))
        assert [(n, row) for n, row in numbered if n != 3] == [(1, {"a": 1}), (2, {"a": 2}), (4, {"a": 4})]
        assert numbered[2][1].code == "json"

    def test_line_ends_of_old_macs(self, written: Any) -> None:
        assert rows(written("a.jsonl", LINES.replace("\n", "\r"))) == RECORDS
        assert rows(written("a.csv", "a,b\r1,2\r3,4\r")) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]

    def test_too_many_fields(self, written: Any) -> None:
        wide = json.dumps({f"c{n}": n for n in range(100_000)})
        first, second = rows(written("a.jsonl", f'{{"a": 1}}\n{wide}\n'))
        assert first == {"a": 1} and second.values == {"columns": 100_000, "limit": 2000}

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
        with pytest.raises(BadInput, match=r"ends in the middle of row \d+: it is truncated") as raised:
            read(written("a.json", whole[: int(len(whole) * keep)]))
        assert abs(raised.value.values["row"] - 100 * keep) <= 2

    def test_broken_in_the_middle(self, written: Any) -> None:
        with pytest.raises(BadInput, match=r"not valid JSON in row 2, character 24: Expecting"):
            read(written("a.json", '[{"text": "a"},{"text" "b"},{"text": "c"}]'))

    def test_a_comma_too_many(self, written: Any) -> None:
        with pytest.raises(BadInput, match="not valid JSON in row 2"):
            read(written("a.json", '[{"text": "a"},]'))

    def test_named_json_but_is_not(self, written: Any) -> None:
        with pytest.raises(BadInput, match="is named JSON but begins with 'hello'"):
            read(written("a.json", "hello"))

    def test_a_list_inside_of_two_objects(self, written: Any) -> None:
        for document in (
            {"data": {"n": 1, "items": RECORDS}},
            {"n": 1, "Data": {"more": {}, "rows": RECORDS}},
        ):
            for indent in (None, 1):
                assert rows(written("a.json", json.dumps(document, indent=indent))) == RECORDS

    def test_lists_that_belong_to_a_record(self, written: Any) -> None:
        record = {"prompt": "q", "meta": {"tags": [{"a": 1}]}, "tools": [{"name": "x"}], "completion": "a"}
        for name in ("a.json", "a.jsonl"):
            for indent in (None, 1):
                if name == "a.json" or indent is None:
                    assert rows(written(name, json.dumps(record, indent=indent))) == [record]

    def test_objects_one_after_the_other(self, written: Any) -> None:
        first, second = RECORDS
        one, two = json.dumps(first), json.dumps(second)
        for text in (f"{one}{two}", f"{one} {two}\n{one}{two}\n"):
            assert rows(written("a.json", text)) == RECORDS * (text.count(one))

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
        with pytest.raises(BadInput, match="record of more than 1 MB at row 2"):
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
        with pytest.raises(BadInput, match="ends inside a quote opened in row 2, line 3"):
            read(written("a.csv", 'a,b\n1,2\n"three\nand,more'))

    @pytest.mark.parametrize(
        ("header", "names"),
        [
            ("a,a", ["a", "a_2"]),
            (",b", ["column_1", "b"]),
            ("a,a,a_2", ["a", "a_3", "a_2"]),
            (",column_1", ["column_1_2", "column_1"]),
            ('"a";b', ["a", "b"]),
            ("a|b", ["a", "b"]),
            ("\n\na,b", ["a", "b"]),
        ],
    )
    def test_columns_get_a_name_of_their_own(self, written: Any, header: str, names: list[str]) -> None:
        separator = next((s for s in ";|" if s in header), ",")
        file = readers.recognise(written("a.csv", f"{header}\n{separator.join('123'[: len(names)])}\n"))
        [(_, row)] = readers.rows(file)
        assert row == dict(zip(names, "123", strict=False))
        named = sum(name not in header.replace(",", " ").split() for name in names)
        assert file.notes.kinds.get("header_named", {"n": 0})["n"] == (named if separator == "," else 0)

    @pytest.mark.parametrize("header", [",,", '"a"b,c', " , "])
    def test_a_heading_without_names(self, written: Any, header: str) -> None:
        with pytest.raises(BadInput, match="must hold the column names"):
            read(written("a.csv", f"{header}\n1,2\n"))

    def test_too_many_columns(self, written: Any) -> None:
        with pytest.raises(BadInput, match="has 100000 columns; the limit is 2000"):
            read(written("a.csv", ",".join(f"c{n}" for n in range(100_000)) + "\n"))

    def test_what_excel_writes(self, written: Any) -> None:
        expected = [{"a": "1,5", "b": "=1"}, {"a": "x\r\ny", "b": None}]
        text = 'a{0}b{0}{0}\r\n1,5{0}\'=1{0}{0}\r\n"x\r\ny"{0}{0}{0}\r\n{0}{0}{0}\r\n'
        assert rows(written("a.csv", b"\xef\xbb\xbf" + text.format(";").encode())) == expected
        assert rows(written("b.csv", ("sep=;\r\n" + text.format(";")).encode())) == expected
        assert rows(written("c.csv", ("sep=|\r\n" + text.format("|")).encode())) == expected
        assert rows(written("unicode.txt", text.format("\t").encode("utf-16"))) == expected
        assert rows(written("ansi.txt", text.format("\t").encode())) == expected
        lost = rows(written("d.csv", "a,b,\n1,2,3\n"))
        assert lost[0].values == {"cells": 3, "columns": 2}

    def test_numbers_stay_as_they_are_written(self, written: Any) -> None:
        assert rows(written("a.csv", 'a,b\n"1,234",007\n')) == [{"a": "1,234", "b": "007"}]

    def test_a_long_cell(self, written: Any) -> None:
        long = "x" * 500_000
        assert rows(written("a.csv", f"a,b\n{long},1\n")) == [{"a": long, "b": "1"}]


class TestDamage:
    @pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
    def test_gzip_cut_off(self, written: Any, name: str) -> None:
        whole = gzip.compress(LINES.encode() * 200)
        with pytest.raises(BadInput, match="is truncated"):
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
