from __future__ import annotations

import stat
from pathlib import Path

import pytest

from studio_core.base import settings
from studio_core.base.errors import BadInput


def test_the_environment_is_read_and_what_is_given_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNESMITH_HOME", str(tmp_path / "one"))
    monkeypatch.setenv("TUNESMITH_PORT", "8001")
    monkeypatch.setenv("TUNESMITH_THREADS", "")
    assert settings.load().home == tmp_path / "one"
    loaded = settings.load(home=tmp_path / "two", port=None)
    assert (loaded.home, loaded.port, loaded.threads) == (tmp_path / "two", 8001, 0)


def test_the_data_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    loaded = settings.load(home=tmp_path / "home")
    for folder in (loaded.home, loaded.datasets, loaded.runs, loaded.models, loaded.uploads, loaded.logs):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_bad_value_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_PORT", "seventy")
    with pytest.raises(BadInput, match="setting port='seventy'"):
        settings.load(home=tmp_path)


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="Cannot write to the data folder"):
        settings.load(home=tmp_path / "file")


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in settings.Settings.model_fields.values())
