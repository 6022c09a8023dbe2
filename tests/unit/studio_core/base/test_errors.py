from __future__ import annotations

import pytest

from studio_core.base.errors import BadInput, Conflict, NotFound, StudioError


def test_an_error_is_its_sentence_in_the_readers_language() -> None:
    error = NotFound("job_not_found", job=12)
    assert str(error) == "There is no job 12. The Runs page lists all jobs."
    assert "12" in error.sentence("zh-CN") and error.sentence("zh-CN") != str(error)


def test_a_key_of_another_area_is_taken_as_it_is() -> None:
    assert StudioError("engine.not_starting", log="x").key == "engine.not_starting"


def test_values_of_the_user_are_not_templates() -> None:
    assert "{home}" in str(BadInput("setting_invalid", name="{home}", value="{0}", reason="{}"))


@pytest.mark.parametrize(("kind", "code"), [(StudioError, 1), (BadInput, 2), (NotFound, 2), (Conflict, 2)])
def test_exit_codes(kind: type[StudioError], code: int) -> None:
    assert kind("job_not_found", job=1).exit_code == code


def test_a_key_that_does_not_exist_is_a_defect() -> None:
    with pytest.raises(KeyError):
        str(StudioError("no_such_key"))
