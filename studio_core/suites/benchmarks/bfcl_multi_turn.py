"""BFCL over several turns: calls are carried out on simulated services, whose state and replies must come out right.

Patil et al. 2025, "The Berkeley Function Calling Leaderboard". Services, questions and the check are those of the
package ``bfcl-eval``, in the owner's Python; what asks the model is a script of ours
(``jobs/evaluation/starters/bfcl_multi_turn.py``), since the package's own program takes only models that it knows by
name. It writes ``results.json``, a list of ``id``, ``valid``, ``error`` and ``messages``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio_core.suites.base import Source, Suite, unscored
from studio_core.suites.benchmarks.base import NO_VALUE, SCORED_BY, Benchmark, Outcome, document


def read(folder: Path) -> Iterator[Outcome]:
    _, results = document(folder, "results.json")
    return (_outcome(result) for result in results)


def _outcome(result: dict[str, Any]) -> Outcome:
    valid = result["valid"]
    return Outcome(
        str(result["id"]),
        # None: the question could not be put to the model, so nothing is known of its calls.
        (NO_VALUE if valid is None else float(bool(valid)),),
        exchanges=(result["messages"],),
        told=str(result["error"])[:300],
    )


def _suite(category: str) -> Suite:
    return Suite(
        f"bfcl_multi_turn_{category}",
        unscored,
        scored_by=SCORED_BY,
        max_tokens=0,
        benchmark=Benchmark(
            program="bfcl",
            arguments=(
                # Isolated from all that is beside the script.
                *("-I", "{starters}/bfcl_multi_turn.py", "--category", category),
                *("--model", "{model}", "--out", "{out}"),
            ),
            environment={"OPENAI_BASE_URL": "{address}", "OPENAI_API_KEY": "{key}"},
            limit=("--limit", "{limit}"),
            read=read,
            # Its other packages are for models behind APIs and for categories that are not here.
            install="python3 -m venv bfcl; bfcl/bin/pip install --no-deps bfcl-eval==2026.3.23 mpmath",
            setting='{"bfcl": ["/opt/bfcl/bin/python"]}',
        ),
        source=Source("", licence="Apache-2.0", about="https://gorilla.cs.berkeley.edu/leaderboard.html"),
    )


BFCL_MULTI_TURN = tuple(_suite(category) for category in ("base", "miss_func", "miss_param", "long_context"))
