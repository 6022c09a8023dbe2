from __future__ import annotations

from pathlib import Path

import pytest

from jobs.training import checkpoints
from studio_core.base.errors import BadInput
from studio_core.runs import run_folder


def written(run_dir: Path, step: int, *, whole: bool = True) -> Path:
    folder = run_dir / run_folder.CHECKPOINTS / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(b"x" * step)
    if whole:
        checkpoints.complete(run_dir, step)
    return folder


def steps(run_dir: Path) -> list[tuple[int, bool]]:
    return [(checkpoint.step, checkpoint.complete) for checkpoint in run_folder.checkpoints(run_dir)]


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    for step in (5, 10, 15):
        written(tmp_path, step)
    assert steps(tmp_path) == [(10, True), (15, True)]


def test_a_torn_one_never_pushes_out_a_whole_one(tmp_path: Path) -> None:
    written(tmp_path, 5)
    written(tmp_path, 10, whole=False)
    assert steps(tmp_path) == [(5, True), (10, False)]
    written(tmp_path, 15)
    assert steps(tmp_path) == [(5, True), (10, False), (15, True)]
    written(tmp_path, 20)
    assert steps(tmp_path) == [(15, True), (20, True)]


def test_resuming_from_a_torn_checkpoint_is_refused(tmp_path: Path) -> None:
    torn = written(tmp_path / "old", 10, whole=False)
    with pytest.raises(BadInput, match="cannot be resumed: not finished"):
        checkpoints.begin(tmp_path / "new", str(torn))
    with pytest.raises(BadInput, match="not there"):
        checkpoints.begin(tmp_path / "new", str(tmp_path / "old" / "checkpoints" / "checkpoint-99"))


def test_a_run_that_begins_again_forgets_what_came_after(tmp_path: Path) -> None:
    first = written(tmp_path, 5)
    written(tmp_path, 10)
    checkpoints.begin(tmp_path, str(first))
    assert steps(tmp_path) == [(5, True)]
    checkpoints.begin(tmp_path, None)
    assert steps(tmp_path) == []


def test_the_checkpoint_of_another_run_is_left_alone(tmp_path: Path) -> None:
    old = written(tmp_path / "old", 5)
    written(tmp_path / "new", 10)
    checkpoints.begin(tmp_path / "new", str(old))
    assert steps(tmp_path / "old") == [(5, True)]
    assert steps(tmp_path / "new") == []
