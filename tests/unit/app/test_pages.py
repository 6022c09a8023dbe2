"""What the start, models and settings pages say, without a browser."""

from __future__ import annotations

import dataclasses
import json
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.pages import chat, home, models, settings, train
from app.parts import queue_panel, run_list, run_view, train_form
from app.parts.html import badge
from app.parts.options_state import OptionsState
from studio_core import training
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.settings import Settings
from studio_core.base.studio import Studio
from studio_core.base.tables import Model
from studio_core.chat import chats
from studio_core.machine.overview import machine, overview
from studio_core.methods import METHODS
from studio_core.methods.base import validated
from studio_core.models import registry
from studio_core.runs import queue
from studio_core.runs.summary import job_summary
from tests.unit.studio_core.training.runs import imported, spec

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def trained(studio: Studio) -> Model:
    """A model with a hostile name, trained from a demo model by a run with a hostile name."""
    registry.ensure_demo_models(studio)
    base = registry.get(studio, "tiny-base")
    job = queue.submit(studio, kind="train", name=EVIL, spec={}, method="sft")
    folder = studio.settings.runs / str(job.id) / "model"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"x" * 2_500_000)
    with studio.db.write() as session:
        model = Model(name=f"{EVIL}&x=1", kind="full", path=str(folder), parent_id=base.id, job_id=job.id)
        session.add(model)
    return model


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_an_empty_start_page_shows_what_to_do_first(studio: Studio, language: str) -> None:
    shown = str(home.page(overview(studio), machine(studio), language))
    assert "/train?method=sft&model=tiny-base&dataset=tiny-sft-chat" in shown.replace("&amp;", "&")
    assert shown.index('id="try-sft"') < shown.index("ts-empty")
    assert "ts-step-reached" not in shown


def test_afterwards_the_start_page_shows_what_happened(studio: Studio, trained: Model) -> None:
    shown = str(home.page(overview(studio), machine(studio), "en"))
    assert "1 trained model" in shown and "<img" not in shown
    assert f"/runs?run={trained.job_id}" in shown and f"/chat?run={trained.job_id}" in shown
    assert shown.index("ts-badge-queued") < shown.index('id="try-sft"')


def test_a_run_that_was_stopped_early_is_not_told_to_be_finished() -> None:
    assert "Stopped" in badge("succeeded", "en", "stopped") and "ts-badge-stopped" in badge(
        "succeeded", "en", "stopped"
    )
    assert "ts-badge-succeeded" in badge("succeeded", "en")


@pytest.mark.parametrize(("language", "words"), [("en", "resumed from"), ("zh-CN", "恢复")])
def test_a_resumed_run_is_told_from_its_first_half(
    studio: Studio, trained: Model, language: str, words: str
) -> None:
    first = queue.get(studio, trained.job_id or 0)
    second = queue.submit(
        studio, kind="train", name=first.name, method=first.method, spec=first.spec, resumes_id=first.id
    )
    places = {
        "home": home.page(overview(studio), machine(studio), language),
        "list": run_list.jobs_page(studio, language, "all", None),
        "queue": queue_panel.drawn(studio, language),
        "run": run_view.titled(studio, second, [], "", language),
    }
    for name, shown in places.items():
        assert f'href="/runs?run={first.id}"' in shown and words in str(shown).lower(), name
    assert f'href="/runs?run={second.id}"' in run_view.titled(studio, first, [], "", language)
    assert job_summary(studio, second)["resumes"] == first.id
    assert job_summary(studio, first)["resumed_by"] == [second.id]


def test_votes_of_projects_are_part_of_the_loop(studio: Studio) -> None:
    state = dataclasses.replace(overview(studio), projects=2, labels=26, chats=1, votes=1)
    shown = str(home.page(state, machine(studio), "en"))
    assert 'href="/label"' in shown and "26 votes" in shown and "1 conversation · 1 vote" in shown


def test_the_models_page_names_origin_size_and_next_steps(studio: Studio, trained: Model) -> None:
    shown = str(models.page(studio, "en"))
    assert "<img" not in shown
    assert "2.5 MB" in shown and "Included" in shown
    assert f"/chat?run={trained.job_id}" in shown and "/chat?models=tiny-base" in shown
    assert "/train?model=%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E%26x%3D1" in shown
    assert f"runs/{trained.job_id}/model" in shown


def test_a_reward_model_is_not_offered_for_a_chat(studio: Studio, trained: Model) -> None:
    with studio.db.write() as session:
        model = session.get_one(Model, trained.id)
        model.details = {"architecture": "LlamaForSequenceClassification"}
    for shown in (str(home.page(overview(studio), machine(studio), "en")), str(models.page(studio, "en"))):
        assert f"/chat?run={trained.job_id}" not in shown and "<img" not in shown
        assert "/train?model=%3Cimg" in shown and "Train further" in shown
    page = chat.ChatPage.__new__(chat.ChatPage)
    page.studio = studio
    for query in ({"run": str(trained.job_id)}, {"models": str(trained.id)}):
        refused: list[StudioError] = []
        assert page._first(query, refused) == ["tiny-base", "tiny-chat"]
        assert "is a reward model: it scores answers and generates none" in refused[0].sentence("en")
    with pytest.raises(BadInput, match="is a reward model"):
        chats.start(studio, [trained.id, "tiny-base"], chats.ChatSettings())  # type: ignore[list-item]


def test_a_reward_model_is_trained_further_as_one(studio: Studio, trained: Model, tmp_path: Path) -> None:
    with studio.db.write() as session:
        session.get_one(Model, trained.id).details = {"architecture": "LlamaForSequenceClassification"}
    pairs = [{"prompt": f"Name {n}?", "chosen": f"I am {n}.", "rejected": "No."} for n in range(9)]
    imported(studio, "pairs", pairs, tmp_path)
    page = train.TrainPage(studio, {})

    def method(**query: str) -> str:
        return training.spec_for(studio, query).method

    assert method(model=trained.name) == "reward"
    assert (method(dataset="pairs"), method(model="tiny-chat"), method()) == ("dpo", "sft", "sft")
    assert method(model="gone", dataset="pairs") == "dpo"
    assert method(model=trained.name, method="sft") == "sft"
    assert training.spec_for(studio, {"method": "reward", "tuning": "qlora"}).tuning == "qlora"
    assert training.spec_for(studio, {"method": "dpo", "tuning": "qlora"}).tuning == "qlora"

    scorer = training.submit(studio, spec(method="reward", dataset="pairs", name="to-score"))
    writer = training.submit(studio, spec(method="dpo", dataset="pairs", name="to-write"))
    labels = {value: label for label, value in page._models("en")}
    assert "(reward model)" in labels[trained.name] and "(reward model)" in labels[f"run:{scorer.id}"]
    assert "(reward model)" not in labels[f"run:{writer.id}"] + labels["tiny-chat"]
    assert method(model=f"run:{scorer.id}") == "reward" and method(model=f"run:{writer.id}") == "sft"


def test_another_method_is_chosen_under_a_page_whose_server_was_started_again(studio: Studio) -> None:
    """The page of a duplicated run brings all that is known of its form; the server has nothing of it."""
    registry.ensure_demo_models(studio)
    names = (*train_form.INPUTS, "method", "tuning", "options", "unfit", "trial", "trials")
    parts = {name: name for name in names}
    page = train.TrainPage(studio, parts)
    begin = validated(METHODS["sft"], "balanced", "full", 2_000_000).model_dump()
    there = OptionsState("sft", "full", begin).held({"max_length": "99", "learning_rate": "0.5"})
    asked = {"method": "reward", "tuning": "full", "form": json.loads(there.text()), "inputs": {}}
    given = {**dict.fromkeys(train_form.INPUTS), "wish": json.dumps(asked), "preset": "balanced"}
    updates = page.chosen(SimpleNamespace(headers={}, cookies={}), *given.values())  # type: ignore[arg-type]
    assert (
        'id="train-opt-center"' in updates["options"] and 'id="train-opt-packing"' not in updates["options"]
    )
    assert '"learning_rate": 0.5' in unescape(updates["options"]), "kept for the method that was left"
    assert 'data-value="full"' in updates["tuning"]


def test_an_older_database_does_not_know_what_a_model_is(studio: Studio, trained: Model) -> None:
    """Its models write: reward models came later."""
    with studio.db.write() as session:
        session.get_one(Model, trained.id).details = {}
    assert trained.name in [model.name for model in registry.writers(studio)]
    assert f"/chat?run={trained.job_id}" in str(models.page(studio, "en"))


def test_a_model_whose_folder_is_gone_is_still_listed(studio: Studio, trained: Model) -> None:
    for file in Path(trained.path).iterdir():
        file.unlink()
    Path(trained.path).rmdir()
    assert f"/runs?run={trained.job_id}" in models.page(studio, "en")


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_settings_page_names_every_setting_and_the_chosen_look(studio: Studio, language: str) -> None:
    shown = settings.page(studio, language, "dark")
    assert all(f"TUNESMITH_{name.upper()}" in shown for name in Settings.model_fields)
    assert str(studio.settings.home) in shown
    assert 'data-choice="dark" aria-pressed="true"' in shown
    assert f'data-lang="{language}" aria-pressed="true"' in shown
    assert "SQLite" in shown
