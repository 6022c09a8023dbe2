"""What a run is asked to do. One document is the form, the YAML file, the command line and the row.

``TrainSpec`` names things as a person does. When it is submitted, the names are
resolved into a ``RunSpec``, which alone (with the files that it points to) is
enough to carry the run out: it becomes ``spec.json`` in the run's folder, and the
worker reads nothing else. Needs pydantic only, so that any machine can read it.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

RoleName = Literal["policy", "reference", "reward", "value", "teacher", "judge"]
"""The part that a model plays in a training."""
DataRole = Literal["train", "held_out", "replay"]
"""What rows of a dataset are for: learnt from, measured on, or mixed in so that what was learnt earlier is kept."""


class RewardChoice(BaseModel):
    """A reward that a training learns from, and how much it counts beside others."""

    model_config = ConfigDict(extra="forbid")

    name: str
    weight: float = Field(default=1.0, allow_inf_nan=False)
    options: dict[str, Any] = Field(default_factory=dict)


class TrainSpec(BaseModel):
    """A training, as asked for.

    Nearly every run has one model that learns and one dataset, so these two have names of their own (``model``,
    ``dataset``: the roles policy and train); whatever else a method works with is named by its role.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Literal["train"] = "train"
    name: str = Field(
        default="", description="Run name, also the model's name; generated if empty.", max_length=80
    )
    method: str = Field(description="Training method.")
    tuning: str = Field(default="full", description="Fine-tuning method.")
    model: str = Field(
        description="Base model: a model name, a folder, a Hub name, or run:N for the result of run N."
    )
    dataset: str = Field(description="Dataset: NAME, or NAME@VERSION for an older version.")
    models: dict[RoleName, str] = Field(
        default_factory=dict, description="Further models by role, such as teacher; as methods list them."
    )
    data: dict[DataRole, str] = Field(
        default_factory=dict,
        description="Further datasets by role: held_out to measure on, instead of a share of the dataset.",
    )
    rewards: list[RewardChoice] = Field(
        default_factory=list, max_length=16, description="Rewards to learn from."
    )
    preset: str = Field(default="balanced", description="Preset.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="Options of the method that differ from the preset."
    )
    prompts: list[str] = Field(
        default_factory=list,
        max_length=8,
        description="Fixed prompts answered before, during and after training; taken from the data if empty.",
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="Random seed.")
    device: Literal["auto", "cpu", "gpu"] = Field(default="auto", description="Device: auto, cpu or gpu.")
    gpus: int = Field(default=1, ge=1, le=64, description="Number of GPUs for this run.")
    parallel: Literal["ddp", "fsdp", "deepspeed"] = Field(
        default="ddp",
        description="Parallelism across GPUs: ddp (whole model on each), fsdp (everything sharded), "
        "deepspeed (ZeRO 2: gradients and optimizer state sharded).",
    )
    after: int | None = Field(
        default=None, ge=1, description="Start when this run (or one that resumed it) has succeeded."
    )
    priority: int = Field(default=0, ge=-9, le=9, description="Higher starts first.")
    time_limit: float | None = Field(
        default=None, gt=0, le=10_000, description="Time limit in hours; then saves and stops."
    )


class ResolvedModel(BaseModel):
    """Where a model's files are. ``path`` is a complete model; ``adapter`` is LoRA weights on it."""

    id: int | None = None
    name: str
    path: str
    adapter: str | None = None
    parameters: int = 0
    trust_remote_code: bool = False
    chat_template: str | None = None
    """A standard template for a tokenizer that has none; null: its own."""


class ResolvedDataset(BaseModel):
    id: int
    name: str
    version: int
    shape: str
    rows: int
    path: str
    sha256: str


class RunSpec(BaseModel):
    """A training, resolved: ``spec.json``."""

    spec: TrainSpec
    model: ResolvedModel
    dataset: ResolvedDataset
    models: dict[RoleName, ResolvedModel] = Field(default_factory=dict)
    """Those of other roles."""
    data: dict[DataRole, ResolvedDataset] = Field(default_factory=dict)
    options: dict[str, Any]
    """All options of the method, preset and changes applied, as validated by its ``Options``."""
    prompts: list[str]
    resume_from: str | None = None
    """A complete checkpoint's folder."""


class DataSpec(BaseModel):
    """Work on datasets, as asked for: an operation that makes new versions, a report, or an import."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["data"] = "data"
    name: str = Field(default="", description="Job name; generated if empty.", max_length=80)
    operation: str = Field(description="What to do: an operation on data, report, or import.")
    datasets: list[str] = Field(
        default_factory=list,
        max_length=100,
        description="Datasets to take: NAME, or NAME@VERSION for an older version.",
    )
    options: dict[str, Any] = Field(default_factory=dict, description="Options of the operation.")
    result: str = Field(
        default="", description="Name of the result; empty: a new version of the first dataset."
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="Random seed.")
    device: Literal["auto", "cpu", "gpu"] = Field(default="auto", description="Device for models.")
    after: int | None = Field(default=None, ge=1, description="Start after this job has succeeded.")
    priority: int = Field(default=0, ge=-9, le=9, description="Higher starts first.")


class DataRun(BaseModel):
    """Work on datasets, resolved: ``spec.json``."""

    spec: DataSpec
    datasets: list[ResolvedDataset]
    options: dict[str, Any]
    """All options of the operation, as validated by its ``Options``."""
    models: dict[str, ResolvedModel] = Field(default_factory=dict)
    """Models that the options name, by their names there."""
    services: str = ""
    """File with the addresses and keys of services that answer questions."""
    answers: str = ""
    """Folder of answers that were paid or waited for already, shared by all jobs."""
    resumed: str = ""
    """Folder of the job that this one goes on from."""


class AnswerSource(BaseModel):
    """Who writes answers to be judged, and how: a model of the studio or a service."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(default="", max_length=80, description="Source name; generated if empty.")
    model: str = Field(default="", description="Model; empty if a service answers.")
    service: str = Field(default="", description="Service; empty if a model answers.")
    temperature: float = Field(default=0.7, ge=0, le=2, allow_inf_nan=False)
    top_p: float = Field(default=0.95, gt=0, le=1)
    max_tokens: int = Field(default=256, ge=1, le=32_768, description="Maximum number of new tokens.")
    system: str = Field(
        default="", max_length=20_000, description="System prompt instead of the prompt's own."
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    best_of: int = Field(
        default=1, ge=1, le=64, description="Above 1: pair the best and worst of N answers by reward."
    )
    reward: str = Field(default="", description="Reward function that scores the answers.")
    reward_options: dict[str, Any] = Field(
        default_factory=dict, description="Options of the reward function."
    )
    setting: str = Field(
        default="", description="Specs of former versions: the reward's option, as one text."
    )


class AnswersSpec(BaseModel):
    """Answers to be written for a labelling project: options of a ``DataSpec`` whose operation is ``answers``."""

    model_config = ConfigDict(extra="forbid")

    project: int
    mode: Literal["pairs", "rate", "rank"]
    sources: list[AnswerSource] = Field(min_length=1, max_length=8)
    prompts: str = Field(description="JSON lines: {prompt: messages, record: other columns}.")
    every_pair: bool = Field(
        default=False,
        description="With more than two sources, all pairs of them and not one for each prompt.",
    )
    seed: int = 0


class JudgeSpec(BaseModel):
    """Pairs to be judged in advance: options of a ``DataSpec`` whose operation is ``prelabel``."""

    model_config = ConfigDict(extra="forbid")

    project: int
    name: str = Field(min_length=1, max_length=60, description="How the judge is called.")
    model: str = Field(default="", description="A model of the studio; empty if a service judges.")
    service: str = Field(default="", description="A service of the settings; empty if a model judges.")
    rubric: str = Field(
        default="", max_length=20_000, description="What counts; empty: what counts commonly."
    )
    items: str = Field(description="JSON lines: {item: id, prompt: messages, answers: two texts}.")


class ServeSpec(BaseModel):
    """The chat worker: loads models as they are asked for and streams their answers."""

    kind: Literal["serve"] = "serve"
    name: str = "chat"
    idle_seconds: float = 900.0
    preload: list[ResolvedModel] = Field(default_factory=list)
