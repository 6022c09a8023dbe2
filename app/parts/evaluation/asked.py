"""Which evaluation a page's address names."""

from __future__ import annotations

from typing import Any

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.runs import queue


def asked_job(studio: Studio, request: Any) -> Job | None:
    """``?job=N``; None without it. Raises ``NotFound`` or ``BadInput`` if that is no evaluation."""
    number = str(request.query_params.get("job", ""))
    if not number:
        return None
    if not (number.isascii() and number.isdigit() and len(number) < 16):
        raise BadInput("evaluation.not_evaluation", job=number[:20])
    job = queue.get(studio, int(number))
    if job.kind != "evaluate":
        raise BadInput("evaluation.not_evaluation", job=number)
    return job
