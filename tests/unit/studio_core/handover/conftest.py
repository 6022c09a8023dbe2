from __future__ import annotations

from pathlib import Path

import pytest

from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.models import registry
from tests.unit.studio_core.training.runs import chat, imported


@pytest.fixture
def studio(studio: Studio) -> Studio:
    registry.ensure_demo_models(studio)
    return studio


@pytest.fixture
def sums(studio: Studio, tmp_path: Path) -> Dataset:
    rows = [chat(f"What is {n} plus {n}?", f"It is {2 * n}.", "Count.") for n in range(40)]
    return imported(studio, "sums", rows, tmp_path)


@pytest.fixture
def pairs(studio: Studio, tmp_path: Path) -> Dataset:
    rows = [{"prompt": f"Name {n}?", "chosen": f"I am {n}.", "rejected": "No."} for n in range(40)]
    return imported(studio, "pairs", rows, tmp_path)


@pytest.fixture
def judged(studio: Studio, tmp_path: Path) -> Dataset:
    rows = [{"prompt": f"Name {n}?", "completion": f"I am {n}.", "label": n % 4 == 0} for n in range(40)]
    return imported(studio, "judged", rows, tmp_path)
