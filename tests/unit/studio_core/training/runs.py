"""Datasets to train on, wishes, and runs carried out as the engine and its worker would."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from studio_core import training
from studio_core.base.states import Cause, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Device, Job
from studio_core.data import store
from studio_core.runs import metrics, queue, run_folder
from studio_core.runs.spec import TrainSpec


def imported(studio: Studio, name: str, rows: Iterable[dict[str, Any]], folder: Path) -> Dataset:
    file = folder / f"{name}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return store.import_file(studio, file, name=name).dataset


def chat(question: str, answer: str, system: str = "") -> dict[str, Any]:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": [{"role": "system", "content": system}] * bool(system) + turns}


def spec(**given: Any) -> TrainSpec:
    return training.spec_from({"method": "sft", "model": "tiny-base", "dataset": "sums", **given})


def problems(studio: Studio, **given: Any) -> list[str]:
    return [problem.sentence() for problem in training.plan(studio, spec(**given)).problems]


def warned(studio: Studio, **given: Any) -> str:
    plan = training.plan(studio, spec(**given))
    assert [warning.sentence("zh-CN") for warning in plan.warnings]
    return " ".join(warning.sentence() for warning in plan.warnings)


def run_to(
    studio: Studio,
    job: Job,
    state: State,
    *,
    steps: int,
    total: int = 20,
    first: int = 1,
    peak_memory: int = 0,
) -> Job:
    """Carry a job out as the engine and its worker would: one report a second."""
    queue.set_devices(studio, [Device(id="cpu:0", kind="cpu", label="CPU", memory=0)])
    claimed = queue.claim(studio, job.id, ["cpu:0"])
    assert claimed is not None
    queue.mark_running(studio, claimed)
    resolved = {"device": "CPU, 2 threads", "rows": 10, "tokens": 50, "effective_batch": 10}
    events: list[dict[str, Any]] = [{"type": "config", "values": resolved}]
    for step in range(first, steps + 1):
        values = {"loss": 1.0 / step, "seconds_left": float(total - step)}
        report = {"type": "metrics", "step": step, "total_steps": total, "peak_memory": peak_memory or None}
        events.append({**report, "values": values})
    lines, offset = [], 0
    for seq, event in enumerate(events, 1):
        line = json.dumps({"seq": seq, "at": f"2026-11-21T08:00:{seq:02d}Z", **event}).encode()
        offset += len(line) + 1
        lines.append((offset, line))
    metrics.store(studio, job.id, lines)
    if state == State.RUNNING:
        return queue.get(studio, job.id)
    cause = {State.FAILED: Cause.KILLED, State.SUCCEEDED: None if steps == total else Cause.STOPPED}[state]
    queue.finish(studio, claimed, state, cause)
    return queue.get(studio, job.id)


def checkpoint(job: Job, step: int, *, torn: bool = False) -> Path:
    folder = Path(str(job.run_dir)) / run_folder.CHECKPOINTS / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(b"x" * 10)
    if not torn:
        run_folder.write_manifest(folder, step)
    return folder


def say(studio: Studio, job: Job, said: list[tuple[str, int, str]]) -> None:
    offset = queue.get(studio, job.id).events_offset
    lines = []
    for number, (when, step, answer) in enumerate(said):
        event = {"type": "sample", "step": step, "when": when, "index": 0, "prompt": "Who?", "answer": answer}
        line = json.dumps({"seq": 1000 + number, "at": "2026-11-21T09:00:00Z", **event}).encode()
        offset += len(line) + 1
        lines.append((offset, line))
    metrics.store(studio, job.id, lines)
