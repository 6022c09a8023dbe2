from __future__ import annotations

from dataclasses import replace

import pytest

from studio_core import tunings
from studio_core.base.errors import BadInput
from studio_core.methods import METHODS
from studio_core.models.size import ModelSize
from studio_core.texts import LANGUAGES, catalogue
from studio_core.tunings import TUNINGS, qlora
from studio_core.tunings.base import Case, Tuning
from studio_core.tunings.lora import LoraOptions

EVERY = pytest.mark.parametrize("tuning", TUNINGS.values(), ids=TUNINGS)
QWEN = ModelSize(596_049_920, hidden=1024, layers=28, vocab=151_936, intermediate=3072, tied=True)
PLAIN = Case("tiny", quantised=False, writes=True)


def sentences(tuning: str, case: Case) -> list[str]:
    return [problem.sentence() for problem in tunings.problems(TUNINGS[tuning], case)]


@EVERY
@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_a_tuning_shows_has_a_text(tuning: Tuning, language: str) -> None:
    keys = [tuning.title_key, tuning.help_key]
    keys += [key for field in tuning.fields for key in (field.title_key, field.help_key)]
    assert [key for key in keys if not catalogue(language).get(key)] == []


@EVERY
def test_options_have_names_of_their_own(tuning: Tuning) -> None:
    """A run has those of its method beside them."""
    for method in METHODS.values():
        assert not tuning.Options.model_fields.keys() & method.Options.model_fields.keys()


def test_no_way_of_tuning_is_called_as_a_method_is() -> None:
    assert not TUNINGS.keys() & METHODS.keys()


@EVERY
def test_what_comes_nearest_is_known_and_ends_at_full(tuning: Tuning) -> None:
    chain = [tuning.name]
    while chain[-1] != "full":
        chain.append(TUNINGS[chain[-1]].instead)
        assert len(set(chain)) == len(chain)


def test_an_unknown_way_of_tuning_is_refused_by_name() -> None:
    with pytest.raises(
        BadInput, match=r"no fine-tuning method dora\. Choose one of: full, freeze, lora, qlora"
    ):
        tunings.named("dora")


def test_the_parameters_that_learn() -> None:
    assert TUNINGS["full"].trained(QWEN, TUNINGS["full"].Options()) == QWEN.parameters
    narrow, wide = (TUNINGS["lora"].trained(QWEN, LoraOptions(lora_rank=rank)) for rank in (8, 16))
    assert wide == 2 * narrow
    # 10,092,544 numbers for rank 16 on all linear layers of Qwen3-0.6B: key heads shared, queries twice as wide.
    assert wide == pytest.approx(10_092_544, rel=0.1)


def test_frozen_weights_are_smaller_in_four_bits() -> None:
    assert TUNINGS["full"].frozen(QWEN, 2) == 0
    assert TUNINGS["lora"].frozen(QWEN, 2) == 2 * QWEN.parameters
    assert TUNINGS["qlora"].frozen(QWEN, 2) < TUNINGS["lora"].frozen(QWEN, 2)
    all_embedding = replace(QWEN, parameters=1000)
    assert TUNINGS["qlora"].frozen(all_embedding, 2) == 2000


@EVERY
def test_nothing_is_against_a_plain_model_on_one_device(tuning: Tuning) -> None:
    assert tunings.problems(tuning, PLAIN) == []


@pytest.mark.parametrize(
    ("tuning", "case", "sentence"),
    [
        ("full", replace(PLAIN, quantised=True), "full fine-tuning is not possible"),
        ("qlora", replace(PLAIN, quantised=True), "cannot quantize it again"),
        ("qlora", replace(PLAIN, gpus=2, parallel="fsdp"), "QLoRA does not work with fsdp"),
        ("qlora", replace(PLAIN, gpus=2, parallel="deepspeed"), "QLoRA does not work with deepspeed"),
        ("lora", replace(PLAIN, quantised=True, writes=False), "into which a reward model cannot be merged"),
        ("lora", replace(PLAIN, gpus=2, parallel="fsdp", writes=False), "with LoRA under FSDP"),
        ("ia3", replace(PLAIN, quantised=True, writes=False), "into which a reward model cannot be merged"),
        ("freeze", replace(PLAIN, quantised=True), "full fine-tuning is not possible"),
        ("freeze", replace(PLAIN, gpus=2, parallel="fsdp"), "freeze does not work with fsdp"),
        ("adalora", replace(PLAIN, gpus=2, parallel="fsdp"), "adalora does not work with fsdp"),
        ("adalora", replace(PLAIN, adapter="ADALORA", compares=True), "cannot be its own reference model"),
        ("lora", replace(PLAIN, adapter="IA3"), "an adapter made with ia3, so lora cannot continue it"),
        ("lora", replace(PLAIN, adapter="HRA"), "made with HRA, so lora cannot"),
        ("full", replace(PLAIN, adapter="HRA"), "HRA) that cannot be merged"),
        ("vera", replace(PLAIN, adapter="LORA"), "made with lora, qlora, so vera cannot"),
        ("lora", replace(PLAIN, options={"lora_init": "pissa"}, compares=True), "needs as its reference"),
        ("lora", replace(PLAIN, options={"lora_init": "pissa"}, adapter="LORA"), "would have no effect"),
        ("lora", replace(PLAIN, options={"lora_init": "olora"}, quantised=True), "cannot be decomposed"),
        (
            "lora",
            replace(PLAIN, options={"lora_init": "pissa", "lora_dora": True}),
            "does not work with DoRA",
        ),
        (
            "qlora",
            replace(PLAIN, options={"lora_plus": 4.0}, gpus=2, parallel="deepspeed"),
            "lora_plus does not work with deepspeed",
        ),
        ("oft", replace(PLAIN, options={"oft_block": 48}, size=QWEN), "does not divide the widths of tiny"),
    ],
)
def test_what_a_tuning_cannot_do_is_said(tuning: str, case: Case, sentence: str) -> None:
    assert any(sentence in said for said in sentences(tuning, case))


def test_a_way_of_tuning_without_double_activations_says_so() -> None:
    case = replace(PLAIN, checkpointing="on")
    once = replace(TUNINGS["lora"], checkpoints=False)
    assert tunings.problems(TUNINGS["lora"], case) == []
    assert "does not work with lora" in tunings.problems(once, case)[0].sentence()


def test_an_adapter_is_continued_by_its_kind_and_merged_by_full_tuning() -> None:
    for tuning in TUNINGS.values():
        if tuning.adapter:
            case = replace(PLAIN, adapter=tuning.adapter)
            # PEFT loads learnt prompts for answers only.
            alone = ["tunings.virtual_tokens_again"] if tuning.family == "prompts" else []
            assert [problem.key for problem in tunings.problems(tuning, case)] == alone
            assert (tunings.problems(TUNINGS["full"], case) == []) is tuning.merges


def test_adalora_does_not_begin_below_its_target() -> None:
    with pytest.raises(BadInput, match=r"adalora_start is 4, below adalora_rank 8"):
        TUNINGS["adalora"].checked({"adalora_start": 4})


def test_four_bit_needs_bitsandbytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qlora.importlib.util, "find_spec", lambda name: None)
    problem = TUNINGS["qlora"].missing()
    assert problem is not None and "Choose LoRA" in problem.sentence()
