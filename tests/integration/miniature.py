"""Runs of a two-layer model on a handful of rows: as real as any, and over in a second."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from jobs.training import writing
from studio_core import methods
from studio_core.data.shapes import Message, Shape
from studio_core.methods.base import validated
from studio_core.runs import rollouts, run_folder
from studio_core.runs.rollouts import Rollout
from studio_core.runs.spec import (
    DataRole,
    ResolvedDataset,
    ResolvedModel,
    RewardChoice,
    RoleName,
    RunSpec,
    TrainSpec,
)
from studio_core.runs.token_figures import TokenFigures
from tests.unit.jobs.generation.small_models import save_llama

MARKED = (
    "{% for message in messages %}<|{{ message['role'] }}|>"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] }}<|end|>{% endgeneration %}"
    "{% else %}{{ message['content'] }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
DEFAULTS: dict[str, Any] = {"batch_size": 4, "epochs": 2, "precision": "fp32", "learning_rate": 5e-3}
LONGER = RewardChoice(name="longer", options={"characters": 100})
"""A reward that answers of a model that cannot speak differ in."""

Rows = list[dict[str, Any]]


def said(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def chats(count: int) -> Rows:
    """Rows of different lengths that are easy to learn."""
    return [
        {"messages": [said("user", f"say {'a' * (1 + n % 5)}"), said("assistant", "b" * (1 + n % 7))]}
        for n in range(count)
    ]


def pairs(count: int) -> Rows:
    return [
        {
            "prompt": [said("user", f"say {'a' * (1 + n % 5)}")],
            "chosen": [said("assistant", "good" + "!" * (n % 4))],
            "rejected": [said("assistant", "bad" + "?" * (n % 3))],
        }
        for n in range(count)
    ]


def judged(count: int) -> Rows:
    """Two good answers to each bad one."""
    return [
        {
            "prompt": [said("user", f"say {'a' * (1 + n % 5)}")],
            "completion": [said("assistant", ("good!", "good", "bad")[n % 3])],
            "label": n % 3 < 2,
        }
        for n in range(count)
    ]


def scored(count: int) -> Rows:
    """Every third answer is a bad one, and its score says so."""
    return [
        {
            "prompt": [said("user", f"say {'a' * (1 + n % 5)}")],
            "completion": [said("assistant", ("good!", "good", "bad")[n % 3])],
            "score": (9.0, 8.0, 2.0)[n % 3],
        }
        for n in range(count)
    ]


def rankings(count: int) -> Rows:
    """Two or three answers to each prompt, the last two of three in the same place."""
    return [
        {
            "prompt": [said("user", f"say {'a' * (1 + n % 5)}")],
            "completions": ["good" + "!" * (n % 4), "bad", "bad??"][: 2 + n % 2],
            "ranks": [1, 2, 2][: 2 + n % 2],
        }
        for n in range(count)
    ]


def stepwise(count: int) -> Rows:
    """Solutions of one to three steps, of which the last of three is wrong."""
    return [
        {
            "prompt": [said("user", f"say {'a' * (1 + n % 5)}")],
            "completions": ["good", "good!", "bad"][: 1 + n % 3],
            "labels": [True, True, False][: 1 + n % 3],
        }
        for n in range(count)
    ]


SHAPES = {
    "sft": Shape.CHAT,
    "sft-kl": Shape.CHAT,
    "dpo": Shape.PREFERENCE,
    "kto": Shape.UNPAIRED_PREFERENCE,
    "reward": Shape.PREFERENCE,
    "simpo": Shape.PREFERENCE,
    "cpo": Shape.PREFERENCE,
    "orpo": Shape.PREFERENCE,
    "reward-regression": Shape.SCORED,
    "reward-ranking": Shape.RANKING,
    "process-reward": Shape.STEPWISE,
}


def miniature_model(folder: Path, seed: int = 0) -> ResolvedModel:
    save_llama(folder, seed=seed, chat_template=MARKED)
    return ResolvedModel(name=folder.name, path=str(folder), parameters=40_000)


def make_run(
    folder: Path,
    model: ResolvedModel,
    rows: Rows,
    *,
    method: str = "sft",
    tuning: str = "full",
    shape: Shape | None = None,
    prompts: tuple[str, ...] = ("say a", "say aaa"),
    resume_from: Path | None = None,
    seed: int = 0,
    parallel: str = "ddp",
    gpus: int = 1,
    held_out: Rows | None = None,
    replay: Rows | None = None,
    replay_shape: Shape | None = None,
    models: dict[RoleName, ResolvedModel] | None = None,
    rewards: list[RewardChoice] | None = None,
    **options: Any,
) -> Path:
    """A run's folder with its spec, as the engine hands it to a worker."""
    folder.mkdir(parents=True)
    data = folder / "data.parquet"
    pq.write_table(pa.Table.from_pylist(rows), data)
    shape = shape or SHAPES[method]
    chosen = validated(methods.named(method), "balanced", tuning, 0, {**DEFAULTS, **options})
    spec = TrainSpec(
        method=method, tuning=tuning, model=model.name, dataset="rows", seed=seed, device="cpu",
        gpus=gpus, parallel=parallel, rewards=rewards or [],
        models={role: other.name for role, other in (models or {}).items()},
    )  # fmt: skip
    dataset = ResolvedDataset(
        id=1, name="rows", version=1, shape=shape, rows=len(rows), path=str(data), sha256=""
    )
    apart: dict[DataRole, ResolvedDataset] = {}
    further: tuple[tuple[DataRole, Rows | None, Shape], ...] = (
        ("held_out", held_out, shape),
        ("replay", replay, replay_shape or shape),
    )
    for role, others, kind in further:
        if others is not None:
            place = folder / f"{role}.parquet"
            pq.write_table(pa.Table.from_pylist(others), place)
            apart[role] = dataset.model_copy(update={"path": str(place), "rows": len(others), "shape": kind})
    run = RunSpec(
        spec=spec,
        model=model,
        dataset=dataset,
        data=apart,
        models=models or {},
        options=chosen.model_dump(),
        prompts=list(prompts),
        resume_from=str(resume_from) if resume_from else None,
    )
    (folder / run_folder.SPEC).write_text(run.model_dump_json(), encoding="utf-8")
    return folder


def events(run_dir: Path, type: str | None = None) -> list[dict[str, Any]]:
    """What the worker reported, all or of one type."""
    path = run_dir / run_folder.EVENTS
    # Split at ends of lines only: what a model wrote may hold other letters at which ``splitlines`` splits.
    lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    parsed = [json.loads(line) for line in lines if line]
    return [event for event in parsed if type is None or event["type"] == type]


def losses(run_dir: Path) -> dict[int, float | None]:
    """Loss at each step."""
    reports = events(run_dir, "metrics")
    return {report["step"]: report["values"]["loss"] for report in reports if "loss" in report["values"]}


def values(run_dir: Path, name: str) -> list[Any]:
    """What a run reported of one metric, report by report."""
    told = [event["values"] for event in events(run_dir, "metrics")]
    return [report[name] for report in told if name in report]


def weights(run_dir: Path) -> dict[str, torch.Tensor]:
    """Of the model, or the adapter, that a run has made."""
    return load_file(next((run_dir / run_folder.MODEL).glob("*.safetensors")))


def by_token(run_dir: Path, *names: str) -> list[tuple[Rollout, TokenFigures]]:
    """The rollouts that have figures by token: of these names, one for each token, in each step."""
    page = rollouts.page(run_dir, limit=1000)
    both = [(one, page.by_token[mark]) for mark, one in page.rollouts if mark in page.by_token]
    assert {one["step"] for one, _ in both} == {one["step"] for _, one in page.rollouts}
    for one, figures in both:
        assert figures.keys() == {"tokens", *names}
        assert {len(line) for line in figures.values()} == {one["tokens"]}  # type: ignore[arg-type]
        assert _letters("".join(figures["tokens"])) == _letters(one["answer"])
        assert all(0 <= entropy < 10 for entropy in figures.get("entropy", ()))
    return both


def _letters(text: str) -> str:
    """Without special tokens and broken letters, of which a model that cannot speak writes many."""
    return re.sub(r"<\|\w+\|>|\N{REPLACEMENT CHARACTER}", "", text)


def stop_amid_answers(patch: pytest.MonkeyPatch, time: int) -> None:
    """Ask the run to save and end while it writes its answers for that time."""
    advance, calls = writing.advance, 0

    def interrupted(rows: Any, cancelled: Any) -> Any:
        nonlocal calls
        calls += 1
        for row, piece in advance(rows, cancelled):
            if calls == time:
                os.kill(os.getpid(), signal.SIGTERM)
            yield row, piece

    patch.setattr(writing, "advance", interrupted)
