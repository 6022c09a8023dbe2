"""``eval run --dry-run``: what a judge would be asked, before anything is started."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.cli import run

RUN = ["eval", "run", "--models", "tiny-base,tiny-chat", "--dataset", "sums-prompts", "--limit", "4"]
JUDGED = [*RUN, "--protocol", "rubric_pairs", "--set", "criteria='right: Is it right?'"]


def test_what_a_judge_would_be_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path / "home")]
    address = ["--address", "http://127.0.0.1:1/v1", "--model", "big", "--price-in", "1", "--price-out", "2"]
    assert run(["services", "add", "far", *address, *home]) == 0
    capsys.readouterr()
    assert run([*JUDGED, "--judge-service", "far", "--dry-run", "--json", *home]) == 0
    [told] = json.loads(capsys.readouterr().out)["judge"]
    assert (told["suite"], told["protocol"]) == ("sums-prompts@1", "rubric_pairs")
    # One model beside the baseline, in both orders.
    assert (told["items"], told["calls"]) == (4, 8)
    assert told["cost"] == pytest.approx((told["tokens_in"] + 2 * told["tokens_out"]) / 1e6)
    assert run([*JUDGED, "--judge", "tiny-chat", "--dry-run", *home]) == 0
    assert "rubric_pairs" in capsys.readouterr().out
    assert run(["jobs", "list", "--json", *home]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_protocol_that_nothing_takes_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path / "home")]
    facts = ["eval", "run", "--models", "tiny-base,tiny-chat", "--suite", "facts", "--dry-run"]
    assert run([*facts, "--protocol", "rubric", "--judge", "tiny-chat", *home]) == 2
    assert "A rule scores the answers to facts" in capsys.readouterr().err
    assert run([*JUDGED, "--dry-run", *home]) == 2
    assert "Name a model with --judge" in capsys.readouterr().err
