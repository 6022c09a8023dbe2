"""The same records in another shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Literal

from studio_core.base.errors import BadInput
from studio_core.curation.base import Operation, OperationOptions, Work
from studio_core.curation.checked import checker
from studio_core.data.shapes import Message, Record, Shape, further_columns, has_messages, own_tools
from studio_core.data.turns import Rejected
from studio_core.options import option

Target = Literal["prompt-completion", "chat", "prompt-only", "preference", "unpaired-preference", "text"]
Side = Literal["good", "bad", "both"]
Answer = tuple[list[Message], list[Message], bool]
"""Prompt, answer, and whether the answer is a good one."""
Convert = Callable[[Record], Iterator[Record]]
GOOD_SCORE = 7.0
"""From here on an answer is a good one: 7 of 10, as where ratings of a file are read as labels."""


class ConvertOptions(OperationOptions):
    shape: Target = option("prompt-completion", advanced=False)
    side: Side = option("good", advanced=False)


def conversion(shape: Shape, to: Shape, side: Side = "good") -> Convert | None:
    """From a record of one shape to those of another that it becomes; None if there is no natural way.

    ``side``: where answers are judged, those that are taken; where judgements are wanted, it is both.
    """
    if shape is to:
        return lambda record: iter((record,))
    if (shape, to) == (Shape.RANKING, Shape.PREFERENCE):
        return _pairs
    answers = _ANSWERS.get(shape)
    if answers is None or to not in _MADE:
        return None
    if to is Shape.UNPAIRED_PREFERENCE:
        side = "both"
    elif to is Shape.PROMPT_ONLY:
        # Each prompt once, whatever was answered.
        return lambda record: iter(({"prompt": answers(record)[0][0], **own_tools(record)},))
    maker, wanted = _MADE[to], {"good": (True,), "bad": (False,), "both": (True, False)}[side]
    return lambda record: (
        {**maker(*answer), **(own_tools(record) if has_messages(to) else {})}
        for answer in answers(record)
        if answer[2] in wanted
    )


def _stepwise(record: Record) -> list[Answer]:
    answer: list[Message] = [{"role": "assistant", "content": "\n".join(record["completions"])}]
    # One wrong step, and the whole is no good example.
    return [(record["prompt"], answer, all(record["labels"]))]


def _ranking(record: Record) -> list[Answer]:
    """The best answers of a ranking are good ones, its last ones bad ones; of those between nobody said so."""
    last = max(record["ranks"])
    return [
        (record["prompt"], [{"role": "assistant", "content": text}], rank == 1)
        for text, rank in zip(record["completions"], record["ranks"], strict=True)
        if rank in (1, last)
    ]


def _pairs(record: Record) -> Iterator[Record]:
    """Every two answers of a ranking of which one is the better."""
    ranked = sorted(zip(record["ranks"], record["completions"], strict=True), key=lambda pair: pair[0])
    for (above, better), (below, worse) in combinations(ranked, 2):
        if above < below and better != worse:
            chosen, rejected = ([{"role": "assistant", "content": text}] for text in (better, worse))
            yield {"prompt": record["prompt"], "chosen": chosen, "rejected": rejected}


_ANSWERS: dict[Shape, Callable[[Record], list[Answer]]] = {
    Shape.PROMPT_COMPLETION: lambda record: [(record["prompt"], record["completion"], True)],
    Shape.UNPAIRED_PREFERENCE: lambda record: [(record["prompt"], record["completion"], record["label"])],
    # Of a conversation its last turn is the answer; earlier ones are part of what is asked.
    Shape.CHAT: lambda record: [(record["messages"][:-1], record["messages"][-1:], True)],
    Shape.PREFERENCE: lambda record: [
        (record["prompt"], record["chosen"], True),
        (record["prompt"], record["rejected"], False),
    ],
    Shape.STEPWISE: _stepwise,
    Shape.SCORED: lambda record: [(record["prompt"], record["completion"], record["score"] >= GOOD_SCORE)],
    Shape.RANKING: _ranking,
}


def _completion(prompt: list[Message], answer: list[Message], good: bool) -> Record:
    return {"prompt": prompt, "completion": answer}


def _chat(prompt: list[Message], answer: list[Message], good: bool) -> Record:
    return {"messages": [*prompt, *answer]}


def _unpaired(prompt: list[Message], answer: list[Message], good: bool) -> Record:
    return {"prompt": prompt, "completion": answer, "label": good}


def _text(prompt: list[Message], answer: list[Message], good: bool) -> Record:
    # Without roles: plain text is learnt as it stands, whatever template a model has.
    return {"text": "\n\n".join(message["content"] for message in [*prompt, *answer])}


_MADE: dict[Shape, Callable[[list[Message], list[Message], bool], Record]] = {
    Shape.PROMPT_COMPLETION: _completion,
    Shape.CHAT: _chat,
    Shape.UNPAIRED_PREFERENCE: _unpaired,
    Shape.PROMPT_ONLY: _completion,
    Shape.TEXT: _text,
}


def run(work: Work, options: ConvertOptions) -> None:
    to = Shape(options.shape)
    convert = conversion(work.source.shape, to, options.side)
    if convert is None:
        raise BadInput("curation.no_conversion", dataset=work.source.title, shape=work.source.shape, to=to)
    keep = further_columns(to, work.source.kept)
    check = checker(to, keep)
    output = work.output(shape=to, keep=keep)
    for row, record in work.each():
        further = {name: record[name] for name in keep}
        converted = 0
        for new in convert(record):
            try:
                output.add(check({**new, **further}), row)
            except Rejected as rejected:
                work.drop(f"row_{rejected.code}")
            else:
                work.count("kept")
            # Counted also when it was refused: "the other side" is only what was never tried.
            converted += 1
        if not converted:
            work.drop("other_side")


CONVERT = Operation(name="convert", Options=ConvertOptions, run=run, group="reshape")
