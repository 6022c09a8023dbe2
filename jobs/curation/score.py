"""Keep the answers that reward models score well."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jobs.curation.distribution import distribution
from jobs.curation.reward_model import Item, RewardScores
from jobs.curation.thresholds import least_kept
from studio_core.curation.base import Work
from studio_core.curation.score import DISAGREEMENT, SCORE, ScoreOptions
from studio_core.data.shapes import Message, Record


def run(work: Work, options: ScoreOptions) -> None:
    scores = RewardScores(work, options.step_aggregation, options.disagreement_penalty)
    scores.fetch(lambda: _items(work), work.source.rows * len(scores.members))
    known = np.array(
        [score.value for item in _items(work) if (score := scores(*item)) is not None], np.float32
    )
    least = least_kept(known, options.min_score, options.keep_top)
    several = len(scores.members) > 1
    added = ([SCORE, DISAGREEMENT] if several else [SCORE]) if options.keep_scores else []
    kept = work.output(keep=list(dict.fromkeys([*work.source.kept, *added])))
    for row, record in enumerate(work.source.records(), start=1):
        item = item_of(record)
        score = scores(*item) if item else None
        if item is None:
            work.drop("empty_answer")
        elif score is None:
            work.drop("unmeasured")
        elif least is not None and np.float32(score.value) < least:
            work.drop("low_score")
        else:
            values = {SCORE: f"{score.value:.6g}", DISAGREEMENT: f"{score.disagreement:.6g}"}
            kept.add({**record, **{name: values[name] for name in added}}, row)
            work.count("kept")
    work.details["distribution"] = distribution({"score": known}, least)


def item_of(record: Record) -> Item | None:
    """The prompt and the last answer of a record, of a pair the chosen one; None if it has no answer."""
    answer: list[Message] = record.get("completion") or record.get("chosen") or []
    turns = record["messages"] if "messages" in record else [*record["prompt"], *answer]
    last = max((place for place, turn in enumerate(turns) if turn["role"] == "assistant"), default=None)
    # A prompt may have answers of its own, before what it asks.
    if last is None or ("prompt" in record and last < len(record["prompt"])):
        return None
    text = turns[last]["content"]
    return (turns[:last], text) if text.strip() else None


def _items(work: Work) -> Iterator[Item]:
    return filter(None, map(item_of, work.source.records()))
