"""Browsing finds what a plain loop over the records finds, with and without an index, whatever is asked."""

from __future__ import annotations

import itertools
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio_core.base.errors import BadInput, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.browse import browse, browse_search, duck, search_index
from studio_core.browse.browse import Query
from studio_core.browse.search_index import build_index, index_path
from studio_core.data import parquet, versions
from studio_core.data.shapes import Record, Shape, texts_of
from studio_core.data.versions import Made, parquet_path
from studio_core.reports.features import SCHEMA, features_path

SETTINGS = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_names = (f"made-{number}" for number in itertools.count())


def stored(studio: Studio, records: Sequence[Record], shape: Shape, keep: Sequence[str] = ()) -> Dataset:
    with tempfile.NamedTemporaryFile(dir=studio.settings.uploads, delete=False) as file:
        writer = parquet.Writer(file, shape, keep)
        for record in records:
            writer.add(record)
        sha256 = writer.close()
    made = Made(next(_names), shape, len(records), sha256, "test")
    return versions.add(studio, Path(file.name), made)[0]


def chat(*texts: str) -> Record:
    roles = itertools.cycle(("user", "assistant"))
    return {"messages": [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]}


def with_features(studio: Studio, dataset: Dataset, rows: Sequence[dict[str, Any]]) -> None:
    blank = {
        field.name: [] if field.name == "findings" else "" if field.name == "language" else None
        for field in SCHEMA
    }
    full = [{**blank, "row": number, **row} for number, row in enumerate(rows, 1)]
    pq.write_table(pa.Table.from_pylist(full, schema=SCHEMA), features_path(parquet_path(studio, dataset)))


def with_index(studio: Studio, dataset: Dataset) -> None:
    path = parquet_path(studio, dataset)
    build_index(path, index_path(path))


def asked(studio: Studio, dataset: Dataset, query: Query, offset: int = 0, limit: int = 1000) -> list[int]:
    page = browse.page(studio, dataset, query, offset, limit, count_for=60)
    assert page.exact
    assert page.searched == 1
    return [number for number, _ in page.rows]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A few records make several blocks."""
    monkeypatch.setattr(search_index, "BLOCK", 3)
    monkeypatch.setattr(browse_search, "BLOCK", 3)
    yield


text = st.text(alphabet="abB é-\n中文麒麟ก1", max_size=12)
record = st.one_of(st.tuples(text, text), st.tuples(text, text, text))
term = st.text(alphabet="abBé-中文麒麟ก1", min_size=1, max_size=5)


@given(records=st.lists(record, min_size=1, max_size=20), terms=st.lists(term, min_size=1, max_size=2))
@SETTINGS
def test_a_search_finds_what_a_loop_finds(
    studio: Studio, small_blocks: None, records: list[tuple[str, ...]], terms: list[str]
) -> None:
    made = [chat(*texts) for texts in records]
    expected = [
        number
        for number, one in enumerate(made, 1)
        if all(any(term.lower() in text.lower() for text in texts_of_messages(one)) for term in terms)
    ]
    dataset = stored(studio, made, Shape.CHAT)
    query = Query(search=" ".join(terms))
    assert asked(studio, dataset, query) == expected
    assert asked(studio, dataset, Query(search=query.search, descending=True)) == expected[::-1]
    with_index(studio, dataset)
    assert asked(studio, dataset, query) == expected
    assert asked(studio, dataset, query, 1, 2) == expected[1:3]


def texts_of_messages(record: Record) -> list[str]:
    return list(texts_of(record))


@given(
    content=st.text(alphabet="ab 中文-" + "x" * 3, min_size=30, max_size=300),
    begin=st.integers(0, 299),
    length=st.integers(1, 90),
)
@SETTINGS
def test_the_index_never_misses_a_piece_of_a_text(
    studio: Studio, small_blocks: None, content: str, begin: int, length: int
) -> None:
    content = content.replace("x", "x" * 40)  # Words longer than the index keeps.
    begin %= len(content)
    piece = content[begin : begin + length].strip() or "a"
    content += "a"
    dataset = stored(studio, [chat("q", "nothing")] * 7 + [chat("q", content)], Shape.CHAT)
    with_index(studio, dataset)
    found = asked(studio, dataset, Query(search=f'"{piece}"'))
    assert 8 in found


@given(
    pattern=st.sampled_from(["a+b", "^a", "中.", "(a|b)1$", "\\bab\\b", "[^a]"]),
    texts=st.lists(text, min_size=1, max_size=12),
)
@SETTINGS
def test_a_regular_expression_finds_what_a_loop_finds(
    studio: Studio, small_blocks: None, pattern: str, texts: list[str]
) -> None:
    dataset = stored(studio, [{"text": text} for text in texts], Shape.TEXT)
    # In both libraries "$" is the end of the text, if it does not end in a line break.
    expected = [
        n
        for n, text in enumerate(texts, 1)
        if re.search(pattern.replace("$", "\\Z"), text, re.ASCII if "b\\" in pattern else 0)
    ]
    assert asked(studio, dataset, Query(regex=pattern)) == expected


row_features = st.fixed_dictionaries(
    {
        "characters": st.integers(0, 50),
        "quality": st.floats(0, 1, width=32),
        "language": st.sampled_from(["en", "zh", ""]),
        "findings": st.lists(st.sampled_from(["near_duplicate", "refusal"]), unique=True),
    }
)


@given(
    features=st.lists(row_features, min_size=1, max_size=15),
    low=st.none() | st.integers(0, 50),
    high=st.none() | st.integers(0, 50),
    language=st.sampled_from(["", "en", "zh", "unknown"]),
    findings=st.sampled_from([(), ("refusal",), ("refusal", "near_duplicate")]),
    clean=st.booleans(),
    sort=st.sampled_from(["row", "characters", "quality"]),
    descending=st.booleans(),
    search=st.sampled_from(["", "even", "odd"]),
)
@SETTINGS
def test_filters_and_sorts_equal_a_loop(
    studio: Studio,
    small_blocks: None,
    features: list[dict[str, Any]],
    low: int | None,
    high: int | None,
    language: str,
    findings: tuple[str, ...],
    clean: bool,
    sort: str,
    descending: bool,
    search: str,
) -> None:
    if low is not None and high is not None:
        low, high = sorted((low, high))
    # The number makes each data set another one: features are kept by content.
    salt = next(_names)
    records = [{"text": f"{'even' if n % 2 == 0 else 'odd'} {n} {salt}"} for n in range(1, len(features) + 1)]
    dataset = stored(studio, records, Shape.TEXT)
    with_features(studio, dataset, features)
    query = Query(
        search=search,
        language=language,
        findings=findings,
        clean=clean,
        ranges=(("characters", low, high),),
        sort=sort,
        descending=descending,
    )

    def passes(number: int, row: dict[str, Any]) -> bool:
        return (
            search in records[number - 1]["text"]
            and (low is None or row["characters"] >= low)
            and (high is None or row["characters"] <= high)
            and (not language or row["language"] == ("" if language == "unknown" else language))
            and (not findings or bool(set(findings) & set(row["findings"])))
            and (not clean or not row["findings"])
        )

    numbered = [(n, row) for n, row in enumerate(features, 1) if passes(n, row)]
    if sort == "row":
        expected = [n for n, _ in numbered][:: -1 if descending else 1]
    else:
        expected = [n for n, _ in sorted(numbered, key=lambda p: p[1][sort] * (-1 if descending else 1))]
    assert asked(studio, dataset, query) == expected


def test_pages_and_their_records(studio: Studio) -> None:
    records = [chat(f"question {n}", f"answer {n}") for n in range(1, 9001)]
    dataset = stored(studio, records, Shape.CHAT)
    page = browse.page(studio, dataset, Query(), 8000, 3)
    assert [(n, r["messages"][1]["content"]) for n, r in page.rows] == [
        (n, f"answer {n}") for n in (8001, 8002, 8003)
    ]
    assert (page.total, page.exact) == (9000, True)
    assert [n for n, _ in browse.page(studio, dataset, Query(descending=True), 2, 3).rows] == [
        8998,
        8997,
        8996,
    ]
    assert browse.page(studio, dataset, Query(), 9000, 10).rows == []
    assert [n for n, _ in browse.page(studio, dataset, Query("8191"), 0, 10).rows] == [8191]


def test_a_search_begins_with_what_it_has_and_goes_on(
    studio: Studio, small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browse, "AT_ONCE", 0.0)
    monkeypatch.setattr(browse_search, "_FIRST_BLOCKS", 1)
    dataset = stored(studio, [chat("q", f"match {n}") for n in range(60)], Shape.CHAT)
    first = browse.page(studio, dataset, Query("match"), 0, 2)
    assert [n for n, _ in first.rows] == [1, 2]
    assert not first.exact
    assert 0 < first.searched < 1
    counted = browse.page(studio, dataset, Query("match"), 0, 2, count_for=30)
    assert (counted.total, counted.exact) == (60, True)


def test_columns(studio: Studio) -> None:
    message = [{"role": "user", "content": "Question"}]
    unpaired = [
        {"prompt": message, "completion": [{"role": "assistant", "content": f"a{n}"}], "label": n % 2 == 0}
        for n in range(4)
    ]
    dataset = stored(studio, unpaired, Shape.UNPAIRED_PREFERENCE)
    assert asked(studio, dataset, Query(columns=(("label", "true"),))) == [1, 3]
    assert asked(studio, dataset, Query(columns=(("completion", "A2"),))) == [3]
    assert asked(studio, dataset, Query(columns=(("prompt", "a2"),))) == []
    kept = stored(
        studio,
        [{"prompt": message, "answer": f"x{n}", "a b\"'": "v"} for n in range(3)],
        Shape.PROMPT_ONLY,
        ["answer", "a b\"'"],
    )
    assert asked(studio, kept, Query(columns=(("answer", "x1"), ("a b\"'", "v")))) == [2]
    stepwise = [
        {"prompt": message, "completions": ["one", f"two {n}"], "labels": [True, False]} for n in range(3)
    ]
    assert asked(studio, stored(studio, stepwise, Shape.STEPWISE), Query('"two 1"')) == [2]


@pytest.mark.parametrize(
    ("query", "part"),
    [
        (Query(regex="((a"), "not a valid regular expression"),
        (Query(regex="a{5000}"), "not a valid regular expression"),
        (Query(columns=(("nothing", "x"),)), "no column"),
        (Query(columns=(('messages" OR 1=1 --', "x"),)), "no column"),
        (Query(ranges=(("quality; DROP", 0, 1),)), "cannot be filtered or sorted by"),
        (Query(ranges=(("characters", 5, 1),)), "lower limit is above"),
        (Query(sort="row; DROP"), "cannot be filtered or sorted by"),
        (Query(search="x" * 2000), "2000 characters"),
        (Query(search=" ".join("abcdefghijklmnop")), "16 words"),
    ],
)
def test_what_cannot_be_asked_is_said(studio: Studio, query: Query, part: str) -> None:
    dataset = stored(studio, [chat("q", "a")], Shape.CHAT)
    with_features(studio, dataset, [{}])
    with pytest.raises(BadInput, match=part):
        browse.page(studio, dataset, query)


@pytest.mark.parametrize("query", [Query(language="en"), Query(clean=True), Query(sort="quality")])
def test_without_a_report_its_filters_say_what_to_do(studio: Studio, query: Query) -> None:
    dataset = stored(studio, [chat("q", next(_names))], Shape.CHAT)
    with pytest.raises(StudioError, match="Report tab"):
        browse.page(studio, dataset, query)


@pytest.mark.parametrize(
    "hostile",
    [
        "'; DROP TABLE x; --",
        '""',
        '"',
        "$1",
        "{}",
        "{0}",
        "%",
        "_",
        "\\",
        "\x00",
        "\ud800",
        "a\x00b",
        "'' OR ''=''",
        "%s",
        "…" * 999,
    ],
)
def test_hostile_searches_are_only_texts(studio: Studio, hostile: str) -> None:
    clean = hostile.replace("\ud800", "?")
    dataset = stored(studio, [chat("q", "plain"), chat("q", f"before {clean} after")], Shape.CHAT)
    for indexed in (False, True):
        if indexed:
            with_index(studio, dataset)
        found = asked(studio, dataset, Query(search=hostile))
        assert found == ([1, 2] if not Query(search=hostile).terms else [2])


def test_nothing_else_is_within_reach(studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a,b")
    connection = duck.connect(studio.settings.datasets)
    for sql in (
        f"SELECT * FROM read_csv('{tmp_path / 'secret.csv'}')",
        "SELECT * FROM read_text('/etc/passwd')",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "ATTACH '/tmp/x.db'",
    ):
        with pytest.raises(Exception, match=r"disabled|locked"):
            connection.execute(sql)
    connection.close()


def test_a_statement_that_takes_too_long_is_stopped(studio: Studio) -> None:
    connection = duck.connect(studio.settings.datasets)
    with pytest.raises(StudioError, match="was stopped"), duck.statement(connection, 0.2) as cursor:
        duck.rows(cursor, "SELECT count(*) FROM range(100000000000) a, range(1000) b", {})
    connection.close()


def test_the_index_is_all_or_nothing(studio: Studio) -> None:
    dataset = stored(studio, [chat("q", f"word{n}") for n in range(50)], Shape.CHAT)
    path = parquet_path(studio, dataset)

    def stop(done: int, rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index(path, index_path(path), stop)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert build_index(path, index_path(path)) == 51
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, index_path(path).name]


def test_segments_of_the_index_are_merged(
    studio: Studio, small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_index, "_WORDS_IN_MEMORY", 5)
    monkeypatch.setattr(search_index, "_MERGED_AT_ONCE", 4)
    dataset = stored(studio, [chat("q", f"w{n % 7} 汉字{n}") for n in range(40)], Shape.CHAT)
    with_index(studio, dataset)
    table = pq.read_table(index_path(parquet_path(studio, dataset))).to_pylist()
    words = [(row["number"], row["word"]) for row in table]
    assert words == sorted(set(words))
    assert asked(studio, dataset, Query("w3")) == [n + 1 for n in range(40) if n % 7 == 3]
    assert asked(studio, dataset, Query("汉字7")) == [8]


def test_facets(studio: Studio) -> None:
    dataset = stored(studio, [chat("q", f"{next(_names)}") for _ in range(3)], Shape.CHAT)
    assert browse.facets(studio, dataset) == browse.Facets([], [], ["messages"])
    with_features(
        studio,
        dataset,
        [
            {"language": "en", "findings": ["refusal"]},
            {"language": "zh", "findings": ["refusal", "empty"]},
            {"language": "en"},
        ],
    )
    found = browse.facets(studio, dataset)
    assert found.languages == [("en", 2), ("zh", 1)]
    assert found.findings == [("refusal", 2), ("empty", 1)]
    page = browse.page(studio, dataset, Query(findings=("empty",)))
    assert page.features[2]["findings"] == ["refusal", "empty"]
