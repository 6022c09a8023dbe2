"""The versions of a dataset's page: history, comparison, and texts of data that are only shown."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from app.parts import version_view
from app.parts.dataset.versions import Versions
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.data import lineage, store
from tests.unit.app.parts.by_name import ByName

HOSTILE = "<img src=x onerror=alert(1)>"


def request(**query: str) -> Any:
    return SimpleNamespace(cookies={}, headers={"accept-language": "en"}, query_params=query)


@pytest.fixture
def two(studio: Studio, tmp_path: Path) -> tuple[Dataset, Dataset]:
    """Version 2 lacks question 0, has question 30 besides, and another answer to question 5."""

    def stored(numbers: range, fifth: str) -> Dataset:
        file = tmp_path / "mine.jsonl"
        rows = [{"prompt": f"q {n}", "completion": fifth if n == 5 else f"a {n}"} for n in numbers]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return store.import_file(studio, file).dataset

    return stored(range(30), f"an old {HOSTILE}"), stored(range(1, 31), f"a new {HOSTILE}")


def test_two_versions_are_compared(studio: Studio, two: tuple[Dataset, Dataset]) -> None:
    section, asked = Versions(studio, ByName()), request(id="mine@2")
    updates = section.open(request(id="mine@2", **{"with": "mine@1"}))
    history, others, counts, listed = (updates[name] for name in ("history", "other", "counts", "listed"))
    assert history.index("mine@2") < history.index("mine@1") and 'aria-current="true"' in history
    assert others.value == "mine@1" and updates["turning"].visible
    assert (updates["kind"], updates["offset"]) == ("changed", 0)
    assert "From mine@1 to mine@2" in counts and ">28<" in counts
    assert "<del>an</del><ins>a</ins> <del>old</del><ins>new</ins> &lt;img" in listed
    assert "<img" not in listed
    assert section.compare(asked, "mine@1")["listed"] == listed
    added = section.choose(asked, "mine@1", "added")["listed"]
    removed = section.forward(asked, "mine@1", "removed", 0)["listed"]
    assert "q 30" in added and "+ 30" in added
    assert "q 0" in removed and "− 1" in removed


def test_a_version_that_comes_while_one_looks_is_told(studio: Studio, two: tuple[Dataset, Dataset]) -> None:
    old, new = two
    section, asked = Versions(studio, ByName()), request(id="mine@2")
    first = section.look(asked, "")
    assert "mine@1" in first["history"] and first["other"].choices == [("mine@1", "mine@1")]
    assert section.look(asked, first["family"]) == gr.skip()
    with studio.db.write() as session:
        session.add(
            Dataset(
                name="made", version=1, shape=new.shape, rows=1, rejected=[], sha256="0" * 64, file=new.file, bytes=1,
                source="", mapping={}, operation="filter", parents=[new.id], made={},
            )
        )  # fmt: skip
    later = section.look(asked, first["family"])
    assert "made@1" in later["history"] and later["family"] != first["family"]
    assert [name for name, _ in later["other"].choices] == ["made@1", "mine@1"]
    assert [(one.name, one.version) for one in lineage.after(studio, new)] == [("made", 1)]
    assert [one.name for one in lineage.after(studio, old)] == ["mine"]
    told = version_view.news(lineage.after(studio, new), "en")
    assert "made@1</a>" in told and version_view.news([], "en") == ""


def test_nothing_is_compared_unless_asked(studio: Studio, two: tuple[Dataset, Dataset]) -> None:
    updates = Versions(studio, ByName()).open(request(id="mine@2"))
    assert updates["other"].value == "mine@1" and not updates["turning"].visible
    assert (updates["counts"], updates["listed"]) == ("", "") and "kind" not in updates


@pytest.mark.parametrize("other", ["", "nothing", "mine@9", "<b>", None, "9" * 40])
def test_another_version_that_is_not_there(studio: Studio, two: tuple[Dataset, Dataset], other: Any) -> None:
    section = Versions(studio, ByName())
    assert "There is no dataset" in section.compare(request(id="mine@2"), other)["counts"]
    if other:
        assert "There is no dataset" in section.open(request(id="mine@2", **{"with": other}))["counts"]


def test_the_same_version_does_not_differ(studio: Studio, two: tuple[Dataset, Dataset]) -> None:
    updates = Versions(studio, ByName()).compare(request(id="mine@1"), "mine@1")
    assert ">30<" in updates["counts"] and not updates["turning"].visible


def test_long_texts_are_cut_around_what_changed() -> None:
    shown = version_view._words("a" * 5000 + " old " + "b " * 3000, "a" * 5000 + " new " + "b " * 3000)
    assert "<del>old</del><ins>new</ins>" in shown and len(shown) < 600
