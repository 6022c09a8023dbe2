"""Trackio: a run of a project, in an SQLite file below the folder or on a server of one's own.

Its library writes from a thread, half a second after it was told. What a server does not take it keeps for another
time, which is not waited for here: the run is sent anew.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from typing import Any


class Sink:
    def __init__(self, begin: dict[str, Any]) -> None:
        # Before the import, which reads it.
        self._kept_back = tempfile.mkdtemp(prefix="tunesmith-trackio-") if begin["address"] else ""
        os.environ["TRACKIO_DIR"] = self._kept_back or begin["folder"]
        if begin["key"]:
            os.environ["TRACKIO_WRITE_TOKEN"] = begin["key"]
        import trackio

        self._trackio = trackio
        self._run = trackio.init(
            project=begin["options"]["project"],
            name=begin["run"] or begin["name"].replace(" ", "-"),
            server_url=begin["address"] or None,
            config=begin["config"],
            resume="allow" if begin["run"] else "never",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        self.run = self._run.name
        self.where = begin["address"] or begin["folder"]
        self._step = begin["step"]

    def metrics(self, step: int, at: float, values: dict[str, float]) -> None:
        self._step = step
        self._run.log(values, step=step)

    def answers(self, step: int, at: float, rows: list[dict[str, Any]]) -> None:
        self._run.log({"answers": self._trackio.Table(data=rows)}, step=step)

    def notice(self, seq: int, at: float, text: str) -> None:
        self._run.alert(title=text[:80], text=text, step=self._step)

    def config(self, values: dict[str, Any]) -> None:
        # It goes out with the first metrics, which come after it.
        self._run.config.update(values)

    def flush(self) -> None:
        pass

    def end(self, state: str, at: float) -> None:
        # It knows no states of a run; and where its server took nothing it only warns.
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            self._run.finish()
        if self._kept_back:
            shutil.rmtree(self._kept_back, ignore_errors=True)
        if told:
            raise RuntimeError(str(told[-1].message))
