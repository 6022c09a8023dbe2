"""The order of rows: like lengths together, and the longest first; and what is held besides in the first step."""

from __future__ import annotations

import random
import weakref
from collections import Counter
from itertools import chain
from typing import Any
from unittest.mock import patch

import pytest
import torch

from jobs.training.grouping import LikeLengths, longest_first
from jobs.training.loop import rows_of_step
from jobs.training.reserve import hold_moments


def batches(order: LikeLengths, size: int, epoch: int) -> list[list[int]]:
    order.set_epoch(epoch)
    rows = [*order]
    return [rows[start : start + size] for start in range(0, len(rows), size)]


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 103])
def test_no_batch_of_the_run_needs_more_than_the_first(rows: int) -> None:
    lengths = [random.Random(n).randint(1, 200) for n in range(rows)]
    order = LikeLengths(lengths, 8, seed=3)
    epochs = [batches(order, 8, epoch) for epoch in range(4)]
    needed = [[len(batch) * max(lengths[row] for row in batch) for batch in epoch] for epoch in epochs]
    assert needed[0][0] == max(map(max, needed))
    assert all(Counter(chain(*epoch)) == Counter(range(rows)) for epoch in epochs)
    assert batches(order, 8, 0) == epochs[0]


def test_rows_of_one_length_stay_in_random_order() -> None:
    assert longest_first([3, 1, 2, 0], [5, 5, 5, 5], 2) == ([3, 1], [2, 0])


def test_a_loop_too_begins_with_the_longest_rows() -> None:
    lengths = [3, 9, 1, 8, 2, 2, 7, 1]
    steps = [rows_of_step(step, 8, 3, 0, lengths) for step in range(1, 7)]
    assert steps[0] == [1, 3, 6]
    assert Counter(chain(*steps[:3])) == Counter(chain(*steps[3:])) == Counter(range(8))
    # Later epochs are as they would be without.
    assert steps[3:] == [rows_of_step(step, 8, 3, 0) for step in range(4, 7)]


def test_what_the_moments_will_take_is_held_until_they_are_there() -> None:
    weight = torch.nn.Parameter(torch.ones(7))
    optimizer = torch.optim.AdamW([weight])
    made: list[weakref.ref[torch.Tensor]] = []
    zeros = torch.zeros_like

    def noted(*args: Any, **given: Any) -> torch.Tensor:
        tensor = zeros(*args, **given)
        made.append(weakref.ref(tensor))
        return tensor

    with patch.object(torch, "zeros_like", noted):
        hold_moments(optimizer)
    assert [ref().nbytes for ref in made] == [28, 28]  # type: ignore[union-attr]
    for _ in range(2):
        weight.sum().backward()
        optimizer.step()
        assert [ref() for ref in made] == [None, None]
    hold_moments(optimizer)  # They are there: nothing is to be held.
    hold_moments(torch.optim.SGD([weight]))
    assert (
        len(optimizer._optimizer_step_pre_hooks) == 1
    )  # That of the first call, which holds nothing any more.
