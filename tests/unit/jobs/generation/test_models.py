"""Who may share a base, and that nobody sees another's weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import peft
import pytest
import torch
import transformers

from jobs.generation.models import Models, sharing
from jobs.generation.sides import Side, answer
from studio_core.base.errors import BadInput, NotFound, StudioError
from studio_core.generation.sampling import Sampling
from studio_core.runs.spec import ResolvedModel
from tests.unit.jobs.generation.conftest import ADDED, KINDS, VIRTUAL
from tests.unit.jobs.generation.small_models import save_llama

QUESTION = [{"role": "user", "content": "Where is the river?"}]
LONGER = [{"role": "system", "content": "You are brief."}, {"role": "user", "content": "And the mountain?"}]
GREEDY = Sampling(temperature=0, seed=0, max_tokens=24)
SAMPLED = Sampling(temperature=1.1, top_p=0.95, seed=5, max_tokens=24)


def resolved(folders: dict[str, Path], name: str) -> ResolvedModel:
    if name in ("base", "other"):
        return ResolvedModel(name=name, path=str(folders[name]))
    return ResolvedModel(name=name, path=str(folders["base"]), adapter=str(folders[name]))


def texts(models: Models, sides: list[Side], sampling: Sampling) -> list[str]:
    found = [""] * len(sides)
    for event in answer(models, sides, sampling):
        assert "error" not in event, event
        found[event["side"]] += event.get("text", "")
    return found


def alone(folders: dict[str, Path], name: str, messages: list[dict[str, str]], sampling: Sampling) -> str:
    """The answer of one model with nothing else in memory."""
    return texts(Models("cpu"), [Side(resolved(folders, name), messages)], sampling)[0]


def generated(folders: dict[str, Path], name: str, messages: list[dict[str, str]]) -> str:
    """The greedy answer by transformers' own ``generate``, on a model loaded without our code.

    Without a letter that it did not write to its end.
    """
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders["base"])
    model = transformers.AutoModelForCausalLM.from_pretrained(folders["base"])
    if name != "base":
        model = peft.PeftModel.from_pretrained(model, folders[name])
    inputs = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    whole = model.generate(**inputs, do_sample=False, max_new_tokens=GREEDY.max_tokens)
    answered: str = tokenizer.decode(whole[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return answered.rstrip("\N{REPLACEMENT CHARACTER}")


@pytest.mark.parametrize("name", ["base", "lora", "second", "dora", "saved", "pissa", *KINDS, *ADDED])
@pytest.mark.filterwarnings("ignore:Position ids are not supported")  # PEFT makes its own for virtual tokens.
def test_an_answer_equals_that_of_generate(folders: dict[str, Path], name: str) -> None:
    assert alone(folders, name, QUESTION, GREEDY) == generated(folders, name, QUESTION)


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize("tuned", ["lora", "dora", "saved", "pissa", *KINDS, *ADDED])
def test_base_side_is_the_untouched_base_and_tuned_side_the_tuned(
    folders: dict[str, Path], tuned: str, sampling: Sampling
) -> None:
    models = Models("cpu")
    sides = [Side(resolved(folders, "base"), QUESTION), Side(resolved(folders, tuned), QUESTION)]
    expected = [alone(folders, name, QUESTION, sampling) for name in ("base", tuned)]
    assert expected[0] != expected[1], "the adapter of this test changes nothing"
    assert texts(models, sides, sampling) == expected
    assert texts(models, sides[::-1], sampling) == expected[::-1]
    assert texts(models, sides[:1], sampling) == expected[:1], "the base after adapters were loaded"


@pytest.mark.parametrize("name", VIRTUAL)
def test_virtual_tokens_are_read_once_and_before_the_padding(folders: dict[str, Path], name: str) -> None:
    """An answer out of a cache equals one for which all is read anew for each token, alone and beside longer ones."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders["base"])
    model = transformers.AutoModelForCausalLM.from_pretrained(folders["base"])
    model = peft.PeftModel.from_pretrained(model, folders[name]).eval()
    written = []
    for messages in (QUESTION, LONGER):
        asked = tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
        tokens = list(asked)
        while len(tokens) - len(asked) < GREEDY.max_tokens and tokens[-1] != tokenizer.eos_token_id:
            with torch.no_grad():
                read = torch.tensor([tokens])
                logits = model(input_ids=read, attention_mask=torch.ones_like(read)).logits
            tokens.append(int(logits[0, -1].argmax()))
        said = tokenizer.decode(tokens[len(asked) :], skip_special_tokens=True)
        written.append(said.rstrip("\N{REPLACEMENT CHARACTER}"))
    sides = [Side(resolved(folders, name), messages) for messages in (QUESTION, LONGER)]
    models = Models("cpu")
    assert texts(models, sides, GREEDY) == written
    assert texts(models, sides[:1] * 3, GREEDY) == written[:1] * 3


@pytest.mark.parametrize("name", VIRTUAL)
def test_virtual_tokens_leave_less_room(folders: dict[str, Path], name: str) -> None:
    models = Models("cpu")
    assert models.open(resolved(folders, "base")).base.context == 256
    assert models.open(resolved(folders, name)).base.context == 251


def test_every_kind_at_once_with_different_prompts(folders: dict[str, Path]) -> None:
    names = ["lora", "base", "dora", "second", "saved", "other", "pissa", "base"]
    prompts = [QUESTION, LONGER, QUESTION, LONGER, QUESTION, LONGER, QUESTION, QUESTION]
    models = Models("cpu")
    sides = [Side(resolved(folders, name), prompt) for name, prompt in zip(names, prompts, strict=True)]
    expected = [alone(folders, name, prompt, SAMPLED) for name, prompt in zip(names, prompts, strict=True)]
    for _ in range(2):  # Once while they are loaded, once with all in memory.
        assert texts(models, sides, SAMPLED) == expected
    assert len(models._bases) == 4, "base with its adapters, other, and copies for saved and pissa"


def test_kinds_share_a_base_among_themselves_and_with_the_base(folders: dict[str, Path]) -> None:
    models = Models("cpu")
    names = ["base", "ia3", "second-ia3", "lora", *(kind for kind in KINDS if kind != "ia3"), "base"]
    sides = [Side(resolved(folders, name), QUESTION) for name in names]
    expected = [alone(folders, name, QUESTION, GREEDY) for name in names]
    models._most = len(KINDS) + 1
    for _ in range(2):
        assert texts(models, sides, GREEDY) == expected
    assert {base.key[2] for base in models._bases.values()} == {
        "LORA", "ADALORA", "IA3", "LN_TUNING", "OFT", "VERA",
    }  # fmt: skip


def test_an_adapter_that_cannot_be_loaded_leaves_no_base_behind(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    torn = tmp_path / "torn"
    shutil.copytree(folders["ia3"], torn)
    (torn / "adapter_model.safetensors").write_bytes(b"torn")
    models = Models("cpu")
    base = resolved(folders, "base")
    before = texts(models, [Side(base, QUESTION)], GREEDY)
    with pytest.raises(StudioError):
        models.open(ResolvedModel(name="torn", path=base.path, adapter=str(torn)))
    assert not models.loaded(base)
    assert texts(models, [Side(base, QUESTION)], GREEDY) == before


def test_how_adapters_share() -> None:
    lora = {"peft_type": "LORA", "bias": "none", "init_lora_weights": True}
    assert sharing(lora) == "mixed"
    assert sharing({**lora, "use_rslora": True}) == "mixed"
    for name in ("use_dora", "lora_bias"):
        assert sharing({**lora, name: True}) == "switched"
    for kind in ("ADALORA", "IA3", "LN_TUNING", "OFT", "VERA"):
        assert sharing({"peft_type": kind}) == "switched"
    for change in (
        {"modules_to_save": ["lm_head"]},
        {"bias": "all"},
        {"init_lora_weights": "olora"},
        {"peft_type": "VERA", "modules_to_save": ["score"]},
        {"peft_type": "HRA"},
        {"peft_type": "PREFIX_TUNING"},
    ):
        assert sharing({**lora, **change}) == "alone"
    assert sharing({**lora, "kasa_config": {"beta": 1}}) == "alone"


def test_peculiar_settings_of_lora_are_known() -> None:
    """A field that PEFT adds may change what mixing means: look at it, then list it here."""
    config = peft.LoraConfig().to_dict()
    harmless = {
        "task_type", "peft_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision",
        "inference_mode", "r", "target_modules", "exclude_modules", "lora_alpha", "lora_dropout",
        "fan_in_fan_out", "bias", "use_rslora", "init_lora_weights", "layers_to_transform",
        "layers_pattern", "rank_pattern", "alpha_pattern", "megatron_core", "loftq_config", "eva_config",
        "corda_config", "lora_ga_config", "qalora_group_size", "ensure_weight_tying", "runtime_config",
    }  # fmt: skip
    plain = {"peft_type": "LORA"}
    assert {name for name in config if sharing({**plain, name: True}) == "mixed"} <= harmless | {"bias"}
    unknown = {n for n in config if n not in harmless and sharing({**plain, n: True}) == "mixed"}
    assert not unknown


def test_bases_unused_for_longest_are_forgotten(folders: dict[str, Path], tmp_path: Path) -> None:
    models = Models("cpu", most=2)
    third = ResolvedModel(name="third", path=str(save_llama(tmp_path / "third", seed=9)))
    models.open(resolved(folders, "base"))
    models.open(resolved(folders, "other"))
    models.open(resolved(folders, "base"))
    models.open(third)
    assert models.loaded(resolved(folders, "base")) and models.loaded(third)
    assert not models.loaded(resolved(folders, "other"))


def test_old_adapters_are_forgotten(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.generation.models._ADAPTERS_PER_BASE", 2)
    models = Models("cpu")
    for name in ("lora", "dora", "second"):
        texts(models, [Side(resolved(folders, name), QUESTION)], GREEDY)
    assert [models.loaded(resolved(folders, name)) for name in ("lora", "dora", "second")] == [0, 1, 1]
    sides = [Side(resolved(folders, name), QUESTION) for name in ("lora", "base")]
    assert texts(models, sides, GREEDY) == [generated(folders, name, QUESTION) for name in ("lora", "base")]


def test_a_model_replaced_on_disk_is_loaded_anew(tmp_path: Path) -> None:
    model = ResolvedModel(name="m", path=str(save_llama(tmp_path / "m", seed=1)))
    models = Models("cpu")
    before = texts(models, [Side(model, QUESTION)], GREEDY)
    save_llama(tmp_path / "m", seed=2)
    assert texts(models, [Side(model, QUESTION)], GREEDY) != before


def test_too_little_memory_is_said_before_loading(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.generation.models._free_memory", lambda device: 1000)
    with pytest.raises(StudioError, match=r"base needs about 0\.0 GB of memory, but only 0\.0 GB are free"):
        Models("cpu").open(resolved(folders, "base"))


def test_models_that_cannot_be_used_say_why(folders: dict[str, Path], tmp_path: Path) -> None:
    models = Models("cpu")
    gone = ResolvedModel(name="gone", path=str(tmp_path / "nowhere"))
    with pytest.raises(NotFound, match="The files of gone are no longer at"):
        models.open(gone)

    pickled = tmp_path / "pickled"
    pickled.mkdir()
    torch.save({}, pickled / "pytorch_model.bin")
    with pytest.raises(BadInput, match="Pickled weights can run any code"):
        models.open(ResolvedModel(name="pickled", path=str(pickled)))

    broken = save_llama(tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(StudioError, match="broken could not be loaded"):
        models.open(ResolvedModel(name="broken", path=str(broken)))

    composed = tmp_path / "composed"
    composed.mkdir()
    (composed / "adapter_model.safetensors").touch()
    (composed / "adapter_config.json").write_text(json.dumps({"peft_type": "CPT"}))
    asked = ResolvedModel(name="p", path=str(folders["base"]), adapter=str(composed))
    with pytest.raises(BadInput, match="is a CPT adapter"):
        models.open(asked)


def test_code_of_a_model_is_not_run_unless_allowed(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "coded")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "ours", "auto_map": {"AutoConfig": "code.C", "AutoModelForCausalLM": "code.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(BadInput, match="needs remote code"):
        Models("cpu").open(ResolvedModel(name="coded", path=str(folder)))
    assert not (tmp_path / "ran").exists()


def test_a_tokenizer_without_template_uses_the_one_that_was_chosen(tmp_path: Path) -> None:
    folder = str(save_llama(tmp_path / "plain", chat_template=None))
    models = Models("cpu")
    with pytest.raises(BadInput, match="has no chat template"):
        models.open(ResolvedModel(name="plain", path=folder)).prompt(QUESTION)
    template = "Q: {{ messages[-1].content }}\nA:"
    opened = models.open(ResolvedModel(name="plain", path=folder, chat_template=template))
    assert opened.tokenizer.decode(opened.prompt(QUESTION)) == "Q: Where is the river?\nA:"


def test_a_template_that_refuses_is_quoted(tmp_path: Path) -> None:
    template = "{{ raise_exception('no system message, please') }}"
    folder = str(save_llama(tmp_path / "strict", chat_template=template))
    with pytest.raises(BadInput, match="failed on this conversation: no system message, please"):
        Models("cpu").open(ResolvedModel(name="strict", path=folder)).prompt(QUESTION)
