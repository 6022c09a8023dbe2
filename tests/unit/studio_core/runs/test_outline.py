from __future__ import annotations

import math

import pytest
from sqlalchemy import delete, func, select

from studio_core.base.studio import Studio
from studio_core.base.tables import Job, MetricStretch
from studio_core.runs import metrics, outline, queue
from studio_core.runs.outline import FACTOR, STRETCH, Point, thin
from tests.unit.studio_core.runs.test_metrics import lines, metric


def wave(count: int) -> list[Point]:
    return [(step, math.sin(step / 500)) for step in range(count)]


def test_a_short_line_stays_as_it_is() -> None:
    assert thin(wave(10), 10) == wave(10)


@pytest.mark.parametrize("place", [1, 7, 499, 31_234, 49_998])
@pytest.mark.parametrize("spike", [99.0, -99.0, None])
def test_a_thinned_line_keeps_its_spikes_its_gaps_its_ends_and_its_order(
    place: int, spike: float | None
) -> None:
    line = wave(50_000)
    line[place] = (place, spike)
    kept = thin(line, 1000)
    assert len(kept) <= 1000
    assert line[place] in kept
    assert (kept[0], kept[-1]) == (line[0], line[-1])
    assert [step for step, _ in kept] == sorted({step for step, _ in kept})


def test_a_line_of_gaps_is_one_of_gaps() -> None:
    assert {value for _, value in thin([(step, None) for step in range(5000)], 100)} == {None}


def report(studio: Studio, job: Job, steps: range, **spikes: float | None) -> None:
    """Losses of 1, but those named ``at_<step>``; every tenth step has an evaluation too."""
    events = []
    for step in steps:
        values: dict[str, object] = {"loss": spikes.get(f"at_{step}", 1.0)}
        if step % 10 == 0:
            values["eval_loss"] = 2.0
        events.append(metric(step, step, **values))
    start = queue.get(studio, job.id).events_offset
    metrics.store(studio, job.id, lines(*events, start=start))


def test_a_long_run_is_outlined_from_few_rows(studio: Studio) -> None:
    job = queue.submit(studio, kind="train", name="x", spec={})
    last = 5 * STRETCH * FACTOR**2 + 17
    for begin in range(1, last + 1, 100):  # As they come: never at the end of a stretch.
        spikes = {"at_300": 50.0, "at_301": -50.0, "at_777": None}
        report(studio, job, range(begin, min(begin + 100, last + 1)), **spikes)
    whole = outline.outline(studio, job.id, most=10)
    assert whole.seq == last
    loss = whole.lines["loss"]
    assert {(300, 50.0), (301, -50.0), (777, None)} <= set(loss)
    # After the last whole stretch: one of the finest level, then the newest report itself.
    assert [step for step, _ in loss[-3:]] == [last - 16, last - 1, last]
    assert [step for step, _ in loss] == sorted({step for step, _ in loss})
    assert len(loss) <= 5 * 3 + 3
    assert all(value == 2.0 for _, value in whole.lines["eval_loss"])


def test_a_short_run_is_whole(studio: Studio) -> None:
    job = queue.submit(studio, kind="train", name="x", spec={})
    report(studio, job, range(1, 1000))
    assert outline.outline(studio, job.id).lines["loss"] == [(step, 1.0) for step in range(1, 1000)]


def test_what_an_older_studio_stored_is_condensed_with_the_next_report(studio: Studio) -> None:
    job = queue.submit(studio, kind="train", name="x", spec={})
    report(studio, job, range(1, 500))
    with studio.db.write() as session:
        session.execute(delete(MetricStretch))
    report(studio, job, range(500, 501))
    with studio.db.read() as session:
        levels = select(MetricStretch.level, func.count()).group_by(MetricStretch.level)
        assert [tuple(row) for row in session.execute(levels)] == [(0, 31), (1, 7), (2, 1)]


def test_an_outline_ends_at_a_step(studio: Studio) -> None:
    job = queue.submit(studio, kind="train", name="x", spec={})
    report(studio, job, range(1, 3 * STRETCH), **{f"at_{STRETCH + 5}": 9.0, f"at_{STRETCH + 6}": 99.0})
    loss = outline.outline(studio, job.id, until=STRETCH + 5, most=3).lines["loss"]
    assert loss[-1] == (STRETCH + 5, 9.0)


def test_a_run_that_reported_nothing_has_no_lines(studio: Studio) -> None:
    job = queue.submit(studio, kind="train", name="x", spec={})
    assert outline.outline(studio, job.id) == outline.Outline({}, 0)


def test_moments_of_a_long_run_are_those_at_the_ends_of_its_stretches(studio: Studio) -> None:
    job = queue.submit(studio, kind="train", name="x", spec={})
    report(studio, job, range(1, 3 * STRETCH))
    assert [step for step, _ in outline.moments(studio, job.id)] == [*range(1, 3 * STRETCH)]
    few = outline.moments(studio, job.id, most=3)
    assert [step for step, _ in few] == [1, STRETCH, 2 * STRETCH, 3 * STRETCH - 1]
