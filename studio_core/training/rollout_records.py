"""Rollouts as data to train on: the best answer to a prompt against the worst, or a prompt with its answer.

Each becomes the last record of a new version of the dataset that a person names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from studio_core.base.errors import BadInput, NotFound
from studio_core.base.studio import Studio
from studio_core.data.appending import Added, Origin, append
from studio_core.data.shapes import Record, Shape
from studio_core.data.tool_calls import message
from studio_core.runs import queue, rollouts
from studio_core.runs.rollouts import Rollout

Kind = Literal["pair", "answer"]
SHAPES: dict[str, tuple[Shape, ...]] = {
    "pair": (Shape.PREFERENCE,),
    "answer": (Shape.PROMPT_COMPLETION, Shape.CHAT),
}
"""The shapes of datasets that take one; of a new dataset the first."""

OPERATION = "rollouts"


def add(studio: Studio, run: int, mark: str, kind: str, name: str) -> Added:
    """Add the rollout with that mark to the dataset ``name``, which is made if there is none.

    Of a ``pair`` it says the prompt and the step. Raises ``BadInput`` if all its answers are worth the same, or if the
    dataset is of another shape.
    """
    if kind not in SHAPES:
        raise BadInput("runs.rollout_kind", kind=kind[:40], known=", ".join(SHAPES))
    folder = queue.get(studio, run).run_dir
    group = rollouts.group(Path(folder), mark) if folder else []
    if not group:
        raise NotFound("runs.rollout_gone", run=run)

    def records(shape: Shape) -> list[Record]:
        return [_pair(group) if kind == "pair" else _answered(group[0], shape)]

    return append(studio, name, SHAPES[kind], records, Origin(f"run {run}", OPERATION, {"run": run}))


def _prompt(rollout: Rollout) -> dict[str, Any]:
    """The prompt with all that stood before it, and the tools."""
    turns = [*rollout.get("earlier", []), {"role": "user", "content": rollout["prompt"]}]
    return {"prompt": turns, **({"tools": rollout["tools"]} if "tools" in rollout else {})}


def _turns(rollout: Rollout) -> list[dict[str, str]]:
    """What was answered: one turn, or with an environment all of them, calls and results as a chat has them."""
    written = rollout.get("turns") or [{"role": "assistant", "content": rollout["answer"], "tokens": 0}]
    return [message(turn["role"], turn["content"]) for turn in written]


def _pair(group: list[Rollout]) -> Record:
    rated = [
        (rollout["reward"], rollout["answer"], at)
        for at, rollout in enumerate(group)
        if rollout["reward"] is not None
    ]
    best, worst = max(rated, default=(0.0, "", 0)), min(rated, default=(0.0, "", 0))
    if best[0] == worst[0]:
        raise BadInput("runs.rollouts_alike", answers=len(group), step=group[0]["step"], reward=best[0])
    return {**_prompt(group[0]), "chosen": _turns(group[best[2]]), "rejected": _turns(group[worst[2]])}


def _answered(rollout: Rollout, shape: Shape) -> Record:
    if not rollout["answer"].strip():
        raise BadInput("runs.rollout_empty", step=rollout["step"])
    asked, answer = _prompt(rollout), _turns(rollout)
    if shape == Shape.CHAT:
        return {"messages": [*asked.pop("prompt"), *answer], **asked}
    return {**asked, "completion": answer}
