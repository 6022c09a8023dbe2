"""What a template ends turns with is learnt, stops the samples of the run, and is saved for other programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from jobs.training import dpo, sft
from studio_core.data.shapes import Shape
from studio_core.runs.spec import ResolvedModel
from tests.integration.miniature import events, make_run, pairs, said
from tests.unit.jobs.generation.ends import (
    CHATML,
    LLAMA3,
    PHI3,
    SPELLED,
    save_model,
    settings_of,
    tokenizer_for,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

ROWS = [{"messages": [said("user", "say a"), said("assistant", "bb")]}] * 16
LEARNT = {"epochs": 40, "learning_rate": 1e-2, "batch_size": 16, "prompts": ("say a",)}


def resolved(folder: Path, template: str) -> ResolvedModel:
    return ResolvedModel(name=folder.name, path=str(save_model(folder, template)), parameters=40_000)


@pytest.mark.parametrize(
    ("template", "tuning", "ends", "eos"),
    [
        (CHATML, "full", ["<|im_end|>", "<|endoftext|>"], "<|im_end|>"),
        (LLAMA3, "lora", ["<|eot_id|>", "<|end_of_text|>"], "<|eot_id|>"),
        (PHI3, "full", ["<|end|>", "<|endoftext|>"], "<|endoftext|>"),  # Its template writes the tokenizer's end.
        (SPELLED, "full", ["<|endoftext|>"], "<|endoftext|>"),
    ],
)  # fmt: skip
def test_a_model_stops_at_what_it_was_taught_here_and_elsewhere(
    tmp_path: Path, template: str, tuning: str, ends: list[str], eos: str
) -> None:
    model = resolved(tmp_path / "base", template)
    given = LEARNT if tuning == "full" else {"max_steps": 1, "prompts": ()}
    run_dir = make_run(tmp_path / "run", model, ROWS, tuning=tuning, **given)
    sft.main(run_dir)

    folder = run_dir / "model"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.eos_token == eos
    named = settings_of(folder)["eos_token_id"]
    assert tokenizer.convert_ids_to_tokens(named if isinstance(named, list) else [named]) == ends
    if tuning == "lora":  # What one step teaches an adapter is not seen.
        return
    assert [e["answer"] for e in events(run_dir, "sample") if e["when"] == "after"] == ["bb"]
    if template == SPELLED:  # No setting of other programs knows an end of several tokens.
        return
    base = AutoModelForCausalLM.from_pretrained(folder)
    prompt = tokenizer.apply_chat_template(
        [said("user", "say a")], return_tensors="pt", add_generation_prompt=True, return_dict=True
    )
    written = base.generate(**prompt, do_sample=False, max_new_tokens=20)[0, prompt["input_ids"].shape[1] :]
    assert tokenizer.convert_ids_to_tokens(written.tolist()) == ["b", "b", ends[0]]


def test_texts_teach_the_end_of_texts_and_change_no_file(tmp_path: Path) -> None:
    model = resolved(tmp_path / "base", CHATML)
    rows = [{"text": "once upon a time"}] * 4
    run_dir = make_run(tmp_path / "run", model, rows, shape=Shape.TEXT, max_steps=1)
    sft.main(run_dir)
    assert AutoTokenizer.from_pretrained(run_dir / "model").eos_token == "<|endoftext|>"
    end = tokenizer_for(CHATML).eos_token_id
    assert settings_of(run_dir / "model")["eos_token_id"] in (end, [end])


def test_settings_that_their_author_got_wrong_are_saved_all_the_same(tmp_path: Path) -> None:
    """As published with many a base model: a temperature, and sampling switched off."""
    model = resolved(tmp_path / "base", CHATML)
    settings = Path(model.path) / "generation_config.json"
    settings.write_text('{"do_sample": false, "temperature": 0.6, "eos_token_id": 261}')
    for tuning in ("full", "lora"):
        run_dir = make_run(tmp_path / tuning, model, pairs(4), method="dpo", tuning=tuning, max_steps=1)
        dpo.main(run_dir)
        saved = settings_of(run_dir / "model")
        assert saved["temperature"] == 0.6 and len(saved["eos_token_id"]) == 2
