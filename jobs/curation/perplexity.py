"""Set aside the pairs whose answers are too surprising for a reference model.

The measure of an answer is its mean negative log-probability per token, in nats: 0 is what the model would
say itself, and the exponential of it is the perplexity. A pair is as surprising as the more surprising of
its two answers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from jobs.curation.distribution import distribution
from jobs.curation.measuring import Measured
from jobs.curation.store import digest
from jobs.generation.answering import Text
from jobs.generation.engines import loop
from jobs.generation.engines.loop import LoopEngine
from jobs.generation.models import Opened
from studio_core.base.errors import BadInput, StudioError
from studio_core.curation.base import Work
from studio_core.curation.perplexity import PerplexityOptions
from studio_core.data.shapes import Message, Record

SIDES = ("chosen", "rejected")

Surprises = dict[str, npt.NDArray[np.float32]]
"""By side, one for each record; not a number where there is none."""


def run(work: Work, options: PerplexityOptions) -> None:
    surprises = _surprises(work, options)
    worse = np.maximum(surprises["chosen"], surprises["rejected"])
    known = worse[np.isfinite(worse)]
    threshold = options.threshold or (float(np.quantile(known, options.keep)) if len(known) else 0.0)
    kept, aside = work.output(), work.output(suffix="-set-aside")
    for row, record in enumerate(work.source.records(), start=1):
        surprise = float(worse[row - 1])
        if not np.isfinite(surprise):
            work.drop("unmeasured")
        elif surprise > threshold:
            aside.add(record, row)
            work.count("set_aside")
        else:
            kept.add(record, row)
            work.count("kept")
    work.details["distribution"] = {
        **distribution(surprises, threshold if len(known) else None),
        "unit": "nats",
    }


def _surprises(work: Work, options: PerplexityOptions) -> Surprises:
    named = work.models["model"]
    engine = LoopEngine(loop.models(), named)
    opened = engine.models.open(named)
    length = min(options.max_length, opened.base.context or options.max_length)
    who = {**loop.identity(named), "measures": "surprise", "length": length}
    measured = Measured(work, who, lambda items: _surprise(engine, items), options.batch_size)
    keys: dict[str, list[str | None]] = {side: [] for side in SIDES}
    failures = Failures()

    def items() -> Iterator[Text]:
        for record in work.source.records():
            for side in SIDES:
                item = _item(opened, record, side, length, failures)
                keys[side].append(item.key if item else None)
                if item:
                    yield item

    measured.fetch(items(), 2 * work.source.rows)
    if failures.first and not any(any(side) for side in keys.values()):
        raise failures.first
    surprises = {side: np.full(work.source.rows, np.nan, np.float32) for side in SIDES}
    for side, known in keys.items():
        for place, key in enumerate(known):
            number = measured(key) if key else None
            surprises[side][place] = np.nan if number is None else number
    return surprises


class Failures:
    """The first reason for which a record could not be written as the model reads it."""

    first: StudioError | None = None


def _item(opened: Opened, record: Record, side: str, length: int, failures: Failures) -> Text | None:
    """Prompt and answer as the model reads them; of what is too long the beginning of the prompt is left out."""
    prompt: list[Message] = record["prompt"]
    text = "\n".join(one["content"] for one in record[side])
    answer = opened.tokenizer(text, add_special_tokens=False)["input_ids"][: length - 1]
    try:
        before = opened.prompt([{"role": one["role"], "content": one["content"]} for one in prompt])
    except BadInput as error:
        failures.first = failures.first or error
        return None
    if not answer:
        return None
    tokens = [*before[-(length - len(answer)) :], *answer]
    return Text(digest([tokens, len(answer)]), tokens, len(answer))


def _surprise(engine: LoopEngine, texts: list[Text]) -> list[float]:
    """Mean negative log-probability of each answer, in nats per token."""
    return [-sum(logprobs) / len(logprobs) for logprobs in engine.scores(texts)]
