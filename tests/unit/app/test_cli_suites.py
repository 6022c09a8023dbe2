"""``suites list`` and ``suites add``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.cli import run
from studio_core.suites import SUITES


def test_a_published_suite_is_listed_and_is_here_once_its_file_was_added(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, file = ["--home", str(tmp_path / "home")], tmp_path / "test.jsonl"
    file.write_text(json.dumps({"question": "1+1?", "answer": "#### 2"}) + "\n", encoding="utf-8")
    assert run(["suites", "list", "--json", *home]) == 0
    listed = {row["suite"]: row for row in json.loads(capsys.readouterr().out)}
    assert [*listed] == [*SUITES]
    assert (listed["facts"]["here"], listed["facts"]["questions"], listed["facts"]["source"]) == (
        True,
        200,
        None,
    )
    assert (listed["gsm8k"]["here"], listed["gsm8k"]["questions"]) == (False, None)
    assert run(["suites", "add", "gsm8k", str(file), "--json", *home]) == 0
    added = json.loads(capsys.readouterr().out)
    assert added == {**listed["gsm8k"], "here": True, "questions": 1}
    assert (added["source"], added["licence"], added["scored_by"]) == ("openai/gsm8k", "MIT", "answer")
    assert run(["suites", "list", *home]) == 0
    assert "openai/gsm8k" in capsys.readouterr().out


def test_a_benchmark_says_what_it_needs_until_its_program_is_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = ["--home", str(tmp_path / "home")]
    assert run(["suites", "list", *home]) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "TUNESMITH_BENCHMARKS" in line]
    assert [line.split()[0] for line in told] == ["taubench", "toolsandbox", "nexusbench", "bfcl"]
    assert "bfcl-eval==" in told[-1] and '{"taubench": ["' in told[0]
    monkeypatch.setenv("TUNESMITH_BENCHMARKS", '{"taubench": ["/opt/tau/bin/python"]}')
    assert run(["suites", "list", "--json", *home]) == 0
    listed = {row["suite"]: row for row in json.loads(capsys.readouterr().out)}
    assert (listed["taubench_airline"]["here"], listed["taubench_airline"]["needs"]) == (True, "")
    assert not listed["nexusbench"]["here"] and listed["facts"]["needs"] == ""


def test_tests_of_ones_own_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home, file = ["--home", str(tmp_path / "home")], tmp_path / "samples.jsonl"
    file.write_text('{"input": "1+1?", "ideal": "2"}\n', encoding="utf-8")
    assert run(["suites", "add", "mine", str(file), "--scored-by", "Match", "--json", *home]) == 0
    added = json.loads(capsys.readouterr().out)
    assert (added["suite"], added["title"], added["questions"], added["source"]) == ("mine", "mine", 1, "")
    assert run(["suites", "list", "--json", *home]) == 0
    assert json.loads(capsys.readouterr().out)[-1] == added


def test_a_file_of_another_suite_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "test.jsonl"
    file.write_text('{"problem": "1+1?", "answer": "2"}\n', encoding="utf-8")
    assert run(["suites", "add", "gsm8k", str(file), "--home", str(tmp_path / "home")]) == 2
    assert "Record 1 of test.jsonl is not a question of gsm8k" in capsys.readouterr().err
