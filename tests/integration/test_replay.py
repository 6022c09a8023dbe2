"""Rows of another dataset among those that are learnt."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.training import sft
from jobs.training.course import Course
from studio_core.data.shapes import Shape
from studio_core.methods.sft import SFTOptions
from studio_core.runs.spec import ResolvedModel
from tests.integration.miniature import Rows, chats, events, losses, make_run
from tests.integration.test_training_methods import model, trained, weights

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.
__all__ = ["model"]


TEXTS: Rows = [{"text": f"once upon a time {n}"} for n in range(30)]
GIVEN: dict[str, Any] = {
    "replay": TEXTS,
    "replay_shape": Shape.TEXT,
    "replay_share": 0.25,
    "eval_share": 0,
    "epochs": 2,
    "save_steps": 5,
}


def test_text_is_mixed_into_chats_and_counted(tmp_path: Path, model: ResolvedModel) -> None:
    folder = trained(tmp_path / "run", model, **GIVEN)
    [config] = [event["values"] for event in events(folder, "config")]
    # 24 rows are three quarters of 32, which are 8 steps of 4.
    assert (config["rows"], config["rows_replayed"]) == (32, 8)
    assert max(losses(folder)) == 16


def test_a_resumed_run_sees_what_the_unbroken_one_saw(tmp_path: Path, model: ResolvedModel) -> None:
    whole = trained(tmp_path / "whole", model, **GIVEN)
    point = whole / "checkpoints" / "checkpoint-15"
    resumed = trained(tmp_path / "resumed", model, resume_from=point, **GIVEN)
    assert losses(resumed) == {step: loss for step, loss in losses(whole).items() if step > 15}
    one, other = weights(whole / "model"), weights(resumed / "model")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_few_rows_come_more_than_once_and_other_seeds_draw_others(
    tmp_path: Path, model: ResolvedModel
) -> None:
    options = SFTOptions(replay_share=0.5, batch_size=4)
    drawn = []
    for seed, rows in ((0, TEXTS[:5]), (0, TEXTS), (1, TEXTS)):
        folder = tmp_path / f"{seed}-{len(rows)}"
        run_dir = make_run(
            folder, model, chats(24), replay=rows, replay_shape=Shape.TEXT, seed=seed, replay_share=0.5
        )
        course = dataclasses.replace(Course.begin(run_dir, SFTOptions), options=options)
        prepared = course.data(sft.rows)
        assert (len(prepared.train), prepared.replayed) == (48, 24)
        assert prepared.tokens == sum(prepared.train["length"])
        drawn.append([tuple(ids) for ids in prepared.train["input_ids"][24:]])
    few, many, others = drawn
    assert sorted(Counter(few).values()) == [4, 5, 5, 5, 5]
    assert len({*many}) == 24 and {*many} != {*others}


def test_what_the_limit_takes_of_it_is_told(tmp_path: Path, model: ResolvedModel) -> None:
    given = {**GIVEN, "replay": [{"text": "once " * 30}] * 8}
    folder = trained(tmp_path / "run", model, max_length=32, max_steps=1, **given)
    told = {event["key"]: event["values"] for event in events(folder, "notice")}
    assert told["methods.notice.rows_cut"] == {"rows": 8, "limit": 32}
