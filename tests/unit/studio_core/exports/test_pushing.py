"""Exports on the Hub, with its real client in its own process and a Hub on this machine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from app.parts import push_view
from jobs import pushing as worker
from studio_core.base import atomic
from studio_core.base.errors import BadInput, Conflict, StudioError
from studio_core.base.studio import Studio
from studio_core.exports import pushing, results, submitting
from studio_core.models import registry
from studio_core.runs import run_folder
from studio_core.runs.spec import ExportSpec
from tests.unit.studio_core.data.fake_hub import TOKEN, Hub
from tests.unit.studio_core.data.test_hub_push import hub

__all__ = ["hub"]  # A fixture.


@pytest.fixture
def job(studio: Studio) -> int:
    registry.ensure_demo_models(studio)
    job = submitting.submit(studio, ExportSpec(model="tiny-chat", format="merged"))
    folder = results.folder_of(job)
    folder.mkdir(parents=True)
    document: dict[str, Any] = {
        "format": "merged",
        "options": {"precision": "stored"},
        "model": "tiny | `chat`",
    }
    document |= {"versions": {}, "created_at": "", "seconds": 1, "files": {}}
    for name, content in (("config.json", b"{}"), ("model.safetensors", b"weights")):
        (folder / name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        document["files"][name] = {"size": len(content), "sha256": digest, "crc32": 0}
    (folder / "manifest.json").write_text(json.dumps(document))
    return job.id


def test_files_and_card_go_up_in_one_commit_and_nobody_else_sees_them(
    studio: Studio, job: int, hub: Hub
) -> None:
    done = pushing.push(studio, job, " me/mine ")
    assert (done.repo, done.url, done.public) == ("me/mine", f"{hub.address}/me/mine", False)
    assert hub.repos == {"me/mine": True} and len(hub.commits) == 1
    assert hub.files["config.json"] == b"{}"
    card = hub.files["README.md"].decode()
    assert "# `tiny / 'chat'`" in card and "Not compared." in card and "library_name: transformers" in card
    assert hashlib.sha256(b"weights").hexdigest() in card
    assert TOKEN not in card and str(studio.settings.home) not in card
    assert list(studio.settings.uploads.iterdir()) == []


@pytest.mark.parametrize("repo", ["mine", "../x/y", "me/mine.git", "me/a--b", "", "me/x y"])
def test_what_names_no_repository_is_refused(studio: Studio, job: int, hub: Hub, repo: str) -> None:
    with pytest.raises(BadInput):
        pushing.push(studio, job, repo)
    assert not hub.calls


def test_a_push_is_a_job_whose_worker_uploads_and_tells_how_far_it_is(
    studio: Studio, job: int, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # As a worker has it.
    queued = pushing.submit(studio, job, "me/mine", key="once")
    assert pushing.submit(studio, job, "me/mine", key="once").id == queued.id
    assert (queued.kind, queued.after_id, pushing.pushed(queued)) == ("push", job, None)
    folder = Path(str(queued.run_dir))
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write_json(folder / run_folder.SPEC, queued.spec["run"])
    worker.main(folder)
    assert hub.repos == {"me/mine": True} and hub.files["config.json"] == b"{}"
    assert hub.files["README.md"].decode() == queued.spec["run"]["card"]
    done = pushing.pushed(queued)
    assert done is not None and done.url == f"{hub.address}/me/mine" and not done.public
    events = [json.loads(line) for line in (folder / run_folder.EVENTS).read_text().splitlines()]
    assert {event["type"] for event in events} == {"phase", "metrics", "result"}
    assert events[-1]["step"] == events[-1]["total_steps"] > len("weights")
    assert TOKEN not in (folder / run_folder.EVENTS).read_text()


def test_a_worker_that_may_not_push_says_what_to_do(
    studio: Studio, job: int, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    queued = pushing.submit(studio, job, "me/mine")
    folder = Path(str(queued.run_dir))
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write_json(folder / run_folder.SPEC, queued.spec["run"])
    with pytest.raises(StudioError, match="hf auth login"):
        worker.main(folder)
    assert pushing.pushed(queued) is None and not hub.commits
    with pytest.raises(Conflict):
        pushing.resume(studio, queued.id)


def test_what_is_pushed_is_shown_before(studio: Studio, job: int) -> None:
    run = pushing.outline(studio, job)
    assert list(run["files"]) == ["config.json", "model.safetensors", "manifest.json"]
    for language in ("en", "zh-CN"):
        shown = push_view.card(run["card"], language)
        # A name of somebody else's stays text, and headings begin below those of the page.
        assert "<h1>" not in shown and "library_name: transformers" in shown and "tiny / 'chat'" in shown
