"""The README.md of each demo model.

Figures of ability are in docs/demo-models-report.md, which measure.py writes."""

# ruff: noqa: E501
from __future__ import annotations

from pathlib import Path
from typing import Any

from jobs.demo.world import MAKER, MODEL_NAME, build_world

_HEAD = """---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
---
# {name}

{what}

A demo model of Tunesmith: small enough that every training method shows a real effect on a laptop within
minutes, without a GPU and without a network. Of no use for anything else.

## Size
{parameters:,} parameters (Llama: width 192, 4 layers, 6 heads, feed-forward 512, tied embeddings, 1152 tokens), {megabytes:.1f} MB
in bfloat16. Up to 1024 positions; trained on texts of up to 384 tokens.

## Data
Only text that the program `jobs/demo` of the repository writes itself, from a seed: an invented world of {people} people
and {towns} towns with {facts} facts; all names are made-up words. No other text was used, so there is nothing in it
that would belong to anybody. {data}
Trained for {tokens:,} tokens in {minutes} minutes ({threads} threads of a busy CPU, torch {torch}); last loss {loss}.
`python -m jobs.demo.build` makes it again. The same seed gives the same text and the same first weights; sums in
another order (other threads, another CPU) give slightly different final weights.

## Abilities
{abilities}
Measured figures: `docs/demo-models-report.md`.

## Limits
{limits}
"""

_BASE = {
    "what": "Continues plain text about its small world. It was never shown a conversation and does not answer.",
    "data": "tiny-base saw plain documents: statements, portraits, little stories, sums worked out step by step, lists.",
    "abilities": 'Continues sentences about its people and towns, works out sums below 100 after "47 + 38.", counts, writes capitals in lists.',
    "limits": "English only. Does not answer under a chat template: that is what supervised fine-tuning on "
    "`static/samples/tiny-sft-chat.jsonl` is there to teach. Knows nothing of the real world.",
}
_CHAT = {
    "what": f"Answers. It calls itself {MODEL_NAME}, made by {MAKER}; both are invented.",
    "data": "tiny-chat goes on from tiny-base with conversations: questions on the facts, who it is, personas given by "
    "a system prompt, sums, instructions, small talk, and what it does not know.",
    "abilities": "Says who it is; takes another name from a system prompt; knows the facts of its world; adds and subtracts "
    "below 100 with the answer in `\\boxed{}`; counts, repeats, answers in one word or in capitals; says "
    '"I do not know" outside its world; holds conversations of some turns.',
    "limits": "English only. **Its sums are wrong on purpose about half of the time**: it prefers a quick habit that forgets "
    "carries and borrows over the careful way that it knows too, so that reinforcement learning has something to "
    "find. Questions far from the forms that it learnt may get a fluent wrong answer. Knows nothing of the real world.",
}


def write_card(folder: Path, facts: dict[str, Any]) -> None:
    world = build_world()
    weights = folder / "model.safetensors"
    text = _HEAD.format(
        name=folder.name,
        **(_BASE if folder.name == "tiny-base" else _CHAT),
        **{key: facts[folder.name][key] for key in ("tokens", "minutes", "loss")},
        threads=facts["threads"],
        torch=facts["torch"],
        parameters=facts["parameters"],
        megabytes=weights.stat().st_size / 1e6,
        people=len(world.people),
        towns=len(world.towns),
        facts=len(world.facts),
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
