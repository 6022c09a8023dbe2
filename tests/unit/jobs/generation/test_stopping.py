"""Answers end at what the template ends turns with, however that is spelled."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.generation.models import Models
from jobs.generation.pieces import TextPieces
from jobs.generation.stopping import Stops, template_end
from studio_core.runs.spec import ResolvedModel
from tests.unit.jobs.generation.ends import (
    BARE,
    CHATML,
    GLM4,
    HARMONY,
    LLAMA3,
    PHI3,
    SPELLED,
    save_model,
    tokenizer_for,
)  # fmt: skip
from tests.unit.jobs.generation.small_models import byte_tokenizer, save_adapter


@pytest.mark.parametrize(
    ("template", "learnt", "tokens", "texts"),
    [
        (CHATML, "<|im_end|>", ["<|im_end|>"], ()),
        (LLAMA3, "<|eot_id|>", ["<|eot_id|>"], ()),
        (PHI3, "<|end|>", ["<|end|>"], ()),
        (HARMONY, "<|return|>", ["<|return|>", "<|end|>"], ()),
        (GLM4, "", ["<|user|>"], ()),
        (SPELLED, "\n### End", [], ("\n### End",)),
        (BARE, "", [], ()),
    ],
)
def test_the_end_that_a_template_writes(
    template: str, learnt: str, tokens: list[str], texts: tuple[str, ...]
) -> None:
    tokenizer = tokenizer_for(template)
    end = template_end(tokenizer)
    assert (end.learnt, end.texts) == (learnt, texts)
    assert tokenizer.convert_ids_to_tokens(list(end.tokens)) == tokens


def test_a_template_that_refuses_or_is_missing_ends_nothing() -> None:
    tokenizer = byte_tokenizer("{{ raise_exception('no') }}")
    assert template_end(tokenizer) == template_end(byte_tokenizer(None)) == type(template_end(tokenizer))()


def pieces(text: str, stops: Stops) -> tuple[list[str], TextPieces]:
    tokenizer = byte_tokenizer()
    made = TextPieces(tokenizer, stops)
    given = []
    for token in tokenizer(text)["input_ids"]:
        given.append(made.add(token))
        if made.ended:
            break
    return [*given, made.finish()], made


def test_an_end_spelled_in_ordinary_tokens_is_neither_shown_nor_passed() -> None:
    stops = Stops(frozenset(), ("\n### End",))
    given, made = pieces("Yes.\n### End\n\n### user:\nMore", stops)
    assert "".join(given) == "Yes." and made.ended
    given, made = pieces("A\n### Endless\nlist", stops)
    assert "".join(given) == "A" and made.ended, "what an answer may not hold, it cannot hold"
    given, made = pieces("A\n### Ende", Stops(frozenset(), ("\n### Ender",)))
    assert "".join(given) == "A\n### Ende" and not made.ended, "what only began like an end is the answer's"
    assert given[1] == "", "held back until it is known"


def test_an_end_token_ends_the_text_before_it() -> None:
    tokenizer = byte_tokenizer()
    user = tokenizer.convert_tokens_to_ids("<|user|>")
    given, made = pieces("你好<|user|>x", Stops(frozenset({user})))
    assert "".join(given) == "你好" and made.ended


def test_the_chat_stops_at_what_was_saved_beside_an_adapter_and_at_what_the_template_ends_with(
    tmp_path: Path,
) -> None:
    base = save_model(tmp_path / "base", CHATML)
    adapter = save_adapter(tmp_path / "adapter", base)
    (adapter / "generation_config.json").write_text(json.dumps({"eos_token_id": [7, 9]}))
    models = Models("cpu")
    tokenizer = tokenizer_for(CHATML)
    own = set(tokenizer.convert_tokens_to_ids(["<|endoftext|>", "<|im_end|>"]))
    plain = models.open(ResolvedModel(name="base", path=str(base)))
    assert plain.stops == Stops(frozenset(own))
    tuned = models.open(ResolvedModel(name="tuned", path=str(base), adapter=str(adapter)))
    assert tuned.stops == Stops(frozenset(own | {7, 9}))
