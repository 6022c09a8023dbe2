"""A chain is two jobs: the second takes what the first has made."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from studio_core import training
from studio_core.base.errors import BadInput
from studio_core.base.states import State, Stop
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Device, Job, Model
from studio_core.models import registry
from studio_core.runs import queue
from studio_core.runs.spec import RunSpec
from tests.unit.studio_core.models.folders import ended_job
from tests.unit.studio_core.training.runs import problems, run_to, spec, warned


def finished(studio: Studio, job: Job) -> Model:
    """Carry a run out and register what it made."""
    job = run_to(studio, job, State.SUCCEEDED, steps=20)
    base = registry.get(studio, "tiny-base")
    shutil.copytree(base.path, Path(str(job.run_dir)) / "model")
    result = {"model": "model", "kind": "full", "parameters": base.parameters}
    return registry.register_result(studio, job, result)


def test_a_run_takes_what_an_earlier_one_made(studio: Studio, sums: Dataset) -> None:
    first = training.submit(studio, spec())
    wish = spec(model=f"run:{first.id}")
    assert f"Starts when run {first.id}" in warned(studio, model=wish.model)
    second = training.submit(studio, wish)
    assert (second.after_id, second.spec["model"]) == (first.id, f"run:{first.id}")
    made = finished(studio, first)
    queue.set_devices(studio, [Device(id="cpu:0", kind="cpu", label="CPU", memory=0)])
    assert [job.id for job, _ in queue.startable(studio, queue.devices(studio))] == [second.id]
    claimed = queue.claim(studio, second.id, ["cpu:0"])
    assert claimed
    settled = training.settle(studio, claimed)
    assert settled.spec["model"] == made.name
    run = RunSpec.model_validate(settled.spec["run"])
    assert (run.model.id, run.model.path, run.spec.model) == (made.id, made.path, made.name)
    assert training.settle(studio, settled).spec == settled.spec


def test_once_it_is_there_it_is_a_model_like_any_other(studio: Studio, sums: Dataset) -> None:
    first = training.submit(studio, spec())
    made = finished(studio, first)
    assert training.submit(studio, spec(model=f"run:{first.id}")).spec["model"] == made.name


def test_only_the_order(studio: Studio, sums: Dataset) -> None:
    first = training.submit(studio, spec())
    second = training.submit(studio, spec(after=first.id, priority=3))
    assert (second.after_id, second.priority, second.spec["model"]) == (first.id, 3, "tiny-base")


def test_what_cannot_be(studio: Studio, sums: Dataset) -> None:
    first, other = training.submit(studio, spec()), training.submit(studio, spec())
    assert "Leave out one" in problems(studio, model=f"run:{first.id}", after=other.id)[0]
    assert "There is no job 99" in problems(studio, model="run:99")[0]
    queue.request_stop(studio, first.id, Stop.CANCEL)
    assert "has ended: cancelled" in problems(studio, after=first.id)[0]


def test_nothing_that_writes_is_trained_on_a_reward_model_to_come(
    studio: Studio, sums: Dataset, pairs: Dataset
) -> None:
    scorer = training.submit(studio, spec(method="reward", dataset="pairs"))
    [said] = problems(studio, model=f"run:{scorer.id}")
    assert said.startswith(f"run:{scorer.id} is a reward model: it scores answers")
    assert training.plan(studio, spec(after=scorer.id)).ready  # Only the order.
    assert training.scores(studio, f"run:{scorer.id}") and not training.scores(studio, "tiny-chat")

    again = training.submit(studio, spec(method="reward", dataset="pairs", model=f"run:{scorer.id}"))
    job, result = ended_job(studio, registry.get(studio, "tiny-base"), "full")
    config = Path(str(job.run_dir)) / "model" / "config.json"
    config.write_text(config.read_text().replace("LlamaForCausalLM", "LlamaForSequenceClassification"))
    Path(str(scorer.run_dir)).mkdir(parents=True, exist_ok=True)
    config.parent.rename(Path(str(scorer.run_dir)) / "model")
    made = registry.register_result(
        studio, scorer, {**result, "model": str(Path(str(scorer.run_dir)) / "model")}
    )
    assert registry.scores(made)
    settled = training.settle(studio, again)
    assert settled.spec["run"]["model"]["id"] == made.id


def test_a_reward_model_is_made_of_what_an_earlier_run_writes_with(
    studio: Studio, sums: Dataset, pairs: Dataset
) -> None:
    first = training.submit(studio, spec())
    second = training.submit(studio, spec(method="reward", dataset="pairs", model=f"run:{first.id}"))
    assert second.after_id == first.id


def test_a_run_that_made_nothing(studio: Studio, sums: Dataset) -> None:
    first = training.submit(studio, spec())
    second = training.submit(studio, spec(model=f"run:{first.id}"))
    run_to(studio, first, State.SUCCEEDED, steps=20)
    with pytest.raises(BadInput, match="that run produced no model"):
        training.settle(studio, second)


def test_the_model_that_a_run_made(studio: Studio, sums: Dataset) -> None:
    job, result = ended_job(studio, registry.get(studio, "tiny-base"), "full")
    assert registry.result_of(studio, job.id) is None
    model = registry.register_result(studio, job, result)
    found = registry.result_of(studio, job.id)
    assert found is not None and found.id == model.id
