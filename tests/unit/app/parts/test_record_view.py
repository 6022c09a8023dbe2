"""How a record looks to the model that is trained on it."""

from __future__ import annotations

import pytest

from app.parts.record_view import as_the_model_sees_it
from studio_core.base.settings import bundled_folder
from studio_core.data.shapes import Shape
from studio_core.data.tokenized import preview_record
from studio_core.runs.spec import ResolvedModel


@pytest.mark.parametrize("good", [True, False])
def test_of_a_bad_answer_it_is_said_that_it_is_not_to_be_written(good: bool) -> None:
    model = ResolvedModel(name="tiny-chat", path=str(bundled_folder() / "models" / "tiny-chat"))
    record = {
        "prompt": [{"role": "user", "content": "Who are you?"}],
        "completion": [{"role": "assistant", "content": "Nobody."}],
        "label": good,
    }
    shape = Shape.UNPAIRED_PREFERENCE
    drawn = as_the_model_sees_it(preview_record(model, shape, record, None), shape, record, "en")
    assert ("the model learns to write this" in drawn) is good
    assert ("the model learns not to write this" in drawn) is not good
    assert '<mark class="ts-trained">Nobody.' in drawn
