"""Items whose value is how far the model's next tokens are from those of the first model of the job.

The model answers greedily. Both models then read the same tokens, prompt and answer as the model itself reads them, and
at every place where it chose a token, the end after the last one included, the divergence is

    KL(model || first) = sum over the vocabulary of p_model * (log p_model - log p_first)

whose mean over the places is the value, in nats a token.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from jobs.curation.answering import Answers
from jobs.curation.measuring import Measured
from jobs.evaluation import writing
from jobs.evaluation.questions import Questions
from jobs.generation.answering import Text, digest
from jobs.generation.engines import loop
from jobs.generation.engines.loop import LoopEngine
from jobs.generation.lane import left_padded
from jobs.generation.models import Opened
from studio_core.curation.base import Work
from studio_core.evaluation.items_file import AnsweredItem
from studio_core.runs.spec import ResolvedModel

# The logits of both models are in memory: of 8 answers of 64 tokens over 150,000 tokens 0.3 GB each in fp32.
BATCH = 8


def answered(
    work: Work,
    engine: LoopEngine,
    first: ResolvedModel,
    answers: Answers,
    questions: Questions,
    done: int,
    total: int,
) -> list[AnsweredItem]:
    """All items with their values; those that were not answered or measured before the user stopped have none."""
    rows = writing.answered(answers, questions, done, total)
    if engine.model == first:
        return [_row(row, 0.0) if row.readable else row for row in rows]
    model = engine.models.open(engine.model)
    other = engine.models.open(first, needed=[model.base])
    if model.tokenizer.get_vocab() != other.tokenizer.get_vocab():
        names = {"model": model.name, "first": other.name}
        return [
            replace(row, values=(math.nan,), reason="other_tokenizer", reason_values=names) for row in rows
        ]
    who = {**loop.identity(engine.model), "measures": "divergence", "from": loop.identity(first)}
    measured = Measured(work, who, lambda texts: divergences(model, other, texts), BATCH)
    texts = {row.item: _text(model, row) for row in rows if row.readable}
    measured.fetch(texts.values(), total, done + len(rows))
    return [
        row if text is None else _row(row, measured(text.key), text.answer)
        for row, text in ((row, texts.get(row.item)) for row in rows)
    ]


def _text(model: Opened, row: AnsweredItem) -> Text:
    prompt = model.prompt(row.prompt)  # type: ignore[arg-type]
    answer = model.tokenizer(row.answers[0], add_special_tokens=False)["input_ids"]
    return Text(digest([prompt, answer]), [*prompt, *answer], len(answer))


def _row(row: AnsweredItem, nats: float | None, tokens: int | None = None) -> AnsweredItem:
    if nats is None:
        return replace(row, values=(math.nan,), reason="unanswered", readable=False)
    told = {} if tokens is None else {"tokens": tokens + 1}
    return replace(row, values=(nats,), reason="nats" if told else "", reason_values=told)


@torch.inference_mode()
def divergences(model: Opened, other: Opened, texts: list[Text]) -> list[float]:
    """Of each text of one batch the mean divergence of ``model`` from ``other`` along its answer, in nats a token."""
    both = [_logits(opened, texts) for opened in (model, other)]
    # Files of one tokenizer may have rows to spare at the end of the vocabulary, as many as their authors liked.
    vocabulary = min(each.shape[-1] for each in both)
    means = []
    for place, text in enumerate(texts):
        ours, theirs = (each[place, -text.answer - 1 :, :vocabulary].float().log_softmax(-1) for each in both)
        means.append(float((ours.exp() * (ours - theirs)).sum(-1).mean()))
    return means


def _logits(opened: Opened, texts: list[Text]) -> torch.Tensor:
    """``(texts, longest answer + 1, vocabulary)``: what each token of the answers, and their end, is drawn from."""
    longest = max(text.answer for text in texts)
    ids, mask = left_padded([text.tokens for text in texts], opened.base.device)
    logits: torch.Tensor = opened.base.forward(
        [opened.adapter] * len(texts),
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
        logits_to_keep=longest + 1,
    ).logits
    return logits[:, -longest - 1 :]
