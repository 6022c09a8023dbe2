"""What every training does before its model is loaded, and once its trainer is made."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import torch
from peft import PeftModel
from transformers import PreTrainedTokenizerBase, PrinterCallback, TrainingArguments, set_seed

from jobs.chat_format import chat_format
from jobs.machine import peak_memory
from jobs.training import checkpoints, replay, results
from jobs.training.answers import answers, suite_score
from jobs.training.arguments import arguments, resolved
from jobs.training.callback import CompanionCallback, ReporterCallback
from jobs.training.data import Prepared
from jobs.training.early_stopping import EarlyStopping
from jobs.training.loading import Machine, load_tokenizer, machine_for
from jobs.training.loop import TUNING, Loop, Part, Values, optimizer
from jobs.training.reporting import Reporter, StopRequest
from jobs.training.team import Silent, Team
from jobs.training.tunings import Companion, Implementation, implementation
from studio_core import tunings
from studio_core.data.chat_format import ChatFormat
from studio_core.data.shapes import Shape
from studio_core.methods import METHODS
from studio_core.methods.base import read
from studio_core.methods.common import ReplayOptions, TrainingOptions
from studio_core.methods.run_warnings import Watch
from studio_core.runs.run_folder import MODEL, SPEC, EventWriter
from studio_core.runs.spec import ResolvedDataset, RunSpec
from studio_core.suites import OF_TRAININGS
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

    def data(self, rows: Callable[[RunSpec, Any, ChatFormat], Prepared]) -> Prepared:
        """What ``rows`` makes of the run's dataset. Held out is the dataset of that role, where there is one, and some
        rows of that of the role replay are mixed in.
        """
        prepared = rows(self.run, self.options, self.chat)
        whole = self.options.model_copy(update={"eval_share": 0.0})

        def all_of(dataset: ResolvedDataset) -> Prepared:
            return rows(self.run.model_copy(update={"dataset": dataset}), whole, self.chat)

        if apart := self.run.data.get("held_out"):
            prepared.held_out = all_of(apart).train
        if (earlier := self.run.data.get("replay")) and isinstance(self.options, ReplayOptions):
            replay.mix_in(prepared, earlier, self.options, self.run.spec.seed, all_of)
        return prepared

    def arguments(self, data: Prepared) -> dict[str, Any]:
        """The arguments that all trainers share."""
        return arguments(self.run_dir, self.run, self.options, self.machine, data, self.team)

    def steps(self, data: Prepared) -> int:
        """Optimizer steps of the run, as trainers count them: an epoch's last step takes what rows are left."""
        epochs = self.options.epochs * self.options.steps_of_epoch(len(data.train), self.team.size)
        return self.options.max_steps or math.ceil(epochs)

    def train(self, trainer: Any, data: Prepared) -> None:
        """Answers before, training by a trainer of TRL's, answers after; all of it reported."""
        # A trainer that parts the model among GPUs puts another in its place.
        reporter = self._begun(lambda: trainer.model, data, trainer.args.gradient_checkpointing)
        trainer.remove_callback(PrinterCallback)
        if self.implementation.rate(self.options):  # Else trainers make their own, also of weights in shards.
            trainer.optimizer, _ = self.optimizer(trainer.model, trainer.args, self.steps(data))
        companion = self._companion(trainer.model, self.steps(data))
        beside = CompanionCallback(companion, self.run.resume_from) if companion else None
        if beside:
            trainer.add_callback(beside)
        trainer.add_callback(ReporterCallback(reporter))
        trainer.train(resume_from_checkpoint=self.run.resume_from)

        def take(best: Path) -> None:
            trainer.state.best_model_checkpoint = str(best)
            trainer._load_best_model()
            if beside:
                beside.take(best)

        self._ended(reporter, trainer.state.global_step, companion, take)

    def loop(
        self,
        model: Any,
        parts: Mapping[str, Part],
        data: Prepared,
        total_steps: int,
        step: Callable[[int], Values],
        evaluate: Callable[[], Values] | None = None,
        checkpointing: bool = False,
    ) -> Loop:
        """The same where the steps are written out: ``step(number)`` does one, and gives its metrics."""
        reporter = self._begun(lambda: model, data, checkpointing)
        companion = self._companion(model, total_steps)
        kept = {**parts, TUNING: companion} if companion else parts
        loop = Loop(reporter, model, kept, self.options, total_steps, self.run.resume_from)
        if companion and METHODS[self.run.spec.method].moved_by_optimizer:
            after = companion.after_step
            _optimizer_of(model, parts).register_step_post_hook(lambda *_: after(loop.step + 1))
        loop.run(step, evaluate)
        if loop.step:
            self._ended(reporter, loop.step, companion, loop.take)
        return loop

    @property
    def implementation(self) -> Implementation:
        """How the run's way of tuning is carried out."""
        return implementation(self.tuning)

    def optimizer(
        self, model: Any, settings: TrainingArguments, total_steps: int
    ) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        """The optimiser over what learns of ``model``, and its schedule, as the way of tuning wants them."""
        rate = self.implementation.rate(self.options)
        return optimizer(model, settings, total_steps, rate or (lambda name: 1.0))

    def _companion(self, model: Any, total_steps: int) -> Companion | None:
        return self.implementation.companion(model, self.options, self.run_dir, total_steps)

    def _begun(self, model: Callable[[], Any], data: Prepared, checkpointing: bool) -> Reporter:
        """What a training tells before its first step; without prompts there are no answers."""
        run, as_chat = self.run, self.run.dataset.shape != Shape.TEXT
        begun = False

        def answer() -> list[str]:
            if not run.prompts:
                return []
            with self.machine.autocast():
                return answers(
                    model() if begun else _as_it_was(model()),
                    self.tokenizer,
                    run.prompts,
                    chat=self.chat if as_chat else None,
                    timed=not self.team.sharded,
                )

        def score() -> float:
            assert early
            with self.machine.autocast():
                return suite_score(model(), self.tokenizer, OF_TRAININGS[early.suite], self.chat)

        _complete_reference(model())
        _hold_in_full_precision(model())
        early = EarlyStopping.of(self.options, data.held_out is not None, run.resume_from)
        watch = Watch(METHODS[run.spec.method], run.options)
        every = self.options.save_every(self.steps(data))
        reporter = Reporter(
            self.team, self.events, self.stop, answer, run.prompts, early, watch, score, every
        )
        decided = {"activation_checkpointing": checkpointing, "packing": data.packed}
        values = resolved(run, self.options, self.machine, data, model(), self.team)
        self.events.write("config", values={**values, **decided})
        reporter.lost_rows(data.cut, data.dropped, data.alike, self.options.max_length)
        reporter.sample("before", 0)
        begun = True
        self.events.write("phase", phase="training")
        return reporter

    def _ended(
        self, reporter: Reporter, step: int, companion: Companion | None, take: Callable[[Path], None]
    ) -> None:
        """Under early stopping what is saved is the best model; ``take`` brings back that of a checkpoint."""
        self.events.write("phase", phase="saving")
        if best := reporter.best(step):
            take(best)
        if companion:
            companion.finish()
        reporter.sample("after", step)

    def save(self, trainer: Any, model: Any = None) -> None:
        """Save the model that a trainer trained, or ``model`` in its place, and report the result."""
        state = trainer.state
        self.finish(
            trainer.model if model is None else model,
            state.global_step,
            state.max_steps,
            weights=self.team.whole_weights(trainer),
        )

    def finish(
        self, model: Any, step: int, total_steps: int, weights: dict[str, torch.Tensor] | None = None
    ) -> None:
        """Save the model and report the result; ``weights`` are those of a model that is in shards.

        A run that was asked to end before its first step has no result: the model would be its base again.
        """
        if self.team.first and step:
            parameters = model.num_parameters()
            kind = results.save(self.run_dir, self.run, model, self.tokenizer, weights)
            self.events.write(
                "result",
                # A stop that came when all steps were done is a success.
                state="stopped" if self.stop and step < total_steps else "succeeded",
                model=str(self.run_dir / MODEL),
                kind=kind,
                step=step,
                total_steps=total_steps,
                seconds=round(time.monotonic() - self.began, 2),
                peak_memory=peak_memory(),
                parameters=parameters,
            )
        self.team.wait()


def _optimizer_of(model: Any, parts: Mapping[str, Part]) -> torch.optim.Optimizer:
    """The optimiser among ``parts`` that changes the weights of ``model``."""
    learnt = {id(weight) for weight in model.parameters() if weight.requires_grad}
    for part in parts.values():
        if isinstance(part, torch.optim.Optimizer):
            weights = (id(weight) for group in part.param_groups for weight in group["params"])
            if not learnt.isdisjoint(weights):
                return part
    raise ValueError("no optimizer of the loop changes what learns of its model")


@torch.no_grad()
def _complete_reference(model: Any) -> None:
    """Make the reference of an adapter that is continued what that adapter is.

    TRL puts a copy beside it, ``ref``, but copies only weights in modules of their own. Those of IA3 and VeRA stand in
    lists of parameters; their reference would be the base.
    """
    weights = dict(model.named_parameters())
    for name, weight in weights.items():
        parts = name.split(".")
        if (
            "ref" in parts
            and (own := weights.get(".".join("default" if part == "ref" else part for part in parts)))
            is not None
        ):
            weight.copy_(own)


def _as_it_was(model: Any) -> Any:
    """The model before its training. Virtual tokens begin at random: with them it is not what it was any more."""
    fresh = isinstance(model, PeftModel) and model.active_peft_config.is_prompt_learning
    return model.get_base_model() if fresh else model


def _hold_in_full_precision(model: Any) -> None:
    """Hold in fp32 whatever learns.

    TRL puts an adapter on a 4-bit base into bf16, whose 8 bits lose AdamW's small steps: beside 1 the next number is
    1.0078. A run that is resumed loads its adapter in fp32 and would go on otherwise than the unbroken one. What an
    adapter that is continued had beyond those 8 bits is lost by then.
    """
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
