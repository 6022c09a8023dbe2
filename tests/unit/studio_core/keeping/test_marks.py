from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from studio_core import training
from studio_core.base.errors import BadInput, Conflict, NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Mark
from studio_core.data import versions
from studio_core.keeping import marks
from studio_core.keeping.datasets import DATASETS
from studio_core.keeping.models import MODELS
from studio_core.keeping.runs import RUNS
from studio_core.models import registry
from studio_core.runs import queue
from tests.unit.studio_core.training.runs import chat, imported, spec


def submit(studio: Studio, name: str = "x") -> int:
    return queue.submit(studio, kind="train", name=name, spec={}).id


def test_marks_are_changed_one_by_one_and_gone_when_they_say_nothing(studio: Studio) -> None:
    run = submit(studio)
    marks.change(studio, RUNS, [run], add=["b", " #a ", "b"], note="why")
    mark = marks.change(studio, RUNS, [run], starred=True)[run]
    assert (mark.tags, mark.note, mark.starred, mark.archived) == (["a", "b"], "why", True, False)
    marks.change(studio, RUNS, [run], remove=["a", "b"], starred=False, note="")
    assert marks.of(studio, RUNS, [run]) == {}
    with studio.db.read() as session:
        assert session.scalars(select(Mark)).all() == []


@pytest.mark.parametrize("tag", ["", "two words", "<b>", "x" * 41, "-x", "a,b"])
def test_a_tag_that_will_not_do_changes_nothing(studio: Studio, tag: str) -> None:
    run = submit(studio)
    with pytest.raises(BadInput, match="cannot be a tag"):
        marks.change(studio, RUNS, [run], add=["good", tag])
    assert marks.of(studio, RUNS, [run]) == {}


def test_all_or_none_are_marked(studio: Studio) -> None:
    run = submit(studio)
    with pytest.raises(NotFound, match="99"):
        marks.change(studio, RUNS, [run, 99], starred=True)
    assert marks.of(studio, RUNS, [run]) == {}
    with pytest.raises(BadInput, match="too many"):
        marks.change(studio, RUNS, range(1, 2000), starred=True)


def test_a_run_takes_any_name_that_fits_a_line(studio: Studio) -> None:
    run = submit(studio)
    assert marks.rename(studio, RUNS, run, " the\n best ") == f"{run} · the best"
    for name in ("", " ", "x" * 81):
        with pytest.raises(BadInput, match="cannot be a name"):
            marks.rename(studio, RUNS, run, name)


def test_what_was_trained_on_a_renamed_model_and_dataset_can_be_trained_again(
    studio: Studio, tmp_path: Path
) -> None:
    registry.ensure_demo_models(studio)
    imported(studio, "sums", (chat(f"{n}?", str(n)) for n in range(20)), tmp_path)
    run = training.submit(studio, spec(dataset="sums@1")).id
    other = training.submit(studio, spec(model="tiny-chat")).id
    model, dataset = registry.get(studio, "tiny-base"), versions.get(studio, "sums")
    marks.rename(studio, MODELS, model.id, "基座")
    assert marks.rename(studio, DATASETS, dataset.id, "additions") == "additions@1"
    again = training.duplicate(studio, run)
    assert (again.model, again.dataset) == ("基座", "additions@1")
    assert training.duplicate(studio, other).model == "tiny-chat"
    # By its new name it is found, by Chinese signs too.
    marks.rename(studio, MODELS, model.id, "base")
    assert training.duplicate(studio, run).model == "base"
    with pytest.raises(Conflict, match="already one called tiny-chat"):
        marks.rename(studio, MODELS, model.id, "tiny-chat")
    with pytest.raises(BadInput):
        marks.rename(studio, MODELS, model.id, "../up")
