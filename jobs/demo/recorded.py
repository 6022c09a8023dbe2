"""Answers of tiny-chat to sums, written down with what they were worth: what an offline method learns from."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

from jobs.generation.answering import Question, answers
from jobs.generation.engines.loop import LoopEngine, models
from studio_core import rewards
from studio_core.data.shapes import HIGHEST_SCORE, LOWEST_SCORE
from studio_core.generation.sampling import Sampling
from studio_core.runs.spec import ResolvedModel

_STATIC = Path(__file__).parents[2] / "static"
SAMPLES = 960
"""With half of them OREO ends far lower."""
CHAT = ResolvedModel(name="tiny-chat", path=str(_STATIC / "models" / "tiny-chat"), parameters=2_000_000)
_DRAWN = 4
"""Answers to each of the 600 prompts: a third of 2,400 are wrong, and 480 are taken."""


@cache
def scored_sums() -> list[dict[str, Any]]:
    """So many of tiny-chat's, half right and half wrong, in random order; always the same."""
    rows = sorted(rated(CHAT, _DRAWN, seed=0), key=str)  # In whatever order they were drawn.
    rng = random.Random(0)
    kinds = ([row for row in rows if row["score"] == score] for score in (HIGHEST_SCORE, LOWEST_SCORE))
    chosen = [row for kind in kinds for row in rng.sample(kind, SAMPLES // 2)]
    rng.shuffle(chosen)
    return chosen


def rated(model: ResolvedModel, each: int, seed: int) -> list[dict[str, Any]]:
    """So many answers of a model to each prompt of sums-prompts, at temperature 1: scored 10 if right, else 1."""
    lines = (_STATIC / "samples" / "sums-prompts.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    place = {Question(record["prompt"]).key: number for number, record in enumerate(records)}
    right = rewards.score("equality", {})
    sampling = Sampling(temperature=1.0, top_p=1.0, max_tokens=48, n=each, seed=seed)
    questions = (Question(record["prompt"]) for record in records)
    rows = {}
    for question, outcome in answers(LoopEngine(models(), model, batch=64), questions, sampling):
        text = outcome.text  # type: ignore[union-attr]
        number = place[Question(question.messages).key]
        record = records[number]
        good = right(record["prompt"][-1]["content"], text, record)
        said = [{"role": "assistant", "content": text}]
        if text:
            score = HIGHEST_SCORE if good else LOWEST_SCORE
            row = {"prompt": record["prompt"], "completion": said, "score": score}
            rows[number, question.which] = row
    # They come in the order in which they are done, short ones first.
    return [rows[key] for key in sorted(rows)]
