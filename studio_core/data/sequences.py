"""What a model is trained on: records as tokens, and which of these it learns.

The trainers, the preview on the page and the plan of a training all call ``tokens``, so that what
is shown is what is learnt. Without torch; records in, plain data out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from studio_core.data.answer_spans import common
from studio_core.data.chat_format import ChatFormat, Rendered
from studio_core.data.control_tokens import Encoded
from studio_core.data.conversation import Conversation, conversation
from studio_core.data.learning import Learning
from studio_core.data.learnt import Learnt, trained_mask
from studio_core.data.shapes import Message, Record, Shape, tools_of
from studio_core.models.chat_template import Span

COMPARED = (Shape.PREFERENCE, Shape.RANKING)
"""Shapes of several answers to one prompt."""


@dataclass(frozen=True)
class Tokens:
    """One sequence that a record makes."""

    part: str
    """``chosen`` or ``rejected`` of a pair, ``ranked 1`` and so on of a ranking, else empty."""
    text: str
    ids: list[int]
    offsets: list[Span]
    """Where each token stands in ``text``."""
    trained: list[bool]
    prompt: int = 0
    """Tokens that precede the answer; of a pair or a ranking, the same for all of its answers."""
    notes: frozenset[str] = frozenset()
    """What is worth knowing of it: keys of the catalogue, ``data.rendering_<note>``."""


def tokens(
    chat: ChatFormat, shape: Shape, records: Sequence[Record], learning: Learning | None = None
) -> list[list[Tokens]]:
    """Of each record its sequence, of a pair or a ranking one for each answer.

    Raises ``BadInput`` where the template refuses one.
    """
    learning = learning or Learning()
    if shape is Shape.TEXT:
        return [[sequence] for sequence in _texts(chat, [record["text"] for record in records])]
    conversations = _conversations(chat, shape, records, learning)
    if shape is Shape.CHAT:
        return [[sequence] for sequence in _chats(chat, conversations, learning)]
    if shape in COMPARED:
        names = [_names(shape, record) for record in records]
        return _compared(chat, conversations, names, learning)
    return [[sequence] for sequence in _completions(chat, conversations, learning)]


def lengths(
    chat: ChatFormat, shape: Shape, records: Sequence[Record], learning: Learning | None = None
) -> list[int]:
    """Tokens of each record; of a pair or a ranking, of its longest answer."""
    if shape is Shape.TEXT:
        return [
            len(e.ids) for e in chat.encode_texts([_with_end(chat, record["text"]) for record in records])
        ]
    conversations = _conversations(chat, shape, records, learning or Learning())
    rendered = [
        chat.render(one.messages, one.tools, opened=one.first == len(one.messages)) for one in conversations
    ]
    sizes = iter([len(encoded.ids) for encoded in chat.encode(rendered)])
    # Answers that are compared are padded to the longest one.
    return [max(islice(sizes, len(_answers(shape, record)))) for record in records]


def _conversations(
    chat: ChatFormat, shape: Shape, records: Sequence[Record], learning: Learning
) -> list[Conversation]:
    """The conversation of each record; of a pair two, the chosen one first, of a ranking one for each answer."""
    made = []
    for record in records:
        for answer in _answers(shape, record):
            prompt: list[Message] = record["messages"] if shape is Shape.CHAT else record["prompt"]
            made.append(
                conversation(
                    chat.places,
                    [*prompt, *answer],
                    tools_of(record),
                    answers=None if shape is Shape.CHAT else len(answer),
                    reasoning=learning.reasoning,
                )
            )
    return made


def _answers(shape: Shape, record: Record) -> list[list[Message]]:
    """What follows the prompt; steps are one answer, one step a line."""
    match shape:
        case Shape.CHAT | Shape.PROMPT_ONLY:
            return [[]]
        case Shape.PREFERENCE:
            return [record["chosen"], record["rejected"]]
        case Shape.STEPWISE:
            return [[{"role": "assistant", "content": "\n".join(record["completions"])}]]
        case Shape.RANKING:
            return [[{"role": "assistant", "content": text}] for text in record["completions"]]
    return [record["completion"]]


def _with_end(chat: ChatFormat, text: str) -> str:
    return text if text.endswith(chat.end) else text + chat.end


def _texts(chat: ChatFormat, texts: Sequence[str]) -> list[Tokens]:
    whole = [_with_end(chat, text) for text in texts]
    return [
        Tokens("", text, encoded.ids, encoded.offsets, [True] * len(encoded.ids))
        for text, encoded in zip(whole, chat.encode_texts(whole), strict=True)
    ]


def _chats(chat: ChatFormat, conversations: list[Conversation], learning: Learning) -> list[Tokens]:
    rendered = [chat.render(one.messages, one.tools) for one in conversations]
    made = []
    for one, text, encoded in zip(conversations, rendered, chat.encode(rendered), strict=True):
        notes = {*one.notes, *(["control_tokens"] if text.typed else [])}
        learnt = Learnt(chat, one, text, notes)
        everything = learning.loss_on == "everything"
        spans = [(0, len(text.text))] if everything else learnt.answers()
        trained = trained_mask(chat, encoded, spans, learnt.left_out(learning))
        made.append(Tokens("", text.text, encoded.ids, encoded.offsets, trained, 0, frozenset(notes)))
    return made


def _completions(chat: ChatFormat, conversations: list[Conversation], learning: Learning) -> list[Tokens]:
    prompts, whole, encoded = _with_prompts(chat, conversations)
    made = []
    for one, prompt, text, (before, ids) in zip(conversations, prompts, whole, encoded, strict=True):
        # By tokens and not by characters: the last token of the prompt may have merged with the answer.
        start = common(before.ids, ids.ids)
        made.append(_prompt_with_answer("", chat, one, prompt, text, ids, start, learning))
    return made


def _names(shape: Shape, record: Record) -> list[str]:
    """What the answers of a record are called."""
    if shape is Shape.PREFERENCE:
        return ["chosen", "rejected"]
    ranks: list[int] = record["ranks"]
    # Of a tie the second is 1=, so that each answer has a name of its own.
    return [f"ranked {rank}{'=' * ranks[:n].count(rank)}" for n, rank in enumerate(ranks)]


def _compared(
    chat: ChatFormat, conversations: list[Conversation], names: list[list[str]], learning: Learning
) -> list[list[Tokens]]:
    prompts, whole, encoded = _with_prompts(chat, conversations)
    made, at = [], 0
    for parts in names:
        # The same place for all answers: they are compared after one prompt.
        start = min(common(before.ids, ids.ids) for before, ids in encoded[at : at + len(parts)])
        made.append(
            [
                _prompt_with_answer(
                    part, chat, conversations[n], prompts[n], whole[n], encoded[n][1], start, learning
                )
                for n, part in enumerate(parts, start=at)
            ]
        )
        at += len(parts)
    return made


def _with_prompts(
    chat: ChatFormat, conversations: list[Conversation]
) -> tuple[list[Rendered], list[Rendered], list[tuple[Encoded, Encoded]]]:
    """Each prompt, opened for the answer, and each whole conversation; and the tokens of both."""
    prompts = [chat.render(one.messages[: one.first], one.tools, opened=True) for one in conversations]
    whole = [
        chat.render(one.messages, one.tools) if one.first < len(one.messages) else prompt
        for one, prompt in zip(conversations, prompts, strict=True)
    ]
    # In one call, which tokenizes on all cores.
    encoded = chat.encode([*prompts, *whole])
    return prompts, whole, [*zip(encoded[: len(prompts)], encoded[len(prompts) :], strict=True)]


def _prompt_with_answer(
    part: str,
    chat: ChatFormat,
    one: Conversation,
    prompt: Rendered,
    text: Rendered,
    encoded: Encoded,
    start: int,
    learning: Learning,
) -> Tokens:
    """A prompt with its answer: of one turn everything after the prompt is learnt, of several the assistant's."""
    notes = {*one.notes, *(["control_tokens"] if text.typed else [])}
    answer = one.messages[one.first :]
    count = len(encoded.ids)
    learnt = Learnt(chat, one, text, notes)
    if prompt.text[common(prompt.text, text.text) :].strip():
        notes.add("opening_unseen")
    # A record with nothing but a prompt has nothing to learn, whatever the option says.
    if learning.loss_on == "everything" and answer:
        trained = trained_mask(chat, encoded, [(0, len(text.text))], learnt.left_out(learning))
    else:
        trained = [False] * start + [True] * (count - start)
        apart = learnt.left_out(learning)
        if apart or len(answer) > 1:
            first = encoded.offsets[start][0] if start < count else len(text.text)
            spans = learnt.answers()
            # The first answer begins where the prompt ends, with what opens it.
            spans = [(min(spans[0][0], first), spans[0][1]), *spans[1:]] if spans else []
            inside = trained_mask(chat, encoded, spans, apart)
            trained = [a and b for a, b in zip(trained, inside, strict=True)]
    return Tokens(part, text.text, encoded.ids, encoded.offsets, trained, start, frozenset(notes))
