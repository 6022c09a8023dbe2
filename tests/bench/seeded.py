"""A data folder with many jobs and long runs, filled by SQL in about two minutes."""

from __future__ import annotations

from sqlalchemy import text

from studio_core import training
from studio_core.base import clock
from studio_core.base.studio import Studio
from studio_core.data import store
from studio_core.models import registry
from studio_core.runs import outline, queue
from studio_core.runs.spec import TrainSpec

SPEC = TrainSpec(method="sft", model="tiny-base", dataset="tiny-sft-chat", options={}, prompts=["Hello"])

_JOBS = """
WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last)
INSERT INTO job (id, kind, name, method, spec, state, cause, position, priority, run_dir, phase, step, total_steps,
    latest, resolved, events_offset, submitted_at, started_at, finished_at)
SELECT i, kind, 'run ' || i, method, spec,
    CASE WHEN i > :waiting THEN 'queued' WHEN i % 7 = 0 THEN 'failed' WHEN i % 11 = 0 THEN 'cancelled'
        ELSE 'succeeded' END,
    CASE WHEN i > :waiting THEN NULL WHEN i % 7 = 0 THEN 'error' WHEN i % 11 = 0 THEN 'cancelled' END,
    i, 0, :runs || '/' || i, 'training', 100, 100, '{"loss": 1.5}', '{"device": "cpu"}', 0, :now, :now,
    CASE WHEN i > :waiting THEN NULL ELSE :now END
FROM n, (SELECT * FROM job WHERE id = 1)
"""
_EVENTS = """
INSERT INTO job_event (job_id, at, before, after)
SELECT id, :now, CASE state WHEN 'queued' THEN NULL ELSE 'running' END, state FROM job WHERE id > 1
"""
_LONG = "UPDATE job SET step = :rows, total_steps = :rows WHERE id BETWEEN :first AND :last"
_METRICS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
INSERT INTO metric (job_id, seq, step, at, "values")
SELECT :job, i, i, :now, '{"loss": ' || (1.0 + 500.0 / (i + 200) + (i * 7919 % 1000) / 5000.0)
    || ', "grad_norm": ' || (1.0 + (i * 104729 % 1000) / 1000.0) || ', "learning_rate": ' || (0.001 - i * 1e-9)
    || ', "mean_token_accuracy": ' || (0.5 + (i * 31 % 100) / 1000.0) || ', "tokens_per_second": 5000.0}'
FROM n
"""
_COPY = """
INSERT INTO metric (job_id, seq, step, at, "values")
SELECT :job, seq, step, at, "values" FROM metric WHERE job_id = :one
"""
_COPY_STRETCHES = """
INSERT INTO metric_stretch (job_id, level, last_seq, last_step, lines)
SELECT :job, level, last_seq, last_step, lines FROM metric_stretch WHERE job_id = :one
"""


def fill(studio: Studio, *, jobs: int, waiting: int, long_runs: int, rows: int) -> list[int]:
    """``jobs`` trainings of which the last wait; the newest of those that ended have ``rows`` reports each.

    Returns the ids of those with reports. The queue is paused: nothing starts.
    """
    registry.ensure_demo_models(studio)
    store.ensure_samples(studio)
    queue.pause(studio)
    training.submit(studio, SPEC)
    now = clock.now().isoformat(sep=" ")
    ended = jobs - waiting
    long = list(range(ended - long_runs + 1, ended + 1))
    with studio.db.write() as session:
        session.execute(
            text(_JOBS),
            {"first": 2, "last": jobs, "waiting": ended, "runs": str(studio.settings.runs), "now": now},
        )
        session.execute(text(_EVENTS), {"now": now})
        session.execute(text(_LONG), {"rows": rows, "first": long[0], "last": long[-1]})
        session.execute(text(_METRICS), {"rows": rows, "job": long[0], "now": now})
    with studio.db.write() as session:
        while outline.condense(session, long[0]):
            pass
    for job in long[1:]:
        with studio.db.write() as session:  # One transaction for each: the log of one is large enough.
            for statement in (_COPY, _COPY_STRETCHES):
                session.execute(text(statement), {"job": job, "one": long[0]})
    return long
