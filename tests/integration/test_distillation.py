"""What is particular to distillation, on miniature models: who writes, what is refused, where a stop is heard."""

from __future__ import annotations

import math
import signal
from pathlib import Path
from typing import Any

import pytest

from jobs.training import distillation
from jobs.training.course import Course
from studio_core.data.shapes import Shape
from studio_core.methods.roles import other_tokens
from studio_core.runs.spec import ResolvedModel
from tests.integration.miniature import (
    chats,
    events,
    losses,
    make_run,
    miniature_model,
    stop_amid_answers,
)
from tests.unit.jobs.generation.small_models import save_adapter, save_stranger

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> ResolvedModel:
    return miniature_model(tmp_path_factory.mktemp("models") / "student")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> ResolvedModel:
    return miniature_model(tmp_path_factory.mktemp("models") / "teacher", seed=1)


def prepared(folder: Path, student: ResolvedModel, teacher: ResolvedModel, **options: Any) -> Path:
    chosen = {"epochs": 2.0, "batch_size": 6, "max_new_tokens": 8, "learning_rate": 2e-2, **options}
    return make_run(
        folder,
        student,
        chats(12),
        method="distillation",
        shape=Shape.CHAT,
        models={"teacher": teacher},
        **chosen,
    )


def values(run_dir: Path, name: str) -> list[float]:
    told = [event["values"] for event in events(run_dir, "metrics")]
    return [report[name] for report in told if name in report]


@pytest.mark.parametrize("mode", ["off_policy", "data", "answers"])
@pytest.mark.parametrize("beta", [0.5])
def test_each_mode_learns(
    mode: str, beta: float, tmp_path: Path, student: ResolvedModel, teacher: ResolvedModel
) -> None:
    run_dir = prepared(tmp_path / mode, student, teacher, mode=mode, beta=beta, epochs=8.0)
    distillation.main(run_dir)
    told = [*losses(run_dir).values()]
    assert len(told) == 16 and sum(told[-4:]) < sum(told[:4])  # type: ignore[arg-type]
    shown = [event for event in events(run_dir, "sample") if event["index"] >= 2]
    assert bool(shown) is (mode != "data") and {event["when"] for event in shown} <= {"during"}
    assert all("say a" in event["prompt"] and "yes" not in event["prompt"] for event in shown)


def test_answers_of_the_dataset_are_read_as_sft_reads_them_and_prompts_are_its_prompts(
    tmp_path: Path, student: ResolvedModel, teacher: ResolvedModel
) -> None:
    run_dir = prepared(tmp_path / "run", student, teacher)
    course = Course.begin(run_dir, distillation.DistillationOptions)
    for row in course.data(distillation.rows).train:
        learnt = [label for label in row["labels"] if label != -100]
        assert row["input_ids"] == row["prompt"] + learnt


def test_a_teacher_is_what_it_was_and_may_be_an_adapter(
    tmp_path: Path, student: ResolvedModel, teacher: ResolvedModel
) -> None:
    adapter = save_adapter(tmp_path / "adapter", Path(teacher.path))
    tuned = teacher.model_copy(update={"adapter": str(adapter)})
    plain, other = (
        prepared(tmp_path / name, student, given, epochs=0.5)
        for name, given in (("plain", teacher), ("tuned", tuned))
    )
    for run_dir in (plain, other):
        distillation.main(run_dir)
    assert losses(plain)[1] != losses(other)[1]


def test_a_stop_is_heard_while_answers_are_written(
    tmp_path: Path, student: ResolvedModel, teacher: ResolvedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step in progress is given up, and the model is the one of the step before."""
    run_dir = prepared(tmp_path / "run", student, teacher, epochs=4.0)
    stop_amid_answers(monkeypatch, 3)
    before = signal.getsignal(signal.SIGTERM)
    distillation.main(run_dir)
    signal.signal(signal.SIGTERM, before)
    [result] = events(run_dir, "result")
    assert (result["state"], result["step"], result["total_steps"]) == ("stopped", 2, 8)


def test_memory_that_is_short_is_made_up_for_by_computing_twice(
    tmp_path: Path, student: ResolvedModel, teacher: ResolvedModel
) -> None:
    once, twice = (
        prepared(tmp_path / wanted, student, teacher, activation_checkpointing=wanted)
        for wanted in ("off", "on")
    )
    for run_dir in (once, twice):
        distillation.main(run_dir)
    [config] = events(twice, "config")
    assert config["values"]["activation_checkpointing"] is True
    assert [*losses(twice).values()] == pytest.approx([*losses(once).values()], rel=1e-4)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> ResolvedModel:
    """A teacher with tokens of several letters, another end of turns and another template."""
    folder = tmp_path_factory.mktemp("models") / "stranger"
    save_stranger(folder)
    return ResolvedModel(name="stranger", path=str(folder), parameters=40_000)


@pytest.mark.parametrize("mode", ["on_policy", "off_policy", "data", "answers"])
def test_a_teacher_with_other_tokens_teaches_in_each_mode(
    mode: str, tmp_path: Path, student: ResolvedModel, stranger: ResolvedModel
) -> None:
    assert other_tokens(student, student) is None
    told = other_tokens(stranger, student)
    assert told and 250 < told["shared"] < 262
    replayed: dict[str, Any] = {"replay": chats(4), "replay_share": 0.2} if mode == "on_policy" else {}
    run_dir = prepared(
        tmp_path / "run", student, stranger, mode=mode, epochs=8.0, held_out=chats(4), **replayed
    )  # fmt: skip
    distillation.main(run_dir)
    reports = values(run_dir, "loss")
    assert len(reports) >= 16 and all(map(math.isfinite, reports))
    # What an untrained student writes begins as noise, of which a teacher knows little: its texts change, as its loss.
    assert mode == "on_policy" or sum(reports[-4:]) < sum(reports[:4])
    assert min(values(run_dir, "agreement")) >= 0 and max(values(run_dir, "agreement")) <= 1
    assert values(run_dir, "eval_loss") and bool(values(run_dir, "replay_loss")) is bool(replayed)


@pytest.mark.parametrize("mode", ["on_policy", "off_policy"])
def test_a_run_with_other_tokens_goes_on_where_it_was_stopped(
    mode: str,
    tmp_path: Path,
    student: ResolvedModel,
    stranger: ResolvedModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, stopped = (
        prepared(tmp_path / name, student, stranger, mode=mode) for name in ("whole", "stopped")
    )
    distillation.main(whole)
    with monkeypatch.context() as patch:
        stop_amid_answers(patch, 3)
        before = signal.getsignal(signal.SIGTERM)
        distillation.main(stopped)
        signal.signal(signal.SIGTERM, before)
    [result] = events(stopped, "result")
    assert (result["state"], result["step"]) == ("stopped", 2)
    [checkpoint] = stopped.glob("checkpoints/checkpoint-2")
    resumed = prepared(tmp_path / "resumed", student, stranger, mode=mode, resume_from=checkpoint)
    distillation.main(resumed)
    assert losses(resumed) == {step: loss for step, loss in losses(whole).items() if step > 2}


TEXTS = [{"text": "once a a a"}] * 8
"""To be replayed: plain text has no prompt, and nobody is asked about it."""


@pytest.mark.parametrize(("replay", "shape"), [(chats(8), Shape.CHAT), (TEXTS, Shape.TEXT)])
@pytest.mark.parametrize("mode", ["on_policy", "answers"])
def test_replayed_rows_are_learnt_as_they_stand(
    mode: str,
    replay: list[dict[str, Any]],
    shape: Shape,
    tmp_path: Path,
    student: ResolvedModel,
    teacher: ResolvedModel,
) -> None:
    run_dir = prepared(
        tmp_path / "run", student, teacher,
        mode=mode, replay=replay, replay_shape=shape, replay_share=0.5, epochs=8.0,
    )  # fmt: skip
    distillation.main(run_dir)
    [config] = events(run_dir, "config")
    assert (config["values"]["rows"], config["values"]["rows_replayed"]) == (24, 12)
    replayed = values(run_dir, "replay_loss")
    assert len(replayed) > 24 and sum(replayed[-4:]) < 0.5 * sum(replayed[:4])
    # Of a step's rows only those that somebody wrote count there; an untrained miniature writes to the limit.
    assert max(values(run_dir, "written_tokens")) <= 8
    assert min(values(run_dir, "agreement")) >= 0 and max(values(run_dir, "agreement")) <= 1


def test_a_step_of_replayed_rows_alone_needs_no_teacher(
    tmp_path: Path, student: ResolvedModel, teacher: ResolvedModel
) -> None:
    run_dir = prepared(
        tmp_path / "run", student, teacher, replay=chats(8), replay_share=0.5, batch_size=1, epochs=1.0
    )
    distillation.main(run_dir)
    reports = [event["values"] for event in events(run_dir, "metrics")]
    steps = [report for report in reports if "learning_rate" in report]
    assert len(steps) == 24
    assert [("replay_loss" in step) != ("loss" in step) for step in steps] == [True] * 24
