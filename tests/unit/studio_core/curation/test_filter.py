from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio_core.base.errors import BadInput
from studio_core.curation import named
from studio_core.curation.base import Stopped, validated
from tests.unit.studio_core.curation.bench import answers, carried_out, pc, stored
from tests.work import work

RECORDS = [
    pc("What is the capital of France?", "Paris is the capital of France."),
    pc("Was ist die Hauptstadt von Frankreich?", "Die Hauptstadt von Frankreich ist Paris."),
    pc("What is the capital of Italy?", "Rome."),
    pc("Mail me", "Write to jane.doe@example.org and I will answer you within a day."),
]


@pytest.mark.parametrize(
    ("options", "kept", "reasons"),
    [
        ({"min_characters": 60}, [0, 1, 3], {"too_short": 1}),
        ({"max_characters": 65}, [0, 2], {"too_long": 2}),
        ({"min_words": 2}, [0, 1, 3], {"too_short": 1}),
        ({"max_words": 6}, [0, 1, 2], {"too_long": 1}),
        ({"languages": ["de"]}, [1], {"language": 3}),
        ({"findings": ["personal_data"]}, [0, 1, 2], {"personal_data": 1}),
        (
            {"findings": ["personal_data", "one_word_answer"]},
            [0, 1],
            {"personal_data": 1, "one_word_answer": 1},
        ),
        ({"min_quality": 0.5}, [0, 1, 3], {"quality": 1}),
        ({"matching": "capital of (France|Spain)"}, [0], {"not_found": 3}),
        ({"matching": "PARIS", "ignore_case": False}, [], {"not_found": 4}),
        ({"matching": "paris", "where": "answer"}, [0, 1], {"not_found": 2}),
        ({"not_matching": "paris"}, [2, 3], {"found": 2}),
        ({"matching": "me.", "plain": True}, [2], {"not_found": 3}),
        ({"column": "turns", "comparison": "at_least", "value": "3"}, [], {"column": 4}),
        ({"column": "language", "value": "en"}, [0, 2, 3], {"column": 1}),
        ({"column": "completion", "comparison": "contains", "value": "ROME"}, [2], {"column": 3}),
        ({"min_characters": 40, "not_matching": "@"}, [0, 1], {"too_short": 1, "found": 1}),
    ],
)
def test_conditions(
    tmp_path: Path, options: dict[str, Any], kept: list[int], reasons: dict[str, int]
) -> None:
    done = carried_out("filter", stored(tmp_path, RECORDS), **options)
    assert done.records == [RECORDS[place] for place in kept]
    assert done.reasons == reasons
    assert done.counts.get("kept", 0) == len(kept) and done.counts.get("dropped", 0) == 4 - len(kept)


@pytest.mark.parametrize(
    ("comparison", "value", "kept"),
    [
        ("equal", "7", ["7", "7.0"]),
        ("not_equal", "7", ["10", "", None, "x"]),
        ("at_least", "8", ["10"]),
        ("at_most", "8", ["7", "7.0"]),
        ("empty", "", ["", None]),
        ("not_empty", "", ["7", "7.0", "10", "x"]),
        ("contains_not", "7", ["10", "", None, "x"]),
    ],
)
def test_a_column_of_the_records_is_compared_as_numbers_where_it_can(
    tmp_path: Path, comparison: str, value: str, kept: list[str | None]
) -> None:
    records = [
        {"prompt": [{"role": "user", "content": "q"}], "rank": rank}
        for rank in ("7", "7.0", "10", "", None, "x")
    ]
    done = carried_out("filter", stored(tmp_path, records), column="rank", comparison=comparison, value=value)
    assert [record["rank"] for record in done.records] == kept


def test_a_pattern_cannot_hang(tmp_path: Path) -> None:
    records = [pc("a" * 5000 + "!", "x")]
    version = stored(tmp_path, records)
    assert work(lambda: carried_out("filter", version, matching="^(a+)+$")) < 400
    assert not carried_out("filter", version, matching="^(a+)+$").records


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"matching": "("}, "is not a valid regular expression"),
        ({"matching": "(?=a)b"}, "no lookaround"),
        ({"not_matching": "(a{1000}){1000}"}, "is not a valid regular expression"),
        ({"column": "turns", "comparison": "at_least", "value": "many"}, "needs a number"),
        ({"where": "nowhere"}, "choose one of"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        validated(named("filter"), options)


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no column 'colour'. Choose one of: prompt, completion, characters"):
        carried_out("filter", stored(tmp_path, RECORDS), column="colour", value="red")


def test_stopping_keeps_what_was_done_and_gives_up_what_is_of_no_use(tmp_path: Path) -> None:
    source = stored(tmp_path, RECORDS)
    done = carried_out("filter", source, matching="a", stop_after=2)
    assert answers(done.records) == answers(RECORDS[:2])
    with pytest.raises(Stopped):
        carried_out("filter", source, min_quality=0.5, stop_after=0)
