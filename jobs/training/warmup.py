"""Everything that a run imports, imported: what a warm worker does while it waits."""

from __future__ import annotations

import gc


def prepare() -> None:
    """Import all that trainings and chats need, and fill the tables that libraries build when first used."""
    import jobs.training.dpo
    import jobs.training.kto
    import jobs.training.reward
    import jobs.training.sft  # noqa: F401

    gc.collect()
    gc.freeze()  # What is loaded now stays; the collector need not walk through it again.
