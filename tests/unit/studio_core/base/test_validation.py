"""What is wrong with values is said in one sentence, which quotes no more than it must."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, Field, ValidationError, model_validator

from studio_core.base import settings
from studio_core.base.errors import BadInput
from studio_core.base.validation import complaint
from studio_core.chat import chats
from studio_core.labeling import making, projects


class Inner(BaseModel):
    share: float = Field(ge=0, le=1)


class Outer(BaseModel):
    parts: list[Inner] = []

    @model_validator(mode="after")
    def _some(self) -> Outer:
        if not self.parts:
            raise BadInputValue("no parts")
        return self


class BadInputValue(ValueError):
    pass


def test_the_first_complaint_names_the_innermost_field() -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"parts": [{"share": 0.5}, {"share": 2}, {"share": 3}]})
    first = complaint(caught.value)
    assert (first.name, first.value, first.type) == ("parts.1.share", "2", "less_than_equal")
    assert "less than or equal to 1" in first.reason and first.raised is None
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({})
    first = complaint(caught.value)
    assert first.name == "" and isinstance(first.raised, BadInputValue)


def test_settings_that_will_not_do_are_named_and_quoted_in_part() -> None:
    long = "x" * 100_000
    with pytest.raises(BadInput, match="temperature cannot be xxx") as chat:
        chats.checked_settings(temperature=long)
    with pytest.raises(BadInput, match="Invalid setting port='xxx") as general:
        settings.load(port=long)
    with pytest.raises(BadInput, match="Invalid project setting votes='xxx") as project:
        projects.checked_settings({"votes": long})
    with pytest.raises(BadInput, match="top_p of an answer source, '7'"):
        making.checked_source(model="tiny-chat", top_p=7)
    assert all(len(str(one.value)) < 300 for one in (chat, general, project))
