from __future__ import annotations

from pathlib import Path

import pytest

from studio_core import training
from studio_core.base.errors import BadInput, Conflict, NotFound
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.models import registry
from studio_core.runs import metrics, queue
from tests.unit.studio_core.training.runs import checkpoint, run_to, say, spec


def test_goes_on_from_the_newest_complete_checkpoint(studio: Studio, sums: Dataset) -> None:
    job = run_to(studio, training.submit(studio, spec(name="mine")), State.FAILED, steps=14)
    checkpoint(job, 5)
    newest = checkpoint(job, 10)
    checkpoint(job, 14, torn=True)
    again = training.resume(studio, job.id, key="click")
    assert training.resume(studio, job.id, key="click").id == again.id
    assert (again.resumes_id, again.name, again.method) == (job.id, "mine", "sft")
    assert again.spec["run"]["resume_from"] == str(newest)
    with pytest.raises(Conflict, match=f"Run {again.id} already resumes run {job.id}"):
        training.resume(studio, job.id, key="another click")


def test_goes_on_from_any_complete_checkpoint(studio: Studio, sums: Dataset) -> None:
    job = run_to(studio, training.submit(studio, spec(priority=2)), State.SUCCEEDED, steps=20)
    earlier, _, _ = checkpoint(job, 5), checkpoint(job, 10), checkpoint(job, 14, torn=True)
    with pytest.raises(Conflict, match="all 20 steps"):
        training.resume(studio, job.id)
    for step in (14, 7):
        with pytest.raises(BadInput, match=f"at step {step} .*Available: 5, 10"):
            training.resume(studio, job.id, step=step)
    again = training.resume(studio, job.id, step=5)
    assert (again.spec["run"]["resume_from"], again.priority) == (str(earlier), 2)


def test_the_curve_holds_both_runs_once(studio: Studio, sums: Dataset) -> None:
    job = run_to(studio, training.submit(studio, spec()), State.FAILED, steps=14)
    checkpoint(job, 10)
    again = run_to(studio, training.resume(studio, job.id), State.SUCCEEDED, steps=20, first=11)
    points = training.curve(studio, again)
    assert [point.step for point in points] == list(range(1, 21))
    assert [point.job_id for point in points] == [job.id] * 10 + [again.id] * 10
    assert [one.id for one in training.resumed_by(studio, job.id)] == [again.id]


def test_a_run_that_got_no_further_is_resumed_from_where_it_began(studio: Studio, sums: Dataset) -> None:
    job = run_to(studio, training.submit(studio, spec()), State.FAILED, steps=14)
    folder = checkpoint(job, 10)
    again = run_to(studio, training.resume(studio, job.id), State.FAILED, steps=12, first=11)
    third = training.resume(studio, again.id)
    assert third.spec["run"]["resume_from"] == str(folder)


def test_what_cannot_be_resumed(studio: Studio, sums: Dataset) -> None:
    waiting = training.submit(studio, spec())
    with pytest.raises(Conflict, match="is still active"):
        training.resume(studio, waiting.id)
    finished = run_to(studio, waiting, State.SUCCEEDED, steps=20)
    checkpoint(finished, 20)
    with pytest.raises(Conflict, match="finished all 20 steps"):
        training.resume(studio, finished.id)
    bare = run_to(studio, training.submit(studio, spec()), State.FAILED, steps=3)
    checkpoint(bare, 3, torn=True)
    with pytest.raises(Conflict, match="no complete checkpoint"):
        training.resume(studio, bare.id)
    serve = queue.submit(studio, kind="serve", name="chat", spec={})
    with pytest.raises(BadInput, match="not a training"):
        training.resume(studio, serve.id)
    with pytest.raises(NotFound):
        training.resume(studio, 999)


def test_a_base_that_is_gone(studio: Studio, sums: Dataset) -> None:
    demo = Path(registry.get(studio, "tiny-base").path)
    folder = studio.settings.models / "own"
    folder.mkdir()
    for file in demo.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    job = run_to(studio, training.submit(studio, spec(model=str(folder))), State.FAILED, steps=5)
    checkpoint(job, 5)
    folder.rename(folder.with_name("moved"))
    with pytest.raises(BadInput, match="are missing"):
        training.resume(studio, job.id)


def test_duplicate_is_the_same_wish_under_a_new_name(studio: Studio, sums: Dataset) -> None:
    job = training.submit(studio, spec(name="mine", options={"epochs": 2.0}))
    again = training.duplicate(studio, job.id)
    assert again == training.spec_of(job).model_copy(update={"name": ""})
    assert training.submit(studio, again).name == "sft-tiny-base-1"


def test_a_run_of_before_tunings_had_options_can_be_repeated(studio: Studio, sums: Dataset) -> None:
    """LoRA's were options of every run then, and without effect in a full one."""
    job = training.submit(studio, spec(options={"epochs": 2.0}))
    old = queue.change_spec(studio, job, {**job.spec, "options": {"epochs": 2.0, "lora_rank": 8}})
    again = training.duplicate(studio, old.id)
    assert again.options == {"epochs": 2.0} and training.plan(studio, again).ready
    unknown = queue.change_spec(studio, job, {**job.spec, "tuning": "gone", "options": {"lora_rank": 8}})
    assert training.plan(studio, training.duplicate(studio, unknown.id)).problems


def test_longer_is_the_same_wish_with_twice_the_epochs(studio: Studio, sums: Dataset) -> None:
    usual = training.submit(studio, spec())
    epochs = usual.spec["run"]["options"]["epochs"]
    again = training.longer(studio, usual.id)
    assert again == training.duplicate(studio, usual.id).model_copy(
        update={"options": {"epochs": 2 * epochs}}
    )
    limited = training.submit(studio, spec(options={"max_steps": 9, "learning_rate": 0.001, "epochs": 600.0}))
    wanted = {"max_steps": 18, "learning_rate": 0.001, "epochs": 1000.0}  # No more than the option takes.
    assert training.longer(studio, limited.id).options == wanted


def test_time_left_and_recent_values(studio: Studio, sums: Dataset) -> None:
    job = run_to(studio, training.submit(studio, spec()), State.RUNNING, steps=14)
    assert training.seconds_left(job) == 6.0
    latest = metrics.recent(studio, [job])[job.id]
    assert (
        latest.means["loss"] == pytest.approx(sum(1 / n for n in range(1, 15)) / 14) and latest.reports == 14
    )
    assert metrics.recent(studio, [job], 10)[job.id].means["loss"] == pytest.approx(
        sum(1 / n for n in range(5, 15)) / 10
    )
    assert training.seconds_left(training.submit(studio, spec())) is None


def test_answers_of_a_resumed_run_begin_with_the_first(studio: Studio, sums: Dataset) -> None:
    job = run_to(studio, training.submit(studio, spec()), State.FAILED, steps=14)
    checkpoint(job, 10)
    say(studio, job, [("before", 0, "a"), ("during", 10, "b"), ("during", 13, "lost")])
    again = run_to(studio, training.resume(studio, job.id), State.SUCCEEDED, steps=20, first=11)
    say(studio, again, [("before", 10, "x"), ("during", 15, "c"), ("after", 20, "d")])
    [row] = training.answers(studio, again)
    assert row["prompt"] == "Who?"
    assert [answer["answer"] for answer in row["answers"]] == ["a", "b", "c", "d"]
