"""The records of a dataset's page: it shows what the address names, and stays within it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.parts.dataset.records import Records
from studio_core.data import store
from studio_core.errors import NotFound
from studio_core.models import registry
from studio_core.studio import Studio


def request(**query: str) -> Any:
    return SimpleNamespace(cookies={}, headers={"accept-language": "en"}, query_params=query)


@pytest.fixture
def section(studio: Studio, tmp_path: Path) -> Records:
    registry.ensure_demo_models(studio)
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps({"prompt": f"q {n}", "completion": "a"}) + "\n" for n in range(3)))
    store.import_file(studio, file)
    return Records(studio)


@pytest.mark.parametrize("named", ["mine", "mine@1", "1"])
def test_pages_stay_within_the_dataset(section: Records, named: str) -> None:
    asked = request(id=named)
    for turn, offset in (
        (section.back, 0),
        (section.forward, 0),
        (section.forward, 10**9),
        (section.back, -7),
    ):
        where, records, now = turn(offset, asked)
        assert "Records 1 to 3 of 3" in where and now == 0 and "q 2" in records


@pytest.mark.parametrize("named", ["", "<script>", "99", "mine@2", "9" * 300])
def test_what_is_not_there_is_said(section: Records, named: str) -> None:
    with pytest.raises(NotFound, match="There is no dataset"):
        section.open(request(id=named))


def test_previews_answer_whatever_is_asked(section: Records) -> None:
    asked = request(id="mine")
    assert "<mark" in section.previewed("tiny-chat", 10**9, 0, asked)
    assert "There is no model" in section.previewed("no-such-model", None, None, asked)
