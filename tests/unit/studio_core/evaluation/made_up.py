"""Results of models that nobody trained, for tests of reports."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from studio_core.evaluation.report import Result, Unit


def result(
    model: str,
    suite: str,
    values: list[float] | np.ndarray,
    *,
    title: str = "",
    unit: Unit = "share",
    higher_is_better: bool = True,
    clusters: list[str] | None = None,
    tokens: float = 40.0,
) -> Result:
    """With every tenth answer cut, every fifth unreadable, and half a second for each."""
    n = len(values)
    return Result(
        model,
        suite,
        [f"{suite}-{number}" for number in range(n)],
        np.asarray(values, dtype=float),
        title=title,
        clusters=clusters,
        tokens=np.full(n, tokens),
        truncated=np.arange(n) % 10 == 0,
        readable=np.arange(n) % 5 != 0,
        seconds=0.5 * n,
        unit=unit,
        higher_is_better=higher_is_better,
    )


def right(n: int, *, of: int, shift: int = 0) -> np.ndarray:
    """The first ``n`` of the items right, from the one at ``shift`` on."""
    return np.roll(np.repeat([1.0, 0.0], [n, of - n]), shift)


def before_and_after() -> list[Result]:
    """One suite better, one no other, one worse, one too small, one in bits."""
    rows: Mapping[str, tuple[str, np.ndarray, np.ndarray]] = {
        "gsm8k": ("GSM8K", right(41, of=200), right(58, of=200)),
        "ifeval": ("IFEval", right(300, of=500), right(300, of=500)),
        "facts": ("Facts", right(92, of=100), right(78, of=100)),
        "sums": ("Sums", right(5, of=12), right(6, of=12)),
    }
    text = np.random.default_rng(0).normal(1.1, 0.1, 300)
    results = [
        result(model, suite, row[1 + which], title=row[0], tokens=40 + 20 * which)
        for which, model in enumerate(("tiny-chat", "tiny-chat-math"))
        for suite, row in rows.items()
    ]
    bits = {"unit": "bits", "higher_is_better": False, "title": "News"}
    results.append(result("tiny-chat", "news", text, **bits))  # type: ignore[arg-type]
    results.append(result("tiny-chat-math", "news", text + 0.02, **bits))  # type: ignore[arg-type]
    return results
