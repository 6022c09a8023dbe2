"""A benchmark of agents: its own program against an OpenAI-compatible address with one model, its results as items.

The address is that of the chat server (``jobs/generation/server.py``), opened in this process on a free port of
loopback with a key of its own, so it has the job's device and ends with the job. Nothing is kept for another time: a
resumed job asks anew.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jobs.evaluation.programs import carried_out
from jobs.evaluation.questions import Questions
from jobs.generation.answering import Stopping, digest
from studio_core.base.errors import StudioError
from studio_core.data.tool_calls import MARK
from studio_core.evaluation.items_file import AnsweredItem
from studio_core.runs.rollouts import Turn
from studio_core.runs.spec import ResolvedModel
from studio_core.suites.benchmarks.base import LOG, Benchmark, Outcome

STARTERS = Path(__file__).with_name("starters")
"""Scripts of ours that the owner's program runs, where a benchmark has none that asks an address."""
_LAST_WORDS = 300


def answered(
    program: Sequence[str],
    model: ResolvedModel,
    asked: Questions,
    seed: int,
    folder: Path,
    stopping: Stopping,
) -> list[AnsweredItem]:
    """All tasks with their values; none if the user stops.

    ``program``: what the owner has said starts it; ``folder``: where it writes, made for it; its log stays there.
    Raises ``StudioError`` if it cannot be started, fails, takes too long, or leaves no results that can be read.
    """
    benchmark = asked.suite.benchmark
    assert benchmark is not None
    folder.mkdir(parents=True)
    with address(model) as (url, key):
        given = {
            "address": url,
            "key": key,
            "model": model.name,
            "out": str(folder),
            "starters": str(STARTERS),
            "seed": str(seed),
            "samples": str(asked.suite.samples),
            "temperature": str(asked.suite.temperature),
        }
        command = benchmark.command(program, asked.limit, given)
        _run(benchmark, command, benchmark.variables(given), folder, stopping)
    if stopping():
        return []
    rows = [_row(outcome) for outcome in _read(benchmark, asked.suite.name, folder)]
    if not rows:
        raise StudioError("evaluation.benchmark_nothing", suite=asked.suite.name, log=folder / LOG)
    return rows


@contextmanager
def address(model: ResolvedModel) -> Iterator[tuple[str, str]]:
    """Base URL and key of an address that has this model alone."""
    # Only here: torch takes seconds to load.
    from jobs.generation.engines.loop import models
    from jobs.generation.server import ChatServer
    from jobs.generation.turns import Desk

    server = ChatServer(Desk(models(), [model]), secrets.token_urlsafe(32))
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}/v1", server.token
    finally:
        server.desk.closing.set()
        server.close()


def _run(
    benchmark: Benchmark, command: list[str], variables: dict[str, str], folder: Path, stopping: Stopping
) -> None:
    seconds = benchmark.hours * 3600
    log = folder / LOG
    try:
        with open(log, "wb") as lines:
            code = carried_out(command, variables, stopping, folder=folder, log=lines, seconds=seconds)
    except OSError as error:
        raise StudioError(
            "evaluation.benchmark_not_started", program=command[0], reason=error.strerror or error
        ) from error
    if stopping():
        return
    told = {"program": benchmark.program, "log": log, "said": _last_words(log)}
    if code is None:
        raise StudioError("evaluation.benchmark_out_of_time", hours=f"{benchmark.hours:g}", **told)
    if code:
        raise StudioError("evaluation.benchmark_failed", code=code, **told)


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1].strip()[-_LAST_WORDS:] if lines else "-"


def _read(benchmark: Benchmark, suite: str, folder: Path) -> list[Outcome]:
    try:
        return list(benchmark.read(folder))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        raise StudioError("evaluation.benchmark_shape", suite=suite, folder=folder, reason=reason) from error


def _row(outcome: Outcome) -> AnsweredItem:
    exchanges = [_turns(messages) for messages in outcome.exchanges if messages]
    prompt = exchanges[0][0] if exchanges else []
    turns = [after for _, after in exchanges]
    spoken = [[turn["content"] for turn in after if turn["role"] == "assistant"] for after in turns]
    known = any(math.isfinite(value) for value in outcome.values)
    reason = "benchmark" if outcome.told and known else "" if known else "not_scored"
    return AnsweredItem(
        item=outcome.item,
        kind=outcome.kind,
        cluster="",
        prompt=prompt,
        key=outcome.key,
        answers=tuple(each[-1] if each else "" for each in spoken),
        values=outcome.values,
        reason=reason,
        reason_values={"told": outcome.told} if reason == "benchmark" else {"reason": outcome.told or "-"},
        readable=known,
        turns=turns,
    )


def _turns(messages: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[Turn]]:
    """What stood before the model's first turn, and all that came then."""
    turns = [Turn(role=str(each["role"]), content=_content(each), tokens=0) for each in messages]
    first = next((place for place, turn in enumerate(turns) if turn["role"] == "assistant"), len(turns))
    before = [{"role": turn["role"], "content": turn["content"]} for turn in turns[:first]]
    return before, turns[first:]


def _content(message: dict[str, Any]) -> str:
    """The text of a message; calls in the spelling that is read everywhere else."""
    text = message.get("content") or ""
    parts = [text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)]
    for call in message.get("tool_calls") or []:
        function = call["function"]
        arguments = function["arguments"]
        with_arguments = (
            json.loads(arguments) if isinstance(arguments, str) and arguments else arguments or {}
        )
        written = json.dumps({"name": function["name"], "arguments": with_arguments}, ensure_ascii=False)
        parts.append(f"{MARK}\n{written}\n</tool_call>")
    return "\n".join(part for part in parts if part)


def identity(program: Sequence[str], suite: str, rows: Sequence[AnsweredItem]) -> str:
    """Equal for the same tasks by the same program, its owner's arguments included: they say who plays the user."""
    return digest([suite, [*program], [row.item for row in rows]])
