"""Work on data, in a worker: an operation, a report or an import. Torch is imported only by what loads a model."""

from __future__ import annotations

from jobs.curation.main import main

__all__ = ["main"]
