"""``search | tag | rename | delete``, the trash and the storage on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.cli import run
from studio_core.base.studio import Studio
from studio_core.base.tables import Model
from studio_core.data import versions
from studio_core.models import registry
from tests.unit.studio_core.keeping.test_chats_and_projects import project, talked
from tests.unit.studio_core.keeping.test_deleting import train
from tests.unit.studio_core.training.runs import chat, imported


@pytest.fixture
def trained(studio: Studio, tmp_path: Path) -> Model:
    registry.ensure_demo_models(studio)
    imported(studio, "sums", (chat(f"{n}?", str(n)) for n in range(20)), tmp_path)
    return train(studio, name="poet")


def told(studio: Studio, capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    """What a command prints as JSON; its sentence if it is refused."""
    assert run(["--home", str(studio.settings.home), *words, "--json"]) == code
    printed = capsys.readouterr()
    return json.loads(printed.out) if code == 0 else printed.err


def test_what_is_tagged_is_found(studio: Studio, trained: Model, capsys: pytest.CaptureFixture[str]) -> None:
    names = {"jobs": str(trained.job_id), "models": "poet", "data": "sums"}
    for group, name in names.items():
        (row,) = told(studio, capsys, group, "tag", name, "--add", "好", "--star", "--note", "*why*")
        assert "好" in row["tags"] and row["starred"] and row["note"] == "*why*"
        found = told(studio, capsys, group, "find" if group == "data" else "search", "tag:好", "--star")
        assert found["found"] == 1 and found["rows"][0]["note"] == "*why*"
    assert "cannot be a tag" in told(studio, capsys, "jobs", "tag", names["jobs"], "--add", "a b", code=2)
    assert "no job x" in told(studio, capsys, "jobs", "tag", "x", code=2)
    assert "newest, name" in told(studio, capsys, "models", "search", "--sort", "x", code=2)


def test_conversations_and_projects_have_the_same_commands(
    studio: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    project(studio, "facts")
    names = {"chats": str(talked(studio)), "label": "facts"}
    for group, name in names.items():
        (row,) = told(studio, capsys, group, "tag", name, "--add", "好", "--archive", "--note", "*why*")
        assert row["archived"] and row["tags"] == ["好"]
        assert told(studio, capsys, group, "search", "tag:好")["found"] == 0
        found = told(studio, capsys, group, "search", "tag:好", "--archived")
        assert [one["note"] for one in found["rows"]] == ["*why*"]
        assert told(studio, capsys, group, "rename", name, "riddles")["name"].endswith("riddles")
        again = names["chats"] if group == "chats" else "riddles"
        assert told(studio, capsys, group, "delete", again)["effects"][0]["blocked"] is False
    assert "no conversation x" in told(studio, capsys, "chats", "tag", "x", code=2)


def test_a_name_is_changed(studio: Studio, trained: Model, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(studio, capsys, "models", "rename", "poet", "bard") == {"before": "poet", "name": "bard"}
    assert told(studio, capsys, "data", "rename", "sums", "additions")["name"] == "additions@1"
    assert registry.get(studio, "bard").id == trained.id
    assert versions.get(studio, "additions@1").rows == 20


def test_what_is_deleted_is_told_first_and_comes_back(
    studio: Studio, trained: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    only = told(studio, capsys, "jobs", "delete", str(trained.job_id), "--dry-run")
    assert only["trash"] == [] and only["effects"][0]["hangs"] == ["Its model is deleted with it: poet."]
    gone = told(studio, capsys, "jobs", "delete", str(trained.job_id))
    assert "poet" in told(studio, capsys, "models", "delete", "poet", code=2)
    (kept,) = told(studio, capsys, "trash", "list")
    assert [kept["number"]] == gone["trash"] and kept["kind"] == "run" and "command line" in kept["by"]
    names = told(studio, capsys, "trash", "undo", str(kept["number"]))["names"]
    assert names == [f"{trained.job_id} · poet"] and registry.get(studio, "poet").id == trained.id
    emptied = told(studio, capsys, "models", "delete", "poet")["effects"][0]["bytes"]
    assert told(studio, capsys, "trash", "empty") == {"removed": 1, "bytes": emptied}
    assert "tiny-base" in told(studio, capsys, "models", "delete", "tiny-base", code=2)


def test_the_disk_is_told_of(studio: Studio, trained: Model, capsys: pytest.CaptureFixture[str]) -> None:
    shown = told(studio, capsys, "storage", "show")
    assert shown["areas"]["run_models"] == shown["items"][0]["bytes"] > 1_000_000
    assert told(studio, capsys, "storage", "thin", "--days", "0") == {
        "checkpoints": [],
        "removed": 0,
        "bytes": 0,
    }
