"""Adapters that are no change to weights: virtual tokens, bottlenecks and biases, on a Llama of two layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers

from jobs.training.fast_head import add_head
from jobs.training.tunings import implementation
from jobs.training.tunings.p_tuning import companion
from studio_core.base.errors import BadInput
from studio_core.models.inspect import inspect
from studio_core.models.size import ModelSize
from studio_core.runs.spec import ResolvedDataset, ResolvedModel, RunSpec, TrainSpec
from studio_core.tunings import TUNINGS
from tests.unit.jobs.generation.small_models import save_llama

VIRTUAL = ("prompt_tuning", "prefix_tuning", "p_tuning")
BESIDE = ("bottleneck", "bitfit")
IDS = torch.tensor([[5, 6, 7, 8, 9], [10, 11, 12, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
LABELS = torch.tensor([[-100, -100, 7, 8, 9], [-100, 11, 12, -100, -100]])
OPTIONS = {"bottleneck": {"bottleneck_width": 4}, **{name: {"virtual_tokens": 3} for name in VIRTUAL}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_llama(tmp_path_factory.mktemp("tunings") / "base")


def loaded(folder: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(folder)


def adapted(folder: Path, tuning: str, changed: bool = True, model: Any = None) -> Any:
    """The model with what learns of that way of tuning; ``changed``, all of it at random."""
    model = model or loaded(folder)
    run = RunSpec(
        spec=TrainSpec(method="sft", tuning=tuning, model="base", dataset="none"),
        model=ResolvedModel(name="base", path=str(folder)),
        dataset=ResolvedDataset(id=1, name="none", version=1, shape="chat", rows=1, path="", sha256=""),
        options={},
        prompts=[],
    )
    torch.manual_seed(0)
    make = implementation(TUNINGS[tuning]).adapter
    assert make is not None
    config = make(run, model, TUNINGS[tuning].Options(**OPTIONS.get(tuning, {})))
    config.task_type = "CAUSAL_LM"
    made = peft.get_peft_model(model, config).eval()
    for weight in filter(lambda weight: weight.requires_grad and changed, made.parameters()):
        torch.nn.init.normal_(weight, std=0.3)
    return made


@torch.no_grad()
def logits(model: Any) -> torch.Tensor:
    """Of the words that were given, wherever virtual tokens stand."""
    found: torch.Tensor = model(input_ids=IDS, attention_mask=MASK).logits[:, -IDS.shape[1] :]
    return found[MASK.bool()]


@pytest.mark.parametrize("tuning", [*VIRTUAL, *BESIDE])
def test_as_many_numbers_learn_as_are_told(folder: Path, tuning: str) -> None:
    model = adapted(folder, tuning)
    found = inspect(folder)
    told = TUNINGS[tuning].trained(
        ModelSize.of(found.parameters, found.details()), TUNINGS[tuning].Options(**OPTIONS.get(tuning, {}))
    )
    learn = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    # Keys and values of this model are half as wide as the model, which only prefix tuning reckons with.
    assert told == (learn + 2 * 2 * 16 if tuning == "bitfit" else learn)


@pytest.mark.parametrize("tuning", [*VIRTUAL, *BESIDE])
def test_switched_off_it_is_the_base_and_saved_it_is_the_same(
    folder: Path, tuning: str, tmp_path: Path
) -> None:
    model, plain = adapted(folder, tuning), logits(loaded(folder))
    changed = logits(model)
    assert (changed - plain).abs().max() > 0.01
    with model.disable_adapter():
        assert torch.equal(logits(model), plain)
    model.save_pretrained(tmp_path)
    again = peft.PeftModel.from_pretrained(loaded(folder), tmp_path).eval()
    torch.testing.assert_close(logits(again), changed, rtol=0, atol=0)


@pytest.mark.parametrize("tuning", BESIDE)
def test_training_starts_from_the_model_as_it_is(folder: Path, tuning: str) -> None:
    assert torch.equal(logits(adapted(folder, tuning, changed=False)), logits(loaded(folder)))


@pytest.mark.parametrize("tuning", BESIDE)
def test_an_adapter_can_be_continued(folder: Path, tuning: str, tmp_path: Path) -> None:
    model = adapted(folder, tuning)
    model.save_pretrained(tmp_path)
    again = peft.PeftModel.from_pretrained(loaded(folder), tmp_path, is_trainable=True).eval()
    torch.testing.assert_close(logits(again), logits(model), rtol=0, atol=0)
    learn = {name for name, weight in again.named_parameters() if weight.requires_grad}
    assert learn == {name for name, weight in model.named_parameters() if weight.requires_grad}


@pytest.mark.parametrize("tuning", [*VIRTUAL, *BESIDE])
def test_the_fast_head_scores_the_same_words(folder: Path, tuning: str) -> None:
    """Its log-probabilities are those of each row by itself, without padding and by the model's own head."""
    model = adapted(folder, tuning)
    expected = torch.zeros(2, 4)
    for row, length in enumerate(MASK.sum(1).tolist()):
        ids = IDS[row : row + 1, :length]
        with torch.no_grad():
            found = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, -length:]
        scored = found[:-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
        expected[row, : length - 1] = torch.where(LABELS[row, 1:length] != -100, scored, 0.0)
    add_head(model.get_base_model(), outputs=("log_probs", "entropy", "mean_logits", "is_top1"))
    given = {"input_ids": IDS, "attention_mask": MASK, "labels": LABELS, "use_cache": False}
    with torch.no_grad():
        output = model(**given, fused_lm_head=True)
    # As TRL's trainers take them: virtual tokens come first.
    torch.testing.assert_close(output.log_probs[:, -4:], expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(output.loss, -expected.sum() / 5, rtol=1e-5, atol=1e-5)


def test_a_bottleneck_is_what_its_formula_says(folder: Path) -> None:
    model = adapted(folder, "bottleneck")
    layer = model.get_base_model().model.layers[0].mlp.down_proj
    inputs = torch.randn(3, 64)
    hidden = layer.base_layer(inputs)
    down, up = layer.bottleneck_down["default"], layer.bottleneck_up["default"]
    inner = torch.nn.functional.gelu(hidden @ down.weight.T + down.bias)
    torch.testing.assert_close(layer(inputs), hidden + inner @ up.weight.T + up.bias)


def test_bottlenecks_may_stand_after_the_feed_forward_block_only(folder: Path) -> None:
    twin = implementation(TUNINGS["bottleneck"])
    options = TUNINGS["bottleneck"].Options(bottleneck_places="feed_forward")
    assert twin.adapter is not None
    assert twin.adapter(None, loaded(folder), options).target_modules == ["down_proj"]  # type: ignore[arg-type]


def test_the_network_of_p_tuning_is_kept_in_checkpoints(folder: Path) -> None:
    """Without it a resumed run would go on with another one."""
    model, other = adapted(folder, "p_tuning"), adapted(folder, "p_tuning", changed=False)
    assert not torch.equal(logits(model), logits(other))
    kept = companion(model, None, folder, 1).state_dict()
    companion(other, None, folder, 1).load_state_dict(kept)
    assert torch.equal(logits(model), logits(other))


def test_layers_of_another_kind_are_refused(folder: Path) -> None:
    config = transformers.GPT2Config(
        vocab_size=32, n_embd=8, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0
    )
    gpt2 = transformers.GPT2LMHeadModel(config)
    with pytest.raises(BadInput, match=r"The layers of base \(GPT2LMHeadModel\) are of a kind"):
        adapted(folder, "bitfit", model=gpt2)
    with pytest.raises(BadInput, match=r"layers of base \(GPT2LMHeadModel\) could not be recognized"):
        adapted(folder, "bottleneck", model=gpt2)
