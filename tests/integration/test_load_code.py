"""The Python on a model's page loads it: run as it stands, it gives the model that was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from studio_core.base.studio import Studio
from studio_core.base.tables import Model
from studio_core.keeping import load_code
from studio_core.models import registry
from studio_core.runs import queue, run_folder
from tests.integration.test_export import adapter

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.


@pytest.fixture
def studio_with_models(studio: Studio) -> Studio:
    registry.ensure_demo_models(studio)
    return studio


def loaded(studio: Studio, model: Model) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(load_code.python(studio, model) or pytest.fail(), names)
    return names


def logits(model: Any, tokenizer: Any) -> torch.Tensor:
    with torch.no_grad():
        output: torch.Tensor = model.eval()(**tokenizer("What is 2 plus 3?", return_tensors="pt")).logits
    return output


def test_whole_models_and_adapters_that_write(studio_with_models: Studio) -> None:
    studio = studio_with_models
    base = loaded(studio, registry.get(studio, "tiny-chat"))
    beside = loaded(studio, adapter(studio, "tiny-chat"))
    one, other = (logits(each["model"], each["tokenizer"]) for each in (base, beside))
    assert one.shape == other.shape and not torch.allclose(one, other)
    assert "lora" in str(beside["model"]).lower() and "lora" not in str(base["model"]).lower()


def test_a_reward_model_has_the_head_that_it_learnt(studio_with_models: Studio) -> None:
    studio = studio_with_models
    torch.manual_seed(7)
    row = registry.get(studio, "tiny-base")
    run = {"run": {"model": {"id": row.id}}}
    job = queue.submit(studio, kind="train", name="judge", method="reward", spec=run)
    folder = Path(str(job.run_dir)) / run_folder.MODEL
    tokenizer = AutoTokenizer.from_pretrained(row.path)
    learnt = AutoModelForSequenceClassification.from_pretrained(row.path, num_labels=1)
    learnt.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    names = loaded(studio, registry.register_result(studio, job, {"model": run_folder.MODEL, "kind": "full"}))
    torch.testing.assert_close(logits(names["model"], names["tokenizer"]), logits(learnt, tokenizer))
