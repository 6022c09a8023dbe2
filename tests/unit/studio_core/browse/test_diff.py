"""Two versions compared: what a plain loop over both would say, whatever was done to them."""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.browse import diff
from studio_core.data import lineage, parquet, versions
from studio_core.data.shapes import Record, Shape
from studio_core.data.versions import Made

_names = (f"compared-{number}" for number in itertools.count())


def stored(
    studio: Studio,
    records: list[Record],
    shape: Shape,
    name: str = "",
    parents: tuple[int, ...] = (),
    keep: tuple[str, ...] = (),
) -> Dataset:
    with tempfile.NamedTemporaryFile(dir=studio.settings.uploads, delete=False) as file:
        writer = parquet.Writer(file, shape, keep)
        for record in records:
            writer.add(record)
        sha256 = writer.close()
    made = Made(name or next(_names), shape, len(records), sha256, "test", parents=parents)
    return versions.add(studio, Path(file.name), made)[0]


def pair(question: str, answer: str) -> Record:
    return {
        "prompt": [{"role": "system", "content": "S"}, {"role": "user", "content": question}],
        "completion": [{"role": "assistant", "content": answer}],
    }


sides = st.lists(st.tuples(st.sampled_from("pqr中"), st.sampled_from("abc")), min_size=1, max_size=12)


@given(before=sides, after=sides)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_differences_are_those_of_a_loop(
    studio: Studio, before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    older = stored(studio, [pair(*one) for one in before], Shape.PROMPT_COMPLETION)
    newer = stored(studio, [pair(*one) for one in after], Shape.PROMPT_COMPLETION)
    same = Counter(before) & Counter(after)
    gone, come = Counter(before) - same, Counter(after) - same
    asked = Counter(q for q, _ in gone.elements()), Counter(q for q, _ in come.elements())
    changed = (asked[0] & asked[1]).total()
    found = diff.compare(studio, older, newer)
    assert found.counts == {
        "same": same.total(),
        "changed": changed,
        "added": come.total() - changed,
        "removed": gone.total() - changed,
    }
    for change in diff.page(studio, older, newer, "changed", 0, 100):
        assert change.before and change.after and change.before_row and change.after_row
        assert change.before["prompt"] == change.after["prompt"]
        assert change.before["completion"] != change.after["completion"]
        assert pair(*before[change.before_row - 1]) == change.before
    added = [change.after for change in diff.page(studio, older, newer, "added", 0, 100)]
    removed = [change.before for change in diff.page(studio, older, newer, "removed", 0, 100)]
    assert (len(added), len(removed)) == (len(found.added), len(found.removed))


def test_shapes_and_columns_may_differ(studio: Studio) -> None:
    message = [{"role": "user", "content": "Q"}]
    chat = stored(studio, [{"messages": [*message, {"role": "assistant", "content": "A"}]}], Shape.CHAT)
    pairs = stored(
        studio,
        [{"prompt": message, "completion": [{"role": "assistant", "content": "A"}]}],
        Shape.PROMPT_COMPLETION,
    )
    assert diff.compare(studio, chat, pairs).counts == {"same": 0, "changed": 1, "added": 0, "removed": 0}
    plain = stored(studio, [{"prompt": message}], Shape.PROMPT_ONLY)
    kept = stored(studio, [{"prompt": message, "note": None}], Shape.PROMPT_ONLY, keep=("note",))
    assert diff.compare(studio, plain, kept).counts["same"] == 1
    texts = [stored(studio, [{"text": "A title\n" + text}], Shape.TEXT) for text in ("one", "two")]
    [change] = diff.page(studio, *texts, "changed")
    assert (change.before, change.after) == ({"text": "A title\none"}, {"text": "A title\ntwo"})
    with pytest.raises(BadInput, match="changed, added, removed"):
        diff.page(studio, *texts, "'; DROP")


text = st.text(alphabet="ab 中文,\n", max_size=40)


@given(before=text, after=text)
def test_words_make_up_both_texts(before: str, after: str) -> None:
    pieces = diff.words(before, after)
    assert "".join(part for kind, part in pieces if kind != "added") == before
    assert "".join(part for kind, part in pieces if kind != "removed") == after


def test_words() -> None:
    assert diff.words("I like red cars", "I like blue cars") == [
        ("same", "I like "),
        ("removed", "red"),
        ("added", "blue"),
        ("same", " cars"),
    ]
    assert diff.words("我喜欢红色", "我喜欢蓝色")[1:3] == [("removed", "红"), ("added", "蓝")]
    long = diff.words("a " * 9000 + "x", "b " * 9000 + "x")
    assert [kind for kind, _ in long] == ["removed", "added", "same"]


def test_the_family_of_a_version(studio: Studio) -> None:
    def one(answer: str, name: str, *parents: Dataset) -> Dataset:
        ids = tuple(parent.id for parent in parents)
        return stored(studio, [pair("q", answer)], Shape.PROMPT_COMPLETION, name, ids)

    first = one("1", "family")
    second = one("2", "family", first)
    child = one("3", "family-train", second)
    stranger = one("4", "stranger")
    mixed = one("5", "mixed", child)
    assert [d.id for d in lineage.family(studio, first)] == [mixed.id, child.id, second.id, first.id]
    assert [d.id for d in lineage.family(studio, stranger)] == [stranger.id]
    assert [getattr(lineage.before(studio, d), "id", None) for d in (first, second, child)] == [
        None,
        first.id,
        second.id,
    ]


def test_keys_that_only_one_version_has_change_no_other_record(studio: Studio) -> None:
    plain = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
    other = {"messages": [{"role": "user", "content": "r"}, {"role": "assistant", "content": "b"}]}
    thought = {"messages": [other["messages"][0], {**other["messages"][1], "reasoning": "hm"}]}
    older = stored(studio, [plain, other], Shape.CHAT)
    newer = stored(studio, [plain, thought], Shape.CHAT)
    assert diff.compare(studio, older, newer).counts == {"same": 1, "changed": 1, "added": 0, "removed": 0}
    [change] = diff.page(studio, older, newer, "changed")
    assert (change.before, change.after) == (other, thought)
