"""The records of a dataset's page: search, pages and the opened record answer whatever a browser sends."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from app.parts import record_table
from app.parts.dataset.record_form import _DEFAULTS, Form, query_of
from app.parts.dataset.records import Records
from studio_core.base.errors import BadInput, NotFound
from studio_core.base.studio import Studio
from studio_core.browse.browse import Facets, Query
from studio_core.data import store
from studio_core.models import registry
from tests.unit.app.parts.by_name import ByName

HOSTILE = "<img src=x onerror=alert(1)><script>alert(1)</script>{0}${1}"


def request(**query: str) -> Any:
    return SimpleNamespace(cookies={}, headers={"accept-language": "en"}, query_params=query)


def form(**given: Any) -> list[Any]:
    return list({**_DEFAULTS, **given}.values())


def event(**data: Any) -> Any:
    return SimpleNamespace(_data=data)


@pytest.fixture
def section(studio: Studio, tmp_path: Path) -> Records:
    registry.ensure_demo_models(studio)
    file = tmp_path / "mine.jsonl"
    rows = [{"prompt": f"q {n}", "completion": f"  a\n{n} {HOSTILE if n == 2 else ''}"} for n in range(60)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    store.import_file(studio, file)
    return Records(studio, ByName())


@pytest.mark.parametrize("named", ["mine", "mine@1", "1"])
def test_pages_stay_within_the_dataset(section: Records, named: str) -> None:
    asked = request(id=named)
    for turn, offset, expected in (
        (section.back, 0, "1 to 25 of 60"),
        (section.forward, 25, "51 to 60 of 60"),
        (section.forward, 50, "51 to 60 of 60"),
        (section.back, 25, "1 to 25 of 60"),
    ):
        page = turn(asked, offset, *form())
        assert expected in page["position"] and f'data-row="{page["offset"] + 1}"' in page["listed"]
        assert page["counting"].active is False


def test_what_was_called_good_or_bad_is_said_of_each_row(section: Records, tmp_path: Path) -> None:
    file = tmp_path / "rated.jsonl"
    rows = [{"prompt": "q", "completion": f"a{n}", "label": n == 0} for n in range(2)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    store.import_file(section.studio, file)
    shown = section.back(request(id="rated"), 25, *form())["listed"]
    assert shown.count(">good</span>") == shown.count(">bad</span>") == 1
    assert "Rating" not in section.back(request(id="mine"), 25, *form())["listed"]


@pytest.mark.parametrize("named", ["", "<script>", "99", "mine@2", "9" * 300])
def test_what_is_not_there_is_said(section: Records, named: str) -> None:
    with pytest.raises(NotFound, match="There is no dataset"):
        section.open(request(id=named))


def test_the_address_says_what_is_looked_for(section: Records) -> None:
    answer = section.open(request(id="mine", q="q 17", row="18", size="50", language="xx", sort="nonsense"))
    assert [answer[name]["value"] for name in _DEFAULTS] == form(q="q 17", size=50)
    assert 'data-address="/dataset?q=q+17&amp;size=50&amp;id=1"' in answer["position"]
    assert "<mark>q</mark> <mark>17</mark>" in answer["listed"]
    assert answer["card"].visible and "Record 18" in answer["head"]
    assert "q 17" in answer["chat"] and answer["row"] == 18


def test_nothing_is_looked_for_again_unless_the_form_changed(section: Records) -> None:
    asked = request(id="mine")
    before = section.look(asked, None, *form(q="q 1"))["before"]
    assert section.look(asked, before, *form(q="q 1")) == gr.skip()
    assert "11 of 11" in section.look(asked, before, *form(q='"q 1"'))["position"]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"regex": "(("}, "not a valid regular expression"),
        ({"low": "many"}, "not a number"),
        ({"language": "en"}, "Create it on the Report tab"),
        ({"column": "nothing", "holds": "x"}, "no column"),
        ({"q": "x " * 40}, "40 words"),
    ],
)
def test_what_cannot_be_asked_is_said_on_the_page(
    section: Records, wrong: dict[str, Any], sentence: str
) -> None:
    page = section.look(request(id="mine"), None, *form(**wrong))
    assert sentence in page["position"] and not page["listed"]
    assert page["offset"] == 0 and page["counting"].active is False


def test_an_opened_record_is_harmless(section: Records) -> None:
    asked = request(id="mine")
    record = section.act(asked, event(open=3), 0, "tiny-chat", "sft:answers", 0)
    head, chat, stored, tokens = (record[name] for name in ("head", "chat", "stored", "tokens"))
    assert record["card"].visible and record["row"] == 3
    for shown in (chat, stored, tokens, head):
        assert "<img" not in shown and "<script>" not in shown
    assert "  a\n2 &lt;img" in chat, "whitespace is kept"
    assert (
        json.loads(__import__("html").unescape(stored.split('tabindex="0">')[1].split("</pre>")[0]))
        == (store.records(section.studio, store.get(section.studio, "mine"), 2, 1)[0])
    )
    assert 'operation=edit&amp;row=3"' in head
    assert "operation=edit&amp;row=3&amp;changes=%5B%7B%22row%22%3A+3%7D%5D" in head
    listed = section.look(asked, None, *form(q="onerror"))["listed"]
    assert "<img" not in listed and "<mark>onerror</mark>" in listed


@pytest.mark.parametrize("wanted", [0, -1, 61, "x", None, 10**30, 1.5e300, "<b>", True, [1]])
def test_a_row_that_is_not_there_closes_the_card(section: Records, wanted: Any) -> None:
    answer = section.act(request(id="mine"), event(open=wanted), 5, None, None, None)
    closed = answer["card"].visible is False and answer["row"] == 0
    assert closed or (wanted is True and answer["row"] == 1)


def test_jumping_says_how_far_it_goes(section: Records) -> None:
    assert section.jump(request(id="mine"), "60", "tiny-chat", "", 0)["row"] == 60
    with pytest.raises(BadInput, match="records 1 to 60"):
        section.jump(request(id="mine"), "61", "tiny-chat", "", 0)


def test_tokens_are_marked_as_the_method_trains(section: Records) -> None:
    asked = request(id="mine")
    answers = section.previewed(asked, 3, "tiny-chat", "sft:answers", 0)
    everything = section.previewed(asked, 3, "tiny-chat", "sft:everything", 0)
    assert 'class="ts-seen">' in answers.split("ts-tokens")[1]
    assert 'class="ts-seen">' not in everything.split("ts-tokens")[1]
    assert "There is no model" in section.previewed(asked, 3, "no-such-model", "x", None)
    assert "No valid record" in section.previewed(asked, 0, "tiny-chat", None, None)


def test_the_form_and_the_address_are_the_same() -> None:
    facets = Facets([("zh", 3), ("", 1)], [("refusal", 2)], ["messages"])
    given = form(
        q='a "b c"', language="unknown", finding=["refusal", "none"], low="5", sort="quality", down=True
    )
    values, _ = Form.opened(Form.address(given), facets, "en")
    assert values == given
    assert query_of(values) == (
        Query(
            'a "b c"', language="unknown", findings=("refusal",), clean=True,
            ranges=(("characters", 5.0, None),), sort="quality", descending=True,
        ),
        25,
    )  # fmt: skip


def test_an_excerpt_shows_what_was_searched_for() -> None:
    shown = record_table.excerpt("x" * 500 + " Needle & <b> " + "y" * 500, ["needle"])
    assert "<mark>Needle</mark> &amp; &lt;b&gt;" in shown and shown.count("…") == 2
