"""What is particular to distillation, on miniature models: who writes, what is refused, where a stop is heard."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from jobs.training import distillation
from jobs.training.course import Course
from studio_core.base.errors import BadInput
from studio_core.data.shapes import Shape
from studio_core.methods.roles import Role, other_tokens
from studio_core.runs.spec import ResolvedModel
from tests.integration.miniature import (
    MARKED,
    chats,
    events,
    losses,
    make_run,
    miniature_model,
    stop_amid_answers,
)
from tests.unit.jobs.generation.small_models import save_adapter, save_llama

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


def test_a_teacher_of_another_tokenizer_is_refused(tmp_path: Path, student: ResolvedModel) -> None:
    role = Role("teacher", same_tokens=True)
    assert other_tokens(role, student, student) is None
    other = tmp_path / "other"
    save_llama(other, chat_template=MARKED)
    text = (other / "tokenizer.json").read_text().replace("<|end|>", "<|over|>")
    (other / "tokenizer.json").write_text(text)
    refused = other_tokens(role, ResolvedModel(name="other", path=str(other)), student)
    assert isinstance(refused, BadInput)
    assert refused.sentence().startswith("The teacher other does not have the tokens of student: <|end|> is")


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
