"""The form that merges adapters: what it offers, what it refuses, and the job that comes of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.parts import merge_form
from app.parts.merge_form import INPUTS, MergeForm, weighted
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Model
from studio_core.models import merging, registry
from studio_core.runs import queue
from tests.unit.app.parts.test_data_job_view import Named, request
from tests.unit.studio_core.models.folders import model_folder
from tests.unit.studio_core.models.test_merging import adapter, base

__all__ = ["base"]  # A fixture.


@pytest.fixture
def form(studio: Studio, base: Model, monkeypatch: pytest.MonkeyPatch) -> MergeForm:
    monkeypatch.setattr(merge_form, "ensure_engine", lambda studio: None)
    adapter(studio, base, "one")
    adapter(studio, base, "two")
    return MergeForm(studio, Named())


def started(form: MergeForm, **given: Any) -> Any:
    values = {
        "weights": '{"one": "", "two": ""}', "method": "cat", "density": 0.5, "seed": 0, "name": "", "key": "k"
    }  # fmt: skip
    return form.merge_started(*[{**values, **given}[name] for name in INPUTS], request())


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr("gradio.Warning", said.append)
    return said


def test_one_click_is_one_job_and_leads_to_it(studio: Studio, form: MergeForm, warnings: list[str]) -> None:
    address = started(form, weights='{"one": "0.7", "two": ""}', name="both")
    assert address == started(form, weights='{"one": "0.7", "two": ""}', name="both")
    [job] = queue.all_jobs(studio, kind="merge")
    assert address == f"/runs?run={job.id}" and job.name == "both"
    assert job.spec["adapters"] == {"one": 0.7, "two": 0.5}


def test_options_are_sent_with_methods_that_use_them(
    studio: Studio, form: MergeForm, warnings: list[str]
) -> None:
    started(form, density=7.0)  # Not shown, so nobody could mend it.
    started(form, method="dare_ties", density=0.2, seed=3, key="other")
    dare, cat = queue.all_jobs(studio, kind="merge")
    assert cat.spec["options"] == {"method": "cat"}
    assert (dare.spec["options"], dare.spec["seed"]) == ({"method": "dare_ties", "density": 0.2}, 3)
    assert dare.spec["adapters"] == {"one": 1.0, "two": 1.0}, "what elects signs averages"
    assert not warnings


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"weights": '{"one": "1"}'}, "at least two different adapters"),
        ({"weights": ""}, "at least two different adapters"),
        ({"weights": '{"one": "much", "two": "1"}'}, "adapters.one cannot be"),
        ({"weights": '{"one": "1", "<b>": "1"}'}, "There is no model &lt;b&gt;"),
        ({"weights": '{"one": "1", "base": "1"}'}, "is a complete model, not an adapter"),
        ({"weights": '{"one": "1", "elsewhere": "1"}'}, "different base models"),
        ({"weights": '{"one": "1", "ia3": "1"}'}, "adapter of the kind IA3"),
        ({"weights": '{"one": "1", "wide": "1"}', "method": "ties"}, "adapters of the same rank"),
        ({"method": "ties", "density": 0.0}, "density"),
        ({"method": None}, "method"),
        ({"seed": -1}, "seed cannot be"),
        ({"name": "n" * 81}, "name cannot be"),
    ],
)  # fmt: skip
def test_what_cannot_be_merged_is_refused_in_a_sentence(
    studio: Studio, base: Model, form: MergeForm, warnings: list[str], given: dict[str, Any], sentence: str
) -> None:
    other = registry.add(studio, str(model_folder(studio.settings.models / "other")))
    adapter(studio, other, "elsewhere")
    adapter(studio, base, "ia3", peft_type="IA3")
    adapter(studio, base, "wide", r=8)
    started(form, **given)
    assert len(warnings) == 1 and sentence in warnings[0]
    assert not queue.all_jobs(studio, kind="merge")


@pytest.mark.parametrize("sent", ["[", "[1]", "3", "[" * 100_000])
def test_what_no_page_sends_is_refused(sent: str) -> None:
    with pytest.raises(BadInput):
        weighted(sent, "cat")


def test_adapters_are_listed_and_those_that_cannot_be_merged_say_why(
    studio: Studio, base: Model, form: MergeForm
) -> None:
    adapter(studio, base, "<b>")  # Names of models have no such letters; a database may.
    with studio.db.write() as session:
        session.get_one(Model, registry.get(studio, "b").id).name = "<b>"
    adapter(studio, base, "p-tuned", peft_type="P_TUNING")
    shutil.rmtree(Path(adapter(studio, base, "lost").path))
    shown = str(form.opened(request())["adapters"])
    assert shown.count('type="checkbox"') == 3 and 'value="&lt;b&gt;"' in shown and "<b>" not in shown
    assert 'aria-label="Weight of one"' in shown
    assert "adapter of the kind P_TUNING" in shown and "files of lost are missing" in shown


def test_a_merge_takes_two_adapters_to_begin(studio: Studio) -> None:
    form = MergeForm(studio, Named())
    updates = form.opened(request())
    assert updates["start"]["interactive"] is False and "/train?tuning=lora" in str(updates["adapters"])


@pytest.mark.parametrize("method", merging.METHODS)
def test_each_method_has_the_fields_that_it_uses(form: MergeForm, method: str) -> None:
    updates = form.method_chosen(method)
    assert updates["density"]["visible"] is ("ties" in method or "dare" in method)
    assert updates["seed"]["visible"] is ("dare" in method)


def test_weights_that_nobody_gave(studio: Studio) -> None:
    assert weighted(json.dumps({"a": "", "b": "", "c": "2"}), "svd") == {"a": 0.3333, "b": 0.3333, "c": "2"}
    assert weighted(json.dumps({"a": "", "b": ""}), "ties_svd") == {"a": 1.0, "b": 1.0}
