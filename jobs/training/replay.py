"""Rows of another dataset among those that are learnt (experience replay): what was learnt from them before is kept.

Drawn once, by the run's seed; every epoch has the same ones, so that a resumed run sees what the unbroken one would.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from datasets import concatenate_datasets

from jobs.training.data import Prepared
from studio_core.methods.common import ReplayOptions
from studio_core.runs.spec import ResolvedDataset


def mix_in(
    prepared: Prepared,
    earlier: ResolvedDataset,
    options: ReplayOptions,
    seed: int,
    tokens_of: Callable[[ResolvedDataset], Prepared],
) -> None:
    """Add rows of ``earlier`` to those that are trained on. Only what is drawn is made tokens.

    Where it has too few, they come more than once; what the length limit takes of them counts as of the others.
    """
    count = options.replayed(len(prepared.train))
    if not count:
        return
    draw = random.Random(f"replay {seed}")
    # In the order of the file, which is read once from its beginning to its end.
    chosen = sorted(draw.sample(range(earlier.rows), min(count, earlier.rows)))
    made = tokens_of(earlier.model_copy(update={"chosen": chosen}))
    order = [*range(len(made.train))]
    draw.shuffle(order)
    # Rows that the length limit left nothing of are gone: the others come again in their place.
    rows = made.train.select([order[place % len(order)] for place in range(count)])
    prepared.train = concatenate_datasets([prepared.train, rows])
    prepared.tokens += sum(rows["length"])
    prepared.replayed = count
    prepared.cut += made.cut
    prepared.dropped += made.dropped
