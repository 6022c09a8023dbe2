"""The decoding loop: all rows to their ends, in batches of what may share one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from jobs.generation.lane import Lane, Row
from jobs.generation.twin_lane import TwinLane


def advance(
    rows: Sequence[Row],
    cancelled: Callable[[], bool] = lambda: False,
    broken: Callable[[Lane, Exception], None] | None = None,
) -> Iterator[tuple[Row, str]]:
    """All rows to their ends: each with its new text, token by token; those on one base in one batch, others in turn.

    ``cancelled`` ends those that go on. ``broken`` is told of a batch whose pass has raised, and gives its rows
    their errors; without it the exception is raised here.
    """
    all_lanes = _lanes(rows)
    try:
        yield from _in_turn(all_lanes, cancelled, broken)
    finally:
        for lane in all_lanes:
            lane.close()


def _in_turn(
    all_lanes: Sequence[Lane],
    cancelled: Callable[[], bool],
    broken: Callable[[Lane, Exception], None] | None,
) -> Iterator[tuple[Row, str]]:
    lanes = deque(all_lanes)
    while lanes:
        lane = lanes.popleft()
        if cancelled():
            for row in lane.rows:
                row.reason = "cancelled"
                yield row, ""
            continue
        if not lane.ready and any(other.ready for other in lanes):
            lanes.append(lane)
            continue
        try:
            pieces = lane.step()
        except Exception as error:
            if broken is None:
                raise
            broken(lane, error)
            yield from ((row, "") for row in lane.rows)
            continue
        yield from pieces
        if lane.rows:
            lanes.append(lane)


def _lanes(rows: Sequence[Row]) -> list[Lane]:
    """Few rows of a model that has a twin are computed by it; all others share batches."""
    asked: dict[int, list[Row]] = {}
    for row in rows:
        if row.model.twin is not None:
            asked.setdefault(id(row.model.twin), []).append(row)
    pairs = [(twin, group) for group in asked.values() if (twin := group[0].model.twin) and twin.takes(group)]
    taken = {id(row) for _, group in pairs for row in group}
    threads = torch.get_num_threads() > 1
    return [
        # This thread computes one itself: a third thread would have two cores to share with the others.
        *(TwinLane(group, twin, beside=threads and place > 0) for place, (twin, group) in enumerate(pairs)),
        *(Lane(group) for group in _groups([row for row in rows if id(row) not in taken])),
    ]


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that may share a batch: one base, and either all mixable or all on the same adapter."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        apart = None if row.model.mixable else row.model.adapter
        groups.setdefault((id(row.model.base), apart), []).append(row)
    return list(groups.values())
