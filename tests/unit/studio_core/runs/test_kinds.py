"""Every row of the kinds of jobs names what is there."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from app.parts.run_watch import VIEWS
from studio_core.base.tables import Job
from studio_core.runs import kinds
from studio_core.runs.kinds import KINDS, LISTED, SERVICES, Kind, kind_of
from studio_core.runs.slots import slot_kind
from studio_core.texts import LANGUAGES, catalogue


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_what_a_row_names_is_there(kind: Kind) -> None:
    assert kind.spec.model_fields["spec" if "spec" in kind.spec.model_fields else "kind"]
    module, _, function = kind.script.partition(":")
    place = find_spec(module)  # Not imported: a script may need torch.
    assert place is not None and place.origin is not None
    assert f"def {function}(" in Path(place.origin).read_text(encoding="utf-8")
    for named in (kind.resume, kind.register, kind.store, kind.discard):
        assert not named or callable(kinds.load(named))


@pytest.mark.parametrize("name", LISTED)
def test_a_kind_that_is_listed_has_a_view_and_a_title(name: str) -> None:
    assert VIEWS[name].header and VIEWS[name].progress
    assert all(f"runs.kind_{name}" in catalogue(language) for language in LANGUAGES)


def test_a_service_is_not_listed_and_has_a_slot_of_its_own() -> None:
    assert set(SERVICES) == {"serve"} and not {*SERVICES} & {*LISTED}
    assert slot_kind(Job(kind="serve", spec={"device": "gpu"}), []) == "serve"


def test_of_a_kind_of_another_version_nothing_is_known_but_its_name() -> None:
    unknown = kind_of("dream")
    assert (unknown.name, unknown.slot, unknown.service) == ("dream", "", False)
    assert kinds.call(unknown.register, "no studio is asked") is None
