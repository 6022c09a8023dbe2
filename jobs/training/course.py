"""What every training does before its model is loaded, and once its trainer is made."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from transformers import PreTrainedTokenizerBase, PrinterCallback, set_seed

from jobs.chat_format import chat_format
from jobs.training import checkpoints, results
from jobs.training.answers import answers
from jobs.training.arguments import arguments, resolved
from jobs.training.data import Prepared
from jobs.training.loading import Machine, load_tokenizer, machine_for
from jobs.training.reporting import Reporting, StopRequest
from jobs.training.team import Silent, Team
from studio_core import tunings
from studio_core.data.chat_format import ChatFormat
from studio_core.methods import METHODS
from studio_core.methods.base import read
from studio_core.methods.common import TrainingOptions
from studio_core.runs.run_folder import SPEC, EventWriter
from studio_core.runs.spec import RunSpec
from studio_core.tunings.base import Tuning

Options = TypeVar("Options", bound=TrainingOptions)


@dataclass(frozen=True)
class Course(Generic[Options]):
    """One run in this process, from its spec to its result."""

    run_dir: Path
    run: RunSpec
    options: Options
    """The method's, with those of the tuning."""
    tuning: Tuning
    team: Team
    stop: StopRequest
    events: EventWriter | Silent
    machine: Machine
    tokenizer: PreTrainedTokenizerBase
    chat: ChatFormat
    began: float
    """On the clock of ``time.monotonic``."""

    @classmethod
    def begin(cls, run_dir: Path, kind: type[Options]) -> Course[Options]:
        """Read the spec and be heard: phase ``loading``. ``kind``, the method's options, says of what type they are."""
        began = time.monotonic()
        run = RunSpec.model_validate_json((run_dir / SPEC).read_text(encoding="utf-8"))
        tuning = tunings.named(run.spec.tuning)
        options = cast(Options, read(METHODS[run.spec.method], tuning, run.options))
        team = Team.of(run_dir, run)
        stop = StopRequest(team).listen()
        events = team.events()
        if team.first:
            checkpoints.begin(run_dir, run.resume_from)
        events.write("phase", phase="loading")
        set_seed(run.spec.seed)
        machine = machine_for(run, options)
        tokenizer = load_tokenizer(run.model)
        chat = chat_format(run.model, tokenizer)
        return cls(run_dir, run, options, tuning, team, stop, events, machine, tokenizer, chat, began)

    def arguments(self, data: Prepared) -> dict[str, Any]:
        """The arguments that all trainers share."""
        return arguments(self.run_dir, self.run, self.options, self.machine, data, self.team)

    def train(self, trainer: Any, data: Prepared) -> None:
        """Answers before, training, answers after; all of it reported. Without prompts there are no answers."""
        run, events, team = self.run, self.events, self.team
        as_chat = run.dataset.shape != "text"

        def answer() -> list[str]:
            if not run.prompts:
                return []
            with self.machine.autocast():
                return answers(
                    trainer.model,
                    self.tokenizer,
                    run.prompts,
                    chat=self.chat if as_chat else None,
                    timed=not team.sharded,
                )

        _hold_in_full_precision(trainer.model)
        reporting = Reporting(team, events, self.stop, answer, run.prompts)
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(reporting)
        events.write("config", values=resolved(run, self.options, self.machine, data, trainer, team))
        reporting.lost_rows(data.cut, data.dropped, data.alike, self.options.max_length)
        reporting.sample("before", 0)

        events.write("phase", phase="training")
        trainer.train(resume_from_checkpoint=run.resume_from)

        events.write("phase", phase="saving")
        reporting.sample("after", trainer.state.global_step)

    def save(self, trainer: Any, model: Any = None) -> None:
        """Save the trained model, or ``model`` in its place, and report the result."""
        weights = self.team.whole_weights(trainer)
        if self.team.first:
            model = trainer.model if model is None else model
            kind = results.save(self.run_dir, self.run, model, self.tokenizer, weights)
            stopped = bool(self.stop)
            results.report(self.events, self.run_dir, trainer, kind=kind, stopped=stopped, began=self.began)
        self.team.wait()


def _hold_in_full_precision(model: Any) -> None:
    """Hold in fp32 whatever learns.

    TRL puts an adapter on a 4-bit base into bf16, whose 8 bits lose AdamW's small steps: beside 1 the next number is
    1.0078. A run that is resumed loads its adapter in fp32 and would go on otherwise than the unbroken one. What an
    adapter that is continued had beyond those 8 bits is lost by then.
    """
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
