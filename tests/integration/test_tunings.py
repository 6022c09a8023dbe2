"""What each way of tuning leaves: as it wrote when it was trained, so it answers in chat, beside an untouched base."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file

from jobs.generation.models import Models
from jobs.generation.sides import Side, answer
from jobs.training.arguments import arguments
from jobs.training.data import Prepared
from jobs.training.loading import Machine
from jobs.training.start import script
from jobs.training.team import Team
from studio_core.generation.sampling import greedy
from studio_core.methods import METHODS
from studio_core.methods.base import read
from studio_core.runs import run_folder
from studio_core.runs.spec import ResolvedModel, RewardChoice, RunSpec
from studio_core.tunings import TUNINGS
from tests.combinations import proof
from tests.integration.method_conformance import ROWS, SHORT
from tests.integration.miniature import events, losses, make_run, miniature_model

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

PROMPT = "say aaa"
ADAPTERS = [name for name, tuning in TUNINGS.items() if not tuning.whole]
VARIANTS: dict[str, dict[str, Any]] = {
    "rslora": {"lora_rslora": True},
    "dora": {"lora_dora": True},
    "pissa": {"lora_init": "pissa"},
    "olora": {"lora_init": "olora", "lora_rslora": True},
}
REWARDS = [RewardChoice(name="longer", options={"characters": 100})]
"""One that answers of a model that cannot speak differ in."""
PAIRS = [
    (method.name, tuning.name)
    for method in METHODS.values()
    for tuning in TUNINGS.values()
    if proof(method, tuning) == "tried"
]


def trained(folder: Path, model: ResolvedModel, method: str, tuning: str, **options: Any) -> Path:
    shape = METHODS[method].shapes[0]
    prompts = (PROMPT,) if options.pop("answers", False) else ()
    # A teacher is another model: one that is the same has nothing to teach.
    others = {
        role: miniature_model(folder.parent / f"{role}-of-{folder.name}", seed=1)
        for role, part in METHODS[method].named_roles.items()
        if not part.optional
    }
    short = SHORT if "max_new_tokens" in METHODS[method].Options.model_fields else {}
    run = make_run(
        folder, model, ROWS[shape], method=method, tuning=tuning, shape=shape, prompts=prompts, models=others,
        rewards=REWARDS if METHODS[method].rewards else [],
        **{"learning_rate": 0.02, "max_steps": 6, "batch_size": 8, **short, **options},
    )  # fmt: skip
    script(method).main(run)  # type: ignore[attr-defined]
    return run


def made(base: ResolvedModel, run: Path) -> ResolvedModel:
    folder = run / run_folder.MODEL
    if (folder / "adapter_config.json").is_file():
        return base.model_copy(update={"name": "made", "adapter": str(folder)})
    return ResolvedModel(name="made", path=str(folder))


def answered(models: Models, *sides: ResolvedModel, tokens: int = 64) -> list[str]:
    said = [""] * len(sides)
    asked = [Side(model, [{"role": "user", "content": PROMPT}]) for model in sides]
    for event in answer(models, asked, greedy(tokens)):
        assert "error" not in event, event
        said[event["side"]] += event.get("text", "")
    return said


@pytest.mark.parametrize("way", [*TUNINGS, *VARIANTS])
def test_it_answers_in_chat_as_it_did_when_it_was_trained(
    base: ResolvedModel, tmp_path: Path, way: str
) -> None:
    tuning, options = ("lora", VARIANTS[way]) if way in VARIANTS else (way, {})
    run = trained(tmp_path / "run", base, "sft", tuning, answers=True, **options)
    samples = {event["when"]: event["answer"] for event in events(run, "sample")}
    models, model = Models("cpu"), made(base, run)
    untouched = answered(Models("cpu"), base)[0]
    before, after = answered(models, base, model)
    assert before == untouched != after
    # Also once the adapter has answered, and alone.
    assert answered(models, model, base) == [after, untouched]
    if tuning != "qlora":  # Whose base was in 4 bits when it was trained.
        assert (samples["before"], samples["after"]) == (untouched.strip(), after.strip())


@pytest.mark.parametrize(("method", "tuning"), PAIRS)
def test_every_other_pair_learns_and_is_of_use(
    base: ResolvedModel, tmp_path: Path, method: str, tuning: str
) -> None:
    # A distribution teaches gently, VeRA has few numbers to learn, and AdaLoRA begins with nearly none: in six steps at
    # the usual rate the likeliest words stay what they were.
    gentle = method == "distillation" or tuning in ("vera", "adalora")
    faster = {"learning_rate": 0.2} if gentle else {}
    run = trained(tmp_path / "run", base, method, tuning, **faster)
    first, *_, last = losses(run).values()
    # While the model is the one that wrote, the loss of a policy gradient is 0 whatever is learnt.
    assert first != last or METHODS[method].rewards
    if not METHODS[method].writes:
        assert (run / run_folder.MODEL / "config.json").is_file()
        return
    before, after = answered(Models("cpu"), base, made(base, run), tokens=24)
    assert before != after


@pytest.mark.parametrize(
    ("method", "tuning"),
    [
        (method, name)
        for method in ("sft", "dpo")
        for name in ADAPTERS
        if TUNINGS[name].family != "prompts" and (method, name) not in [("dpo", "adalora"), ("dpo", "bitfit")]
    ],
)
def test_an_adapter_of_each_kind_is_continued(
    base: ResolvedModel, tmp_path: Path, method: str, tuning: str
) -> None:
    first = trained(tmp_path / "first", base, "sft", tuning, answers=True)
    run = trained(tmp_path / "run", made(base, first), method, tuning, answers=True, max_steps=2)
    ended = events(first, "sample")[-1]["answer"]
    assert events(run, "sample")[0]["answer"] == ended
    if method == "dpo":  # What it began as is the reference, so the first rewards are 0.
        rough = 1e-3 if tuning == "qlora" else 1e-4  # TRL holds the reference of a base in 4 bits in bf16.
        assert events(run, "metrics")[0]["values"]["rewards/chosen"] == pytest.approx(0, abs=rough)


@pytest.mark.parametrize("tuning", [name for name in ADAPTERS if TUNINGS[name].merges])
def test_full_tuning_merges_an_adapter_of_each_kind(base: ResolvedModel, tmp_path: Path, tuning: str) -> None:
    first = trained(tmp_path / "first", base, "sft", tuning)
    run = trained(tmp_path / "run", made(base, first), "sft", "full", answers=True, max_steps=1)
    [after] = answered(Models("cpu"), made(base, first))
    assert events(run, "sample")[0]["answer"] == after.strip()


def test_adalora_prunes_to_its_target(base: ResolvedModel, tmp_path: Path) -> None:
    run = trained(tmp_path / "run", base, "sft", "adalora", adalora_start=6, adalora_rank=2, max_steps=10)
    kept = load_file(run / run_folder.MODEL / "adapter_model.safetensors")
    ranks = [len(weight) for name, weight in kept.items() if "lora_E" in name]
    assert sum(ranks) == 2 * 14  # Seven linear layers in each of two.
    assert max(ranks) > min(ranks)
    assert all(weight.abs().min() > 0 for name, weight in kept.items() if "lora_E" in name and len(weight))


def test_freezing_leaves_all_below_as_it_was(base: ResolvedModel, tmp_path: Path) -> None:
    run = trained(tmp_path / "run", base, "sft", "freeze", trained_layers=1)
    before = load_file(Path(base.path) / "model.safetensors")
    after = load_file(run / run_folder.MODEL / "model.safetensors")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if ".layers.1." in name or name == "model.norm.weight"}


def test_lora_plus_teaches_b_at_a_multiple_of_the_rate(base: ResolvedModel, tmp_path: Path) -> None:
    plain = trained(tmp_path / "plain", base, "sft", "lora", max_steps=1, warmup=0.0)
    plus = trained(tmp_path / "plus", base, "sft", "lora", max_steps=1, warmup=0.0, lora_plus=4.0)
    one, other = (load_file(run / run_folder.MODEL / "adapter_model.safetensors") for run in (plain, plus))
    for name in one:  # B begins as 0, and a first step of AdamW is the rate itself.
        if "lora_B" in name:
            moved = one[name].abs() > 1e-3
            assert torch.allclose(4 * one[name][moved], other[name][moved], rtol=1e-3)


def test_an_init_from_weights_is_saved_as_plain_lora_of_twice_the_rank(
    base: ResolvedModel, tmp_path: Path
) -> None:
    run = trained(tmp_path / "run", base, "sft", "lora", lora_init="pissa", lora_rank=4, max_steps=1)
    config = json.loads((run / run_folder.MODEL / "adapter_config.json").read_text(encoding="utf-8"))
    assert (config["r"], config["init_lora_weights"]) == (8, True)
    assert not (run / "initial").exists()


@pytest.mark.parametrize(
    ("tuning", "device", "used"),
    [
        ("qlora", "cuda", "paged_adamw_32bit"),
        ("qlora", "cpu", "adamw_torch_fused"),
        ("lora", "cuda", "adamw_torch_fused"),
    ],
)
def test_only_qlora_on_a_gpu_pages_its_optimiser(
    base: ResolvedModel, tmp_path: Path, tuning: str, device: Any, used: str
) -> None:
    folder = make_run(tmp_path / "run", base, ROWS[METHODS["sft"].shapes[0]], tuning=tuning)
    run = RunSpec.model_validate_json((folder / run_folder.SPEC).read_text(encoding="utf-8"))
    options = read(METHODS["sft"], TUNINGS[tuning], run.options)
    data = Prepared(Dataset.from_list([{"length": 3}]), None)
    machine = Machine(device, "fp32", "")
    assert arguments(folder, run, options, machine, data, Team(folder))["optim"] == used
