"""Answers scored by a reward model: a sequence classifier with one output, as reward trainings make it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers

from jobs.chat_format import chat_format
from jobs.curation.measuring import Measured
from jobs.curation.prompts import asked_records
from jobs.curation.store import digest
from jobs.generation.answering import Question, Text
from jobs.generation.engines import loop
from studio_core.base.errors import BadInput, StudioError
from studio_core.curation.base import Work
from studio_core.curation.best_of import BestOfOptions
from studio_core.data.sequences import tokens
from studio_core.data.shapes import Record, Shape
from studio_core.runs.spec import ResolvedModel

if TYPE_CHECKING:
    from jobs.curation.best_of import Score, Texts

# Scoring keeps no gradients: its memory is that of one forward pass.
BATCH = 16
# Where a model itself says no shorter limit.
MOST_TOKENS = 4096


def scorer(work: Work, options: BestOfOptions, texts: Texts, total: int, done: int) -> Score:
    """Scores all answers with the model, and then knows them."""
    named = work.models["reward_model"]
    model, tokenizer = loaded(named)
    chat = chat_format(named, tokenizer)
    length = min(MOST_TOKENS, getattr(model.config, "max_position_embeddings", None) or MOST_TOKENS)

    def item(question: Question, text: str) -> Text:
        messages = [*question.messages, {"role": "assistant", "content": text}]
        [[sequence]] = tokens(chat, Shape.CHAT, [{"messages": messages}])
        return Text(digest(sequence.text), sequence.ids[-length:], 0)

    @torch.inference_mode()
    def measure(items: list[Text]) -> list[float]:
        # One by one: in a batch a classifier looks for the end of a text by its padding token, which not all have.
        ids = [torch.tensor([item.tokens], device=model.device) for item in items]
        return [float(model(input_ids=one).logits[0, 0]) for one in ids]

    scores = Measured(work, {**loop.identity(named), "measures": "reward"}, measure, BATCH)

    def items() -> Iterator[Text]:
        for _, _, question in asked_records(work, options.system):
            for text in texts(question):
                yield item(question, text)

    scores.fetch(items(), total, done)

    def score(record: Record, question: Question, text: str) -> float | None:
        return scores(item(question, text).key)

    return score


def loaded(named: ResolvedModel) -> tuple[Any, Any]:
    """The model on the device of this job, and its tokenizer; raises ``BadInput`` if it is no reward model."""
    folder = Path(named.path)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    architecture = str((config.get("architectures") or ["?"])[0])
    # Loaded as a classifier, any other model would get an output layer of random numbers.
    if not architecture.endswith("ForSequenceClassification") or named.adapter:
        raise BadInput("generation.not_a_reward_model", model=named.name, architecture=architecture[:80])
    try:
        model = transformers.AutoModelForSequenceClassification.from_pretrained(
            named.path,
            use_safetensors=True,
            trust_remote_code=named.trust_remote_code,
            device_map={"": loop.models().device},
            dtype=torch.float32,
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            named.path, trust_remote_code=named.trust_remote_code
        )
    except Exception as error:  # Model files come from outside: loading may fail in any way.
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise StudioError("chat.load_failed", model=named.name, reason=reason) from error
    if model.config.num_labels != 1:
        raise BadInput("generation.not_a_reward_model", model=named.name, architecture=architecture[:80])
    return model.requires_grad_(False).eval(), tokenizer
