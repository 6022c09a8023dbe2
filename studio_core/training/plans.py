"""What is known of a training before it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from studio_core import texts
from studio_core.base.errors import StudioError
from studio_core.base.tables import Dataset, Job, Model
from studio_core.data.turn_end import TurnEnd
from studio_core.methods.base import Method
from studio_core.methods.common import TrainingOptions
from studio_core.methods.memory import Memory
from studio_core.models.inspect import read_json
from studio_core.models.size import ModelSize
from studio_core.runs.spec import DataRole, ResolvedModel, RoleName, TrainSpec
from studio_core.training.lengths import Lengths
from studio_core.tunings.base import Case

T = TypeVar("T")


@dataclass(frozen=True)
class Remark:
    """Something worth knowing before the start, as a sentence of the catalogue."""

    key: str
    values: dict[str, Any] = field(default_factory=dict)

    grave: bool = False
    """Whether the run will hardly be worth its time as it is."""

    def sentence(self, language: str = texts.DEFAULT_LANGUAGE) -> str:
        return texts.text(self.key, language, **self.values)


@dataclass
class Plan:
    """What will happen; what could not be found out yet is None or 0."""

    spec: TrainSpec
    device: str
    """``cpu`` or ``gpu``."""
    method: Method | None = None
    model: Model | None = None
    resolved: ResolvedModel | None = None
    models: dict[RoleName, Model] = field(default_factory=dict)
    """Those of further roles."""
    resolved_models: dict[RoleName, ResolvedModel] = field(default_factory=dict)
    data: dict[DataRole, Dataset] = field(default_factory=dict)
    """Datasets of further roles."""
    after: Job | None = None
    """The run that has to succeed first; with ``run:N`` as its model, ``model`` is what that run trains."""
    dataset: Dataset | None = None
    options: TrainingOptions | None = None
    rows: int = 0
    """Rows that are trained on: those of the dataset without those held out."""
    replayed: int = 0
    """Rows of the dataset of the role replay that are trained on besides."""
    steps: int = 0
    tokens: int = 0
    """Tokens that go through the model in the whole run."""
    lengths: Lengths | None = None
    cut_share: float = 0.0
    """Share of rows that are longer than the length limit."""
    memory: Memory | None = None
    lighter: dict[str, dict[str, int]] = field(default_factory=dict)
    """What would need less: ``{"batch_size": {"before", "after", "memory"}, "qlora": {"memory"}}``."""
    memory_total: int = 0
    disk: int = 0
    """Bytes that checkpoints and the result will take at most."""
    end: TurnEnd | None = None
    """What an answer is taught to end with; None if nothing is rendered by a chat template."""
    seconds: float | None = None
    learned: bool = False
    """Whether the time rests on an earlier run of this machine."""
    warnings: list[Remark] = field(default_factory=list)
    problems: list[StudioError] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        return not self.problems

    @property
    def doubtful(self) -> bool:
        """Whether it could start, but something should be changed first."""
        return self.ready and any(warning.grave for warning in self.warnings)

    @property
    def effective_batch(self) -> int:
        return self.options.effective_batch * self.spec.gpus if self.options else 0


def tried(plan: Plan, step: Callable[[], T]) -> T | None:
    try:
        return step()
    except StudioError as problem:
        plan.problems.append(problem)
        return None


def case_of(plan: Plan, model: Model) -> Case:
    """What the training is of, for the tunings to say whether they can do it."""
    return Case(
        model=model.name,
        quantised=bool(model.details.get("quantised")),
        writes=plan.method is None or plan.method.writes,
        gpus=plan.spec.gpus,
        parallel=plan.spec.parallel,
        adapter=_kind_of_adapter(plan),
        compares=plan.method is not None and plan.method.compares,
        size=ModelSize.of(model.parameters, model.details),
        checkpointing=plan.options.activation_checkpointing if plan.options else "auto",
        options=plan.options.model_dump() if plan.options else {},
    )


def _kind_of_adapter(plan: Plan) -> str:
    """PEFT's name of what the model is, if it is an adapter; those of before it was written down are LoRA."""
    if plan.resolved is None or plan.resolved.adapter is None:
        return ""
    file = Path(plan.resolved.adapter) / "adapter_config.json"
    return str((tried(plan, lambda: read_json(file)) or {}).get("peft_type") or "LORA")
