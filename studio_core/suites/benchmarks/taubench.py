"""TauBench: a simulated customer, tools over a database, and rules that the agent has to keep.

Yao et al. 2024, "tau-bench: A Benchmark for Tool-Agent-User Interaction in Real-World Domains" (arXiv 2406.12045). Its
``run.py`` writes one JSON list, an object for each task and trial: ``task_id``, ``reward`` (1 if the database is in the
wanted state and all that was asked for was said, else 0), ``info``, ``traj`` (the messages) and ``trial``. A task that
raised has an empty ``traj`` and ``info.error``: the program counts it as 0, here it has no value.

Who plays the customer, the owner's own arguments say (``--user-model``); the program's default is gpt-4o.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from studio_core.suites.base import Source, Suite, unscored
from studio_core.suites.benchmarks.base import (
    NO_VALUE,
    SCORED_BY,
    Benchmark,
    Outcome,
    by_task,
    document,
    share,
)


def read(folder: Path) -> Iterator[Outcome]:
    _, results = document(folder, "*.json")
    return by_task(_outcome(each) for each in results)


def _outcome(result: dict) -> Outcome:  # type: ignore[type-arg]
    error = result["info"].get("error") if not result["traj"] else None
    return Outcome(
        str(result["task_id"]),
        (NO_VALUE if error else share(result["reward"]),),
        exchanges=(result["traj"],),
        told=str(error or "")[:300],
    )


def _benchmark(domain: str) -> Benchmark:
    return Benchmark(
        program="taubench",
        arguments=(
            *("--env", domain, "--agent-strategy", "tool-calling", "--max-concurrency", "1"),
            *("--model", "{model}", "--model-provider", "hosted_vllm", "--temperature", "{temperature}"),
            *("--num-trials", "{samples}", "--seed", "{seed}", "--log-dir", "{out}"),
        ),
        # LiteLLM's provider for any address of this form, so that the customer can stay with another one.
        environment={"HOSTED_VLLM_API_BASE": "{address}", "HOSTED_VLLM_API_KEY": "{key}"},
        limit=("--end-index", "{limit}"),
        takes=("samples", "temperature"),
        read=read,
        install="git clone https://github.com/sierra-research/tau-bench; python3 -m venv tau; "
        "tau/bin/pip install -e tau-bench",
        setting='{"taubench": ["/opt/tau/bin/python", "/opt/tau-bench/run.py", "--user-model", "gpt-4o", '
        '"--user-model-provider", "openai"]}',
    )


TAUBENCH = tuple(
    Suite(
        f"taubench_{domain}",
        unscored,
        scored_by=SCORED_BY,
        max_tokens=0,
        benchmark=_benchmark(domain),
        source=Source("", licence="MIT", about="https://github.com/sierra-research/tau-bench"),
    )
    for domain in ("retail", "airline")
)
