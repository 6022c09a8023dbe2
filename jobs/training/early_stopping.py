"""When a run ends before its last step, since it gets no better any more, and which model is its result.

    better: loss < best loss - early_stopping_threshold, or of a suite's score: score > best score + threshold
    over: early_stopping_patience looks in a row were not better (Prechelt 1998, Early Stopping - But When?)

It is looked at as often as checkpoints are kept. What was seen so far is written into each checkpoint, so that a run
that goes on from one decides as the unbroken run would.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path

from studio_core.base.atomic import read_json, write_json
from studio_core.base.errors import BadInput
from studio_core.methods.common import TrainingOptions
from studio_core.runs.run_folder import BEST


@dataclass
class EarlyStopping:
    patience: int
    threshold: float = 0.0
    """Nats by which the loss must fall, or the share of right answers by which a score must rise, to be better."""
    suite: str = ""
    """The suite whose score is looked at; none: the held-out loss."""
    step: int = 0
    """The step of the best checkpoint; 0 before the first look."""
    value: float | None = None
    """Held-out loss of that checkpoint in nats, or its score from 0 to 1."""
    waited: int = 0
    """Looks since then."""

    @classmethod
    def of(cls, options: TrainingOptions, measured: bool, resume_from: str | None) -> EarlyStopping | None:
        """As the options say; None where they do not ask for it. Refused is one on a held-out loss that is not
        ``measured``."""
        if not options.early_stopping_patience:
            return None
        suite = options.watched_suite
        if not measured and not suite:
            raise BadInput("methods.early_stopping_blind", patience=options.early_stopping_patience)
        # What was looked at before the checkpoint is part of the decision, as its step is of the schedule.
        made = cls(options.early_stopping_patience, options.early_stopping_threshold, suite)
        seen = read_json(Path(resume_from) / BEST) if resume_from else None
        if seen:
            value = seen["value"] if "value" in seen else seen["loss"]  # As checkpoints had it until 1.0.
            made.step, made.value, made.waited = seen["step"], value, seen["waited"]
        return made

    @property
    def over(self) -> bool:
        return self.waited >= self.patience

    def look(self, step: int, value: float | None) -> None:
        """The held-out loss, or the suite's score, after a step; None where it is no number."""
        sign = -1.0 if self.suite else 1.0
        best = math.inf if self.value is None else sign * self.value
        # A loss that is no number has not become better: the run waits for another, and ends if none comes.
        if value is not None and sign * value < best - self.threshold:
            self.step, self.value, self.waited = step, value, 0
        else:
            self.waited += 1

    def write(self, checkpoint: Path) -> None:
        """Keep with a checkpoint what was seen up to its step."""
        seen = asdict(self)
        write_json(checkpoint / BEST, {name: seen[name] for name in ("step", "value", "waited")})
