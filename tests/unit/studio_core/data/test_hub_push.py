"""Pushing to the Hub, with its real client in its own process and a Hub on this machine."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from studio_core.base.errors import BadInput, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.data import hub_push, store
from tests.unit.studio_core.data.fake_hub import TOKEN, Hub, fake_hub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with fake_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.delenv("HF_HUB_OFFLINE")
        yield hub


@pytest.fixture
def dataset(studio: Studio, tmp_path: Path) -> Dataset:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"prompt": "q", "completion": "a"}\n' * 3)
    return store.import_file(studio, file).dataset


def test_records_and_card_go_up_in_one_commit(studio: Studio, dataset: Dataset, hub: Hub) -> None:
    done = hub_push.push(studio, dataset, " me/mine ")
    assert (done.repo, done.url, done.rows, done.public) == (
        "me/mine", f"{hub.address}/datasets/me/mine", 3, False,
    )  # fmt: skip
    assert hub.repos == {"me/mine": True}
    assert hub.commits == ["mine, version 1"]
    assert pq.read_table(io.BytesIO(hub.files[hub_push.DATA])).num_rows == 3
    card = hub.files["README.md"].decode()
    assert f"data_files: {hub_push.DATA}" in card and 'load_dataset("me/mine", split="train")' in card
    assert dataset.sha256 in card and TOKEN not in card
    assert list(studio.settings.uploads.iterdir()) == []
    hub_push.push(studio, dataset, "me/mine")
    assert len(hub.commits) == 2 and [path for _, path in hub.calls].count("/api/repos/create") == 1
    with pytest.raises(StudioError, match="me/mine already exists and is private"):
        hub_push.push(studio, dataset, "me/mine", public=True)
    assert len(hub.commits) == 2
    hub_push.push(studio, dataset, "me/open", public=True)
    assert hub.repos["me/open"] is False


def test_what_people_stated_in_the_card_stays(studio: Studio, dataset: Dataset, hub: Hub) -> None:
    hub_push.push(studio, dataset, "me/mine")
    stated = hub.files["README.md"].decode().replace("---\n", "---\nlicense: cc-by-4.0\nlanguage: [en]\n", 1)
    hub.files["README.md"] = stated.replace("- tunesmith\n", "- tunesmith\n- maths\n").encode()
    hub_push.push(studio, dataset, "me/mine")
    card = hub.files["README.md"].decode()
    assert "license: cc-by-4.0" in card and "- en" in card and "- maths" in card
    assert "## Licence\n\n`cc-by-4.0`" in card and f"data_files: {hub_push.DATA}" in card
    hub.files["README.md"] = b"---\n: [broken\n---\n"
    hub_push.push(studio, dataset, "me/mine")
    assert "Not stated." in hub.files["README.md"].decode()
    del hub.files["README.md"]
    hub_push.push(studio, dataset, "me/mine")
    assert len(hub.commits) == 4


@pytest.mark.parametrize(
    "repo", ["", "mine", "me/mine/more", "../mine", "me/..", "me/a b", "https://x/y", "me/x.git"]
)
def test_names_that_are_none_ask_nobody(studio: Studio, dataset: Dataset, hub: Hub, repo: str) -> None:
    with pytest.raises(BadInput, match="is not a Hub dataset name"):
        hub_push.push(studio, dataset, repo)
    assert hub.calls == []


def test_without_a_token_nobody_is_asked(
    studio: Studio, dataset: Dataset, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(StudioError, match="No Hub token"):
        hub_push.push(studio, dataset, "me/mine")
    assert hub.calls == []


def test_a_token_that_is_not_accepted(
    studio: Studio, dataset: Dataset, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "hf_" + "wrong" * 6
    monkeypatch.setenv("HF_TOKEN", wrong)
    with pytest.raises(StudioError, match="The Hub rejects the token") as raised:
        hub_push.push(studio, dataset, "me/mine")
    assert wrong not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(403, "The token has no write access to me/mine"), (400, "The Hub rejected the upload to me/mine")],
)
def test_refusals_are_said(studio: Studio, dataset: Dataset, hub: Hub, status: int, sentence: str) -> None:
    hub.refuse = (status, "You shall not")
    with pytest.raises(StudioError, match=sentence):
        hub_push.push(studio, dataset, "me/mine")
    assert hub.repos == {} and hub.commits == []


def test_no_connection_is_said(
    studio: Studio, dataset: Dataset, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(StudioError, match=f"The Hub at {hub.address} cannot be reached"):
        hub_push.push(studio, dataset, "me/mine")
    assert hub.calls == []
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(StudioError, match="cannot be reached"):
        hub_push.push(studio, dataset, "me/mine")
