from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from studio_core import training
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Device
from studio_core.data import store
from studio_core.data.learning import Learning
from studio_core.models import registry
from studio_core.runs import queue
from studio_core.training import figures, lengths, planning
from studio_core.tunings import qlora
from tests.unit.studio_core.models.folders import ended_job, model_folder
from tests.unit.studio_core.training.runs import chat, imported, problems, run_to, spec, warned


def test_figures(studio: Studio, sums: Dataset) -> None:
    plan = training.plan(studio, spec(options={"epochs": 2.0, "batch_size": 8, "gradient_accumulation": 2}))
    assert plan.ready and not plan.problems
    assert (plan.effective_batch, plan.rows, plan.device) == (16, 100, "cpu")
    assert plan.steps == 2 * 7  # 13 batches of 8 make 7 steps of 2.
    assert plan.lengths is not None and plan.cut_share == 0
    assert plan.tokens == round(plan.steps * 16 * plan.lengths.mean_up_to(512))
    assert plan.memory and plan.memory.total > plan.memory.weights == 4 * plan.model.parameters  # type: ignore[union-attr]
    assert plan.seconds and plan.seconds > 0 and not plan.learned


def test_a_pair_counts_twice(studio: Studio, pairs: Dataset) -> None:
    plan = training.plan(studio, spec(method="dpo", dataset="pairs"))
    assert plan.ready and plan.lengths and plan.lengths.sides == 2
    single = training.plan(studio, spec(method="dpo", dataset="pairs", options={"batch_size": 1}))
    assert plan.memory and single.memory
    assert plan.memory.activations == 16 * single.memory.activations
    assert plan.memory.weights == 2 * 4 * plan.model.parameters  # type: ignore[union-attr]


def test_a_model_that_only_scores_answers_is_trained_on_as_one_only(studio: Studio, pairs: Dataset) -> None:
    folder = model_folder(studio.settings.models / "rm", architectures=["LlamaForSequenceClassification"])
    registry.add(studio, str(folder))
    [refused] = problems(studio, method="dpo", dataset="pairs", model="rm")
    assert refused.startswith("rm is a reward model: it scores answers and generates none")
    said = problems(studio, method="reward", dataset="pairs", model="rm")
    assert not any("is a reward model" in problem for problem in said)
    job = training.submit(studio, spec(method="reward", dataset="pairs", prompts=["Who are you?"]))
    assert job.spec["run"]["prompts"] == []  # What it makes could not answer them.


def test_pairs_that_do_not_fit_a_reward_model_are_left_out_whole(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"prompt": f"Name {n}?", "chosen": f"I am {n} " * 5, "rejected": "No."} for n in range(60)]
    rows += [{**row, "rejected": "No " * 400} for row in rows[:20]]
    imported(studio, "some-long", rows, tmp_path)
    given = {"method": "reward", "dataset": "some-long", "options": {"max_length": 128, "eval_share": 0.0}}
    plan = training.plan(studio, spec(**given))
    assert (plan.cut_share, plan.rows) == (0.25, 60) and plan.steps == 2 * 4
    assert "25% of the pairs exceed the max length of 128 tokens and will be dropped" in warned(
        studio, **given
    )
    short = training.plan(studio, spec(**{**given, "options": {"max_length": 16}}))
    assert not short.ready and "has anything to learn within 16 tokens" in str(short.problems[0])
    monkeypatch.setattr(lengths, "SAMPLE", 40)
    lengths._KNOWN.clear()
    sampled = training.plan(studio, spec(**{**given, "options": {"max_length": 16}}))
    lengths._KNOWN.clear()
    assert sampled.ready and sampled.lengths and sampled.lengths.sampled  # Others may fit.


def test_a_prompt_that_is_cut_from_its_start_leaves_no_pair_out(studio: Studio, tmp_path: Path) -> None:
    rows = [
        {"prompt": f"A long story {n} " * 40, "chosen": f"I am {n}", "rejected": "No."} for n in range(60)
    ]
    imported(studio, "long-prompts", rows, tmp_path)
    given = {"method": "reward", "dataset": "long-prompts"}
    options = {"max_length": 64, "eval_share": 0.0}
    assert not training.plan(studio, spec(**given, options=options)).ready
    plan = training.plan(studio, spec(**given, options={**options, "truncation": "prompt"}))
    assert plan.ready and plan.rows == 60
    assert "100% of the records exceed the max length of 64 tokens and will be truncated" in warned(
        studio, **given, options={**options, "truncation": "prompt"}
    )


def test_pairs_alike_up_to_the_limit_are_told_before_the_start(studio: Studio, tmp_path: Path) -> None:
    rows = [{"prompt": f"Name {n}?", "chosen": f"I am {n}", "rejected": "No."} for n in range(50)]
    rows += [
        {"prompt": f"{n}?", "chosen": "same " * 200 + "a", "rejected": "same " * 200 + "b"} for n in range(10)
    ]
    imported(studio, "alike", rows, tmp_path)
    given = {"method": "dpo", "dataset": "alike", "options": {"max_length": 64}}
    assert "10 of 60 pairs looked at are identical up to the max length of 64 tokens" in warned(
        studio, **given
    )
    longer = training.plan(studio, spec(**{**given, "options": {"max_length": 1024}}))
    assert not any(remark.key == "train.pairs_alike" for remark in longer.warnings)


def test_what_a_reward_model_needs(studio: Studio, pairs: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qlora.importlib.util, "find_spec", lambda name: True)
    scoring = training.plan(studio, spec(method="reward", dataset="pairs", tuning="lora"))
    assert scoring.ready and scoring.memory and scoring.memory.logits == 0
    assert set(scoring.lighter) == {"batch_size", "qlora"}
    writing = training.plan(studio, spec(method="dpo", dataset="pairs", tuning="lora"))
    assert "qlora" in writing.lighter and writing.memory and writing.memory.logits > 0
    # The adapter is merged: the result is whole.
    assert scoring.model and scoring.disk - writing.disk > 3 * scoring.model.parameters


def test_what_a_reward_model_cannot_be_made_of(studio: Studio, pairs: Dataset) -> None:
    folder = model_folder(studio.settings.models / "four-bit", quantization_config={"load_in_4bit": True})
    registry.add(studio, str(folder))
    said = problems(studio, method="reward", dataset="pairs", model="four-bit", tuning="lora")
    assert "into which a reward model cannot be merged" in said[0]
    shards = {"tuning": "lora", "gpus": 2, "parallel": "fsdp", "device": "gpu"}
    said = problems(studio, method="reward", dataset="pairs", **shards)
    assert any("cannot be trained with LoRA under FSDP" in problem for problem in said)
    job, result = ended_job(studio, registry.get(studio, "tiny-base"), "adapter", name="mine")
    registry.register_result(studio, job, result)
    given = {"method": "reward", "dataset": "pairs", "model": "mine", "tuning": "lora"}
    assert "then the reward model is trained" in warned(studio, **given)


def test_preset_and_changes_become_the_options(studio: Studio, sums: Dataset) -> None:
    quick = training.plan(studio, spec(preset="quick")).options
    changed = training.plan(studio, spec(preset="quick", options={"learning_rate": 0.005})).options
    assert quick and changed
    assert changed.model_dump() == {**quick.model_dump(), "learning_rate": 0.005}


def test_rows_that_are_cut(studio: Studio, sums: Dataset) -> None:
    whole = training.plan(studio, spec())
    longest, shortest = whole.lengths.longest, min(whole.lengths.tokens)  # type: ignore[union-attr]
    assert whole.ready and not whole.doubtful
    limited = training.plan(studio, spec(options={"max_length": shortest - 1}))
    assert limited.cut_share == 1.0 and limited.ready and limited.doubtful
    assert f"(longest: {longest})" in limited.warnings[-1].sentence()


def test_a_limit_that_leaves_no_answer_is_refused(studio: Studio, tmp_path: Path) -> None:
    imported(studio, "long-asked", [chat("What is it? " * 40, "Four.") for _ in range(60)], tmp_path)
    given = {"dataset": "long-asked", "options": {"max_length": 32}}
    [problem] = problems(studio, **given)
    assert "has anything to learn within 32 tokens" in problem
    everything = {**given, "options": {"max_length": 32, "loss_on": "everything"}}
    assert training.plan(studio, spec(**everything)).doubtful  # The questions are learnt.


def test_the_plan_says_which_end_is_learnt(studio: Studio, sums: Dataset) -> None:
    plan = training.plan(studio, spec())
    assert plan.end and plan.end.learnt == "<|end|>"


def test_a_plan_of_a_folder_writes_nothing_and_a_start_lists_it(
    studio: Studio, sums: Dataset, tmp_path: Path
) -> None:
    folder = studio.settings.models / "brought"
    shutil.copytree(registry.get(studio, "tiny-base").path, folder)
    before = len(registry.all_models(studio))
    plan = training.plan(studio, spec(model=str(folder)))
    assert plan.ready and plan.model and plan.model.name == "brought"
    assert len(registry.all_models(studio)) == before
    job = training.submit(studio, spec(model=str(folder)))
    listed = registry.get(studio, "brought")
    assert job.spec["run"]["model"]["id"] == listed.id
    assert training.plan(studio, spec(model=str(folder))).model.id == listed.id  # type: ignore[union-attr]


def test_gradient_checkpointing_is_planned_where_the_worker_will_do_it(
    studio: Studio, sums: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planned(asked: str, total: int) -> training.Plan:
        monkeypatch.setattr(figures.psutil, "virtual_memory", lambda: memory(total, total))
        options = {"activation_checkpointing": asked, "batch_size": 64}
        return training.plan(studio, spec(options=options))

    memory = namedtuple("memory", "total available")
    off, on = planned("off", 10**12).memory, planned("on", 10**12).memory
    assert off and on and on.total < off.total and on.checkpointing and not off.checkpointing
    roomy, tight = planned("auto", 2 * off.total), planned("auto", off.total)
    assert roomy.memory == off and tight.memory == on and tight.ready
    assert tight.seconds and roomy.seconds and tight.seconds > roomy.seconds
    refused = planned("off", off.total - 10**6).problems[0].sentence()
    assert "Set activation_checkpointing to auto" in refused
    assert "Even with gradient checkpointing" in planned("auto", on.total // 2).problems[0].sentence()


def test_larger_sets_are_sampled(studio: Studio, sums: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lengths, "SAMPLE", 40)
    lengths._KNOWN.clear()
    found = lengths.measured(studio, sums, registry.resolve(studio, "tiny-base"), Learning())
    assert found.sampled and len(found.tokens) == 40
    lengths._KNOWN.clear()
    records = lengths.sample(studio, sums, 40)
    assert records[0] == store.records(studio, sums, 0, 1)[0]
    assert records[-1] == store.records(studio, sums, 99, 1)[0]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"method": "praise"}, "There is no training method praise"),
        ({"preset": "huge"}, "There is no preset huge"),
        ({"model": ""}, "Choose a base model"),
        ({"model": "nothing"}, "There is no model nothing"),
        ({"model": "Qwen/Qwen3-0.6B"}, "is not downloaded yet"),
        ({"model": "/etc"}, "outside the folders"),
        ({"dataset": " "}, "Choose a dataset"),
        ({"dataset": "nothing"}, "nothing"),
        (
            {"method": "dpo"},
            "has chat records, but DPO needs preference. Choose another dataset",
        ),
        ({"method": "kto"}, "KTO needs unpaired-preference. Choose another dataset"),
        (
            {"method": "kto", "dataset": "pairs"},
            "Convert it: open the dataset, Improve, Convert, unpaired-preference",
        ),
        ({"options": {"learning_rate": 7}}, "learning_rate is 7"),
        ({"options": {"learning_rate": "much"}}, "learning_rate is much"),
        ({"options": {"no_such": 1}}, "no option no_such"),
        ({"name": "a/b"}, "has a slash"),
        ({"name": "a\nb"}, "an invisible character"),
        ({"device": "gpu"}, "There is no GPU"),
    ],
)
def test_what_stands_in_the_way(
    studio: Studio, sums: Dataset, pairs: Dataset, given: dict[str, Any], sentence: str
) -> None:
    found = problems(studio, **given)
    assert any(sentence in problem for problem in found), found
    with pytest.raises(StudioError):
        training.submit(studio, spec(**given))
    assert not queue.all_jobs(studio)


def test_a_dataset_whose_file_is_gone_is_a_problem_not_an_error(studio: Studio, sums: Dataset) -> None:
    store.parquet_path(studio, sums).unlink()
    assert any("sums" in problem for problem in problems(studio))


def test_what_cannot_do_the_same_is_not_offered_as_lighter(
    studio: Studio, sums: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qlora.importlib.util, "find_spec", lambda name: True)
    folder = model_folder(studio.settings.models / "four-bit", quantization_config={"load_in_4bit": True})
    registry.add(studio, str(folder))
    plain = training.plan(studio, spec(tuning="lora"))
    assert "qlora" in plain.lighter
    quantised = training.plan(studio, spec(tuning="lora", model="four-bit"))
    assert "qlora" not in quantised.lighter


def test_four_bit_without_its_package(studio: Studio, sums: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qlora.importlib.util, "find_spec", lambda name: None)
    assert problems(studio, tuning="qlora") == [
        "QLoRA needs bitsandbytes, which is not installed or not available for this system. Choose LoRA."
    ]


def test_quantised_models_are_not_quantised_again(studio: Studio, sums: Dataset) -> None:
    folder = model_folder(studio.settings.models / "four-bit", quantization_config={"load_in_4bit": True})
    registry.add(studio, str(folder))
    assert "full fine-tuning is not possible" in problems(studio, model="four-bit")[0]
    assert "cannot quantize it again" in " ".join(problems(studio, model="four-bit", tuning="qlora"))


def test_no_space_on_the_disk(studio: Studio, sums: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(figures.shutil, "disk_usage", lambda path: usage(10**9, 10**9, 10**6))
    assert "has only 0.0 GB free" in problems(studio)[0]
    with pytest.raises(BadInput, match="Free some space"):
        training.submit(studio, spec())
    assert not queue.all_jobs(studio)
    assert not list(studio.settings.runs.iterdir())


def test_memory(studio: Studio, sums: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = namedtuple("memory", "total available")
    monkeypatch.setattr(planning.psutil, "virtual_memory", lambda: memory(10**8, 10**7))
    assert "this machine has 0.1 GB" in problems(studio)[0]
    monkeypatch.setattr(planning.psutil, "virtual_memory", lambda: memory(10**11, 10**7))
    assert "0.0 GB of 100.0 GB are free now" in warned(studio)


def test_a_small_gpu(studio: Studio, sums: Dataset) -> None:
    queue.set_devices(studio, [Device(id="GPU-1", kind="gpu", label="Small", memory=10**8)])
    plan = training.plan(studio, spec())
    assert plan.device == "gpu"
    assert "the GPU has 0.1 GB" in plan.problems[0].sentence()
    assert training.plan(studio, spec(device="cpu")).ready


def test_few_rows_and_no_template(studio: Studio, tmp_path: Path) -> None:
    imported(studio, "few", [chat("Hello?", "Hello.")] * 3, tmp_path)
    folder = studio.settings.models / "plain"
    demo = Path(registry.get(studio, "tiny-base").path)
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).write_bytes((demo / name).read_bytes())
    said = warned(studio, dataset="few", model=str(folder))
    assert "may overfit" in said
    assert "plain has no chat template. The default one is used" in said


@pytest.mark.parametrize(
    ("factor", "expected"), [(9.0, ""), (11.0, "far above"), (0.11, ""), (0.09, "far below")]
)
def test_a_rate_that_is_unusual_for_method_and_tuning(
    studio: Studio, sums: Dataset, factor: float, expected: str
) -> None:
    for tuning in ("full", "lora"):
        usual = training.plan(studio, spec(tuning=tuning)).options
        assert usual
        rate = usual.learning_rate * factor
        plan = training.plan(studio, spec(tuning=tuning, options={"learning_rate": rate}))
        told = [one.sentence() for one in plan.warnings if one.key.startswith("train.rate_")]
        assert len(told) == bool(expected) and expected in "".join(told)


@pytest.mark.parametrize("label", [True, False])
def test_judged_answers_of_one_kind_only(studio: Studio, tmp_path: Path, label: bool) -> None:
    def judged(name: str, labels: list[bool]) -> Dataset:
        rows = [{"prompt": f"Q {n}?", "completion": "A.", "label": one} for n, one in enumerate(labels)]
        return imported(studio, name, rows, tmp_path)

    judged("alike", [label] * 60)
    judged("mixed", [label] * 59 + [not label])
    [said] = problems(studio, method="kto", dataset="alike")
    assert said.startswith(f"alike has 60 answers to train on, {60 * label} of them good.")
    assert training.plan(studio, spec(method="kto", dataset="mixed")).ready


def test_rows_beyond_the_model(studio: Studio, tmp_path: Path) -> None:
    reach = registry.get(studio, "tiny-base").details["max_length"]
    imported(studio, "long", [chat(f"{n}?", "Yes. " * 4 * reach) for n in range(60)], tmp_path)
    found = problems(studio, dataset="long", options={"max_length": 2 * reach})
    assert f"tiny-base supports only {reach}" in found[0]
    assert training.plan(studio, spec(dataset="long", options={"max_length": reach})).ready


def test_an_adapter_goes_on_or_is_merged(studio: Studio, sums: Dataset) -> None:
    job, result = ended_job(studio, registry.get(studio, "tiny-base"), "adapter", name="mine")
    registry.register_result(studio, job, result)
    assert "merged into its base model first" in warned(studio, model="mine")
    assert "mine is an adapter" in warned(studio, model="mine", tuning="lora")


def test_time_is_learned_from_earlier_runs(studio: Studio, sums: Dataset, pairs: Dataset) -> None:
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
    assert not training.plan(
        studio, spec(method="dpo", dataset="pairs")
    ).learned  # Another method, another speed.


def test_memory_is_learned_from_earlier_runs(studio: Studio, sums: Dataset) -> None:
    before = training.plan(studio, spec()).memory
    assert before and before.correction == 1.0
    job = training.submit(studio, spec())
    assert job.spec["estimate"]["computed"] == job.spec["estimate"]["memory"] == before.total
    run_to(studio, job, State.SUCCEEDED, steps=20, peak_memory=2 * before.computed)
    after = training.plan(studio, spec()).memory
    assert after and after.total == 2 * before.total
    other = training.plan(studio, spec(tuning="lora")).memory
    assert other and other.correction == 1.0


def test_what_would_need_less(studio: Studio, sums: Dataset) -> None:
    plan = training.plan(studio, spec(options={"batch_size": 8}))
    assert plan.memory and plan.lighter["batch_size"]["after"] == 4
    assert plan.lighter["batch_size"]["memory"] < plan.memory.total
    assert plan.lighter["lora"]["memory"] < plan.memory.total


def test_datasets_that_fit(studio: Studio, sums: Dataset, pairs: Dataset) -> None:
    fitting = {dataset.name: reason for dataset, reason in training.fitting_datasets(studio, "dpo")}
    assert fitting["pairs"] is None
    assert "needs preference" in fitting["sums"].sentence()  # type: ignore[union-attr]
    with pytest.raises(BadInput, match="no training method"):
        training.fitting_datasets(studio, "nothing")
