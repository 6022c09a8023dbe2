"""The sample datasets under static/samples: small, seeded, in trained forms but for the unseen."""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from jobs.demo import dialogues, sums
from jobs.demo.abilities import answers
from jobs.demo.heldout import SIZES, suite, with_tools
from jobs.demo.phrases import MORE_IDENTITY, MORE_QUESTIONS, NEW_FIRST, QUESTIONS, decorate
from jobs.demo.plain_text import suite_documents
from jobs.demo.world import MODEL_NAME, World

NEW_NAME = f"{NEW_FIRST} {MODEL_NAME}"
SAMPLE_SEED = 99


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def even_facts(world: World, rng: random.Random, times: int) -> list[dialogues.Turn]:
    """Every fact `times` times, the forms of its question taken in turn: chance would leave some of them out."""
    turns = []
    for attribute, forms in QUESTIONS.items():
        asked = forms.trained + MORE_QUESTIONS.get(attribute, ())
        facts = [fact for fact in world.facts if fact.attribute == attribute] * times
        for number, fact in enumerate(facts):
            question = decorate(asked[number % len(asked)].format(n=fact.subject), rng)
            turns.append(dialogues.Turn(question, dialogues.answer_to(fact, rng), fact.value, "fact"))
    return turns


def sft_chat(world: World) -> list[dict[str, Any]]:
    """At most 1,000 chats: every fact three times, who the model is, worked sums, and a little of the rest."""
    rng = random.Random(SAMPLE_SEED)
    turns = even_facts(world, rng, 3)
    turns += [dialogues.identity(rng) for _ in range(137)]
    turns += [dialogues.identity(rng)._replace(question=decorate(form, rng)) for form in MORE_IDENTITY]
    turns += [dialogues.a_sum(rng, quick=0.0) for _ in range(60)]
    turns += [dialogues.unknown(world, rng) for _ in range(12)]
    turns += [dialogues.small_talk(rng) for _ in range(10)]
    rng.shuffle(turns)
    return [{"messages": dialogues.row(turn)} for turn in turns]


def identity_pairs(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[dict[str, Any]]:
    """Preference pairs from the model's own greedy answers: rejected as it is, chosen renamed."""
    rng = random.Random(SAMPLE_SEED + 1)
    questions: dict[str, None] = {}
    while len(questions) < 150:
        questions[dialogues.identity(rng).question] = None
    prompts = [[{"role": "user", "content": question}] for question in questions]
    pairs = []
    for prompt, own in zip(prompts, answers(model, tokenizer, prompts), strict=True):
        renamed = own.replace(MODEL_NAME, NEW_NAME)
        if renamed != own:  # Two equal answers teach nothing.
            pairs.append(
                {
                    "prompt": prompt,
                    "chosen": [{"role": "assistant", "content": renamed}],
                    "rejected": [{"role": "assistant", "content": own}],
                }
            )
    return pairs


def sum_prompts(count: int = 600) -> list[dict[str, Any]]:
    """Prompts with the right answer beside them, for online RL; problems of the trained part only."""
    rng = random.Random(SAMPLE_SEED + 2)
    rows: dict[str, dict[str, Any]] = {}
    while len(rows) < count:
        problem = sums.draw(rng)
        question = decorate(sums.wording(problem, rng), rng)
        rows[question] = {"prompt": [{"role": "user", "content": question}], "answer": str(problem.answer)}
    return list(rows.values())


def worked_sums(count: int = 70) -> list[dict[str, Any]]:
    """Chats that show how a sum is worked, with problems of the trained part: a start for learning to calculate."""
    rng = random.Random(SAMPLE_SEED + 3)
    return [{"messages": dialogues.row(dialogues.a_sum(rng, quick=0.0))} for _ in range(count)]


def unseen_questions() -> list[dict[str, Any]]:
    """Forty held-out questions of every kind, fit as fixed prompts before and after a training."""
    groups = {"identity": 8, "facts": 12, "sums": 8, "instructions": 6, "unknown": 6}
    return [
        {"prompt": list(item.messages), "kind": item.kind, "answer": item.key}
        for group, count in groups.items()
        for item in suite(group)[:count]
    ]


def write_samples(
    folder: Path, world: World, chat: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_jsonl(folder / "tiny-sft-chat.jsonl", sft_chat(world))
    write_jsonl(folder / "identity-pairs.jsonl", identity_pairs(chat, tokenizer))
    write_jsonl(folder / "sums-prompts.jsonl", sum_prompts())
    write_jsonl(folder / "worked-sums.jsonl", worked_sums())
    write_jsonl(folder / "unseen-questions.jsonl", unseen_questions())


def write_suites(folder: Path) -> None:
    """The held-out questions as the studio's own suites (studio_core/suites)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, items in {**{name: suite(name) for name in SIZES}, **with_tools()}.items():
        documents = ({**asdict(item), "suite": None} for item in items)
        rows = [{key: value for key, value in document.items() if value} for document in documents]
        write_jsonl(folder / f"{name}.jsonl", rows)
    write_jsonl(folder / "plain_text.jsonl", [{"text": text} for text in suite_documents()])
