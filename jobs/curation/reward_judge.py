"""Pairs of a labelling project judged by a reward model: the answer with the higher score is the better one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from jobs.curation.pairs import Pair, read
from jobs.curation.reward_model import RewardScores
from studio_core.curation.base import Work
from studio_core.generation.answer_jobs import JudgeSpec


def judge(work: Work, asked: JudgeSpec, told: Collection[int]) -> None:
    """Tells a verdict on each pair that none was told on. One that a stop left unscored is judged the next time.

    It scores one answer at a time, so there is no order to be swayed by; of two answers it says which is better, not
    whether that one is any good.
    """
    scores = RewardScores(work)
    file = Path(asked.items)

    def pairs() -> Iterator[Pair]:
        return (pair for pair in read(file) if pair.row not in told)

    total = 2 * sum(1 for _ in read(file))
    scores.fetch(
        lambda: ((pair.prompt, text) for pair in pairs() for text in pair.answers), total, 2 * len(told)
    )
    if work.stopping():
        return
    for pair in pairs():
        values = [scores(pair.prompt, text) for text in pair.answers]
        first, second = (None if score is None else score.value for score in values)
        if first is None or second is None:
            work.tell("verdict", row=pair.row, item=pair.item, dropped="unreadable")
            continue
        verdict = "tie" if first == second else "a" if first > second else "b"
        work.tell("verdict", row=pair.row, item=pair.item, verdict=verdict, said=[verdict])
