"""Tasks of lm-evaluation-harness: a program is started, what it logs becomes items, and it ends with its job."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs.evaluation import lm_eval
from jobs.evaluation.questions import Questions
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.settings import bundled_folder
from studio_core.base.states import State
from studio_core.base.studio import Studio, open_studio
from studio_core.evaluation import browsing, items_file, results, submitting
from studio_core.models import registry
from studio_core.runs.spec import EvalSpec, ResolvedModel, SuiteChoice
from studio_core.suites import suite_in
from tests.integration.in_this_process import carried_out

CHAT = ResolvedModel(name="tiny-chat", path=str(bundled_folder() / "models" / "tiny-chat"), parameters=1)


@pytest.fixture
def program(tmp_path: Path) -> str:
    """A Python that would have it, by a name that a shell would take apart."""
    script = Path(__file__).with_name("lm_eval_stand_in.py")
    file = tmp_path / "my python; exit 1"
    file.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(script))} "$@"\n')
    file.chmod(0o700)
    return str(file)


def asked(name: str, **more: Any) -> Questions:
    suite = suite_in(Path(), f"lm_eval:{name}")
    assert suite is not None
    return Questions(suite, (), "", **more)


def answered(program: str, folder: Path, name: str, **more: Any) -> list[items_file.AnsweredItem]:
    return lm_eval.answered(program, folder, CHAT, asked(name, **more), 7, folder / "out", lambda: False)


def test_what_is_logged_becomes_items(program: str, tmp_path: Path) -> None:
    first, second = answered(program, tmp_path, "gsm8k", limit=2)
    assert (first.item, first.answers, first.key, first.value) == ("0", ("It is 1.",), "1", 0)
    assert second.prompt == [{"role": "user", "content": "Question: 1 + 1?"}]
    assert browsing.reason(first) == "exact_match; read: ['[invalid]']"
    [file] = (tmp_path / "out").rglob("results_*.json")
    given = json.loads(file.read_text(encoding="utf-8"))["arguments"]
    assert (given["seed"], given["limit"], given["apply_chat_template"]) == ("7", "2", True)
    assert given["include_path"] is None and given["gen_kwargs"] is None


def test_a_filter_that_is_named(program: str, tmp_path: Path) -> None:
    assert {row.value for row in answered(program, tmp_path, "gsm8k:flexible-extract")} == {1.0}
    with pytest.raises(StudioError, match="no filter loose, only: strict-match, flexible-extract"):
        answered(program, tmp_path / "again", "gsm8k:loose")


def test_a_metric_that_is_named(program: str, tmp_path: Path) -> None:
    first, *_ = answered(program, tmp_path, "gsm8k:strict-match:exact_match")
    assert first.reason_values["metric"] == "exact_match"
    assert answered(program, tmp_path / "b", "gsm8k::exact_match")[0].value == first.value
    with pytest.raises(StudioError, match=r"gsm8k that was asked for .*it has: exact_match"):
        answered(program, tmp_path / "c", "gsm8k::bleu")


def test_an_adapter_is_loaded_on_its_base(program: str, tmp_path: Path) -> None:
    adapter = CHAT.model_copy(update={"adapter": str(tmp_path / "adapter")})
    command = lm_eval.command(program, tmp_path, adapter, asked("gsm8k"), 0, tmp_path)
    arguments = json.loads(command[command.index("--model_args") + 1])
    assert (arguments["pretrained"], arguments["peft"]) == (CHAT.path, adapter.adapter)


def test_a_group_has_the_items_of_all_its_tasks(program: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").touch()
    rows = answered(program, tmp_path, "group")
    assert [(row.item, row.kind, row.answers, row.value) for row in rows] == [
        ("group_a/0", "group_a", ("red",), 0),
        ("group_b/0", "group_b", ("red",), 0),
    ]
    assert lm_eval.identity(rows) == lm_eval.identity(rows) != lm_eval.identity(rows[:1])


def test_what_fails_is_told(program: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StudioError, match="ended with code 3 on the task fails"):
        answered(program, tmp_path, "fails")
    assert "the task has failed" in capfd.readouterr().err
    with pytest.raises(StudioError, match="word_perplexity, bits_per_byte"):
        answered(program, tmp_path / "b", "wikitext")
    with pytest.raises(StudioError, match=r"none could not be started|could not be started by .*none"):
        answered(str(tmp_path / "none"), tmp_path, "gsm8k")


def test_it_ends_when_the_user_stops(program: str, tmp_path: Path) -> None:
    pid = tmp_path / "out" / "__model" / "pid"
    rows = lm_eval.answered(program, tmp_path, CHAT, asked("waits"), 0, tmp_path / "out", pid.is_file)
    assert rows == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.parametrize(
    "name",
    [
        *("lm_eval:", "lm_eval:--model", "lm_eval:a b", "lm_eval:a/b", "lm_eval:a:", "x:a"),
        *("lm_eval:a:b:", "lm_eval:a::", "lm_eval::b"),
    ],
)
def test_what_names_no_task(name: str) -> None:
    assert suite_in(Path("nowhere"), name) is None


def spec(**changes: Any) -> EvalSpec:
    suites = [SuiteChoice(name="lm_eval:gsm8k")]
    return EvalSpec(**{"models": ["tiny-base", "tiny-chat"], "suites": suites, "limit": 2, **changes})


def test_an_evaluation_by_it(program: str, tmp_path: Path) -> None:
    studio = open_studio(home=tmp_path / "home", lm_eval_python=program)
    registry.ensure_demo_models(studio)
    with pytest.raises(BadInput, match="no limit of time"):
        submitting.submit(studio, spec(seconds=60))
    job = carried_out(studio, submitting.submit(studio, spec()))
    assert job.state == State.SUCCEEDED and (job.step, job.total_steps) == (2, 2)
    reached = results.of_job(studio, job.id)
    assert [(each.suite, each.value, each.figures["limit"]) for each in reached] == [
        ("lm_eval:gsm8k", 0, 2)
    ] * 2
    assert reached[0].questions == reached[1].questions
    assert browsing.pair(studio, job).counts()["both_wrong"] == 2
    studio.close()


def test_without_it_the_sentence_says_how_to_make_one(studio: Studio, tmp_path: Path) -> None:
    registry.ensure_demo_models(studio)
    with pytest.raises(BadInput, match="set TUNESMITH_LM_EVAL_PYTHON"):
        submitting.submit(studio, spec())
    wrong = open_studio(home=studio.settings.home, lm_eval_python=str(tmp_path))
    with pytest.raises(BadInput, match="no program that can be started"):
        submitting.submit(wrong, spec())
    wrong.close()
