"""Records as a model's own programs make tokens of them, computed in the helper; see ``studio_core.sandbox``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from studio_core.base.errors import StudioError
from studio_core.data import sequences
from studio_core.data.chat_format import ChatFormat
from studio_core.data.learning import Learning
from studio_core.data.preview import Segment, segments
from studio_core.data.shapes import Record, Shape
from studio_core.data.truncation import fit_to_limit, left_out, same_within_limit
from studio_core.data.turn_end import TurnEnd, turn_end
from studio_core.runs.spec import ResolvedModel
from studio_core.sandbox import sandboxed

AS_USUAL = Learning()
# A call's limit of time grows with its size (``sandbox.limits``), and one
# record in it that loops ends the whole call.
_TOGETHER = 1 << 20
"""Characters of records that are sent in one call."""


@dataclass(frozen=True)
class Preview:
    """One record as the model sees it."""

    lengths: list[int]
    """Tokens of each sequence that it makes; of a pair, two."""
    learnt: int
    """Tokens that are trained, of all sequences."""
    cut: int
    """Tokens that the length limit leaves out."""
    segments: list[Segment]
    standard: bool
    """The tokenizer has no chat template: the standard one was used."""
    marks_answers: bool
    """Whether the template says itself what the assistant writes."""
    notes: list[str]
    """What is worth knowing of it: keys of the catalogue, ``data.rendering_<note>``."""


@sandboxed
def preview_record(
    model: ResolvedModel,
    shape: Shape,
    record: Record,
    max_length: int | None,
    learning: Learning = AS_USUAL,
) -> Preview:
    """The record's text, split where trained and untrained tokens meet, and what is cut at ``max_length``."""
    chat = ChatFormat.of(model)
    [made] = sequences.tokens(chat, shape, [record], learning)
    limit = max_length or max(len(sequence.ids) for sequence in made)
    seen = fit_to_limit(chat, made, limit, learning)
    notes = {note for sequence in made for note in sequence.notes}
    if shape is Shape.PREFERENCE and same_within_limit(seen, limit):
        notes.add("alike")
    return Preview(
        lengths=[len(sequence.ids) for sequence in made],
        learnt=sum(sum(sequence.trained[:limit]) for sequence in seen),
        cut=sum(
            len(sequence.ids) - min(len(short.ids), limit) for sequence, short in zip(made, seen, strict=True)
        ),
        segments=segments(shape, made, max_length, left_out(chat, made, limit, learning)),
        standard=chat.standard,
        marks_answers=chat.has_generation_marks,
        notes=sorted(notes),
    )


@sandboxed
def end_of_turn(model: ResolvedModel) -> TurnEnd:
    """What the model's template ends an answer with."""
    chat = ChatFormat.of(model)
    return turn_end(
        lambda messages, opened: chat.template.render(messages, opened=opened)[0],
        lambda text: chat.tokenizer.encode(text, add_special_tokens=False).ids,
        {token: str(added) for token, added in chat.tokenizer.get_added_tokens_decoder().items()},
    )


@sandboxed
def shared_tokens(model: ResolvedModel, other: ResolvedModel) -> int | None:
    """How many tokens two models both have, under whatever numbers; None if all are the same."""
    one, two = (ChatFormat.of(each).tokenizer.get_vocab() for each in (model, other))
    return None if one == two else len(one.keys() & two.keys())


@sandboxed
def any_learnt(
    model: ResolvedModel, shape: Shape, records: list[Record], limit: int, learning: Learning = AS_USUAL
) -> bool:
    """Whether of any of these records something is left to learn when it is cut at ``limit`` tokens."""
    chat = ChatFormat.of(model)
    return any(
        any(sequence.trained[:limit])
        for made in sequences.tokens(chat, shape, records, learning)
        for sequence in fit_to_limit(chat, made, limit, learning)
    )


@sandboxed
def count_alike(
    model: ResolvedModel, records: list[Record], limit: int, learning: Learning = AS_USUAL
) -> int:
    """Of these pairs those whose sides are the same tokens up to the limit; such are left out of a training."""
    chat = ChatFormat.of(model)
    made = sequences.tokens(chat, Shape.PREFERENCE, records, learning)
    return sum(same_within_limit(fit_to_limit(chat, sides, limit, learning), limit) for sides in made)


def lengths(
    model: ResolvedModel, shape: Shape, records: Sequence[Record], learning: Learning = AS_USUAL
) -> list[int]:
    """Tokens of each record; of a pair, of its longer side. Raises what the model's template says of one."""
    return [length for some in _together(records) for length in _lengths(model, shape, some, learning)]


def count_notes(
    model: ResolvedModel, shape: Shape, records: Sequence[Record], learning: Learning = AS_USUAL
) -> Counter[str]:
    """What is worth knowing of these records, and of how many: keys as in ``Preview.notes``."""
    return sum(
        (Counter(_count_notes(model, shape, some, learning)) for some in _together(records)), Counter()
    )


def lengths_or_none(model: ResolvedModel, shape: Shape, records: Sequence[Record]) -> list[int | None]:
    """The same; None for a record that the model's template refuses."""
    return [length for some in _together(records) for length in _lengths_or_none(model, shape, some)]


@sandboxed
def _lengths(model: ResolvedModel, shape: Shape, records: list[Record], learning: Learning) -> list[int]:
    return sequences.lengths(ChatFormat.of(model), shape, records, learning)


@sandboxed
def _count_notes(
    model: ResolvedModel, shape: Shape, records: list[Record], learning: Learning
) -> dict[str, int]:
    made = sequences.tokens(ChatFormat.of(model), shape, records, learning)
    return Counter(note for record in made for note in frozenset[str]().union(*(one.notes for one in record)))


@sandboxed
def _lengths_or_none(model: ResolvedModel, shape: Shape, records: list[Record]) -> list[int | None]:
    chat = ChatFormat.of(model)

    def counted(some: list[Record]) -> list[int | None]:
        try:
            return list(sequences.lengths(chat, shape, some))
        except StudioError:
            # One by one only where the batch fails.
            return [None] if len(some) == 1 else [n for one in some for n in counted([one])]

    return counted(records)


def _together(records: Sequence[Record]) -> Iterator[list[Record]]:
    """The records in order, as many at a time as one call takes."""
    some: list[Record] = []
    size = 0
    for record in records:
        size += len(json.dumps(record, default=str))
        some.append(record)
        if size > _TOGETHER:
            yield some
            some, size = [], 0
    if some:
        yield some
