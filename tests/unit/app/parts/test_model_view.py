from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.parts import model_view
from app.parts.keeping import board
from studio_core.base.studio import Studio
from studio_core.base.tables import Model
from studio_core.data import versions
from studio_core.keeping import marks, model_card
from studio_core.keeping.models import MODELS
from studio_core.models import registry
from studio_core.runs import run_folder
from tests.unit.studio_core.evaluation.evaluated import evaluated
from tests.unit.studio_core.keeping.test_deleting import train
from tests.unit.studio_core.training.runs import chat, imported

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def trained(studio: Studio, tmp_path: Path) -> Model:
    registry.ensure_demo_models(studio)
    imported(studio, "sums", (chat(f"{n}?", str(n)) for n in range(20)), tmp_path)
    return train(studio, measured=False, name="poet")


def drawn(studio: Studio, model: Model, language: str = "en") -> str:
    parts = (model_view.head, model_view.kept, model_view.body)
    return "".join(str(part(studio, model, language)) for part in parts)


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_model_says_where_it_comes_from_and_what_came_of_it(
    studio: Studio, trained: Model, language: str
) -> None:
    child = train(studio, "adapter", measured=False, model="poet", name="poet two")
    kept = Path(trained.path).parent / run_folder.CHECKPOINTS / "checkpoint-4"
    (kept / "config.json").write_text("{}")  # Without it, it holds no model.
    run_folder.write_manifest(kept, 4)
    shown = drawn(studio, trained, language)
    graph = re.findall(r'<a href="([^"]+)" class="ts-graph-(\w+)"( aria-current="page")?>', shown)
    [data] = versions.all_datasets(studio)
    assert graph == [
        ("/models?model=poet", "model", ' aria-current="page"'),
        (f"/runs?run={trained.job_id}", "run", ""),
        (f"/runs?run={child.job_id}", "run", ""),
        (f"/dataset?id={data.id}", "dataset", ""),
        ("/models?model=tiny-base", "model", ""),
        ("/models?model=poet-two", "model", ""),
    ]
    for way in (
        "/chat?models=poet",
        "/chat?models=tiny-base,poet",
        "/train?model=poet",
        "/evaluate?models=tiny-base,poet",
        "/export?model=poet",
    ):
        assert f'href="{way}"' in shown
    # Its checkpoint, by the name under which it is a model.
    for way in (
        "chat?models=poet@4,poet",
        "train?model=poet@4",
        "evaluate?models=poet,poet@4",
        "export?model=poet@4",
    ):
        assert f'href="/{way}"' in shown
    assert child.name in shown
    assert f"AutoModelForCausalLM.from_pretrained(&#39;{trained.path}&#39;)" in shown
    code = drawn(studio, child, language)
    assert f"PeftModel.from_pretrained(model, &#39;{child.path}&#39;)" in code


def test_what_only_the_studio_loads_is_said_to_be_so(studio: Studio, trained: Model) -> None:
    child = train(studio, "adapter", measured=False, model="poet", name="poet two")
    Path(child.path, "adapter_config.json").write_text('{"peft_type": "BOTTLENECK"}')
    shown = drawn(studio, child)
    assert "no other library loads it" in shown and "from_pretrained" not in shown


def test_the_card_is_generated_until_somebody_writes_it(studio: Studio, trained: Model) -> None:
    card = model_card.generated(studio, trained, "en")
    assert "Base model tiny-base: apache-2.0." in card
    for told in ("# poet", "tiny-base → poet", "SFT, full", "sums@1, 20 rows", "## Licence", "Not stated"):
        assert told in card
    asked = {"action": "card", "ids": [trained.id], "value": {"card": f"# Mine\n\n{EVIL}\n\n**bold**"}}
    board.carry_out(studio, MODELS, asked, "en")
    shown = drawn(studio, trained)
    assert "<h2>Mine</h2>" in shown and "<strong>bold</strong>" in shown and "<img" not in shown
    board.carry_out(studio, MODELS, {**asked, "value": {"card": ""}}, "en")
    assert "Not stated" in drawn(studio, trained)


def test_figures_stand_in_the_card_with_their_intervals(studio: Studio) -> None:
    registry.ensure_demo_models(studio)
    job = evaluated(studio)
    name = job.spec["models"][0]
    card = model_card.generated(studio, registry.get(studio, name), "en")
    rows = re.findall(r"^\| ([^|]+) \| ([\d.%]+) \| ([^|]+ – [^|]+) \| (\d+) \|$", card, re.M)
    assert rows, card


def test_hostile_names_stay_text(studio: Studio, trained: Model) -> None:
    with studio.db.write() as session:
        stored = session.get_one(Model, trained.id)
        stored.name, stored.source = f"{EVIL}`|*#[x](javascript:y)", EVIL
    marks.change(studio, MODELS, [trained.id], note=EVIL)
    model = registry.get(studio, trained.id)
    for language in ("en", "zh-CN"):
        shown = drawn(studio, model, language)
        assert "<img" not in shown and 'href="javascript' not in shown
    assert f"# {model_card._plain(model.name)}" in model_card.generated(studio, model, "en")
