"""The list of open models on the Models page: what an address asks for, and what a row says."""

from __future__ import annotations

import re

import pytest

from app.pages import models
from app.parts import open_models
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Model
from studio_core.models.catalogue import catalogue, for_purpose
from studio_core.training import room
from studio_core.training.room import Machine

GB = 10**9


@pytest.fixture(autouse=True)
def laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "here", lambda studio: Machine("cpu", 16 * GB, 12 * GB))


def names(shown: str) -> list[str]:
    return re.findall(r'data-pick="([^"]+)"', shown)


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_all_of_them_with_what_they_take(studio: Studio, language: str) -> None:
    shown = str(open_models.listed(studio, {"open": "1"}, language))
    assert names(shown) == [model.name for model in catalogue()]
    assert "16.0 GB" in shown and shown.count("<tr>") == len(catalogue()) + 1
    assert "<script" not in shown


def test_an_address_names_purpose_and_use(studio: Studio) -> None:
    code = str(open_models.listed(studio, {"purpose": "code"}, "en"))
    assert names(code) == [model.name for model in for_purpose("code")]
    assert '<option value="code" selected>' in code
    fitting = names(str(open_models.listed(studio, {"purpose": "code", "fits": "full"}, "en")))
    assert fitting == ["Qwen/Qwen2.5-Coder-0.5B-Instruct"], "all weights of the 1.5B learn in more than 16 GB"
    for query in ({"purpose": "<b>"}, {"fits": "somehow"}):
        with pytest.raises(BadInput, match="cannot be"):
            open_models.listed(studio, query, "en")


def test_where_nothing_fits_that_is_said(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "here", lambda studio: Machine("gpu", GB // 2, GB // 2))
    shown = str(open_models.listed(studio, {"fits": "full"}, "en"))
    assert "No model of the list" in shown and "its largest GPU" in shown and not names(shown)


def test_a_model_that_is_here_leads_to_its_training(studio: Studio) -> None:
    name = "Qwen/Qwen3-0.6B"
    with studio.db.write() as session:
        session.add(
            Model(name="mine & yours", kind="base", path="/nowhere", parent_id=None, job_id=None,
                  source=name, parameters=1, trust_remote_code=False, details={})
        )  # fmt: skip
    shown = str(open_models.listed(studio, {}, "en"))
    assert name not in names(shown) and 'href="/train?model=mine%20%26%20yours"' in shown


def test_gated_own_code_and_no_template_are_told(studio: Studio) -> None:
    shown = str(open_models.listed(studio, {}, "en"))
    row = {name: text for text in shown.split("<tr>") for name in names(text)}
    assert "Gated" in row["meta-llama/Llama-3.2-1B"] and "No chat template" in row["meta-llama/Llama-3.2-1B"]
    assert "Own code" in row["microsoft/Phi-4-mini-instruct"]
    assert not re.search("Gated|Own code|No chat", row["Qwen/Qwen3-0.6B"])


def test_the_heading_leads_from_one_list_to_the_other() -> None:
    for on_list, here in ((False, "/models"), (True, "/models?open=1")):
        shown = str(open_models.tabs(on_list, "en"))
        assert f'<a href="{here}" aria-current="page">' in shown and shown.count("aria-current") == 1
    assert "aria-current" not in str(models.page_head("en"))
