"""How a record looks to the model that is trained on it."""

from __future__ import annotations

import pytest

from app.parts.record_view import as_the_model_sees_it
from studio_core.data.preview import ChatFormat
from studio_core.data.shapes import Shape
from studio_core.settings import bundled_folder


@pytest.mark.parametrize("good", [True, False])
def test_of_a_bad_answer_it_is_said_that_it_is_not_to_be_written(good: bool) -> None:
    chat = ChatFormat.load(bundled_folder() / "models" / "tiny-chat")
    record = {
        "prompt": [{"role": "user", "content": "Who are you?"}],
        "completion": [{"role": "assistant", "content": "Nobody."}],
        "label": good,
    }
    drawn = as_the_model_sees_it(chat, Shape.UNPAIRED_PREFERENCE, record, None, "en")
    assert ("the model learns to write this" in drawn) is good
    assert ("the model learns not to write this" in drawn) is not good
    assert '<mark class="ts-trained">Nobody.' in drawn
