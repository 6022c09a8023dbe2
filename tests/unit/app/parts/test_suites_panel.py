"""The section that brings questions of suites: what it lists, what it adds, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.parts.adding import as_state
from app.parts.evaluation import suites_panel
from app.parts.evaluation.suites_panel import SuitesPanel, suites_table
from studio_core.base.errors import BadInput, Conflict
from studio_core.base.studio import Studio
from studio_core.curation.adding import Brought
from studio_core.data import uploads
from studio_core.runs import queue
from studio_core.suites import SUITES, suites_in
from tests.unit.app.parts.by_name import ByName
from tests.unit.app.parts.test_data_job_view import request
from tests.unit.studio_core.curation.test_suite_fetching import ended
from tests.unit.studio_core.suites.test_adding import ACCEPTED, CALL, WORD_PROBLEMS


@pytest.fixture
def section(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> SuitesPanel:
    monkeypatch.setattr(suites_panel, "ensure_engine", lambda studio: None)
    return SuitesPanel(studio, ByName())


def brought(studio: Studio, **named: list[dict[str, Any]]) -> dict[str, Any]:
    """Records by the names of their files, ``__`` for a folder, as the page keeps what was sent."""
    kept = [
        uploads.keep(
            studio.settings,
            f"{name.replace('__', '/')}.json",
            "".join(json.dumps(record) + "\n" for record in records).encode(),
        )
        for name, records in named.items()
    ]
    return as_state(Brought(uploads=[upload.id for upload in kept]))


def test_all_suites_are_listed_with_what_is_here_of_them(section: SuitesPanel) -> None:
    opened: Any = section.opened(request())
    assert opened["table"].count("<tr>") == len(SUITES) + 1
    assert "GSM8K" in opened["table"] and "openai/gsm8k" in opened["table"] and "MIT" in opened["table"]
    assert "not here" in opened["table"] and ">200<" in opened["table"]
    offered = [name for _, name in opened["suite"].choices]
    assert offered[0] == "" and "gsm8k" in offered and "facts" not in offered


def test_questions_of_a_published_suite_are_added_and_their_upload_removed(
    studio: Studio, section: SuitesPanel
) -> None:
    updates: Any = section.added(brought(studio, test=WORD_PROBLEMS), "gsm8k", "", "", request())
    assert "GSM8K has 2 questions now" in updates["told"]
    assert ">2<" in updates["table"] and updates["brought"] is None
    assert not list(studio.settings.uploads.iterdir())


def test_of_two_files_the_one_that_is_called_so_has_the_answers(studio: Studio, section: SuitesPanel) -> None:
    # The names of both are the same, as published; the answers come first, as folders are sorted.
    name = next(name for name, suite in SUITES.items() if suite.joined and not suite.answers_optional)
    answers, questions = ([record, {**record, "id": "simple_1"}] for record in (ACCEPTED, CALL))
    state = brought(studio, bfcl__possible_answer__simple=answers, bfcl__simple=questions)
    updates: Any = section.added(state, name, "", "", request())
    assert "2 questions now" in updates["told"]


def test_tests_of_ones_own_have_a_name_and_their_class(studio: Studio, section: SuitesPanel) -> None:
    state = brought(studio, samples=[{"input": "1+1?", "ideal": "2"}])
    with pytest.raises(BadInput, match="enter a name"):
        section.added(state, "", " ", "Match", request())
    with pytest.raises(BadInput, match="gsm8k is chosen and the name mine is entered"):
        section.added(state, "gsm8k", "mine", "Match", request())
    with pytest.raises(BadInput, match="Match"):
        section.added(state, "", "mine", "", request())
    assert uploads.complete(studio.settings, state["uploads"][0]), "what was refused can be corrected"
    section.added(state, "", "mine", "Match", request())
    assert "mine" in suites_in(studio.settings.suites) and "mine" in suites_table(studio, "zh-CN")


def test_what_is_no_file_of_the_suite_is_refused(studio: Studio, section: SuitesPanel) -> None:
    for nothing in (None, {}):
        with pytest.raises(BadInput, match="Choose the file"):
            section.added(nothing, "gsm8k", "", "", request())
    with pytest.raises(BadInput, match=r"3 files are chosen"):
        section.added(brought(studio, a=[CALL], b=[CALL], c=[CALL]), "gsm8k", "", "", request())
    with pytest.raises(BadInput, match="published as one file"):
        section.added(brought(studio, a=[CALL], b=[CALL]), "gsm8k", "", "", request())
    with pytest.raises(BadInput, match=r"Record 1 of tests\.json has no column answer"):
        section.added(brought(studio, data__tests=[{"problem": "1+1?"}]), "gsm8k", "", "", request())
    assert "gsm8k" not in [file.stem for file in studio.settings.suites.glob("*")]


def test_a_suite_is_fetched_by_a_job_and_added_when_that_is_done(
    studio: Studio, section: SuitesPanel
) -> None:
    with pytest.raises(BadInput, match="Only published suites"):
        section.fetched("", request())
    with pytest.raises(Conflict, match="have not been fetched"):
        section.added_fetched("gsm8k", request())
    told: Any = section.fetched("gsm8k", request())
    [job] = queue.all_jobs(studio, kind="data")
    assert f'href="/runs?run={job.id}"' in told["told"]
    with pytest.raises(Conflict, match=f"Job {job.id}.* is not done"):
        section.added_fetched("gsm8k", request())
    ended(studio, job, None)
    updates: Any = section.added_fetched("gsm8k", request())
    assert "GSM8K has 1 question now" in updates["told"]
