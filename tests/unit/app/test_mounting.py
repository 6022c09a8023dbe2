"""A document has the components of the open tab only; those of another come when it is chosen."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio.blocks import Blocks
from starlette.testclient import TestClient

from app import mounting
from app.web import create_app, draw
from studio_core.base.studio import Studio
from studio_core.data import store
from studio_core.labeling import projects
from tests.unit.app.test_opening import HOST, config


@pytest.fixture
def client(studio: Studio, tmp_path: Path) -> Iterator[TestClient]:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"prompt": "2 and 2?", "completion": "4"}\n')
    store.import_file(studio, file)
    with TestClient(create_app(studio), base_url=HOST) as made:
        yield made


def names(known: dict[str, Any]) -> set[str]:
    return {one["props"].get("elem_id") for one in known["components"]}


def chosen(client: TestClient, known: dict[str, Any], tab: str, address: str, there: str = "") -> Any:
    """What the page at ``address`` is sent when a tab is chosen, as its script would ask."""
    [place] = [one["id"] for one in known["components"] if one["props"].get("elem_id") == tab]
    asks = [
        one for one in known["dependencies"] if one["targets"] == [[place, "select"]] and not one["outputs"]
    ]
    body = {"data": ["", there], "fn_index": asks[0]["id"], "session_hash": "someone"}
    answer = client.post(f"/gradio_api/run/predict?{address}", json=body, headers={"origin": HOST})
    assert answer.status_code == 200, answer.text
    return answer.json()["render_config"]


def test_a_document_has_the_open_tab_only(client: TestClient) -> None:
    first, second = config(client, "/dataset?id=1"), config(client, "/dataset?id=1&tab=export")
    assert "data-records" in names(first) and "data-records" not in names(second)
    assert len(second["components"]) < 60
    for known in (first, second):
        ids = {one["id"] for one in known["components"]}
        assert {node["id"] for node in mounting._nodes(known["layout"])} <= {*ids, known["layout"]["id"]}
        assert known["page"]["dataset"]["layout"] == known["layout"]


def test_another_tab_comes_when_it_is_chosen_and_only_once(client: TestClient) -> None:
    known = config(client, "/dataset?id=1")
    part = chosen(client, known, "dataset-tab-improve", "id=1&tab=improve")
    assert "improve-operations" in names(part) and "data-records" not in names(part)
    values = {one["props"].get("elem_id"): one["props"] for one in part["components"]}
    assert values["improve-filter-result"]["interactive"] is True and "__i18n__" not in str(
        part["components"]
    )
    # Nothing comes twice but what hears that the tab is chosen, which Gradio's script would forget.
    both = {one["id"] for one in part["dependencies"]} & {one["id"] for one in known["dependencies"]}
    [again] = [one for one in known["dependencies"] if one["id"] in both]
    assert again["targets"][0][1] == "select" and "tunesmith.opened" in again["js"]
    assert chosen(client, known, "dataset-tab-improve", "id=1&tab=improve", there="there") is None


def test_a_tab_that_is_not_for_everybody_is_shown_once_it_is_opened(
    client: TestClient, studio: Studio
) -> None:
    """It was built unseen, since annotators never see it."""
    project = projects.create(studio, "kind-answers")
    known = config(client, f"/label?project={project.id}")
    part = chosen(client, known, "label-tab-results", f"project={project.id}&section=results")
    shown = {one["props"].get("elem_id"): one["props"] for one in part["components"]}
    assert shown["label-tab-results"]["visible"] is True and "label-statistics" in shown


def test_no_event_belongs_to_two_tabs(studio: Studio) -> None:
    async def within_a_loop() -> Blocks:  # As the application does it: Gradio's locks want one.
        return draw(studio)

    demo = asyncio.run(within_a_loop())
    known = demo.get_config_file()
    for page in known["page"].values():
        inside = mounting._inside(demo, {"layout": page["layout"]})
        for one in known["dependencies"]:
            if one["id"] in page["dependencies"]:
                assert len([tab for tab, ids in inside.items() if mounting._touches(one) & ids]) < 2
