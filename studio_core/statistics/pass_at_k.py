"""pass@k: how likely at least one of k answers drawn to a question is right; pass^k: how likely all of them are.

Chen et al. 2021, "Evaluating Large Language Models Trained on Code" (arXiv 2107.03374), section 2.1: the share of
right answers p gives 1 - (1 - p)^k, which is too low on average; counting the choices of k among n is unbiased. Yao et
al. 2024, "tau-bench" (arXiv 2406.12045), section 5, does the same for all of k.
"""

from __future__ import annotations

from math import comb


def pass_at_k(answers: int, right: int, k: int) -> float:
    """From 0 to 1, of one question with ``right`` of ``answers`` right. Raises ``ValueError`` unless
    0 <= right <= answers and 1 <= k <= answers: of fewer answers than k nothing is known."""
    _check(answers, right, k)
    return 1.0 - comb(answers - right, k) / comb(answers, k)


def pass_hat_k(answers: int, right: int, k: int) -> float:
    """The same of all k being right; errors alike."""
    _check(answers, right, k)
    return comb(right, k) / comb(answers, k)


def _check(answers: int, right: int, k: int) -> None:
    if not 0 <= right <= answers or not 1 <= k <= answers:
        raise ValueError(f"pass@{k} of {right} right among {answers} answers")
