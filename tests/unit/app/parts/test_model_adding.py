"""The form that brings a model in: found, checked, and only then fetched."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from app.parts import own_code
from app.parts.model_adding import ModelAdding
from studio_core.base.studio import Studio
from studio_core.models import registry
from tests.fake_hub import FakeHub
from tests.unit.app.parts.test_data_job_view import Named, request
from tests.unit.studio_core.models.folders import model_folder
from tests.unit.studio_core.models.test_checking import NAME, there

__all__ = ["there"]  # A fixture.

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def form(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> ModelAdding:
    monkeypatch.setattr(own_code, "consent", lambda *given: None)
    return ModelAdding(studio, Named())


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr("gradio.Warning", said.append)
    return said


def add(form: ModelAdding, source: str, seen: str = "") -> dict[str, Any]:
    updates: dict[str, Any] = form.added(source, "", False, "", seen, request())
    return updates


def picked(form: ModelAdding, data: Any) -> Any:
    return form.picked(False, request(), SimpleNamespace(_data=data))


def test_nothing_is_fetched_before_it_was_shown(form: ModelAdding, studio: Studio, there: FakeHub) -> None:
    first = add(form, NAME)
    assert "Nothing is downloaded yet" in first["answer"] and first["seen"] == NAME
    assert "Download and add" in first["add"]["value"] and not registry.all_models(studio)
    second = add(form, NAME, first["seen"])
    assert 'href="/train?model=Small-1"' in second["answer"]
    assert [model.source for model in registry.all_models(studio)] == [NAME]


def test_another_name_than_the_one_that_was_shown_is_shown_first(
    form: ModelAdding, studio: Studio, there: FakeHub
) -> None:
    there.models["org/other"] = there.models[NAME]
    assert add(form, "org/other", NAME)["seen"] == "org/other"
    assert not registry.all_models(studio)


def test_a_folder_needs_no_second_click(form: ModelAdding, studio: Studio) -> None:
    folder = model_folder(studio.settings.models / "mine")
    assert "Added mine" in add(form, str(folder))["answer"]
    assert "Already here as" in form.asked(str(folder), False, request())["checked"]


def test_a_check_says_what_it_is_and_what_it_takes(form: ModelAdding, there: FakeHub) -> None:
    there.facts[NAME]["safetensors"]["parameters"]["BF16"] = 8 * 10**9
    card = form.asked(NAME, False, request())["checked"]
    for told in ("LlamaForCausalLM", "8.0 B", "apache-2.0", "can be used here", "QLoRA", "Full", "GB"):
        assert told in card


def test_what_stands_in_the_way_is_on_the_card(form: ModelAdding, studio: Studio, there: FakeHub) -> None:
    there.gated.add(NAME)
    there.facts[NAME]["gated"] = "auto"
    card = form.asked(NAME, False, request())["checked"]
    assert "is gated" in card and "as soon as its terms are accepted" in card and "can be used" not in card
    odd = model_folder(studio.settings.models / "odd", architectures=[f"{EVIL}ForCausalLM"], template=False)
    card = form.asked(str(odd), False, request())["checked"]
    assert "cannot load the architecture" in card and "no chat template" in card
    assert EVIL not in card


def test_a_model_of_a_list_is_put_into_the_form_and_checked(
    form: ModelAdding, there: FakeHub, warnings: list[str]
) -> None:
    updates = picked(form, {"name": NAME})
    assert updates["source"] == updates["seen"] == NAME and "LlamaForCausalLM" in updates["checked"]
    for odd in (None, {}, {"name": "/etc"}, {"name": ["x"]}, "x"):
        picked(form, odd)
    assert len(warnings) == 5


def test_a_search_and_its_empty_answer(form: ModelAdding, there: FakeHub) -> None:
    hits = form.searched("small", request())["hits"]
    assert f'data-pick="{NAME}"' in hits and "1,234" in hits and "apache-2.0" in hits
    assert EVIL not in form.searched(EVIL, request())["hits"]
    assert "1 to 100 characters" in form.searched(" ", request())["hits"]


def test_offline_the_page_says_so(form: ModelAdding, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "cannot be reached" in form.searched("small", request())["hits"]
    updates = picked(form, {"name": NAME})
    assert "cannot be reached" in updates["checked"] and updates["seen"] == ""
