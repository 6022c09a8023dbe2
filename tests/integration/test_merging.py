"""Adapters merged by the worker: each method against a computation by hand, and the result in chat beside its base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from jobs import merging as worker
from jobs.generation.models import Models
from jobs.generation.sides import Side, answer
from studio_core.base import atomic
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, Model
from studio_core.generation.sampling import greedy
from studio_core.models import merging, registry
from studio_core.models.inspect import read_json
from studio_core.runs import kinds, queue, run_folder
from studio_core.runs.spec import MergeSpec
from tests.integration.miniature import events, miniature_model

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

ATTENTION = ["q_proj", "v_proj"]


@pytest.fixture
def base(studio: Studio) -> Model:
    return registry.add(studio, miniature_model(studio.settings.models / "base").path)


def adapter(studio: Studio, base: Model, name: str, seed: int, rank: int = 4, **settings: Any) -> Model:
    """What a training with LoRA leaves, with random weights in place of learnt ones."""
    torch.manual_seed(seed)
    settings = {"target_modules": ATTENTION, "lora_alpha": 2 * rank, **settings}
    config = LoraConfig(r=rank, init_lora_weights=False, **settings)
    job = queue.submit(
        studio, kind="train", name=name, method="sft", spec={"run": {"model": {"id": base.id}}}
    )
    folder = Path(str(job.run_dir)) / run_folder.MODEL
    get_peft_model(AutoModelForCausalLM.from_pretrained(base.path), config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(base.path).save_pretrained(folder)
    return registry.register_result(studio, job, {"model": run_folder.MODEL, "kind": "adapter"})


def merged(studio: Studio, weights: dict[str, float], method: str, **options: Any) -> Model:
    seed = options.pop("seed", 0)
    spec = MergeSpec(adapters=weights, options={"method": method, **options}, seed=seed)
    job = merging.submit(studio, spec)
    folder = Path(str(job.run_dir))
    folder.mkdir(parents=True)
    atomic.write_json(folder / run_folder.SPEC, job.spec["run"])
    row = kinds.KINDS[job.kind]
    kinds.call(row.script, folder)
    made: Model = kinds.call(row.register, studio, job, events(folder, "result")[-1])
    assert kinds.call(row.register, studio, job, events(folder, "result")[-1]).id == made.id
    return made


def matrices(model: Model) -> dict[str, tuple[torch.Tensor, torch.Tensor, float]]:
    """By layer: A, B and what their product is multiplied by."""
    weights = load_file(Path(model.path) / "adapter_model.safetensors")
    config = read_json(Path(model.path) / "adapter_config.json")
    scaling = config["lora_alpha"] / (config["r"] ** 0.5 if config["use_rslora"] else config["r"])
    layers = {name.partition(".lora_A")[0] for name in weights if ".lora_A" in name}
    assert layers
    return {
        layer: (weights[f"{layer}.lora_A.weight"], weights[f"{layer}.lora_B.weight"], scaling)
        for layer in layers
    }


def deltas(model: Model) -> dict[str, torch.Tensor]:
    """What an adapter adds to the weights of each layer."""
    return {layer: scaling * b @ a for layer, (a, b, scaling) in matrices(model).items()}


def test_cat_is_the_weighted_sum_of_what_the_adapters_add(studio: Studio, base: Model) -> None:
    one, two = adapter(studio, base, "one", 1), adapter(studio, base, "two", 2, rank=6, use_rslora=True)
    made = merged(studio, {"one": 0.7, "two": -0.3}, "cat")
    ours, first, second = deltas(made), deltas(one), deltas(two)
    assert ours.keys() == first.keys()
    for layer, delta in ours.items():
        assert torch.allclose(delta, 0.7 * first[layer] - 0.3 * second[layer], atol=1e-5)
    assert read_json(Path(made.path) / "adapter_config.json")["r"] == 10


def test_a_layer_that_only_one_of_them_changes_gets_that_change(studio: Studio, base: Model) -> None:
    one = adapter(studio, base, "one", 1, target_modules=["q_proj"], lora_alpha=6)
    two = adapter(studio, base, "two", 2)
    ours = deltas(merged(studio, {"one": 0.5, "two": 0.5}, "cat"))
    assert len(ours) == 4
    for layer, delta in deltas(two).items():
        summed = 0.5 * delta + 0.5 * deltas(one).get(layer, torch.zeros_like(delta))
        assert torch.allclose(ours[layer], summed, atol=1e-5)


def test_svd_is_that_sum_cut_to_its_largest_singular_values(studio: Studio, base: Model) -> None:
    # The first with rsLoRA: its settings become those of the result, whose scaling has to be 1 all the same.
    one, two = adapter(studio, base, "one", 1, use_rslora=True), adapter(studio, base, "two", 2)
    made = merged(studio, {"one": 1.0, "two": 0.5}, "svd")
    first, second = deltas(one), deltas(two)
    for layer, delta in deltas(made).items():
        u, s, v = torch.linalg.svd(first[layer] + 0.5 * second[layer], full_matrices=False)
        assert torch.allclose(delta, u[:, :4] * s[:4] @ v[:4], atol=1e-4)


def test_linear_sums_the_matrices_each_for_itself(studio: Studio, base: Model) -> None:
    one, two = adapter(studio, base, "one", 1), adapter(studio, base, "two", 2)
    made = merged(studio, {"one": 0.7, "two": 0.3}, "linear")
    first, second = matrices(one), matrices(two)
    for layer, (a, b, scaling) in matrices(made).items():
        assert scaling == 1
        # The root of weight times scaling on either side, so that the products of its own are weighted as told.
        roots = [(0.7 * first[layer][2]) ** 0.5, (0.3 * second[layer][2]) ** 0.5]
        assert torch.allclose(a, roots[0] * first[layer][0] + roots[1] * second[layer][0], atol=1e-5)
        assert torch.allclose(b, roots[0] * first[layer][1] + roots[1] * second[layer][1], atol=1e-5)
        assert not torch.allclose(b @ a, 0.7 * deltas(one)[layer] + 0.3 * deltas(two)[layer], atol=1e-2)


@pytest.mark.parametrize(
    "method", ["ties", "ties_svd", "dare_linear", "dare_ties", "dare_linear_svd", "dare_ties_svd"]
)
def test_the_methods_that_prune_give_something_and_follow_the_seed(
    studio: Studio, base: Model, method: str
) -> None:
    for number, name in enumerate(("one", "two"), start=1):
        adapter(studio, base, name, number)
    weights = {"one": 1.0, "two": 1.0}
    first, again, other = (
        deltas(merged(studio, weights, method, density=0.5, seed=seed)) for seed in (3, 3, 4)
    )
    for layer, delta in first.items():
        assert torch.isfinite(delta).all() and delta.abs().max() > 0
        assert torch.equal(delta, again[layer])
    drawn = any(not torch.equal(delta, other[layer]) for layer, delta in first.items())
    assert drawn == method.startswith("dare")


def test_ties_keeps_the_largest_and_those_of_one_sign(studio: Studio, base: Model) -> None:
    one, two = adapter(studio, base, "one", 1), adapter(studio, base, "two", 2)
    made = merged(studio, {"one": 0.5, "two": 0.5}, "ties", density=0.5)
    for layer, (_, b, _) in matrices(made).items():
        kept = []
        for source in (one, two):
            _, whole, scaling = matrices(source)[layer]
            smallest = whole.abs().flatten().sort(descending=True).values[whole.numel() // 2 - 1]
            kept.append((whole * (whole.abs() >= smallest), (0.5 * scaling) ** 0.5))
        sign = torch.where(kept[0][0] + kept[1][0] >= 0, 1, -1)
        agree = [values.sign() == sign for values, _ in kept]
        summed = sum(weight * values * same for (values, weight), same in zip(kept, agree, strict=True))
        assert torch.allclose(b, summed / (agree[0].int() + agree[1].int()).clamp(min=1), atol=1e-5)


def test_in_chat_it_answers_beside_an_untouched_base(studio: Studio, base: Model) -> None:
    for number, name in enumerate(("one", "two"), start=1):
        adapter(studio, base, name, number)
    made = merged(studio, {"one": 1.0, "two": 1.0}, "cat")
    before, after = (registry.resolve(studio, model.id) for model in (base, made))

    def answered(*models: Any) -> list[str]:
        texts = [""] * len(models)
        asked = [Side(model, [{"role": "user", "content": "say aaa"}]) for model in models]
        for event in answer(Models(), asked, greedy(24)):
            assert "error" not in event, event
            texts[event["side"]] += event.get("text", "")
        return texts

    beside = answered(before, after)
    assert beside[0] == answered(before)[0] != beside[1]
    assert beside[1] == answered(after)[0]


def test_the_result_names_its_base_and_what_it_was_merged_from(studio: Studio, base: Model) -> None:
    one, two = (adapter(studio, base, name, n) for n, name in enumerate(("one", "two"), start=1))
    made = merged(studio, {"one": 0.7, "two": 0.3}, "ties", density=0.4)
    assert (made.kind, made.parent_id, made.name) == ("adapter", base.id, "ties-one-two")
    assert made.details[registry.MERGE] == {
        "method": "ties",
        "density": 0.4,
        "adapters": [
            {"id": one.id, "name": "one", "weight": 0.7},
            {"id": two.id, "name": "two", "weight": 0.3},
        ],
    }
    [itself, below] = registry.lineage(studio, made)
    assert (itself.method, itself.merged) == ("ties", {"one": 0.7, "two": 0.3})
    assert below.model.id == base.id
    # What is trained from it is no merge.
    job = queue.submit(
        studio, kind="train", name="on", method="sft", spec={"run": {"model": {"id": made.id}}}
    )
    (Path(str(job.run_dir)) / run_folder.MODEL).mkdir(parents=True)
    child = registry.register_result(studio, job, {"model": run_folder.MODEL, "kind": "adapter"})
    assert registry.MERGE not in child.details and registry.merged_from(child) == {}


def test_a_merge_can_be_merged_again(studio: Studio, base: Model) -> None:
    for number, name in enumerate(("one", "two"), start=1):
        adapter(studio, base, name, number)
    first = merged(studio, {"one": 1.0, "two": 1.0}, "cat")
    second = merged(studio, {first.name: 0.5, "one": -0.5}, "cat")
    halved = {layer: 0.5 * delta for layer, delta in deltas(registry.get(studio, "two")).items()}
    for layer, delta in deltas(second).items():
        assert torch.allclose(delta, halved[layer], atol=1e-5)


def test_what_is_half_written_goes_when_the_job_ends(tmp_path: Path) -> None:
    partial = tmp_path / run_folder.PARTIAL_MODEL
    partial.mkdir()
    kinds.call(kinds.KINDS["merge"].discard, Job(run_dir=str(tmp_path)))
    assert not partial.exists()
    assert worker.MERGED == "default"
