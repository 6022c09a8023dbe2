"""What another trainer is: which methods it can, its names for our options, its rows, and how it is started.

A trainer reads a run by way of ``Given``, which notes what it asks for: whatever option nobody asked for has no
counterpart, and is said in the README, so that none is lost by being forgotten here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar

from studio_core.base.errors import BadInput
from studio_core.data.exports.layouts import Form
from studio_core.data.shapes import Shape
from studio_core.handover import curves
from studio_core.methods.common import TrainingOptions
from studio_core.runs.spec import RunSpec

Fields = dict[str, Any]
"""A trainer's own fields with their values, each by its whole name."""

TRAIN, HELD_OUT = "train", "held_out"
"""Names of the files of rows, without their ending, in the folder ``data``."""
OUTPUT = "output"
"""Where the trainer writes, in the folder that is handed over."""
HUGGING_FACE = curves.Log(
    curves.trainer_state, (f"{OUTPUT}/checkpoint-*/trainer_state.json", f"{OUTPUT}/trainer_state.json")
)
"""Of trainers that are Hugging Face's or TRL's within: their names of metrics are ours."""
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
"""Linear layers of attention, as Llama, Mistral, Qwen and Gemma call them."""

T = TypeVar("T")


@dataclass
class Given:
    """A run as a trainer reads it."""

    run: RunSpec
    options: TrainingOptions
    """The method's and the tuning's, in one class."""
    rows: int
    """Rows to train on, those held out not counted."""
    held_out: int
    """Rows to measure on."""
    trainer: str
    """Its title."""
    name: str
    good: int = 0
    """Of rows with good and bad answers, how many are good."""
    read: set[str] = field(default_factory=set)
    """The options that the trainer has a field for, or that mean nothing there."""
    nearest: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """Options whose value the trainer does not have: that of the run, and what is written in its place."""

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return getattr(self.options, name)

    def choice(self, name: str, known: Mapping[Any, T]) -> T:
        """The trainer's word for the value; raises ``BadInput`` where it has none and another would teach otherwise."""
        value = self[name]
        if value not in known:
            raise self.lacks(name, value, known)
        return known[value]

    def near(self, name: str, known: Mapping[Any, T], instead: T) -> T:
        """The same where another value teaches nearly the same: it is noted."""
        value = self[name]
        if value in known:
            return known[value]
        self.nearest[name] = (value, instead)
        return instead

    def whole_epochs(self) -> int:
        """Epochs for a trainer that counts whole ones, at least one."""
        epochs = self["epochs"]
        whole: int = max(1, math.ceil(epochs))
        if whole != epochs:
            self.nearest["epochs"] = (epochs, whole)
        return whole

    def ignore(self, *names: str) -> None:
        """Options that have no effect in this run, or only on how the studio itself keeps and shows it."""
        self.read.update(names)

    @property
    def method(self) -> str:
        return self.run.spec.method

    @property
    def tuning(self) -> str:
        return self.run.spec.tuning

    @property
    def shape(self) -> Shape:
        return Shape(self.run.dataset.shape)

    @property
    def global_batch(self) -> int:
        """Rows of an optimizer step on all GPUs."""
        return int(self["batch_size"] * self["gradient_accumulation"] * self.run.spec.gpus)

    @cached_property
    def steps(self) -> int:
        """Optimizer steps of the run."""
        apart = self.options.model_copy(update={"eval_share": 0.0})
        return apart.total_steps(self.rows, self.run.spec.gpus)

    @property
    def prompts_of_step(self) -> int:
        """Of a run that learns from its own answers: prompts that a step takes."""
        return int(self.global_batch // self["num_generations"])

    @property
    def clip(self) -> tuple[float, float]:
        """How far below and above 1 the ratio of probabilities may go."""
        low, high = self["epsilon"], self["epsilon_high"]
        return low, high or low

    @property
    def warmup_steps(self) -> int:
        share: float = self["warmup"]
        return math.ceil(share * self.steps)

    @property
    def save_steps(self) -> int:
        self.ignore(
            "save_steps", "early_stopping_patience" if not self.options.early_stopping_patience else ""
        )
        return self.options.save_every(self.steps)

    @property
    def adapter(self) -> str:
        """The folder of the adapter that the run goes on from; empty if it starts from a complete model."""
        return self.run.model.adapter or ""

    @property
    def bf16(self) -> bool:
        # Auto is bf16 wherever a GPU can, and other trainers run on nothing else.
        return self.choice("precision", {"auto": True, "bf16": True, "fp32": False})

    @property
    def checkpointing(self) -> bool:
        """Whether activations are computed twice; where the run decides by the room there is, they are."""
        return self.choice("activation_checkpointing", {"auto": True, "on": True, "off": False})

    def own_template(self) -> None:
        """Raises ``BadInput`` if the model has no template of its own, where the trainer cannot be given one."""
        if self.run.model.chat_template and self.shape is not Shape.TEXT:
            raise BadInput("handover.no_template", trainer=self.trainer, model=self.run.model.name)

    def terms(self) -> dict[str, float]:
        """The losses of a preference run and the weight of each."""
        self.ignore("loss", "sft_weight", "loss_weights")
        terms: dict[str, float] = self.options.terms  # type: ignore[attr-defined]
        return terms

    def known_terms(self, known: Collection[str]) -> dict[str, float]:
        """The same; raises ``BadInput`` for one that the trainer does not have."""
        terms = self.terms()
        for name in terms:
            if name not in known:
                raise self.lacks("loss", name, known)
        return terms

    def lacks(self, option: str, value: Any, known: Iterable[Any]) -> BadInput:
        """That the trainer has no such value of an option."""
        values = {"option": option, "value": value, "trainer": self.trainer}
        return BadInput("handover.no_value", known=", ".join(map(str, known)), **values)

    @property
    def kinds(self) -> tuple[float, float]:
        """How much a good and a bad answer count in KTO, balanced as the run balances them."""
        self.ignore("balance", "good_weight", "bad_weight")
        weights: tuple[float, float] = self.options.weights(self.good, self.rows - self.good)  # type: ignore[attr-defined]
        return weights

    def unread(self) -> dict[str, tuple[Any, bool]]:
        """Options that the trainer has no field for: value, and whether it is other than the default."""
        declared = type(self.options).model_fields
        return {
            name: (value, value != declared[name].get_default(call_default_factory=True))
            for name, value in self.options.model_dump().items()
            if name not in self.read
        }


@dataclass(frozen=True)
class Way:
    """How a trainer carries out one of our methods."""

    fields: Callable[[Given], Fields]
    forms: Mapping[Shape, Form]
    """Its rows, of records of each shape that it can take."""
    command: tuple[str, ...]
    """What starts it; the configuration follows."""
    ours: Mapping[str, str] = field(default_factory=dict)
    """Our names of metrics that mean the same there, by theirs; every other metric keeps its name."""


@dataclass(frozen=True)
class Trainer:
    name: str
    """As its project writes it, in lower case where a command line has it."""
    title: str
    version: str
    """The version whose configuration the fields were read from."""
    ways: Mapping[str, Way]
    """By method of ours."""
    tunings: tuple[str, ...] = ("full", "lora", "qlora")
    config: Literal["yaml", "flags", "hydra"] = "yaml"
    """A file beside the script, or words behind its command: ``--name value`` or ``name=value``."""
    format: Literal["jsonl", "parquet"] = "jsonl"
    """Of the files of rows."""
    checked: bool = True
    """Whether its package could be read; else the fields are those of its documentation."""
    files: Callable[[Given], dict[str, str]] = lambda given: {}
    """Further files that it needs, by their path in the folder."""
    metrics: str = ""
    """Where it writes them, in the folder; for people."""
    log: curves.Log = HUGGING_FACE
    """How they are read."""
    weights: str = ""
    """What turns its result into files as the Hub has them, or where these are."""

    @property
    def notes_key(self) -> str:
        """What somebody who starts it should know: ``handover.<trainer>.notes``."""
        return f"handover.{self.name.replace('-', '_')}.notes"

    def way(self, run: RunSpec) -> Way:
        """Raises ``BadInput`` that says what it can instead: method, tuning, data."""
        spec = run.spec
        way = self.ways.get(spec.method)
        if way is None:
            raise self._lacks("method", spec.method, self.ways)
        if spec.tuning not in self.tunings:
            raise self._lacks("tuning", spec.tuning, self.tunings)
        if Shape(run.dataset.shape) not in way.forms:
            raise self._lacks("shape", run.dataset.shape, [shape.value for shape in way.forms])
        return way

    def _lacks(self, what: str, value: str, known: Any) -> BadInput:
        return BadInput(f"handover.no_{what}", trainer=self.title, value=value, known=", ".join(known))
