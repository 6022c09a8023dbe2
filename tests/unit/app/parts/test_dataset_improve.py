"""The Improve section: what it offers for a dataset, what it says beforehand, and what it starts."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.routes import App

from app.parts.dataset import improve
from app.parts.dataset.improve import Improve
from app.parts.dataset.improve_form import Form, form_of
from app.parts.dataset.record_editor import FIELDS, RecordEditor, box_name, places, text_at, with_text
from studio_core.base.errors import BadInput
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.curation import OPERATIONS
from studio_core.data import store
from studio_core.runs import queue
from tests.unit.app.parts.by_name import ByName


def request(**query: str) -> Any:
    return SimpleNamespace(
        cookies={}, headers={"accept-language": "en"}, query_params={"id": "mine", **query}
    )


@pytest.fixture
def section(studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Improve:
    # A page on its own would bring a whole web application with it.
    monkeypatch.setattr(App, "create_app", staticmethod(lambda *args, **given: None))
    monkeypatch.setattr(improve, "ensure_engine", lambda studio: None)

    async def drawn() -> list[Form]:
        with gr.Blocks():
            return [form_of(operation) for operation in OPERATIONS.values()]

    file = tmp_path / "mine.jsonl"
    rows = [{"prompt": f"q <b>{n}</b>", "completion": "a" * n} for n in range(1, 31)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    store.import_file(studio, file)
    return Improve(studio, ByName(), asyncio.run(drawn()))


def form(section: Improve, name: str) -> Form:
    return next(form for form in section.forms if form.operation.name == name)


def values(form: Form, **given: Any) -> list[Any]:
    return [
        *([given.pop("others", [])] if form.others else []),
        *(
            given.get(field.name, part.value)
            for field, part in zip(form.fields, form.components, strict=True)
        ),
    ]


def options_of(form: Form, updates: Any, part: str, default: Any = None) -> dict[str, Any]:
    """What ``updates`` say of the options of a form, by name: their ``value`` or whether they are ``visible``."""
    return {
        field.name: updates[component].get(part, default)
        for field, component in zip(form.fields, form.components, strict=True)
    }


def test_the_address_chooses_and_fills_in(section: Improve) -> None:
    asked = request(
        operation="filter", min_characters="60", findings="near_duplicate,refusal", where="prompt", plain="true",
        max_words="many", comparison="sorcery",
    )  # fmt: skip
    filled = section.fill(asked)
    assert 'data-operation="filter" aria-pressed="true"' in filled["cards"]
    assert "Keeps records" in filled["cards"]
    visible = [one.operation.name for one in section.forms if filled[one.group].visible]
    assert visible == ["filter"] and filled["chosen"] == "filter"
    by_name = options_of(form(section, "filter"), filled, "value")
    assert by_name["min_characters"] == 60 and by_name["plain"] is True and by_name["where"] == "prompt"
    assert by_name["findings"] == ["near_duplicate", "refusal"]
    assert by_name["max_words"] is None and by_name["comparison"] is None


def test_the_options_of_the_chosen_reward_are_shown(section: Improve) -> None:
    best_of = form(section, "best_of")
    begun = {field.name: part.visible for field, part in zip(best_of.fields, best_of.components, strict=True)}
    assert begun["reward_options.column"] and not begun["reward_options.characters"]
    filled = section.fill(request(operation="best_of", reward="shorter"))
    shown = options_of(best_of, filled, "visible", True)
    assert shown["reward_options.characters"] and not shown["reward_options.column"]
    given = values(best_of, model="m", reward="longer", **{"reward_options.characters": 9.0})
    _, options = best_of.options(dict(zip(best_of.inputs, given, strict=True)))
    assert options["reward_options"] == {"characters": 9}


def test_an_unknown_operation_in_the_address_shows_all_cards(section: Improve) -> None:
    cards = section.fill(request(operation="<script>"))["cards"]
    assert 'aria-pressed="true"' not in cards and "<script>" not in cards


def test_the_preview_says_what_would_happen_and_why_not(section: Improve) -> None:
    replace = form(section, "replace")
    tried = section.preview_of(replace)
    shown = tried(request(), *values(replace, find="q", replace="<i>"))
    assert "all 30 records" in shown and "&lt;i&gt; &lt;b&gt;1&lt;/b&gt;" in shown and "<b>1</b>" not in shown
    assert "The search is empty" in tried(request(), *values(replace))
    filtered = form(section, "filter")
    shown = section.preview_of(filtered)(request(), *values(filtered, min_words=2))
    assert "Too short" in shown and "Row 1 would be removed" in shown


def test_choosing_shows_the_form_with_its_preview_in_one_answer(section: Improve) -> None:
    """A preview that came later would be of fields as they were before, and take the place of a newer one."""
    given = [value for one in section.forms for value in values(one)]
    chosen = section.choose(request(), SimpleNamespace(operation="mix"), *given)  # type: ignore[arg-type]
    assert chosen["chosen"] == "mix" and 'data-operation="mix" aria-pressed="true"' in chosen["cards"]
    assert "result has 30 records" in chosen["trial"]
    filled = section.fill(request(operation="filter", min_words="2"))
    assert "Row 1 would be removed" in filled["trial"]
    held = dict(zip((part for one in section.forms for part in one.inputs), given, strict=True))
    assert section.preview(request(), "", held) == "" and section.preview(request(), "edit", held) == ""
    spoilt = section.fill(request(operation="edit", changes="x"))
    assert spoilt.keys() == filled.keys() and "ts-notice-warn" in spoilt["trial"]
    skipped = section.choose(request(), SimpleNamespace(operation="sorcery"), *given)  # type: ignore[arg-type]
    assert skipped == gr.skip()


def test_start_queues_one_job_and_tells_of_it(section: Improve, studio: Studio) -> None:
    filtered = form(section, "filter")
    start = section.starter(filtered)
    given = ("key", " shorter ", 3, *values(filtered, max_characters=20))
    job = start(request(), *given)["job"]
    assert start(request(), *given)["job"] == job
    [queued] = queue.all_jobs(studio)
    assert str(queued.id) == job and queued.spec["seed"] == 3 and queued.spec["result"] == "shorter"
    assert queued.spec["run"]["options"]["max_characters"] == 20
    live = section.watch(request(), job)
    assert "/runs?run=" in live["progress"] and live["timer"].active
    assert not live["stop"].visible and live["cancel"].visible and "key" not in live
    ended = section.cancel(request(), job)
    assert queue.get(studio, queued.id).state == State.CANCELLED
    assert not ended["cancel"].visible and not ended["timer"].active and len(ended["key"]) == 16
    assert section.fill(request())["job"] == ""


@pytest.mark.parametrize("job", ["", "x", "9" * 400, "-1"])
def test_what_is_no_job_is_not_watched(section: Improve, job: str) -> None:
    assert section.watch(request(), job)["progress"] == ""


def test_mixing_takes_the_datasets_that_are_chosen(section: Improve, studio: Studio) -> None:
    mix = form(section, "mix")
    section.starter(mix)(request(), "key", "", None, *values(mix, others=["mine@1"], weights="1 2"))
    [queued] = queue.all_jobs(studio)
    assert queued.spec["datasets"] == ["mine@1", "mine@1"]
    assert queued.spec["run"]["options"]["weights"] == [1, 2]


def test_editing_notes_changes_and_takes_them_back(section: Improve, studio: Studio) -> None:
    editor = RecordEditor(studio, ByName())
    opened = editor.opened(request(row="500"))
    assert opened["row"] == 30
    assert [opened[box_name(place)].value for place in range(3)] == ["q <b>30</b>", "a" * 30, ""]
    texts = ["q", "new", *[""] * (FIELDS - 2)]
    changes = editor.note_texts(request(), 2, "", False, *texts)["changes"]
    assert json.loads(changes)[0]["row"] == 2
    assert editor.loaded(request(), 2, changes)[box_name(1)].value == "new"
    deleted = editor.note_deletion(request(), 3, changes)["changes"]
    assert [change["row"] for change in json.loads(deleted)] == [2, 3]
    pending = editor.pending(request(), deleted)
    assert "changes: 2" in pending and "q &lt;b&gt;2&lt;/b&gt;" in pending and "Row 3" in pending
    back = editor.note_texts(request(), 2, changes, False, "q <b>2</b>", "aa", *[""] * (FIELDS - 2))
    assert back["changes"] == ""
    added = editor.note_addition(
        request(), 1, "", json.dumps(store.records(studio, store.get(studio, "mine"), 0, 1)[0])
    )
    assert json.loads(added["changes"])[0]["row"] is None
    with pytest.raises(BadInput, match="is invalid"):
        editor.note_texts(request(), 2, "", False, "q", " ", *[""] * (FIELDS - 2))
    for written in ("{", "[1]", '{"prompt": 1}'):
        with pytest.raises(BadInput):
            editor.note_json(request(), 1, "", written)
    with pytest.raises(BadInput):
        editor.pending(request(), "[{}]")


def test_texts_of_all_shapes_have_a_place() -> None:
    record = {
        "prompt": [{"role": "user", "content": "q"}],
        "completions": ["one", "two"],
        "labels": [True, False],
        "note": None,
    }
    found = list(places(record))
    assert [text_at(record, place) for place in found] == ["q", "one", "two", ""]
    for place in found[:3]:
        record = with_text(record, place, "new")
    assert record["prompt"][0]["content"] == "new" and record["completions"] == ["new", "new"]
    assert with_text(record, found[3], "")["note"] is None
