"""A preview is the operation itself on the first records, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio_core.base.errors import BadInput
from studio_core.curation import OPERATIONS, named
from studio_core.curation.base import Source, validated
from studio_core.curation.preview import LOOKED_AT, Preview, can_be_tried, tried
from studio_core.data import parquet
from studio_core.texts import LANGUAGES, catalogue
from tests.unit.studio_core.curation.bench import pc, stored


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return stored(tmp_path, [pc(f"question {n}", "odd" if n % 2 else "") for n in range(LOOKED_AT + 100)])


def preview(source: Source, operation: str, **options: Any) -> Preview:
    known = named(operation)
    return tried(known, [source], validated(known, options))


def test_only_the_first_records_are_looked_at(source: Source) -> None:
    found = preview(source, "filter", not_matching="question 1")
    assert found.looked_at == LOOKED_AT
    assert found.counts == {"dropped": 111, "kept": 89} and found.reasons == {"found": 111}
    assert [row for row, _ in found.dropped] == [2, 11, 12] and found.changed == []
    assert [path.name for path in source.path.parent.iterdir()] == ["mine.parquet"]


def test_changed_records_are_shown_before_and_after(source: Source) -> None:
    found = preview(source, "replace", find="odd", replace="even")
    assert found.changed[0] == (2, pc("question 1", "odd"), pc("question 1", "even"))
    assert len(found.changed) == 3 and found.dropped == []


def test_a_sample_takes_the_share_that_it_takes_of_all(source: Source) -> None:
    found = preview(source, "sample", n=150)
    assert 70 < found.counts["kept"] < 130


def test_features_are_worked_out_for_these_records(source: Source) -> None:
    assert preview(source, "filter", findings=["exact_duplicate"]).counts == {"kept": LOOKED_AT}


def test_what_the_operation_refuses_the_preview_refuses(source: Source) -> None:
    with pytest.raises(BadInput, match="no column"):
        preview(source, "filter", column="colour")


@pytest.mark.parametrize("name", [name for name, one in OPERATIONS.items() if can_be_tried(one)])
def test_no_preview_changes_the_stored_version(source: Source, name: str) -> None:
    options = {"replace": {"find": "q"}, "map": {"prompt": "{{prompt}}"}, "convert": {"shape": "chat"}}
    before = source.path.read_bytes()
    found = preview(source, name, **options.get(name, {}))
    assert found.looked_at == LOOKED_AT
    assert source.path.read_bytes() == before
    assert parquet.read(source.path)


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_every_operation_and_option_has_its_texts(name: str) -> None:
    operation = OPERATIONS[name]
    keys = [operation.title_key, operation.help_key, f"curation.group.{operation.group}"]
    for field in operation.fields:
        keys += [field.title_key, field.help_key]
    for language in LANGUAGES:
        assert not [key for key in keys if key not in catalogue(language)]
