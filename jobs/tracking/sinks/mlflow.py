"""MLflow: a run of an experiment, in an SQLite file with a folder of artifacts, or on a tracking server."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any

# Before the import, which reads them: it asks the network for nothing, and draws no bars into the log.
os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

_STATUS = {"succeeded": "FINISHED", "cancelled": "KILLED", "interrupted": "KILLED"}
# Characters of a parameter's value; parameters and points that one request may have.
_LONGEST, _MOST, _MOST_POINTS = 6000, 100, 1000


class Sink:
    def __init__(self, begin: dict[str, Any]) -> None:
        folder, address = Path(begin["folder"]), begin["address"]
        if begin["key"]:
            os.environ["MLFLOW_TRACKING_TOKEN"] = begin["key"]
        # Two runs that begin at once would both make the tables.
        with closing(os.fdopen(os.open(folder / ".begin.lock", os.O_RDWR | os.O_CREAT, 0o600))) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._client = MlflowClient(address or f"sqlite:///{folder / 'mlflow.db'}")
            project = begin["options"]["project"]
            known = self._client.get_experiment_by_name(project)
            place = None if address else (folder / "artifacts").as_uri()
            experiment = known.experiment_id if known else self._client.create_experiment(project, place)
        self.run = begin["run"] or self._client.create_run(experiment, run_name=begin["name"]).info.run_id
        self.where = address or str(folder)
        if begin["run"]:
            self._client.update_run(self.run, status="RUNNING")
        self._points: list[Metric] = []
        self.config(begin["config"])

    def metrics(self, step: int, at: float, values: dict[str, float]) -> None:
        # With the time of the report: a point that comes twice is the same row.
        self._points += [Metric(name, value, int(1000 * at), step) for name, value in values.items()]

    def answers(self, step: int, at: float, rows: list[dict[str, Any]]) -> None:
        columns = {"step": [step] * len(rows), **{name: [row[name] for row in rows] for name in rows[0]}}
        self._client.log_table(self.run, columns, "answers.json")

    def notice(self, seq: int, at: float, text: str) -> None:
        self._client.set_tag(self.run, f"notice.{seq}", text[:5000])

    def config(self, values: dict[str, Any]) -> None:
        # A parameter is never changed there; that of a resumed run which differs is a tag.
        known = self._client.get_run(self.run).data.params
        given = {name: str(value)[:_LONGEST] for name, value in values.items()}
        new = [Param(name, value) for name, value in given.items() if name not in known]
        changed = [RunTag(name, value) for name, value in given.items() if known.get(name, value) != value]
        for begin in range(0, len(new), _MOST):
            self._client.log_batch(self.run, params=new[begin : begin + _MOST])
        self._client.log_batch(self.run, tags=changed)

    def flush(self) -> None:
        # Together: a transaction, or a request, for each report took ten times as long.
        points, self._points = self._points, []
        for begin in range(0, len(points), _MOST_POINTS):
            self._client.log_batch(self.run, metrics=points[begin : begin + _MOST_POINTS])

    def end(self, state: str, at: float) -> None:
        self._client.set_terminated(self.run, _STATUS.get(state, "FAILED"), int(1000 * (at or time.time())))
