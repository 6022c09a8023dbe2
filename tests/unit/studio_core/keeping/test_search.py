from __future__ import annotations

import pytest

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.keeping import marks, search
from studio_core.keeping.runs import RUNS
from studio_core.keeping.search import Query
from studio_core.keeping.things import THINGS
from studio_core.runs import queue


def submit(studio: Studio, name: str, kind: str = "train", **spec: object) -> int:
    return queue.submit(studio, kind=kind, name=name, method="sft", spec=spec).id


def found(studio: Studio, text: str = "", **more: object) -> list[int]:
    return [row.id for row in search.find(studio, RUNS, Query(text, **more)).rows]  # type: ignore[arg-type]


def test_words_are_looked_for_in_all_that_says_what_a_run_is(studio: Studio) -> None:
    a = submit(studio, "Poet", model="tiny-base", dataset="sums")
    b = submit(studio, "poet 二", model="大模型", dataset="100%_sure")
    c = submit(studio, "x", kind="evaluate", models=["大模型", "other"])
    submit(studio, "chat", kind="serve")
    assert found(studio) == [c, b, a]
    assert found(studio, "POET") == [b, a] and found(studio, "poet sums") == [a]
    # In lists of names too, which the database keeps escaped.
    assert found(studio, "大模型") == [c, b] and found(studio, "二") == [b]
    # No sign is a wildcard.
    assert found(studio, "%") == found(studio, "0%_s") == [b] and found(studio, "_x_") == []
    assert found(studio, f"#{c}") == [c] and found(studio, str(a)) == [b, a]


def test_tags_stars_and_the_archive_narrow(studio: Studio) -> None:
    a, b, c = (submit(studio, name) for name in ("one", "two", "three"))
    marks.change(studio, RUNS, [a, b], add=["good", "好"], note="keep *this*")
    marks.change(studio, RUNS, [b], starred=True)
    assert found(studio, "tag:good") == [b, a] and found(studio, "tag:goo") == []
    assert found(studio, "tag:好 two") == [b] and found(studio, "this") == [b, a]
    assert found(studio, starred=True) == [b]
    marks.change(studio, RUNS, [b], archived=True)
    assert found(studio) == [c, a] and found(studio, archived=True) == [b]
    assert marks.tags(studio, RUNS) == {"good": 2, "好": 2}


def test_orders_and_pages(studio: Studio) -> None:
    ids = [submit(studio, name) for name in ("b", "c", "a")]
    assert found(studio, sort="name") == [ids[2], ids[0], ids[1]]
    assert found(studio, sort="-name") == [ids[1], ids[0], ids[2]]
    assert found(studio, sort="-newest") == ids
    page = search.find(studio, RUNS, Query(sort="-newest", offset=1, limit=1))
    assert ([row.id for row in page.rows], page.total) == ([ids[1]], 3)
    with pytest.raises(BadInput, match=r"no order 'x'.*newest, name"):
        found(studio, sort="x")


@pytest.mark.parametrize("thing", THINGS.values(), ids=lambda thing: thing.name)
def test_every_kind_of_thing_can_be_searched_in_every_order(studio: Studio, thing: search.Thing) -> None:
    for sort in thing.sorts:
        assert search.find(studio, thing, Query("x' OR 1=1 --", sort=sort)).total == 0


def test_an_address_says_the_whole_query() -> None:
    query = Query("tag:good poet", starred=True, archived=True, sort="-loss", offset=100)
    assert Query.read(query.address()) == query
    assert Query.read({}) == Query() and Query().address() == {}
    for page in ("0", "-1", "x", "²", "9" * 30):
        assert Query.read({"page": page}) == Query()
    assert len(Query.read({"q": "x" * 10_000}).text) == search.LONGEST
