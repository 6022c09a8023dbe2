"""Which trackers are on: what will not do, and that a key is its owner's only."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studio_core.base import settings as settings_
from studio_core.base.errors import BadInput, NotFound, StudioError
from studio_core.base.settings import Settings
from studio_core.trackers import TRACKERS, switches

KEY = "0123456789abcdef" * 3


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(switches, "is_installed", lambda *_: True)
    return settings_.load(home=tmp_path)


@pytest.mark.parametrize(
    ("name", "options", "key", "sentence"),
    [
        ("mlflow", {"project": "a/b"}, "", "is not a valid project name"),
        ("mlflow", {"project": ""}, "", "is not a valid project name"),
        ("mlflow", {"address": "file:///etc"}, "", "is not a service address"),
        ("trackio", {"address": "http://169.254.169.254"}, "", "is not allowed"),
        ("wandb", {"entity": "a b"}, "", "is not a valid W&B entity"),
        ("tensorboard", {"project": "x"}, "", "no option project"),
        ("tensorboard", {}, KEY, "takes no API key"),
        ("wandb", {}, "two words", "API key for wandb"),
    ],
)
def test_what_will_not_do(
    home: Settings, name: str, options: dict[str, Any], key: str, sentence: str
) -> None:
    with pytest.raises(BadInput, match=sentence) as raised:
        switches.switch(home, name, True, options, key)
    assert KEY not in str(raised.value) and not (home.home / switches.FILE).exists()


def test_on_and_off(home: Settings) -> None:
    file = home.home / switches.FILE
    assert switches.enabled(file) == [] and set(switches.switches(file)) == set(TRACKERS)
    switches.switch(home, "wandb", True, {"project": " mine "}, KEY)
    switches.switch(home, "tensorboard", True)
    assert switches.enabled(file) == ["tensorboard", "wandb"] and file.stat().st_mode & 0o77 == 0
    kept = switches.switch(home, "wandb", False)
    assert kept.options["project"] == "mine" and kept.key.get_secret_value() == KEY
    assert KEY not in repr(kept) + str(kept.model_dump()) + kept.model_dump_json()
    assert switches.enabled(file) == ["tensorboard"]
    with pytest.raises(NotFound, match="no tracker 'nix'"):
        switches.switch(home, "nix", True)


def test_a_key_stays_with_its_address(home: Settings) -> None:
    switches.switch(home, "wandb", True, {}, KEY)
    assert switches.switch(home, "wandb", True, {"entity": "us"}).key.get_secret_value() == KEY
    other = switches.switch(home, "wandb", True, {"address": "http://127.0.0.1:8080"})
    assert other.key.get_secret_value() == ""


def test_a_damaged_file_does_not_quote_keys(home: Settings) -> None:
    file = home.home / switches.FILE
    file.write_text(f'{{"wandb": {{"on": "{KEY}"}}}}')
    with pytest.raises(StudioError, match="is damaged") as raised:
        switches.enabled(file)
    assert KEY not in str(raised.value)


def test_a_package_that_is_missing_is_named_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = replace(TRACKERS["wandb"], module="no_such_module")
    monkeypatch.setitem(TRACKERS, "wandb", absent)
    for python in ("", sys.executable):
        given = settings_.load(home=tmp_path, trackers_python=python)
        with pytest.raises(BadInput, match="pip install wandb"):
            switches.switch(given, "wandb", True)
    with pytest.raises(BadInput, match="could not be run"):
        switches.switch(settings_.load(home=tmp_path, trackers_python="/no/such"), "wandb", True)
    assert not (tmp_path / switches.FILE).exists()


def test_where_a_run_is_sent() -> None:
    wandb, mlflow = TRACKERS["wandb"], TRACKERS["mlflow"]
    assert wandb.address(wandb.checked({}), "") == ""
    assert wandb.address(wandb.checked({}), KEY) == "https://api.wandb.ai"
    assert mlflow.address(mlflow.checked({}), KEY) == ""
    assert (
        mlflow.address(mlflow.checked({"address": "http://127.0.0.1:5000/"}), "") == "http://127.0.0.1:5000"
    )
