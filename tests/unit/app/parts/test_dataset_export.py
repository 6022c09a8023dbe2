"""The export section and its downloads: what is shown is what is fetched, and what is asked is checked."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.parts import downloads
from app.parts.dataset import export
from app.parts.dataset.export import Export
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.data import hub_push, store
from tests.unit.app.parts.by_name import ByName


def request(language: str = "en", **query: str) -> Any:
    return SimpleNamespace(cookies={}, headers={"accept-language": language}, query_params=query)


@pytest.fixture
def dataset(studio: Studio, tmp_path: Path) -> Dataset:
    file = tmp_path / "mine.jsonl"
    rows = [{"prompt": f"<b>q {n}</b>", "completion": "a"} for n in range(3)]
    rows[1]["system"] = "s"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return store.import_file(studio, file).dataset


@pytest.fixture
def client(studio: Studio, dataset: Dataset) -> Iterator[TestClient]:
    api = FastAPI()
    api.include_router(downloads.routes(studio))
    with TestClient(api) as opened:
        yield opened


def test_the_section_opens_with_everything_fitting(studio: Studio, dataset: Dataset) -> None:
    updates = Export(studio, ByName()).open(request(id=str(dataset.id)))
    layouts, shown = updates["layout"], updates["shown"]
    assert [name for _, name in layouts.choices] == [
        "trl",
        "trl-text",
        "openai",
        "alpaca",
        "sharegpt",
        "ms-swift",
    ]
    assert "All 3 records fit." in shown and "&lt;b&gt;q 0&lt;/b&gt;" in shown and "<b>q" not in shown
    assert f'href="/api/datasets/{dataset.id}/jsonl?layout=trl"' in shown


def test_what_does_not_fit_is_shown_before(
    studio: Studio, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = request(id=str(dataset.id))
    [shown] = Export(studio, ByName()).look("trl-text", "jsonl", asked)
    assert "1 of 3 records do not fit this layout and are skipped: 1: system" in shown
    assert "layout=trl-text&amp;skip=1" in shown and "&amp;card=1" in shown
    monkeypatch.setattr(export, "FIRST", 2)
    first, whole = Export(studio, ByName()).look("trl-text", "jsonl", asked)
    assert "Checked the first 2 records; checking the rest." in first
    assert whole == shown
    *_, last = Export(studio, ByName()).choose("openai", "csv", asked)
    assert last["format"].value == "jsonl" and "instead of prompt-completion" in last["shown"]
    with pytest.raises(BadInput, match="There is no layout"):
        list(Export(studio, ByName()).choose("<script>", "jsonl", asked))


def test_downloads(client: TestClient, dataset: Dataset, studio: Studio, tmp_path: Path) -> None:
    for format in ("jsonl", "json", "csv", "parquet"):
        answer = client.get(f"/api/datasets/{dataset.id}/{format}")
        assert answer.status_code == 200
        assert f'attachment; filename="mine-v1.{format}"' in answer.headers["content-disposition"]
        assert answer.headers["content-type"] == "application/octet-stream"
    zipped = client.get(downloads.address(dataset.id, "jsonl", "alpaca", card=True))
    assert 'filename="mine-v1-alpaca.jsonl.zip"' in zipped.headers["content-disposition"]
    (tmp_path / "a.zip").write_bytes(zipped.content)
    assert zipfile.ZipFile(tmp_path / "a.zip").namelist() == ["mine-v1-alpaca.jsonl", "README.md"]
    assert client.get(downloads.address(dataset.id, "jsonl", "trl-text", skip=True)).text.count("\n") == 2
    for path, sentence in (
        ("99/jsonl", "There is no dataset '99'"),
        (f"{dataset.id}/exe", "'exe' is not an export format"),
        (f"{dataset.id}/jsonl?layout=../x", "There is no layout '../x'"),
        (f"{dataset.id}/jsonl?layout=trl-text", "1 of 3 records do not fit"),
    ):
        refused = client.get(f"/api/datasets/{path}")
        assert refused.status_code == 404 and sentence in refused.text
    assert client.get("/api/datasets/x/jsonl").status_code == 422
    assert list(studio.settings.uploads.iterdir()) == []


def test_a_push_says_where_it_went(studio: Studio, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = request(id=str(dataset.id))
    done = hub_push.Pushed("me/mine", "https://hub/datasets/me/mine", "c", False, 3)
    monkeypatch.setattr(hub_push, "push", lambda *args, **more: done)
    begun, ended = Export(studio, ByName()).push("me/mine", False, asked)
    assert "Uploading 3 records to me/mine" in begun and "Pushed mine@1 to me/mine, private." in ended

    def refused(*args: Any, **more: Any) -> Any:
        raise StudioError("exports.hub_no_token")

    monkeypatch.setattr(hub_push, "push", refused)
    answers = Export(studio, ByName()).push("<b>", True, asked)
    assert "&lt;b&gt;" in next(answers) and next(answers) == ""
    with pytest.raises(StudioError, match="No Hub token"):
        next(answers)
