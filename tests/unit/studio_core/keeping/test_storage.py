from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from studio_core import training
from studio_core.base import clock
from studio_core.base.atomic import write_json
from studio_core.base.errors import BadInput
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.keeping import deleting, storage
from studio_core.keeping.models import MODELS
from studio_core.models import registry
from studio_core.runs import run_folder
from tests.unit.studio_core.keeping.test_deleting import train
from tests.unit.studio_core.training.runs import chat, checkpoint, imported, run_to, spec


@pytest.fixture
def job(studio: Studio, tmp_path: Path) -> Job:
    """A run that failed, with four checkpoints of which the last is torn and the first is the best."""
    registry.ensure_demo_models(studio)
    imported(studio, "sums", (chat(f"{n}?", str(n)) for n in range(20)), tmp_path)
    job = run_to(studio, training.submit(studio, spec(name="long")), State.FAILED, steps=9)
    for step in (2, 4, 6):
        checkpoint(job, step)
    checkpoint(job, 8, torn=True)
    write_json(Path(str(job.run_dir)) / run_folder.CHECKPOINTS / run_folder.BEST, {"step": 2})
    return job


def later(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    now = clock.now() + timedelta(days=days)
    monkeypatch.setattr(clock, "now", lambda: now)


def steps(studio: Studio, days: int = storage.OLD) -> list[int]:
    return [old.step for old in storage.old_checkpoints(studio, days)]


def test_old_checkpoints_go_but_for_the_newest_whole_one_and_the_best(
    studio: Studio, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert steps(studio) == []
    later(monkeypatch, storage.OLD + 1)
    assert steps(studio) == [4, 8] and steps(studio, 40) == []
    removed, freed = storage.thin(studio)
    assert removed == 2 and freed > 0
    left = run_folder.checkpoints(Path(str(job.run_dir)))
    assert [one.step for one in left] == [2, 6]
    for days in (-1, 10**6):
        with pytest.raises(BadInput, match="number of days"):
            storage.thin(studio, days)


def test_a_checkpoint_that_a_queued_run_begins_from_stays(
    studio: Studio, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    training.resume(studio, job.id, step=4)
    later(monkeypatch, storage.OLD + 1)
    assert steps(studio) == [8]


def test_everything_on_the_disk_is_told_once(studio: Studio, job: Job) -> None:
    model = train(studio)
    used = storage.usage(studio)
    assert sum(used.areas.values()) == pytest.approx(deleting.size(studio.settings.home), rel=0.01)
    assert used.areas["run_models"] > 1_000_000 and used.items[0].name == f"{model.job_id} · {model.name}"
    assert {"checkpoints", "run_models", "datasets"} <= {item.area for item in used.items}
    deleting.remove(studio, MODELS, [model.id])
    after = storage.usage(studio)
    assert after.areas["run_models"] == 0 and after.areas["trash"] > 1_000_000
    assert deleting.empty(studio, deleting.recent(studio)) == deleting.get(studio, 1).bytes
    assert storage.usage(studio).areas["trash"] == 0
