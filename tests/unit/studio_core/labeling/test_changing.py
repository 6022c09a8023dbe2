"""Settings that change under way, and projects that are put away or deleted."""

from __future__ import annotations

import pytest

from studio_core.base.errors import Conflict, NotFound
from studio_core.base.states import Stop
from studio_core.base.studio import Studio
from studio_core.generation.answer_jobs import AnswerSource
from studio_core.keeping import deleting, marks, search
from studio_core.keeping.projects import PROJECTS
from studio_core.keeping.search import Query
from studio_core.labeling import changing, exports, history, making, projects, statistics
from studio_core.labeling.assignment import next_item
from studio_core.labeling.words import changes
from studio_core.models import registry
from studio_core.runs import queue
from tests.unit.studio_core.labeling.judging import judge, project


def test_what_a_verdict_means_is_fixed_once_there_is_one(studio: Studio) -> None:
    one = project(studio, 3, "rate")
    assert projects.settings_of(changing.change(studio, one, {"scale": 5, "votes": 2})).scale == 5
    judge(studio, one, "anna", verdict="rated", rating=4)
    with pytest.raises(Conflict, match="new project"):
        changing.change(studio, one, {"scale": 10})
    assert projects.settings_of(changing.change(studio, one, {"scale": 5, "votes": 3})).votes == 3


def test_prompts_of_a_dataset_do_not_change_sides(studio: Studio) -> None:
    one = project(studio, 3, held_out=0.0)
    judge(studio, one, "anna")
    exports.make_dataset(studio, one)
    with pytest.raises(Conflict):
        changing.change(studio, one, {"held_out": 0.2})
    with pytest.raises(Conflict):
        deleting.remove(studio, PROJECTS, [one])


def test_a_project_that_is_put_away_is_given_to_nobody(studio: Studio) -> None:
    one = project(studio, 2)
    judge(studio, one, "anna")
    marks.change(studio, PROJECTS, [one], archived=True)
    assert next_item(studio, one, "anna") is None
    assert [row.id for row in search.find(studio, PROJECTS, Query(archived=True)).rows] == [one]
    marks.change(studio, PROJECTS, [one], archived=False)
    assert next_item(studio, one, "anna") is not None


def test_only_a_project_without_votes_is_deleted(studio: Studio) -> None:
    one, other = project(studio, 2), project(studio, 2, "rank")
    next_item(studio, other, "anna")
    deleting.remove(studio, PROJECTS, [other])
    with pytest.raises(NotFound):
        projects.get(studio, other)
    judge(studio, one, "anna")
    with pytest.raises(Conflict, match="has votes"):
        deleting.remove(studio, PROJECTS, [one])
    assert projects.get(studio, one).id == one


def test_others_are_seen_in_the_history_only_where_one_has_judged(studio: Studio) -> None:
    one = project(studio, 2, votes=2)
    for name in ("ben", "ben", "anna"):
        judge(studio, one, name)
    judge(studio, one, "anna", verdict="skip")
    skipped, judged = history.of(studio, one, "anna")
    assert skipped.others == {} and sum(judged.others.values()) == 1
    assert [past.vote.id for past in history.of(studio, one, "anna", before=skipped.vote.id)] == [
        judged.vote.id
    ]
    assert statistics.of_person(studio, one, "anna").votes == 2


def test_changes_of_guidelines_join_to_both_versions() -> None:
    before, after = "Prefer facts. 请简短。", "Prefer short facts. 请准确。"
    found = changes(before, after)
    assert "".join(text for kind, text in found if kind != "new") == before
    assert "".join(text for kind, text in found if kind != "gone") == after


def test_a_project_is_not_deleted_while_anything_writes_for_it_and_its_number_not_used_again(
    studio: Studio,
) -> None:
    registry.ensure_demo_models(studio)
    sources = [AnswerSource(model="tiny-chat", temperature=t) for t in (0.2, 1.1)]
    one, job = making.create(studio, "deleted", making.prompts_of_text("one\ntwo\nthree"), sources)
    queue.request_stop(studio, job.id, Stop.CANCEL)
    again = queue.submit(
        studio, kind="data", name="again", method=job.method, spec=job.spec, resumes_id=job.id
    )
    with pytest.raises(Conflict, match=f"{again.id} · again"):
        deleting.remove(studio, PROJECTS, [one.id])
    queue.request_stop(studio, again.id, Stop.CANCEL)
    deleting.remove(studio, PROJECTS, [one.id])
    assert not (studio.settings.labelling / str(one.id)).exists()
    assert projects.create(studio, "next").id > one.id
