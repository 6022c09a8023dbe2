"""A model is known by what is in its files."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from jobs.generation import contents
from jobs.generation.engines import loop
from studio_core.runs.spec import ResolvedModel


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("model.safetensors", "config.json", "chat_template.jinja", "notes.txt"):
        (folder / name).write_text(name)
    return folder


def named(folder: Path, name: str = "mine", adapter: Path | None = None) -> dict[str, object]:
    return loop.identity(ResolvedModel(name=name, path=str(folder), adapter=adapter and str(adapter)))


def test_the_same_files_are_the_same_model_under_any_name_and_anywhere(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "elsewhere")
    os.utime(copy / "model.safetensors", (1, 1))
    (copy / "notes.txt").write_text("Whatever is written beside a model is no part of it.")
    assert named(copy, "other") == named(folder)
    assert named(folder, adapter=copy) != named(folder)
    (copy / "model.safetensors").write_text("model.safetensorz")
    assert named(copy) != named(folder)


def test_a_file_is_hashed_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_STUDIO", str(tmp_path))
    hashed: list[str] = []
    sha256 = contents._sha256
    monkeypatch.setattr(contents, "_sha256", lambda file: hashed.append(file.name) or sha256(file))
    first = contents.hashes(folder)
    assert contents.hashes(folder) == first and len(hashed) == 3
    (folder / "config.json").write_text("another one")
    assert contents.hashes(folder) != first and hashed[3:] == ["config.json"]
    (folder / "chat_template.jinja").unlink()
    (folder / "config.json").write_text("a third one")
    assert [name for name, _ in contents.hashes(folder)] == ["config.json", "model.safetensors"]
    assert len(json.loads((tmp_path / "contents.json").read_text())) == 2, "what is gone is forgotten"
