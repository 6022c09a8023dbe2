"""What is published of a suite beside the mean of its values: pass@k of several answers, figures of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jobs.evaluation.questions import Questions
from studio_core.evaluation.items_file import AnsweredItem
from studio_core.statistics.pass_at_k import pass_at_k, pass_hat_k


def further(questions: Questions, rows: Sequence[AnsweredItem]) -> dict[str, float]:
    """Shares by name: ``pass@K`` for K of 1, 2, 4 ... answers, what ``Suite.figures`` gives, and ``called`` where tools
    may be called; ``turns`` is a mean."""
    suite = questions.suite
    told = _pass_at(rows, bool(suite.benchmark)) if suite.samples > 1 and suite.unit == "share" else {}
    answered = [
        (item, row.answers[0])
        for item, row in zip(questions.items, rows, strict=False)
        if row.answers and math.isfinite(row.value)
    ]
    if suite.figures and answered:
        items, answers = zip(*answered, strict=True)
        told |= suite.figures(items, answers)
    return told | _turns(rows)


def _turns(rows: Sequence[AnsweredItem]) -> dict[str, float]:
    """Of answers over several turns: the share in which a tool was called, and the model's turns in the mean."""
    roles = [[turn["role"] for turn in turns] for row in rows for turns in row.turns]
    if not roles:
        return {}
    written = sum(each.count("assistant") for each in roles)
    return {"called": sum("tool" in each for each in roles) / len(roles), "turns": written / len(roles)}


def _pass_at(rows: Sequence[AnsweredItem], reliable: bool) -> dict[str, float]:
    """Over the items all of whose answers have a value; an answer is right or it is not.

    ``reliable``: how often all of K are right is told too, which is what counts of an agent.
    """
    known = [row.values for row in rows if row.values and all(math.isfinite(value) for value in row.values)]
    if not known:
        return {}
    drawn = min(len(values) for values in known)
    # Powers of two, and all of them: what papers have.
    ks = sorted({2**power for power in range(drawn.bit_length()) if 2**power <= drawn} | {drawn})
    counts = [(len(values), sum(value >= 1 for value in values)) for values in known]
    told = {f"pass@{k}": sum(pass_at_k(n, right, k) for n, right in counts) / len(counts) for k in ks}
    if reliable:
        told |= {f"pass^{k}": sum(pass_hat_k(n, right, k) for n, right in counts) / len(counts) for k in ks}
    return told
