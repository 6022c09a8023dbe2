"""What an operation would do to versions of the studio, and what is being done to them now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job
from studio_core.curation import making, preview
from studio_core.curation.base import Operation, Source, validated
from studio_core.data import versions
from studio_core.runs import queue


def source_of(studio: Studio, dataset: Dataset) -> Source:
    return Source.of(versions.resolve_dataset(studio, dataset))


def previewed(
    studio: Studio, operation: Operation, datasets: Sequence[Dataset], options: Mapping[str, Any]
) -> preview.Preview:
    """What the operation makes of the first records, worked out here and now; raises ``BadInput``."""
    making.check_taken(operation, datasets)
    sources = [source_of(studio, dataset) for dataset in datasets]
    return preview.tried(operation, sources, validated(operation, dict(options)))


def expected(
    studio: Studio, operation: Operation, datasets: Sequence[Dataset], options: Mapping[str, Any]
) -> dict[str, int]:
    """The counts that the result will have, of an operation that knows them beforehand; raises ``BadInput``."""
    if operation.expects is None:
        raise ValueError(f"{operation.name} cannot tell")
    making.check_taken(operation, datasets)
    sources = [source_of(studio, dataset) for dataset in datasets]
    return operation.expects(sources, validated(operation, dict(options)))


def job_on(studio: Studio, dataset: Dataset) -> Job | None:
    """An operation on a version that has not ended."""
    title = f"{dataset.name}@{dataset.version}"
    for job in (*queue.waiting(studio), *queue.live(studio)):
        operation = job.kind == "data" and job.method not in making.WITHOUT_OPERATION
        if operation and job.spec["datasets"][:1] == [title]:
            return job
    return None
