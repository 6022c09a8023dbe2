"""What tests of trainings share."""

from __future__ import annotations

import pytest

from studio_core.runs.spec import ResolvedModel
from tests.integration.miniature import miniature_model


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> ResolvedModel:
    """A model of two layers, which no test changes."""
    return miniature_model(tmp_path_factory.mktemp("models") / "base")
