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
    section, asked = Versions(studio), request(id="mine@2")
    history, others, counts, row, kind, listed, offset = section.open(
        request(id="mine@2", **{"with": "mine@1"})
    )
    assert history.index("mine@2") < history.index("mine@1") and 'aria-current="true"' in history
    assert others.value == "mine@1" and row.visible and (kind, offset) == ("changed", 0)
    assert "From mine@1 to mine@2" in counts and ">28<" in counts
    assert "<del>an</del><ins>a</ins> <del>old</del><ins>new</ins> &lt;img" in listed
    assert "<img" not in listed
    assert section.compared(asked, "mine@1")[3] == listed
    added, _ = section.chosen(asked, "mine@1", "added")
    removed, _ = section.forward(asked, "mine@1", "removed", 0)
    assert "q 30" in added and "+ 30" in added
    assert "q 0" in removed and "− 1" in removed


def test_a_version_that_comes_while_one_looks_is_told(studio: Studio, two: tuple[Dataset, Dataset]) -> None:
    old, new = two
    section, asked = Versions(studio), request(id="mine@2")
    history, others, seen = section.look(asked, "")
    assert "mine@1" in history and others.choices == [("mine@1", "mine@1")]
    assert section.look(asked, seen) == (gr.skip(),) * 3
    with studio.db.write() as session:
        session.add(
            Dataset(
                name="made", version=1, shape=new.shape, rows=1, rejected=[], sha256="0" * 64, file=new.file, bytes=1,
                source="", mapping={}, operation="filter", parents=[new.id], made={},
            )
        )  # fmt: skip
    history, others, later = section.look(asked, seen)
    assert (
        "made@1" in history and [name for name, _ in others.choices] == ["made@1", "mine@1"] and later != seen
    )
    assert [(one.name, one.version) for one in lineage.after(studio, new)] == [("made", 1)]
    assert [one.name for one in lineage.after(studio, old)] == ["mine"]
    told = version_view.news(lineage.after(studio, new), "en")
    assert "made@1</a>" in told and version_view.news([], "en") == ""


def test_nothing_is_compared_unless_asked(studio: Studio, two: tuple[Dataset, Dataset]) -> None:
    _, others, counts, row, _, listed, _ = Versions(studio).open(request(id="mine@2"))
    assert others.value == "mine@1" and (counts, listed) == ("", "") and not row.visible


@pytest.mark.parametrize("other", ["", "nothing", "mine@9", "<b>", None, "9" * 40])
def test_another_version_that_is_not_there(studio: Studio, two: tuple[Dataset, Dataset], other: Any) -> None:
    section = Versions(studio)
    assert "There is no dataset" in section.compared(request(id="mine@2"), other)[0]
    if other:
        assert "There is no dataset" in section.open(request(id="mine@2", **{"with": other}))[2]


def test_the_same_version_does_not_differ(studio: Studio, two: tuple[Dataset, Dataset]) -> None:
    counts, row, *_ = Versions(studio).compared(request(id="mine@1"), "mine@1")
    assert ">30<" in counts and not row.visible


def test_long_texts_are_cut_around_what_changed() -> None:
    shown = version_view._words("a" * 5000 + " old " + "b " * 3000, "a" * 5000 + " new " + "b " * 3000)
    assert "<del>old</del><ins>new</ins>" in shown and len(shown) < 600
