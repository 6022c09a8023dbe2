from __future__ import annotations

import json
import shlex
import shutil
from collections import namedtuple
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from studio_core import metrics, queue, run_folder, training
from studio_core.data import store
from studio_core.errors import BadInput, Conflict, NotFound, StudioError
from studio_core.methods import base as methods_base
from studio_core.models import registry
from studio_core.spec import RunSpec, TrainSpec
from studio_core.states import Cause, State, Stop
from studio_core.studio import Studio
from studio_core.tables import Dataset, Device, Job, Model
from studio_core.training import lengths, planning
from tests.unit.studio_core.models.folders import model_folder
from tests.unit.studio_core.models.test_registry import ended_job


@pytest.fixture
def studio(studio: Studio) -> Studio:
    registry.ensure_demo_models(studio)
    return studio


def imported(studio: Studio, name: str, rows: Iterable[dict[str, Any]], folder: Path) -> Dataset:
    file = folder / f"{name}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return store.import_file(studio, file, name=name).dataset


def chat(question: str, answer: str, system: str = "") -> dict[str, Any]:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": [{"role": "system", "content": system}] * bool(system) + turns}


@pytest.fixture
def sums(studio: Studio, tmp_path: Path) -> Dataset:
    rows = [chat(f"What is {n} plus {n}?", f"It is {2 * n}.") for n in range(100)]
    return imported(studio, "sums", rows, tmp_path)


@pytest.fixture
def pairs(studio: Studio, tmp_path: Path) -> Dataset:
    rows = [{"prompt": f"Name {n}?", "chosen": f"I am {n}.", "rejected": "No."} for n in range(60)]
    return imported(studio, "pairs", rows, tmp_path)


def spec(**given: Any) -> TrainSpec:
    return training.spec_from({"method": "sft", "model": "tiny-base", "dataset": "sums", **given})


def problems(studio: Studio, **given: Any) -> list[str]:
    return [problem.sentence() for problem in training.plan(studio, spec(**given)).problems]


def warned(studio: Studio, **given: Any) -> str:
    plan = training.plan(studio, spec(**given))
    assert [warning.sentence("zh-CN") for warning in plan.warnings]
    return " ".join(warning.sentence() for warning in plan.warnings)


class TestPlan:
    def test_figures(self, studio: Studio, sums: Dataset) -> None:
        plan = training.plan(
            studio, spec(options={"epochs": 2.0, "batch_size": 8, "gradient_accumulation": 2})
        )
        assert plan.ready and not plan.problems
        assert (plan.effective_batch, plan.rows, plan.device) == (16, 100, "cpu")
        assert plan.steps == 2 * 7  # 13 batches of 8 make 7 steps of 2.
        assert plan.lengths is not None and plan.cut_share == 0
        assert plan.tokens == round(plan.steps * 16 * plan.lengths.mean_up_to(512))
        assert plan.memory and plan.memory.total > plan.memory.weights == 4 * plan.model.parameters  # type: ignore[union-attr]
        assert plan.seconds and plan.seconds > 0 and not plan.learned

    def test_a_pair_counts_twice(self, studio: Studio, pairs: Dataset) -> None:
        plan = training.plan(studio, spec(method="dpo", dataset="pairs"))
        assert plan.ready and plan.lengths and plan.lengths.sides == 2
        single = training.plan(studio, spec(method="dpo", dataset="pairs", options={"batch_size": 1}))
        assert plan.memory and single.memory
        assert plan.memory.activations == 16 * single.memory.activations
        assert plan.memory.weights == 2 * 4 * plan.model.parameters  # type: ignore[union-attr]

    def test_preset_and_changes_become_the_options(self, studio: Studio, sums: Dataset) -> None:
        quick = training.plan(studio, spec(preset="quick")).options
        changed = training.plan(studio, spec(preset="quick", options={"learning_rate": 0.005})).options
        assert quick and changed
        assert changed.model_dump() == {**quick.model_dump(), "learning_rate": 0.005}

    def test_rows_that_are_cut(self, studio: Studio, sums: Dataset) -> None:
        longest = training.plan(studio, spec()).lengths.longest  # type: ignore[union-attr]
        limited = training.plan(studio, spec(options={"max_length": 16}))
        assert limited.cut_share == 1.0 and limited.ready
        assert f"(the longest has {longest})" in limited.warnings[-1].sentence()

    def test_larger_sets_are_sampled(
        self, studio: Studio, sums: Dataset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lengths, "SAMPLE", 40)
        lengths._KNOWN.clear()
        found = lengths.measured(studio, sums, registry.resolve(studio, "tiny-base"))
        assert found.sampled and len(found.tokens) == 40
        lengths._KNOWN.clear()
        records = lengths.sample(studio, sums, 40)
        assert records[0] == store.records(studio, sums, 0, 1)[0]
        assert records[-1] == store.records(studio, sums, 99, 1)[0]

    @pytest.mark.parametrize(
        ("given", "sentence"),
        [
            ({"method": "ppo"}, "There is no training method ppo"),
            ({"preset": "huge"}, "There is no preset huge"),
            ({"model": ""}, "Choose a base model"),
            ({"model": "nothing"}, "There is no model nothing"),
            ({"model": "Qwen/Qwen3-0.6B"}, "not on this machine yet"),
            ({"model": "/etc"}, "outside of the folders"),
            ({"dataset": " "}, "Choose a dataset"),
            ({"dataset": "nothing"}, "nothing"),
            ({"method": "dpo"}, "has records of the shape chat, but DPO takes preference"),
            ({"options": {"learning_rate": 7}}, "learning_rate is 7"),
            ({"options": {"learning_rate": "much"}}, "learning_rate is much"),
            ({"options": {"no_such": 1}}, "no option no_such"),
            ({"name": "a/b"}, "has a slash"),
            ({"name": "a\nb"}, "cannot be shown"),
            ({"device": "gpu"}, "There is no GPU"),
        ],
    )
    def test_what_stands_in_the_way(
        self, studio: Studio, sums: Dataset, given: dict[str, Any], sentence: str
    ) -> None:
        found = problems(studio, **given)
        assert any(sentence in problem for problem in found), found
        with pytest.raises(StudioError):
            training.submit(studio, spec(**given))
        assert not queue.all_jobs(studio)

    def test_four_bit_without_its_package(
        self, studio: Studio, sums: Dataset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(methods_base.importlib.util, "find_spec", lambda name: None)
        assert problems(studio, tuning="qlora") == [
            "QLoRA needs the package bitsandbytes, which is not installed here or does not exist for this"
            " system. Choose LoRA instead."
        ]

    def test_quantised_models_are_not_quantised_again(self, studio: Studio, sums: Dataset) -> None:
        folder = model_folder(studio.settings.models / "four-bit", quantization_config={"load_in_4bit": True})
        registry.add(studio, str(folder))
        assert "cannot all be trained" in problems(studio, model="four-bit")[0]
        assert "cannot quantise it again" in " ".join(problems(studio, model="four-bit", tuning="qlora"))

    def test_no_space_on_the_disk(
        self, studio: Studio, sums: Dataset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr(planning.shutil, "disk_usage", lambda path: usage(10**9, 10**9, 10**6))
        assert "has 0.0 GB free" in problems(studio)[0]
        with pytest.raises(BadInput, match="Free some space"):
            training.submit(studio, spec())
        assert not queue.all_jobs(studio)
        assert not list(studio.settings.runs.iterdir())

    def test_memory(self, studio: Studio, sums: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
        memory = namedtuple("memory", "total available")
        monkeypatch.setattr(planning.psutil, "virtual_memory", lambda: memory(10**8, 10**7))
        assert "this machine has 0.1 GB" in problems(studio)[0]
        monkeypatch.setattr(planning.psutil, "virtual_memory", lambda: memory(10**11, 10**7))
        assert "0.0 GB of 100.0 GB are free now" in warned(studio)

    def test_a_small_gpu(self, studio: Studio, sums: Dataset) -> None:
        queue.set_devices(studio, [Device(id="GPU-1", kind="gpu", label="Small", memory=10**8)])
        plan = training.plan(studio, spec())
        assert plan.device == "gpu"
        assert "the GPU has 0.1 GB" in plan.problems[0].sentence()
        assert training.plan(studio, spec(device="cpu")).ready

    def test_few_rows_and_no_template(self, studio: Studio, tmp_path: Path) -> None:
        imported(studio, "few", [chat("Hello?", "Hello.")] * 3, tmp_path)
        folder = studio.settings.models / "plain"
        demo = Path(registry.get(studio, "tiny-base").path)
        folder.mkdir()
        for name in ("config.json", "model.safetensors", "tokenizer.json"):
            (folder / name).write_bytes((demo / name).read_bytes())
        said = warned(studio, dataset="few", model=str(folder))
        assert "rows are few" in said
        assert "plain has no chat template; the standard one is used" in said

    def test_rows_beyond_the_model(self, studio: Studio, tmp_path: Path) -> None:
        reach = registry.get(studio, "tiny-base").details["max_length"]
        imported(studio, "long", [chat(f"{n} " * 4 * reach, "Yes.") for n in range(60)], tmp_path)
        found = problems(studio, dataset="long", options={"max_length": 2 * reach})
        assert f"tiny-base reaches only {reach}" in found[0]
        assert training.plan(studio, spec(dataset="long", options={"max_length": reach})).ready

    def test_an_adapter_goes_on_or_is_merged(self, studio: Studio, sums: Dataset) -> None:
        job, result = ended_job(studio, registry.get(studio, "tiny-base"), "adapter", name="mine")
        registry.register_result(studio, job, result)
        assert "merged into that model first" in warned(studio, model="mine")
        assert "mine is an adapter" in warned(studio, model="mine", tuning="lora")

    def test_time_is_learned_from_earlier_runs(self, studio: Studio, sums: Dataset) -> None:
        job = run_to(studio, training.submit(studio, spec()), State.SUCCEEDED, steps=20)
        result = {
            "model": "model",
            "kind": "full",
            "parameters": registry.get(studio, "tiny-base").parameters,
        }
        model_folder(Path(str(job.run_dir)) / "model")
        registry.register_result(studio, job, result)
        plan = training.plan(studio, spec())
        assert plan.learned and plan.seconds is not None
        # 20 reports, one a second, of 10 rows each with 5 tokens: 50 tokens a second.
        assert plan.seconds == pytest.approx(plan.tokens / 50, rel=0.01)

    def test_memory_is_learned_from_earlier_runs(self, studio: Studio, sums: Dataset) -> None:
        before = training.plan(studio, spec()).memory
        assert before and before.correction == 1.0
        job = training.submit(studio, spec())
        assert job.spec["estimate"]["computed"] == job.spec["estimate"]["memory"] == before.total
        run_to(studio, job, State.SUCCEEDED, steps=20, peak_memory=2 * before.computed)
        after = training.plan(studio, spec()).memory
        assert after and after.total == 2 * before.total
        other = training.plan(studio, spec(tuning="lora")).memory
        assert other and other.correction == 1.0

    def test_what_would_need_less(self, studio: Studio, sums: Dataset) -> None:
        plan = training.plan(studio, spec(options={"batch_size": 8}))
        assert plan.memory and plan.lighter["batch_size"]["after"] == 4
        assert plan.lighter["batch_size"]["memory"] < plan.memory.total
        assert plan.lighter["lora"]["memory"] < plan.memory.total


class TestAfter:
    """A chain is two jobs: the second takes what the first has made."""

    def test_a_run_takes_what_an_earlier_one_made(self, studio: Studio, sums: Dataset) -> None:
        first = training.submit(studio, spec())
        wish = spec(model=f"run:{first.id}")
        assert f"Starts after run {first.id}" in warned(studio, model=wish.model)
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

    def test_once_it_is_there_it_is_a_model_like_any_other(self, studio: Studio, sums: Dataset) -> None:
        first = training.submit(studio, spec())
        made = finished(studio, first)
        assert training.submit(studio, spec(model=f"run:{first.id}")).spec["model"] == made.name

    def test_only_the_order(self, studio: Studio, sums: Dataset) -> None:
        first = training.submit(studio, spec())
        second = training.submit(studio, spec(after=first.id, priority=3))
        assert (second.after_id, second.priority, second.spec["model"]) == (first.id, 3, "tiny-base")

    def test_what_cannot_be(self, studio: Studio, sums: Dataset) -> None:
        first, other = training.submit(studio, spec()), training.submit(studio, spec())
        assert "Leave out one" in problems(studio, model=f"run:{first.id}", after=other.id)[0]
        assert "There is no job 99" in problems(studio, model="run:99")[0]
        queue.request_stop(studio, first.id, Stop.CANCEL)
        assert "has ended: cancelled" in problems(studio, after=first.id)[0]

    def test_a_run_that_made_nothing(self, studio: Studio, sums: Dataset) -> None:
        first = training.submit(studio, spec())
        second = training.submit(studio, spec(model=f"run:{first.id}"))
        run_to(studio, first, State.SUCCEEDED, steps=20)
        with pytest.raises(BadInput, match="that run made none"):
            training.settle(studio, second)


def finished(studio: Studio, job: Job) -> Model:
    """Carry a run out and register what it made."""
    job = run_to(studio, job, State.SUCCEEDED, steps=20)
    base = registry.get(studio, "tiny-base")
    shutil.copytree(base.path, Path(str(job.run_dir)) / "model")
    result = {"model": "model", "kind": "full", "parameters": base.parameters}
    return registry.register_result(studio, job, result)


def run_to(
    studio: Studio,
    job: Job,
    state: State,
    *,
    steps: int,
    total: int = 20,
    first: int = 1,
    peak_memory: int = 0,
) -> Job:
    """Carry a job out as the engine and its worker would: one report a second."""
    queue.set_devices(studio, [Device(id="cpu:0", kind="cpu", label="CPU", memory=0)])
    claimed = queue.claim(studio, job.id, ["cpu:0"])
    assert claimed is not None
    queue.started(studio, claimed)
    resolved = {"device": "CPU, 2 threads", "rows": 10, "tokens": 50, "effective_batch": 10}
    events: list[dict[str, Any]] = [{"type": "config", "values": resolved}]
    for step in range(first, steps + 1):
        values = {"loss": 1.0 / step, "seconds_left": float(total - step)}
        report = {"type": "metrics", "step": step, "total_steps": total, "peak_memory": peak_memory or None}
        events.append({**report, "values": values})
    lines, offset = [], 0
    for seq, event in enumerate(events, 1):
        line = json.dumps({"seq": seq, "at": f"2026-11-21T08:00:{seq:02d}Z", **event}).encode()
        offset += len(line) + 1
        lines.append((offset, line))
    metrics.store(studio, job.id, lines)
    if state == State.RUNNING:
        return queue.get(studio, job.id)
    cause = {State.FAILED: Cause.KILLED, State.SUCCEEDED: None if steps == total else Cause.STOPPED}[state]
    queue.finish(studio, claimed, state, cause)
    return queue.get(studio, job.id)


def checkpoint(job: Job, step: int, *, torn: bool = False) -> Path:
    folder = Path(str(job.run_dir)) / run_folder.CHECKPOINTS / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(b"x" * 10)
    if not torn:
        run_folder.write_manifest(folder, step)
    return folder


class TestSubmit:
    def test_the_row_holds_what_is_needed_to_run(self, studio: Studio, sums: Dataset) -> None:
        job = training.submit(studio, spec(options={"learning_rate": 0.002}, seed=3))
        run = RunSpec.model_validate(job.spec["run"])
        assert (job.kind, job.method, job.name) == ("train", "sft", "sft-tiny-base-1")
        assert (run.spec.name, run.spec.dataset, run.spec.seed) == ("sft-tiny-base-1", "sums@1", 3)
        assert run.options["learning_rate"] == 0.002 and run.options["batch_size"] == 8
        assert Path(run.dataset.path).is_file() and (Path(run.model.path) / "model.safetensors").is_file()
        assert run.resume_from is None
        assert training.spec_of(job) == run.spec

    def test_names_go_on_counting(self, studio: Studio, sums: Dataset) -> None:
        names = [training.submit(studio, spec()).name for _ in range(2)]
        assert names == ["sft-tiny-base-1", "sft-tiny-base-2"]
        assert training.submit(studio, spec(name="  mine ")).name == "mine"

    def test_one_click_twice_is_one_job(self, studio: Studio, sums: Dataset) -> None:
        first = training.submit(studio, spec(), key="click")
        assert training.submit(studio, spec(), key="click").id == first.id
        assert training.submit(studio, spec(), key="other").id != first.id

    def test_fixed_prompts_are_spread_over_the_data(self, studio: Studio, tmp_path: Path) -> None:
        rows = [chat(f"Question {n}?", "Yes.", system="Be brief." if n % 2 else "") for n in range(80)]
        dataset = imported(studio, "mixed", [*rows, *rows], tmp_path)
        prompts = training.prompts_from(studio, dataset)
        assert prompts == ["Question 10?", "Question 30?", "Question 50?", "Question 70?"]
        job = training.submit(studio, spec(dataset="mixed", prompts=["Who are you?"]))
        assert job.spec["run"]["prompts"] == ["Who are you?"]

    def test_prompts_of_each_shape(self, studio: Studio, tmp_path: Path, pairs: Dataset) -> None:
        texts = [{"text": f"The river {n} flows through the old town and on."} for n in range(3)]
        dataset = imported(studio, "texts", texts, tmp_path)
        assert training.prompts_from(studio, dataset)[0] == "The river 0 flows through the"
        assert training.prompts_from(studio, pairs)[0].startswith("Name ")


class TestResume:
    def test_goes_on_from_the_newest_complete_checkpoint(self, studio: Studio, sums: Dataset) -> None:
        job = run_to(studio, training.submit(studio, spec(name="mine")), State.FAILED, steps=14)
        checkpoint(job, 5)
        newest = checkpoint(job, 10)
        checkpoint(job, 14, torn=True)
        again = training.resume(studio, job.id, key="click")
        assert training.resume(studio, job.id, key="click").id == again.id
        assert (again.resumes_id, again.name, again.method) == (job.id, "mine", "sft")
        assert again.spec["run"]["resume_from"] == str(newest)
        with pytest.raises(Conflict, match=f"Run {again.id} goes on from run {job.id} already"):
            training.resume(studio, job.id, key="another click")

    def test_goes_on_from_any_complete_checkpoint(self, studio: Studio, sums: Dataset) -> None:
        job = run_to(studio, training.submit(studio, spec(priority=2)), State.SUCCEEDED, steps=20)
        earlier, _, _ = checkpoint(job, 5), checkpoint(job, 10), checkpoint(job, 14, torn=True)
        with pytest.raises(Conflict, match="all its 20 steps"):
            training.resume(studio, job.id)
        for step in (14, 7):
            with pytest.raises(BadInput, match=f"at step {step} .*There are: 5, 10"):
                training.resume(studio, job.id, step=step)
        again = training.resume(studio, job.id, step=5)
        assert (again.spec["run"]["resume_from"], again.priority) == (str(earlier), 2)

    def test_the_curve_holds_both_runs_once(self, studio: Studio, sums: Dataset) -> None:
        job = run_to(studio, training.submit(studio, spec()), State.FAILED, steps=14)
        checkpoint(job, 10)
        again = run_to(studio, training.resume(studio, job.id), State.SUCCEEDED, steps=20, first=11)
        points = training.curve(studio, again)
        assert [point.step for point in points] == list(range(1, 21))
        assert [point.job_id for point in points] == [job.id] * 10 + [again.id] * 10
        assert [one.id for one in training.resumed_by(studio, job.id)] == [again.id]

    def test_a_run_that_got_no_further_is_resumed_from_where_it_began(
        self, studio: Studio, sums: Dataset
    ) -> None:
        job = run_to(studio, training.submit(studio, spec()), State.FAILED, steps=14)
        folder = checkpoint(job, 10)
        again = run_to(studio, training.resume(studio, job.id), State.FAILED, steps=12, first=11)
        third = training.resume(studio, again.id)
        assert third.spec["run"]["resume_from"] == str(folder)

    def test_what_cannot_be_resumed(self, studio: Studio, sums: Dataset) -> None:
        waiting = training.submit(studio, spec())
        with pytest.raises(Conflict, match="has not ended yet"):
            training.resume(studio, waiting.id)
        finished = run_to(studio, waiting, State.SUCCEEDED, steps=20)
        checkpoint(finished, 20)
        with pytest.raises(Conflict, match="finished all its 20 steps"):
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

    def test_a_base_that_is_gone(self, studio: Studio, sums: Dataset) -> None:
        demo = Path(registry.get(studio, "tiny-base").path)
        folder = studio.settings.models / "own"
        folder.mkdir()
        for file in demo.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        job = run_to(studio, training.submit(studio, spec(model=str(folder))), State.FAILED, steps=5)
        checkpoint(job, 5)
        folder.rename(folder.with_name("moved"))
        with pytest.raises(BadInput, match="are gone"):
            training.resume(studio, job.id)

    def test_duplicate_is_the_same_wish_under_a_new_name(self, studio: Studio, sums: Dataset) -> None:
        job = training.submit(studio, spec(name="mine", options={"epochs": 2.0}))
        again = training.duplicate(studio, job.id)
        assert again == training.spec_of(job).model_copy(update={"name": ""})
        assert training.submit(studio, again).name == "sft-tiny-base-1"


class TestHistory:
    def test_time_left_and_recent_values(self, studio: Studio, sums: Dataset) -> None:
        job = run_to(studio, training.submit(studio, spec()), State.RUNNING, steps=14)
        assert training.seconds_left(job) == 6.0
        mean = metrics.recent(studio, [job])[job.id]["loss"]
        assert mean == pytest.approx(sum(1 / n for n in range(5, 15)) / 10)
        assert training.seconds_left(training.submit(studio, spec())) is None

    def test_answers_of_a_resumed_run_begin_with_the_first(self, studio: Studio, sums: Dataset) -> None:
        job = run_to(studio, training.submit(studio, spec()), State.FAILED, steps=14)
        checkpoint(job, 10)
        say(studio, job, [("before", 0, "a"), ("during", 10, "b"), ("during", 13, "lost")])
        again = run_to(studio, training.resume(studio, job.id), State.SUCCEEDED, steps=20, first=11)
        say(studio, again, [("before", 10, "x"), ("during", 15, "c"), ("after", 20, "d")])
        [row] = training.answers(studio, again)
        assert row["prompt"] == "Who?"
        assert [answer["answer"] for answer in row["answers"]] == ["a", "b", "c", "d"]


def say(studio: Studio, job: Job, said: list[tuple[str, int, str]]) -> None:
    offset = queue.get(studio, job.id).events_offset
    lines = []
    for number, (when, step, answer) in enumerate(said):
        event = {"type": "sample", "step": step, "when": when, "index": 0, "prompt": "Who?", "answer": answer}
        line = json.dumps({"seq": 1000 + number, "at": "2026-11-21T09:00:00Z", **event}).encode()
        offset += len(line) + 1
        lines.append((offset, line))
    metrics.store(studio, job.id, lines)


class TestDocuments:
    everything = TrainSpec(
        name="it's mine",
        method="dpo",
        tuning="lora",
        model="tiny-chat",
        dataset="pairs@2",
        preset="quick",
        options={"learning_rate": 1e-05, "beta": 0.2, "loss": "ipo", "precompute_reference": True},
        prompts=["Who are you?", "你是谁？", "--odd 'one'\nsecond line"],
        seed=7,
        device="cpu",
    )

    def test_yaml_and_back(self) -> None:
        assert training.from_yaml(training.to_yaml(self.everything)) == self.everything
        short = TrainSpec(method="sft", model="tiny-base", dataset="sums")
        assert yaml.safe_load(training.to_yaml(short)) == {
            "method": "sft",
            "tuning": "full",
            "model": "tiny-base",
            "dataset": "sums",
            "preset": "balanced",
        }

    def test_a_command_says_the_same(self) -> None:
        words = shlex.split(training.to_command(self.everything))
        assert words[:4] == ["python", "-m", "app", "train"]
        given = list(zip(words[4::2], words[5::2], strict=True))
        assert [value for name, value in given if name == "--prompt"] == self.everything.prompts
        options = dict(value.split("=", 1) for name, value in given if name == "--set")
        assert {name: yaml.safe_load(value) for name, value in options.items()} == self.everything.options
        assert dict(given)["--seed"] == "7"

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            ("- a list", "no mapping"),
            ("", "no mapping"),
            ("a: [", "not a training in YAML"),
            ("!!python/object/apply:os.system [ls]", "not a training in YAML"),
            ("method: sft", "lacks model"),
            ("{method: sft, model: m, dataset: d, colour: red}", "no field colour"),
            ("{method: sft, model: m, dataset: d, seed: -1}", "seed is '-1'"),
            ("{method: sft, model: m, dataset: d, name: " + "x" * 81 + "}", "name is"),
        ],
    )
    def test_bad_documents(self, content: str, sentence: str) -> None:
        with pytest.raises(BadInput) as caught:
            training.from_yaml(content)
        assert sentence in str(caught.value)


def test_datasets_that_fit(studio: Studio, sums: Dataset, pairs: Dataset) -> None:
    fitting = {dataset.name: reason for dataset, reason in training.fitting_datasets(studio, "dpo")}
    assert fitting["pairs"] is None
    assert "takes preference" in fitting["sums"].sentence()  # type: ignore[union-attr]
    with pytest.raises(BadInput, match="no training method"):
        training.fitting_datasets(studio, "nothing")


def test_the_model_that_a_run_made(studio: Studio, sums: Dataset) -> None:
    job, result = ended_job(studio, registry.get(studio, "tiny-base"), "full")
    assert training.result_of(studio, job.id) is None
    model = registry.register_result(studio, job, result)
    found = training.result_of(studio, job.id)
    assert found is not None and found.id == model.id
