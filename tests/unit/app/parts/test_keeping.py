from __future__ import annotations

import re

import pytest

from app.pages import models
from app.parts import run_list
from app.parts.chat import chat_list
from app.parts.keeping import bar, board, marks_view
from app.parts.labeling import overview
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.keeping import marks
from studio_core.keeping.chats import CHATS
from studio_core.keeping.projects import PROJECTS
from studio_core.keeping.runs import RUNS
from studio_core.keeping.search import Query
from studio_core.runs import queue
from tests.unit.studio_core.keeping.test_chats_and_projects import project, talked

EVIL = "<img src=x onerror=alert(1)>"
SPEC = {"method": "sft", "model": EVIL, "dataset": EVIL, "tuning": "full"}


def submit(studio: Studio, name: str = EVIL) -> int:
    return queue.submit(studio, kind="train", name=name, method="sft", spec=SPEC).id


def act(studio: Studio, action: str, ids: object, value: object = None) -> str:
    asked = {"action": action, "ids": ids, "value": value}
    return str(board.carry_out(studio, RUNS, asked, "en"))


def test_buttons_mark_what_is_selected(studio: Studio) -> None:
    a, b = submit(studio), submit(studio)
    act(studio, "tag", [a, b, a], "good")
    act(studio, "star", [b])
    assert "2 archived" in act(studio, "archive", [a, b])
    assert "1 back in the list" in act(studio, "unarchive", [b])
    act(studio, "untag", [a], "good")
    kept = marks.of(studio, RUNS, [a, b])
    assert (kept[a].tags, kept[a].archived) == ([], True)
    assert (kept[b].tags, kept[b].starred, kept[b].archived) == (["good"], True, False)


def test_the_card_saves_name_tags_and_note_at_once(studio: Studio) -> None:
    run = submit(studio)
    assert "Saved" in act(studio, "save", [run], {"name": "poet", "tags": "a， b,", "note": "*why*"})
    assert "Saved" in act(studio, "save", [run], {"name": "poet", "tags": "b", "note": "*why*"})
    mark = marks.of(studio, RUNS, [run])[run]
    assert (queue.get(studio, run).name, mark.tags, mark.note) == ("poet", ["b"], "*why*")


@pytest.mark.parametrize(
    "asked",
    [None, "x", {}, {"action": "star"}, {"action": "star", "ids": []}, {"action": "star", "ids": ["1"]},
     {"action": "star", "ids": [True]}, {"action": "star", "ids": [-1]}, {"action": "star", "ids": [2**70]},
     {"action": "fly", "ids": [1]}, {"action": "save", "ids": [1], "value": "x"}],
)  # fmt: skip
def test_anything_else_is_refused(studio: Studio, asked: object) -> None:
    submit(studio)
    with pytest.raises(BadInput):
        board.carry_out(studio, RUNS, asked, "en")


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_hostile_names_and_notes_stay_text(studio: Studio, language: str) -> None:
    run = submit(studio)
    note = f"{EVIL}\n\n[x](javascript:alert(1)) ![y](http://evil.example/z) **bold**"
    marks.change(studio, RUNS, [run], note=note, add=["good"])
    mark = marks.of(studio, RUNS, [run])[run]
    drawn = [
        run_list.jobs_page(studio, language, "all", Query(EVIL), asked=["note"]),
        run_list.jobs_bar(Query(f'"{EVIL}'), EVIL, "train", [], language),
        marks_view.card(RUNS, queue.get(studio, run), mark, EVIL, "/runs", language),
        board.toolbar(RUNS, language),
    ]
    everything = "".join(map(str, drawn))
    assert "<img" not in everything and '<a href="javascript' not in everything
    assert "<strong>bold</strong>" in everything and 'href="/runs?q=tag%3Agood"' in everything


def test_the_list_shows_the_columns_that_the_address_names(studio: Studio) -> None:
    submit(studio, "poet")

    def heads(asked: str) -> list[str]:
        drawn = str(run_list.jobs_page(studio, "en", "", asked=run_list.COLUMNS.asked(asked)))
        return re.findall(r'<th scope="col">([^<]+)', drawn)

    assert heads("note,state,<b>") == ["Run", "State", "Note"]
    assert (
        heads("")
        == heads("x")
        == ["Run", "State", "Details", "Progress", "Time", "Loss (mean of the last 20)"]
    )


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_conversations_and_projects_are_listed_with_their_marks(studio: Studio, language: str) -> None:
    chat, one = talked(studio, EVIL), project(studio)
    for thing, id in ((CHATS, chat), (PROJECTS, one)):
        marks.change(studio, thing, [id], add=["good"], note=f"{EVIL} **bold**", starred=True)
    query = Query("tag:good", limit=100)
    listed = str(chat_list.listed(studio, language, query, ["note"]))
    listed += str(overview.projects_list(studio, language, query, ["note"]))
    assert listed.count("data-select") == 2 and listed.count("<strong>bold</strong>") == 2
    assert "<img" not in listed and 'href="/chats?q=tag%3Agood"' in listed
    theirs = str(overview.projects_list(studio, language, query, ["note"], staff=False))
    assert "data-select" not in theirs and "bold" not in theirs and "facts" in theirs
    marks.change(studio, PROJECTS, [one], archived=True)
    away = Query(archived=True, limit=100)
    assert "facts" in overview.projects_list(studio, language, away)
    assert "facts" not in overview.projects_list(studio, language, away, staff=False)


def test_ways_to_other_pages_keep_what_is_looked_for() -> None:
    shown = str(bar.pager(Query("a&b", offset=50), 120, "/runs", "en", {"kind": "data"}))
    assert "51 to 100 of 120" in shown
    assert re.findall(r'href="([^"]+)"', shown) == [
        "/runs?kind=data&amp;q=a%26b",
        "/runs?kind=data&amp;q=a%26b&amp;page=3",
    ]
    assert bar.pager(Query(), 50, "/runs", "en") == ""


def test_an_order_that_there_is_not_is_told_with_those_that_there_are(studio: Studio) -> None:
    submit(studio)
    query = Query(sort="<b>")
    for shown in (run_list.jobs_page(studio, "en", "", query), models.models_list(studio, "en", query)):
        assert "no order" in shown and "newest, name" in shown and "<b>" not in shown
