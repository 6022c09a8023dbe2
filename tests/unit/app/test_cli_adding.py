"""``data import | paste | import-hub``, called in this process."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from app.cli import run
from studio_core.base.studio import open_studio
from studio_core.data import uploads


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def called(home: Path, capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Any:
    assert run(["--home", str(home), "data", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def write(path: Path, *prompts: str) -> Path:
    path.write_text("".join(json.dumps({"q": p, "a": "{{name}}"}) + "\n" for p in prompts))
    return path


def test_files_an_archive_and_a_folder_are_one_dataset(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.write(write(tmp_path / "inner.jsonl", "3", "4"), "inner.jsonl")
    (tmp_path / "folder").mkdir()
    write(tmp_path / "folder" / "c.jsonl", "5", "")
    first = write(tmp_path / "a.jsonl", "1", "2")
    parts = {"columns": {"prompt": "q"}, "templates": {"completion": "To {{q}}: {{a}}"}}
    mapping = json.dumps({"shape": "prompt-completion", **parts})
    told = called(
        home, capsys, "import", first, tmp_path / "more.zip", tmp_path / "folder",
        "--name", "all", "--mapping", mapping, "--fill", "name=Ada",
    )  # fmt: skip
    assert (told["dataset"], told["rows"], told["shape"]) == ("all", 5, "prompt-completion")
    assert [(one["file"], one["row"]) for one in told["rejected"]] == [("folder/c.jsonl", 2)]
    shown = called(home, capsys, "show", "all")
    assert shown["records"][0]["completion"][0]["content"] == "To 1: Ada"


def test_text_is_read_from_standard_input(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("prompt,completion\nq,a\n"))
    told = called(home, capsys, "paste", "--name", "typed")
    assert (told["dataset"], told["rows"]) == ("typed", 1)
    monkeypatch.setattr("sys.stdin", io.StringIO("[1, 2]"))
    assert run(["--home", str(home), "data", "paste"]) == 2
    assert "All 2 rows of pasted.json are invalid" in capsys.readouterr().err
    studio = open_studio(home=home)
    assert uploads.uploads(studio.settings) == [], "nothing is left behind"
    studio.close()
