"""What a training tells while it runs, and how it hears that it should stop."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from jobs.machine import peak_memory
from jobs.training import checkpoints
from jobs.training.team import Silent, Team
from studio_core.runs.run_folder import EventWriter

_NOT_METRICS = ("runtime", "per_second", "total_flos", "epoch", "train_loss", "num_tokens")
_LOOKS = 3
"""How often the fixed prompts are answered in the course of the training."""


class StopRequest:
    """Whether the run was asked to save and end: SIGTERM sets it, the trainer looks between batches.

    Of several ranks the first hears it, from their launcher, and all end after the same batch.
    """

    def __init__(self, team: Team) -> None:
        self._team = team
        self._heard = threading.Event()

    def listen(self) -> StopRequest:
        """Hear SIGTERM from now on; only in the main thread. Of several ranks their launcher hears it."""
        if self._team.size == 1:
            signal.signal(signal.SIGTERM, lambda *_: self._heard.set())
        return self

    def __bool__(self) -> bool:
        return self._heard.is_set()

    def agreed(self) -> bool:
        """The same answer on every rank; all of them ask at the same time."""
        if self._team.agreed(self._heard.is_set() or (self._team.first and self._team.stop_asked())):
            self._heard.set()
        return bool(self)


class Reporting(TrainerCallback):
    """Turns what the trainer does into events; stops it when asked; completes its checkpoints."""

    def __init__(
        self,
        team: Team,
        events: EventWriter | Silent,
        stop: StopRequest,
        answers: Callable[[], list[str]],
        prompts: list[str],
    ) -> None:
        self._team, self._events, self._stop = team, events, stop
        self._run_dir = team.run_dir
        self._answers, self._prompts = answers, prompts
        self._started = self._last_log = time.monotonic()
        self._aside = 0.0
        self._began = False
        self._first_step = 0
        self._tokens: float | None = 0.0
        self._warned = False
        self._random: list[torch.Tensor] = []

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._started = self._last_log = time.monotonic()
        self._first_step = state.global_step
        if self._first_step:
            self._tokens = None  # A resumed run counts on from tokens of which it does not know the number.
        if self._team.sharded and not state.global_step:
            self._began = True
            self.sample("before", 0)

    def on_substep_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if self._stop.agreed() and state.global_step > self._first_step:
            # The batches since the last step are given up, so what they drew at random is put back:
            # then a resumed run draws the same.
            _set_random_state(self._random)
            _end(control)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if args.gradient_accumulation_steps > 1:
            self._random = _random_state()
        if self._stop.agreed():
            _end(control)
        elif state.global_step in _looks(state.max_steps):
            self.sample("during", state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        logs = logs or {}
        values = {name: _finite(value) for name, value in logs.items() if not name.endswith(_NOT_METRICS)}
        if "loss" in values:
            values |= self._speed(state, float(logs.get("num_tokens", 0.0)))
        if values:
            self._events.write(
                "metrics",
                step=state.global_step,
                total_steps=state.max_steps,
                epoch=round(state.epoch or 0.0, 4),
                peak_memory=peak_memory(),
                values=values,
            )
        if "loss" in values and values["loss"] is None and not self._warned:
            self._warned = True
            self.notice("warning", "methods.notice.not_finite", step=state.global_step)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._team.wait()  # Every rank has its own part of the checkpoint.
        if not self._team.first:
            return
        began = time.monotonic()
        folder, size = checkpoints.complete(self._run_dir, state.global_step)
        path = str(folder.relative_to(self._run_dir))
        self._events.write("checkpoint", step=state.global_step, path=path, bytes=size)
        self._aside += time.monotonic() - began

    def sample(self, when: str, step: int) -> None:
        """Answer the fixed prompts with the model as it is now; all ranks call it at the same step.

        A model that is about to be put in shards answers only once it is.
        """
        if not self._team.first and not self._team.sharded:
            return
        if self._team.sharded and when == "before" and not self._began:
            return
        began = time.monotonic()
        for index, (prompt, answer) in enumerate(zip(self._prompts, self._answers(), strict=False)):
            self._events.write("sample", step=step, when=when, index=index, prompt=prompt, answer=answer)
        self._aside += time.monotonic() - began

    def lost_rows(self, cut: int, dropped: int, alike: int, limit: int) -> None:
        """Say how many rows the length limit cut, how many it left nothing of, and how many pairs it made alike."""
        if cut:
            self.notice("warning", "methods.notice.rows_cut", rows=cut, limit=limit)
        if dropped:
            self.notice("warning", "methods.notice.rows_dropped", rows=dropped, limit=limit)
        if alike:
            self.notice("warning", "methods.notice.rows_alike", rows=alike, limit=limit)

    def notice(self, level: str, key: str, **values: Any) -> None:
        self._events.write("notice", level=level, key=key, values=values)

    def _speed(self, state: TrainerState, tokens: float) -> dict[str, float | None]:
        """Tokens per second since the last report, and seconds to go; time set aside does not count."""
        now = time.monotonic() - self._aside
        since, self._last_log = now - self._last_log, now
        learnt = None if self._tokens is None else tokens - self._tokens
        self._tokens = tokens
        done = state.global_step - self._first_step
        each = (now - self._started) / done if done else 0.0
        return {
            "tokens_per_second": round(learnt / since, 1) if learnt is not None and since > 0 else None,
            "seconds_left": round(each * (state.max_steps - state.global_step), 1),
        }


def _random_state() -> list[torch.Tensor]:
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [])]


def _set_random_state(states: list[torch.Tensor]) -> None:
    torch.set_rng_state(states[0])
    if states[1:]:
        torch.cuda.set_rng_state_all(states[1:])


def _end(control: TrainerControl) -> None:
    control.should_save = True
    control.should_training_stop = True
    control.should_evaluate = False


def _looks(steps: int) -> set[int]:
    return {steps * part // (_LOOKS + 1) for part in range(1, _LOOKS + 1)} - {0, steps}


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
