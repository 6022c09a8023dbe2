"""The comparison of an export with its original: who answers what, and from which tokens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import transformers
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from jobs.chat_format import chat_format
from jobs.generation.decoding import advance
from jobs.generation.lane import Row
from jobs.generation.models import Models, Opened
from jobs.generation.pieces import TextPieces
from jobs.generation.stopping import Stops
from jobs.progress import Progress
from studio_core.exports.base import Subject
from studio_core.exports.parity import Parity, compared
from studio_core.generation.asking import plain
from studio_core.generation.sampling import greedy
from studio_core.runs.spec import ExportRun, ResolvedModel

_BATCH = 32
"""Answers in a batch; beyond it a CPU gains hardly anything."""


@dataclass
class Work:
    """What all that writes an export knows of it."""

    run: ExportRun
    options: Any
    progress: Progress

    @cached_property
    def subject(self) -> Subject:
        return Subject.of(self.run.model)

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """As it is saved: nothing added, as training adds a token to pad with."""
        loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(self.subject.tokens)
        if loaded.chat_template is None and self.subject.tokens != self.subject.folder:
            loaded.chat_template = AutoTokenizer.from_pretrained(self.subject.folder).chat_template
        return loaded

    def step(self, done: int) -> None:
        """So many of all answers, of both, are there."""
        self.progress(done, 2 * len(self.run.prompts), {})


@dataclass(frozen=True)
class Answers:
    texts: list[str]
    tokens: list[list[int]]
    """What was read before each, chat template and all."""
    by: str
    """The program that answered, with its version."""


@dataclass(frozen=True)
class Original:
    """What the model answers here."""

    answers: Answers
    chat: bool
    """Whether the prompts are conversations; else the model has no chat template, and texts are continued."""

    @classmethod
    def of(cls, work: Work) -> Original:
        # A template of the studio's own is no part of the model: nobody else would ask by it.
        chat = work.run.model.chat_template is None
        answers = of_model(work, work.run.model, chat, 0) if work.run.prompts else Answers([], [], "")
        return cls(answers, chat)


def of_model(work: Work, model: ResolvedModel, chat: bool, done: int) -> Answers:
    """The answers of a model of Hugging Face's form, as chat and evaluations draw them; ``done`` are there before."""
    models = Models(os.environ.get("TUNESMITH_DEVICE"))
    opened = models.open(model)
    rows = [_row(work, opened, messages, chat) for messages in work.run.prompts]
    texts = [""] * len(rows)
    for place, row in enumerate(rows):
        row.side = place
    by_length = sorted(rows, key=lambda row: len(row.prompt))
    for start in range(0, len(rows), _BATCH):
        for row, piece in advance(by_length[start : start + _BATCH]):
            texts[row.side] += piece
        if broken := next((row.error for row in rows if row.error), None):
            raise broken
        work.step(done + min(start + _BATCH, len(rows)))
    models.forget(opened.base)
    by = f"transformers {transformers.__version__}"
    return Answers([plain(text) for text in texts], [row.prompt for row in rows], by)


def by_tokens(
    work: Work, folder: Path, original: Original, next_tokens: Callable[[list[int]], Iterator[int]], by: str
) -> Answers:
    """The answers of a program that reads tokens and gives the likeliest next ones; text is turned into tokens and
    back by what lies in the folder beside its weights, as all do who use it."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    chat = chat_format(work.run.model.model_copy(update={"path": str(folder), "adapter": None}), tokenizer)
    stops = Stops.of_folder(folder, tokenizer)
    room = int(work.subject.config.get("max_position_embeddings") or work.run.spec.max_tokens)
    texts, tokens = [], []
    for place, messages in enumerate(work.run.prompts, start=1):
        prompt = chat.prompt(asked(messages)) if original.chat else tokenizer(shown(messages))["input_ids"]
        most = max(0, min(work.run.spec.max_tokens, room - len(prompt)))
        texts.append(_written(islice(next_tokens(prompt), most), TextPieces(tokenizer, stops)))
        tokens.append(list(prompt))
        work.step(len(work.run.prompts) + place)
    return Answers(texts, tokens, by)


def _written(tokens: Iterable[int], text: TextPieces) -> str:
    """The text of an answer, up to where it is over."""
    pieces = []
    for token in tokens:
        pieces.append(text.add(token))
        if text.ended:
            break
    else:
        pieces.append(text.finish())
    return plain("".join(pieces))


def asked(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"role": each["role"], "content": each["content"]} for each in messages]


def _row(work: Work, opened: Opened, messages: list[dict[str, Any]], chat: bool) -> Row:
    prompt = opened.prompt(asked(messages)) if chat else opened.tokenizer(shown(messages))["input_ids"]
    return Row(0, opened, prompt, greedy(work.run.spec.max_tokens))


def shown(messages: Sequence[dict[str, Any]]) -> str:
    """A conversation as a text to be continued, and as a person is shown it."""
    return "\n".join(str(message["content"]) for message in messages)


def compare(work: Work, original: Original, exported: Answers) -> Parity:
    """Space around an answer aside: programs differ in whether they write the first one."""
    same_tokens = sum(
        pair[0] == pair[1] for pair in zip(original.answers.tokens, exported.tokens, strict=True)
    )
    return compared(
        [shown(messages) for messages in work.run.prompts],
        [text.strip() for text in original.answers.texts],
        [text.strip() for text in exported.texts],
        same_tokens,
        suite=work.run.spec.suite,
        max_tokens=work.run.spec.max_tokens,
        answered_by=exported.by,
    )
