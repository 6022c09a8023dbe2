"""Everything that a run imports, imported: what a warm worker does while it waits."""

from __future__ import annotations

import gc
from importlib import import_module

from studio_core.methods import METHODS


def prepare() -> None:
    """Import all that trainings and chats need, and fill the tables that libraries build when first used."""
    for method in METHODS.values():
        import_module(method.script)
    gc.collect()
    gc.freeze()  # What is loaded now stays; the collector need not walk through it again.
