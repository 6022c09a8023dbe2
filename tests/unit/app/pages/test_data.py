"""The Data page's handlers as what they are: endpoints that anyone on the machine can call."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.pages.data import ALL_PARTS, FILLS, DataPage
from studio_core.data import store
from studio_core.errors import BadInput
from studio_core.models import registry
from studio_core.studio import Studio

ROWS = [{"prompt": f"q {n}", "completion": "a {{name}}"} for n in range(3)]


def request(language: str = "en", **query: str) -> Any:
    headers = {"accept-language": language}
    return SimpleNamespace(cookies={}, headers=headers, query_params=query)


@pytest.fixture
def page(studio: Studio) -> DataPage:
    registry.ensure_demo_models(studio)
    return DataPage(studio)


@pytest.fixture
def uploaded(studio: Studio) -> str:
    folder = studio.settings.uploads / "0123"
    folder.mkdir()
    path = folder / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return str(path)


def form(shape: str = "prompt-completion", fill: str = "", system: str = "", **columns: str) -> list[Any]:
    return [shape, *(columns.get(part, "") for part in ALL_PARTS), system, fill, *[""] * (FILLS - 1)]


GOOD = form(prompt="prompt", completion="completion", fill="Ada", system="Be {{name}}.")


def opened(page: DataPage, uploaded: str) -> Any:
    return page.uploaded(uploaded, "tiny-chat", 0, request())[-1]


def test_an_upload_is_imported_as_the_form_says(page: DataPage, uploaded: str, studio: Studio) -> None:
    state = opened(page, uploaded)
    answer, listed, *_ = page.imported(request(), uploaded, state, "mine", *GOOD)
    dataset = store.get(studio, "mine@1")
    assert f'href="/dataset?id={dataset.id}"' in answer and "mine" in listed
    assert 'href="/train?dataset=mine@1"' in answer
    [record, *_] = store.records(studio, dataset)
    assert record["prompt"][0] == {"role": "system", "content": "Be Ada."}
    assert record["completion"][0]["content"] == "a Ada"
    again, *_ = page.imported(request("zh-CN"), uploaded, state, "mine", *GOOD)
    assert "没有新增内容" in again and len(store.all_datasets(studio)) == 1


@pytest.mark.parametrize("path", ["/etc/passwd", "../../../etc/passwd", "", None, "/nonexistent"])
def test_paths_that_are_no_uploads_are_refused(
    page: DataPage, path: Any, uploaded: str, studio: Studio
) -> None:
    state = opened(page, uploaded)
    calls = [
        lambda: page.uploaded(path, None, 0, request()),
        lambda: page.shaped(path, state, "text", None, 0, request()),
        lambda: page.corrected(request(), path, state, None, 0, *GOOD),
        lambda: page.imported(request(), path, state, "x", *GOOD),
    ]
    for call in calls:
        with pytest.raises(BadInput, match="The uploaded file is no longer there"):
            call()
    assert store.all_datasets(studio) == []


def test_a_link_out_of_the_uploads_is_refused(page: DataPage, studio: Studio, tmp_path: Path) -> None:
    secret = tmp_path / "secret.jsonl"
    secret.write_text('{"text": "secret"}\n')
    (studio.settings.uploads / "link.jsonl").symlink_to(secret)
    with pytest.raises(BadInput, match="no longer there"):
        page.uploaded(str(studio.settings.uploads / "link.jsonl"), None, 0, request())


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (form("sorcery"), "There is no shape 'sorcery'"),
        (form(prompt="prompt", completion="secret"), "The file has no column 'secret'"),
        (form(prompt="prompt"), "No column of a.jsonl is known to be: completion"),
    ],
)
def test_forms_that_will_not_do(
    page: DataPage, uploaded: str, studio: Studio, values: list[Any], sentence: str
) -> None:
    state = opened(page, uploaded)
    with pytest.raises(BadInput) as raised:
        page.imported(request(), uploaded, state, "", *values)
    assert sentence in str(raised.value)
    with pytest.raises(BadInput, match="no longer there"):
        page.imported(request(), uploaded, None, "", *GOOD)
    assert store.all_datasets(studio) == []


def test_a_chosen_shape_finds_its_columns(page: DataPage, uploaded: str) -> None:
    shape, *rest = page.shaped(uploaded, opened(page, uploaded), "prompt-only", "tiny-chat", 0, request())
    assert shape == "prompt-only" and rest[-1]["shape"] == "prompt-only"
    by_part = dict(zip(ALL_PARTS, rest, strict=False))
    assert by_part["prompt"].value == "prompt" and not by_part["completion"].visible


def test_previews_answer_whatever_is_asked(page: DataPage, uploaded: str) -> None:
    state = opened(page, uploaded)
    assert "<mark" in page.previewed(state, "tiny-chat", 2, 0, request())
    assert "<del" in page.previewed(state, "tiny-chat", 10**9, 3, request())
    assert "<mark" in page.previewed(state, "tiny-chat", -5, -1, request())
    assert "There is no model" in page.previewed(state, "no-such-model", None, None, request())
    assert "There is no good record" in page.previewed(None, "tiny-chat", 1, 0, request())


def test_without_data_the_page_says_what_to_do_first(page: DataPage) -> None:
    _, listed, *_ = page.open(request())
    assert "There is no data yet. Choose a file above" in listed
