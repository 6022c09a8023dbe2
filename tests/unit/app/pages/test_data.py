"""The Data page's handlers as what they are: endpoints that anyone on the machine can call."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from app.pages.data import DataPage
from app.parts.adding import as_state, files
from app.parts.adding.mapping_form import FILLS, NAMES, WRITTEN
from app.parts.adding.understood import SHOWN_COLUMNS, columns_table
from studio_core.base import clock
from studio_core.base.atomic import write_json
from studio_core.base.errors import BadInput, Conflict, NotFound
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.curation import adding
from studio_core.curation.adding import Brought
from studio_core.data import store, uploads
from studio_core.data.shapes import Shape
from studio_core.models import registry
from studio_core.runs import queue
from studio_core.runs.run_folder import FETCHED
from tests.unit.app.parts.by_name import ByName

ROWS = [{"prompt": f"q {n}", "completion": "a {{name}}", "topic": "birds"} for n in range(3)]


def request(language: str = "en", **query: str) -> Any:
    headers = {"accept-language": language}
    return SimpleNamespace(cookies={}, headers=headers, query_params=query)


def event(**data: Any) -> Any:
    return SimpleNamespace(_data=data)


@pytest.fixture
def page(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> DataPage:
    registry.ensure_demo_models(studio)
    for module in ("app.pages.data", "studio_core.curation.adding"):
        monkeypatch.setattr(f"{module}.ensure_engine", lambda studio: None)
    return DataPage(studio, ByName())


@pytest.fixture
def uploaded(studio: Studio) -> Any:
    content = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    return as_state(Brought(uploads=[uploads.keep(studio.settings, "a.jsonl", content).id]))


def typed(*fills: str, good_from: Any = None, split: Any = None, **texts: str) -> list[Any]:
    return [
        *(texts.get(part, "") for part in WRITTEN),
        good_from,
        split,
        True,
        *fills,
        *[""] * (FILLS - len(fills)),
    ]


def opened(page: DataPage, uploaded: Any) -> Any:
    return page.look(uploaded, "tiny-chat", 0, request())["opened"]


def test_what_came_in_is_imported_as_the_form_says(page: DataPage, uploaded: Any, studio: Studio) -> None:
    state = opened(page, uploaded)
    given = typed("Ada", system="Be {{name}} of {{topic}}.")
    stored = page.store(request(), uploaded, state, "mine", *given)
    dataset = store.get(studio, "mine@1")
    assert f'href="/dataset?id={dataset.id}"' in stored["answer"] and "mine" in stored["listed"]
    assert 'href="/train?dataset=mine@1"' in stored["answer"] and stored["brought"] is None
    [record, *_] = store.records(studio, dataset)
    assert record["prompt"][0] == {"role": "system", "content": "Be Ada of birds."}
    assert record["completion"][0]["content"] == "a Ada"
    assert uploads.uploads(studio.settings) == [], "what was imported is no longer kept as an upload"
    with pytest.raises(NotFound, match="no longer exists"):
        page.store(request(), uploaded, state, "mine", *given)


def test_what_is_no_upload_of_the_page_is_refused(page: DataPage, uploaded: Any, studio: Studio) -> None:
    half = uploads.begin(studio.settings, "b", 5).id
    for data in (
        None,
        [],
        {"ids": []},
        {"ids": "a"},
        {"ids": [1]},
        {"ids": ["a"] * 2000},
        {"paths": ["/etc"]},
    ):
        with pytest.raises(BadInput, match="The request is invalid"):
            files.sent(studio, data)
    for id, kind in (("../../etc/passwd", NotFound), ("0" * 32, NotFound), (half, Conflict)):
        with pytest.raises(kind):
            files.sent(studio, {"ids": [id]})
    state = opened(page, uploaded)
    for nothing in (None, {}):
        with pytest.raises(BadInput, match="no longer exists"):
            page.store(request(), nothing, state, "x", *typed())
        with pytest.raises(BadInput, match="no longer exists"):
            page.shape(nothing, state, "text", None, 0, request())
    with pytest.raises(BadInput, match="no longer exists"):
        page.store(request(), uploaded, None, "x", *typed())
    assert store.all_datasets(studio) == []


def test_what_was_refused_is_said_where_it_stays(page: DataPage, studio: Studio) -> None:
    empty = as_state(Brought(uploads=[uploads.keep(studio.settings, "<img>.jsonl", b"\n").id]))
    shown = page.look(empty, None, 0, request())
    assert 'role="alert"' in shown["answer"] and "&lt;img&gt;.jsonl is empty." in shown["answer"]
    assert not shown["understood"].visible and shown["opened"] is None
    taken_back = page.look({}, None, 0, request())
    assert taken_back.keys() == shown.keys() and taken_back["answer"] == ""
    assert page.look(None, None, 0, request()) == gr.skip()
    whole = page.look(as_state(adding.pasted(studio, "a")), None, 0, request())
    assert whole.keys() > shown.keys() and whole.keys() >= set(NAMES)


def test_roles_are_assigned_and_looked_at_again(page: DataPage, uploaded: Any) -> None:
    state = opened(page, uploaded)
    assert state["columns"] == ["prompt", "completion", "topic"]
    assert state["roles"] == {"prompt": "prompt", "completion": "completion"}
    assert "Map a column to: Answer" in assign(page, uploaded, state, {"1": ""})["summary"]
    swapped = assign(page, uploaded, state, {"0": "completion", "1": "prompt"})["opened"]
    assert swapped["roles"] == {"prompt": "completion", "completion": "prompt"}
    assert swapped["records"][0]["completion"][0]["content"] == "q 0"
    # A role goes from a column that is out of sight to the one that was given it.
    moved = assign(page, uploaded, state, {"2": "prompt"})["opened"]
    assert moved["roles"] == {"completion": "completion", "topic": "prompt"}


def assign(page: DataPage, uploaded: Any, state: Any, roles: Any) -> Any:
    return page.assign(request(), event(roles=roles), uploaded, state, "tiny-chat", 0, *typed())


def test_roles_that_will_not_do(page: DataPage, uploaded: Any) -> None:
    state = opened(page, uploaded)
    for roles in ({"9": "prompt"}, {"0": "sorcery"}, {"0": "keep"}, {"0": "messages"}, {"0": None}):
        with pytest.raises(BadInput, match="The file has no column"):
            assign(page, uploaded, state, roles)
    for roles in (None, [], "x", {0: "prompt"}, {"-1": "prompt"}, {"٣": "prompt"}, {"1" * 9: "prompt"}):
        with pytest.raises(BadInput, match="The request is invalid"):
            assign(page, uploaded, state, roles)
    with pytest.raises(BadInput, match="no longer exists"):
        assign(page, uploaded, None, {"0": "prompt"})


def test_texts_for_every_record(page: DataPage, uploaded: Any) -> None:
    state = opened(page, uploaded)
    shown = page.correct(
        request(),
        uploaded,
        state,
        "tiny-chat",
        0,
        *typed(prompt="On {{topic}}: {{prompt}}", completion="Yes."),
    )
    record = shown["opened"]["records"][0]
    assert record["prompt"][0]["content"] == "On birds: q 0"
    assert record["completion"][0]["content"] == "a {{name}}", "a constant only fills what is empty"
    with pytest.raises(BadInput, match="uses 'nothing', which is not a column"):
        given = typed(prompt="{{prompt}} {{nothing}}")
        page.correct(request(), uploaded, state, None, 0, *given)


def test_a_chosen_shape_finds_its_columns(page: DataPage, uploaded: Any) -> None:
    shown = page.shape(uploaded, opened(page, uploaded), "prompt-only", "tiny-chat", 0, request())
    assert shown["shape"] == "prompt-only" and shown["opened"]["shape"] == "prompt-only"
    assert shown["opened"]["roles"] == {"prompt": "prompt", "completion": "keep", "topic": "keep"}
    assert "keep as extra column" in shown["columns"]
    with pytest.raises(BadInput, match="There is no shape 'sorcery'"):
        page.shape(uploaded, opened(page, uploaded), "sorcery", None, 0, request())


def test_many_columns_are_shown_in_part_and_found_by_name() -> None:
    columns = [f"c{n}" for n in range(1000)]
    row = dict.fromkeys(columns, "v")
    table = columns_table(columns, [row], Shape.PREFERENCE, {"c999": "chosen"}, "", "en")
    assert table.count("<select") == SHOWN_COLUMNS and 'data-column="999"' in table
    assert "Showing 50 of 1,000 columns" in table
    found = columns_table(columns, [row], Shape.PREFERENCE, {"c999": "chosen"}, "c77", "en")
    assert found.count("<select") == 12 and 'data-column="770"' in found


def test_columns_and_values_are_escaped() -> None:
    hostile = "<script>alert(1)</script>"
    table = columns_table([hostile], [{hostile: hostile}], Shape.TEXT, {hostile: "text"}, "", "en")
    assert "<script" not in table and table.count("&lt;script&gt;") == 3


def test_something_big_is_imported_by_a_job(
    page: DataPage, uploaded: Any, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adding, "AT_ONCE", 10)
    monkeypatch.setattr(adding, "LOOKED_AT", 2)
    shown = page.look(uploaded, "tiny-chat", 0, request())
    assert "only the first 2 rows were checked" in shown["summary"]
    running = page.store(request(), uploaded, shown["opened"], "mine", *typed("Ada"))["running"]
    job = queue.get(studio, running["job"])
    assert (job.kind, job.method, job.spec["result"]) == ("data", "import", "mine")
    assert job.spec["options"]["mapping"]["fill"] == {"name": "Ada"}
    going = page.watch(running, request())
    assert going["going"].visible and "Waiting for the engine" in going["progress"]
    assert "running" not in going, "it goes on being followed"
    assert page.open(request())["running"] == running, "a page that is opened later follows the job"
    page.cancel(running)
    assert page.watch(running, request())["running"] is None


def test_what_was_fetched_is_looked_at_and_a_failure_is_said(page: DataPage, studio: Studio) -> None:
    for state, rows in ((State.SUCCEEDED, ROWS), (State.FAILED, None)):
        job = adding.fetch(studio, "org/birds")
        folder = Path(job.run_dir or "")
        folder.mkdir(parents=True)
        if rows:
            (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            write_json(
                folder / FETCHED,
                {"file": "rows.jsonl", "name": "birds.jsonl", "origin": {"hub": "org/birds"}},
            )
        with studio.db.write() as session:
            stored = session.get_one(Job, job.id)
            stored.state, stored.finished_at = state, clock.now()
        ended = page.watch({"job": job.id}, request())
        assert ended["running"] is None and not ended["going"].visible
        if state is State.SUCCEEDED:
            assert "birds.jsonl" in page.look(ended["brought"], "tiny-chat", 0, request())["summary"]
        else:
            assert "Nothing was downloaded." in ended["answer"] and "brought" not in ended


def test_previews_answer_whatever_is_asked(page: DataPage, uploaded: Any) -> None:
    state = opened(page, uploaded)
    assert "<mark" in page.previewed(state, "tiny-chat", 2, 0, request())
    assert "<del" in page.previewed(state, "tiny-chat", 10**9, 3, request())
    assert "<mark" in page.previewed(state, "tiny-chat", -5, -1, request())
    assert "There is no model" in page.previewed(state, "no-such-model", None, None, request())
    assert "No valid record" in page.previewed(None, "tiny-chat", 1, 0, request())


def test_without_data_the_page_says_what_to_do_first(page: DataPage) -> None:
    shown = page.open(request())
    assert "No datasets yet. Import data above" in shown["listed"]
    assert "Drop files or a folder here" in shown["file"]
