from __future__ import annotations

from pathlib import Path

from studio_core.runs import rollouts
from studio_core.runs.rollouts import Rollout, RolloutWriter


def rollout(step: int, reward: float | None = 1.0) -> Rollout:
    return Rollout(
        step=step, prompt="2 plus 2", answer=f"{step}\n问", rewards={"equality": reward}, reward=reward,
        advantage=0.0, tokens=2, ended=True,
    )  # fmt: skip


def test_the_newest_are_kept_and_never_more_than_asked_for(tmp_path: Path) -> None:
    writer = RolloutWriter(tmp_path, kept=100)
    for step in range(1, 231):
        writer.write([rollout(step)])
    kept = [one["step"] for one in rollouts.read(tmp_path)]
    assert 50 <= len(kept) <= 100 and kept == list(range(231 - len(kept), 231))
    # A run that goes on in the same folder counts what is there.
    RolloutWriter(tmp_path, kept=100).write(rollout(step) for step in range(231, 300))
    kept = [one["step"] for one in rollouts.read(tmp_path)]
    assert 50 <= len(kept) <= 100 and kept[-1] == 299


def test_they_are_found_by_step_and_by_worth(tmp_path: Path) -> None:
    RolloutWriter(tmp_path, kept=100).write(
        [rollout(1, 0.5), rollout(1, None), rollout(2, 1.0), rollout(2, 0.0)]
    )
    assert [one["step"] for one in rollouts.chosen(tmp_path, limit=3)] == [2, 2, 1]
    assert [one["reward"] for one in rollouts.chosen(tmp_path, 1)] == [None, 0.5]
    assert [one["reward"] for one in rollouts.chosen(tmp_path, order="best")] == [1.0, 0.5, 0.0]
    assert [one["reward"] for one in rollouts.chosen(tmp_path, order="worst", limit=1)] == [0.0]
    assert rollouts.chosen(None) == [] and rollouts.chosen(tmp_path / "none") == []


def test_a_line_that_is_not_yet_whole_is_left_out(tmp_path: Path) -> None:
    RolloutWriter(tmp_path, kept=100).write([rollout(1)])
    with (tmp_path / rollouts.FILE).open("a", encoding="utf-8") as file:
        file.write('{"step": 2, "pro')
    assert [one["step"] for one in rollouts.read(tmp_path)] == [1]
