"""Records as a model sees them in training: tokens, and which of them it learns.

Made without torch, with the ``tokenizers`` library and the model's own chat template; a test
proves that tokens and marks equal what the trainers build.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tokenizers import Encoding, Tokenizer

from studio_core.data.answer_spans import answer_spans
from studio_core.data.chat_template import STANDARD_TEMPLATE, ChatTemplate, Span
from studio_core.data.shapes import Message, Record, Shape
from studio_core.errors import BadInput
from studio_core.models.inspect import chat_template
from studio_core.spec import ResolvedModel

__all__ = ["STANDARD_TEMPLATE", "ChatFormat", "LossOn", "Segment", "Tokens", "lengths", "segments", "tokens"]

LossOn = Literal["answers", "everything"]

_SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


@dataclass(frozen=True)
class ChatFormat:
    """A model's tokenizer and chat template."""

    tokenizer: Tokenizer
    template: ChatTemplate
    end: str
    """The token that ends a text; empty if the tokenizer has none."""
    standard: bool
    """The tokenizer has no template of its own: the standard one is used."""

    @classmethod
    def load(cls, folder: Path, template: str | None = None) -> ChatFormat:
        """Of a model's folder; ``template`` is used where the folder has none."""
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise BadInput("data.no_tokenizer", folder=folder)
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:
            # The library raises bare exceptions.
            reason = str(error).splitlines()[0][:200]
            raise BadInput("data.tokenizer_broken", folder=folder, reason=reason) from error
        tokenizer.no_padding()
        tokenizer.no_truncation()
        special = _special_tokens(folder)
        own = chat_template(folder)
        source = own or template or STANDARD_TEMPLATE
        return cls(tokenizer, ChatTemplate(source, special), special.get("eos_token", ""), own is None)

    @classmethod
    def of(cls, model: ResolvedModel) -> ChatFormat:
        """Of a model of the studio; an adapter may bring a tokenizer of its own. Kept for later calls."""
        folder = Path(model.path)
        if model.adapter and (Path(model.adapter) / "tokenizer.json").is_file():
            folder = Path(model.adapter)
        tokenizer = folder / "tokenizer.json"
        changed = tokenizer.stat().st_mtime_ns if tokenizer.is_file() else 0
        key = (str(folder), changed, model.chat_template)
        if key not in _LOADED:
            _LOADED[key] = cls.load(folder, model.chat_template)
            while len(_LOADED) > 8:
                _LOADED.popitem(last=False)
        return _LOADED[key]

    @property
    def has_generation_marks(self) -> bool:
        """Whether the template marks answers itself; else they are found by comparing with the prompt."""
        return self.template.has_generation_marks

    def encode(self, texts: Sequence[str], *, special: bool = False) -> list[Encoding]:
        encoded: list[Encoding] = self.tokenizer.encode_batch(list(texts), add_special_tokens=special)
        return encoded


_LOADED: OrderedDict[tuple[str, int, str | None], ChatFormat] = OrderedDict()


def _special_tokens(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        path = folder / name
        if path.is_file():
            config |= json.loads(path.read_text(encoding="utf-8", errors="replace"))
    named = {name: config.get(name) for name in _SPECIAL}
    spelled = {name: t.get("content") if isinstance(t, dict) else t for name, t in named.items()}
    return {name: token for name, token in spelled.items() if isinstance(token, str)}


@dataclass(frozen=True)
class Tokens:
    """One sequence that a record makes."""

    part: str
    """``chosen`` or ``rejected`` of a pair, else empty."""
    text: str
    ids: list[int]
    offsets: list[Span]
    """Where each token stands in ``text``."""
    trained: list[bool]
    prompt: int
    """Tokens that precede the answer; of a pair, the same for both sides."""


@dataclass(frozen=True)
class Segment:
    """A stretch of text of one kind."""

    text: str
    trained: bool
    cut: bool
    """Beyond the length limit: not seen in training."""
    part: str = ""
    """Of a pair: ``prompt``, ``chosen`` or ``rejected``."""


def tokens(chat: ChatFormat, shape: Shape, record: Record, loss_on: LossOn = "answers") -> list[Tokens]:
    """What the trainers make of a record: one sequence, or of a pair two."""
    if shape is Shape.TEXT:
        return [_text(chat, record["text"])]
    if shape is Shape.CHAT:
        return [_chat(chat, record["messages"], loss_on)]
    if shape is Shape.PREFERENCE:
        return _pair(chat, record)
    return [_completion(chat, record["prompt"], _answer(shape, record), loss_on)]


def _answer(shape: Shape, record: Record) -> list[Message]:
    """What follows the prompt; steps are one answer, one step a line."""
    if shape is Shape.PROMPT_ONLY:
        return []
    if shape is Shape.STEPWISE:
        return [{"role": "assistant", "content": "\n".join(record["completions"])}]
    answer: list[Message] = record["completion"]
    return answer


def segments(
    chat: ChatFormat,
    shape: Shape,
    record: Record,
    max_length: int | None = None,
    loss_on: LossOn = "answers",
) -> list[Segment]:
    """The record's text as the model sees it, split where trained and untrained tokens meet.

    Of a pair: the prompt, then the chosen answer, then the rejected one.
    """
    sequences = tokens(chat, shape, record, loss_on)
    if shape is not Shape.PREFERENCE:
        return _split(sequences[0], 0, len(sequences[0].ids), "", max_length)
    chosen, rejected = sequences
    return [
        *_split(chosen, 0, chosen.prompt, "prompt", max_length),
        *_split(chosen, chosen.prompt, len(chosen.ids), "chosen", max_length),
        *_split(rejected, rejected.prompt, len(rejected.ids), "rejected", max_length),
    ]


def lengths(chat: ChatFormat | ResolvedModel, shape: Shape, records: Sequence[Record]) -> list[int]:
    """Tokens of each record; of a pair, of its longer side."""
    chat = ChatFormat.of(chat) if isinstance(chat, ResolvedModel) else chat
    if shape is Shape.TEXT:
        return [len(e.ids) for e in chat.encode([_ended(chat, r["text"]) for r in records], special=True)]
    if shape is Shape.CHAT:
        return _rendered_lengths(chat, [record["messages"] for record in records])
    if shape is Shape.PROMPT_ONLY:
        return _rendered_lengths(chat, [record["prompt"] for record in records], opened=True)
    if shape is Shape.PREFERENCE:
        sides = [[r["prompt"] + r[side] for r in records] for side in ("chosen", "rejected")]
        return list(map(max, *(_rendered_lengths(chat, side) for side in sides)))
    return _rendered_lengths(chat, [record["prompt"] + _answer(shape, record) for record in records])


def _rendered_lengths(
    chat: ChatFormat, conversations: Sequence[list[Message]], *, opened: bool = False
) -> list[int]:
    texts = [chat.template.render(messages, opened=opened)[0] for messages in conversations]
    return [len(encoding.ids) for encoding in chat.encode(texts)]


def _ended(chat: ChatFormat, text: str) -> str:
    return text if text.endswith(chat.end) else text + chat.end


def _text(chat: ChatFormat, text: str) -> Tokens:
    whole = _ended(chat, text)
    [encoding] = chat.encode([whole], special=True)
    return _tokens("", whole, encoding, [True] * len(encoding.ids))


def _tokens(part: str, text: str, encoding: Encoding, trained: list[bool], prompt: int = 0) -> Tokens:
    return Tokens(part, text, encoding.ids, encoding.offsets, trained, prompt)


def _chat(chat: ChatFormat, messages: list[Message], loss_on: LossOn) -> Tokens:
    text, spans = chat.template.render(messages)
    [encoding] = chat.encode([text])
    if loss_on == "everything":
        trained = [True] * len(encoding.ids)
    elif chat.has_generation_marks:
        trained = _marked(encoding, spans)
    else:
        spans = answer_spans(
            lambda some, opened: chat.template.render(some, opened=opened)[0], messages, text
        )
        trained = [any(start <= begin < end for start, end in spans) for begin, _ in encoding.offsets]
    return _tokens("", text, encoding, trained)


def _marked(encoding: Encoding, spans: list[Span]) -> list[bool]:
    """The tokens of these spans, as ``apply_chat_template`` counts them."""
    trained = [False] * len(encoding.ids)
    for start, end in spans:
        first, last = encoding.char_to_token(start), encoding.char_to_token(end - 1)
        if first is None:
            break
        stop = last + 1 if last else len(trained)
        trained[first:stop] = [True] * (stop - first)
    return trained


def _completion(chat: ChatFormat, prompt: list[Message], answer: list[Message], loss_on: LossOn) -> Tokens:
    opened = chat.template.render(prompt, opened=True)[0]
    whole = chat.template.render(prompt + answer)[0] if answer else opened
    before, encoding = chat.encode([opened, whole])
    start = _common(before.ids, encoding.ids)
    everything = loss_on == "everything" and bool(answer)
    trained = [everything or place >= start for place in range(len(encoding.ids))]
    return _tokens("", whole, encoding, trained, start)


def _pair(chat: ChatFormat, record: Record) -> list[Tokens]:
    prompt = record["prompt"]
    opened = chat.template.render(prompt, opened=True)[0]
    whole = {side: chat.template.render(prompt + record[side])[0] for side in ("chosen", "rejected")}
    before, *sides = chat.encode([opened, *whole.values()])
    start = min(_common(before.ids, side.ids) for side in sides)
    return [
        _tokens(part, text, side, [place >= start for place in range(len(side.ids))], start)
        for (part, text), side in zip(whole.items(), sides, strict=True)
    ]


def _common(left: Sequence[object], right: Sequence[object]) -> int:
    """How many tokens or characters two sequences have in common at their start."""
    pairs = zip(left, right, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))


def _split(sequence: Tokens, first: int, last: int, part: str, max_length: int | None) -> list[Segment]:
    """Tokens ``first`` to ``last`` as stretches of text; what no token covers goes with what precedes it."""
    if first >= last:
        return []
    limit = len(sequence.ids) if max_length is None else max_length
    kinds = [(sequence.trained[place], place >= limit) for place in range(first, last)]
    turns = [place for place in range(1, len(kinds)) if kinds[place] != kinds[place - 1]]
    starts = [0 if first == 0 else sequence.offsets[first][0]]
    starts += [sequence.offsets[first + place][0] for place in turns]
    whole = last == len(sequence.ids)
    ends = [*starts[1:], len(sequence.text) if whole else sequence.offsets[last][0]]
    return [
        Segment(sequence.text[start:end], trained, cut, part)
        for start, end, (trained, cut) in zip(starts, ends, (kinds[p] for p in [0, *turns]), strict=True)
        if end > start
    ]
