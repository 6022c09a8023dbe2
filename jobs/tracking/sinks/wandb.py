"""W&B: an offline run below the folder, which ``wandb sync`` sends; with an address, a run on its server."""

from __future__ import annotations

import os
from typing import Any

# Before the import, which reads them.
os.environ |= {"WANDB_ERROR_REPORTING": "false", "WANDB_DISABLE_WEAVE": "true"}

import wandb

_STEP = "train/global_step"


class Sink:
    def __init__(self, begin: dict[str, Any]) -> None:
        options, address = begin["options"], begin["address"]
        if address:
            # Of this process only: it has read its command line and environment long ago.
            os.environ |= {"WANDB_API_KEY": begin["key"], "WANDB_BASE_URL": address}
        self._run = wandb.init(
            project=options["project"],
            entity=options["entity"] or None,
            id=begin["run"] or None,
            resume="allow" if address else None,
            name=begin["name"],
            config=begin["config"],
            dir=begin["folder"],
            mode="online" if address else "offline",
            # What a run is told, and nothing else: no code, no repository, no measures or names of the machine.
            settings=wandb.Settings(
                console="off",
                silent=True,
                save_code=False,
                disable_code=True,
                disable_git=True,
                disable_job_creation=True,
                x_save_requirements=False,
                x_disable_stats=True,
                x_disable_meta=True,
                x_disable_machine_info=True,
                init_timeout=60,
            ),
        )
        self.run = self._run.id
        self.where = self._run.url if address else begin["folder"]
        # As transformers does it: steps of a resumed run may lie before the last one, which W&B's own may not.
        self._run.define_metric(_STEP)
        self._run.define_metric("*", step_metric=_STEP, step_sync=True)

    def metrics(self, step: int, at: float, values: dict[str, float]) -> None:
        self._run.log({**values, _STEP: step, "_timestamp": at})

    def answers(self, step: int, at: float, rows: list[dict[str, Any]]) -> None:
        names = list(rows[0])
        table = wandb.Table(
            columns=["step", *names], data=[[step, *(row[name] for name in names)] for row in rows]
        )
        self._run.log({"answers": table, _STEP: step})

    def notice(self, seq: int, at: float, text: str) -> None:
        # Alerts are mails to its owner; a note stands beside the run.
        self._run.summary[f"notice/{seq}"] = text

    def config(self, values: dict[str, Any]) -> None:
        self._run.config.update(values, allow_val_change=True)

    def flush(self) -> None:
        pass  # Its own process has it already.

    def end(self, state: str, at: float) -> None:
        self._run.finish(exit_code=0 if state == "succeeded" else 1)
