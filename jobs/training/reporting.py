"""What a training tells while it runs, and how it hears that it should stop.

A ``Reporter`` knows no trainer. A loop of our own tells it what it did (``loop.py``), TRL's trainers do so through a
callback (``callback.py``).
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from jobs.machine import peak_memory
from jobs.training import checkpoints
from jobs.training.early_stopping import EarlyStopping
from jobs.training.team import Silent, Team
from studio_core.methods.run_warnings import Watch
from studio_core.runs.run_folder import EventWriter

_LOOKS = 3
"""How often the fixed prompts are answered in the course of the training: enough to see it turn, and under a tenth
of the time of the shortest demo runs."""


class StopRequest:
    """Whether the run was asked to save and end: SIGTERM sets it, the training looks between batches.

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

    def ask(self) -> None:
        """As if the user had asked: by the run itself, where it may not go on."""
        self._heard.set()

    def __bool__(self) -> bool:
        return self._heard.is_set()

    def agreed(self) -> bool:
        """The same answer on every rank; all of them ask at the same time."""
        if self._team.agreed(self._heard.is_set() or (self._team.first and self._team.stop_asked())):
            self._heard.set()
        return bool(self)


class Reporter:
    """Metrics, samples, checkpoints and notices of one training, as events.

    ``answer`` gives the answers of the model as it is now to ``prompts``, ``score`` its share of a suite, for early
    stopping on that: ``every`` so many steps, as checkpoints are kept.
    """

    def __init__(
        self,
        team: Team,
        events: EventWriter | Silent,
        stop: StopRequest,
        answer: Callable[[], list[str]],
        prompts: list[str],
        early: EarlyStopping | None = None,
        watch: Watch | None = None,
        score: Callable[[], float] | None = None,
        every: int = 1,
    ) -> None:
        self.team, self.stop, self.early = team, stop, early
        self._watch, self._score, self._every = watch, score, every
        self._events, self._answer, self._prompts = events, answer, prompts
        self._started = self._last_report = time.monotonic()
        self._aside = 0.0
        """Seconds that went into samples and checkpoints: they are not the training's speed."""
        self._began = False
        self._first_step = self._total_steps = 0
        self._tokens: float | None = 0.0
        self._warned = False

    @property
    def first_step(self) -> int:
        """The step that this process went on from; 0 for a training from its beginning."""
        return self._first_step

    def begin(self, step: int, total_steps: int) -> None:
        """The training begins, or goes on from ``step``; every rank calls it."""
        self._started = self._last_report = time.monotonic()
        self._first_step, self._total_steps = step, total_steps
        if step:
            self._tokens = None  # A resumed run counts on from tokens of which it does not know the number.
        if self.team.sharded and not step:
            self._began = True
            self.sample("before", 0)

    def metrics(
        self, step: int, values: Mapping[str, Any], *, epoch: float = 0.0, tokens: float | None = None
    ) -> None:
        """One report after ``step``. ``tokens`` that went through the model since the beginning give the speed.

        What is no finite number is stored as null, and a loss that is none is warned of once, as is what else is odd.
        """
        finite = {name: _finite(value) for name, value in values.items()}
        if tokens is not None:
            finite |= self._speed(step, tokens)
        if finite:
            self._events.write(
                "metrics",
                step=step,
                total_steps=self._total_steps,
                epoch=round(epoch, 4),
                tokens=tokens,
                peak_memory=peak_memory(),
                values=finite,
            )
        if self.early and not self.early.suite and "eval_loss" in finite:
            self.early.look(step, finite["eval_loss"])
        if "loss" in finite and finite["loss"] is None and not self._warned:
            self._warned = True
            self.notice("warning", "methods.notice.not_finite", step=step)
        for odd in self._watch.look(step, self._total_steps, finite) if self._watch else ():
            self.notice(odd.level, odd.key, **odd.values)

    def checkpoint(self, step: int) -> None:
        """Declare the checkpoint of ``step`` complete; every rank calls it once its own part is written."""
        self.team.wait()
        began = time.monotonic()
        if self.early and self.early.suite and (step % self._every == 0 or step == self._total_steps):
            # Not where somebody only asked for an end: the run that goes on from there decides as the unbroken one.
            self._look_at_suite(self.early, step)
        if not self.team.first:
            return
        if self.early:
            self.early.write(checkpoints.folder_of(self.team.run_dir, step))
        folder, size = checkpoints.complete(self.team.run_dir, step)
        path = str(folder.relative_to(self.team.run_dir))
        self._events.write("checkpoint", step=step, path=path, bytes=size)
        self._aside += time.monotonic() - began

    def _look_at_suite(self, early: EarlyStopping, step: int) -> None:
        """Of a model in shards every rank answers, else the first does."""
        assert self._score
        score = self.team.shared(self._score() if self.team.first or self.team.sharded else 0.0)
        self.metrics(step, {f"suite/{early.suite}": round(score, 4)})
        early.look(step, score)

    @property
    def over(self) -> bool:
        """Whether the run ends here, since it gets no better any more; asked once its checkpoint is kept."""
        return self.early is not None and self.early.over

    def best(self, step: int) -> Path | None:
        """The checkpoint whose model is the result of a run that ended with ``step``, and a word on it; None: the last.

        Every rank calls it.
        """
        if self.early is None or self.early.step in (0, step):
            return None
        value = round(self.early.value or 0.0, 4)
        values = {"best": self.early.step, "step": step, "total": self._total_steps}
        stopped = self.early.over and step < self._total_steps
        key = "stopped_early" if stopped else "best_saved"
        if self.early.suite:
            key += "_by_suite"
            values |= {"suite": self.early.suite, "percent": round(100 * value, 1)}
        else:
            values["loss"] = value
        self.notice("info", f"methods.notice.{key}", looks=self.early.waited, **values)
        return checkpoints.folder_of(self.team.run_dir, self.early.step)

    def sample_due(self, step: int) -> bool:
        """Whether the fixed prompts are answered after this step."""
        total = self._total_steps
        looks = {total * part // (_LOOKS + 1) for part in range(1, _LOOKS + 1)} - {0, total}
        return step in looks

    def sample(self, when: str, step: int) -> None:
        """Answer the fixed prompts with the model as it is now; all ranks call it at the same step.

        A model that is about to be put in shards answers only once it is.
        """
        if not self.team.first and not self.team.sharded:
            return
        if self.team.sharded and when == "before" and not self._began:
            return
        began = time.monotonic()
        for index, (prompt, answer) in enumerate(zip(self._prompts, self._answer(), strict=False)):
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
        """A sentence of the catalogue for the run's page."""
        self._events.write("notice", level=level, key=key, values=values)

    def _speed(self, step: int, tokens: float) -> dict[str, float | None]:
        """Tokens per second since the last new ones, and seconds to go; time set aside does not count."""
        now = time.monotonic() - self._aside
        done = step - self._first_step
        each = (now - self._started) / done if done else 0.0
        left = {"seconds_left": round(each * (self._total_steps - step), 1)}
        if tokens == self._tokens:
            # The same answers were learnt from once more: that time is part of what the next ones take.
            return left
        since, self._last_report = now - self._last_report, now
        learnt = None if self._tokens is None else tokens - self._tokens
        self._tokens = tokens
        return {"tokens_per_second": round(learnt / since, 1) if learnt and since > 0 else None, **left}


def random_state() -> list[torch.Tensor]:
    """What torch will draw next, on the processor and on each GPU."""
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [])]


def set_random_state(states: list[torch.Tensor]) -> None:
    """Have torch draw again what it drew after ``random_state``."""
    torch.set_rng_state(states[0])
    if states[1:]:
        torch.cuda.set_rng_state_all(states[1:])


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
