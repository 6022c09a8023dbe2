"""What a run is asked to do. One document is the form, the YAML file, the command line and the row.

``TrainSpec`` names things as a person does. When it is submitted, the names are
resolved into a ``RunSpec``, which alone (with the files that it points to) is
enough to carry the run out: it becomes ``spec.json`` in the run's folder, and the
worker reads nothing else. Needs pydantic only, so that any machine can read it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

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
        # Names become names of folders and files; 80 signs leave room for what is added to them.
        default="",
        description="Run name, also the model's name; generated if empty.",
        max_length=80,
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
        # More rewards than anybody weighs against each other; the limit is
        # for documents written by programs.
        default_factory=list,
        max_length=16,
        description="Rewards to learn from.",
    )
    preset: str = Field(default="balanced", description="Preset.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="Options of the method that differ from the preset."
    )
    prompts: list[str] = Field(
        default_factory=list,
        # Each is answered at every sample: eight are read at a glance and cost seconds, not minutes.
        max_length=8,
        description="Fixed prompts answered before, during and after training; taken from the data if empty.",
    )
    # The upper end is the largest signed number of 32 bits, which numpy and torch both take.
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="Random seed.")
    device: Literal["auto", "cpu", "gpu"] = Field(default="auto", description="Device: auto, cpu or gpu.")
    # 64 is far above one machine's cards; a typing error such as 800 is
    # refused at once and does not wait for ever.
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
        # Hours, more than a year: above it a number was surely meant in another unit.
        default=None,
        gt=0,
        le=10_000,
        description="Time limit in hours; then saves and stops.",
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
    chosen: list[int] | None = None
    """Numbers of the rows that count, rising; null: all. A worker sets it where it draws some of them."""


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
        # A merge reads them all and a page names them all.
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
    """Models that the options name, by their names there; of several the further ones are ``<name>.2`` and so on."""
    services: str = ""
    """File with the addresses and keys of services that answer questions."""
    answers: str = ""
    """Folder of answers that were paid or waited for already, shared by all jobs."""
    resumed: str = ""
    """Folder of the job that this one goes on from."""


class MergeSpec(BaseModel):
    """Adapters to be merged into a new one, as asked for."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["merge"] = "merge"
    name: str = Field(
        default="", description="Name of the job and the new model; generated if empty.", max_length=80
    )
    # Weights are shares around 1; ten times an adapter's effect is a typing error, and breaks the text.
    adapters: dict[str, Annotated[float, Field(ge=-10, le=10, allow_inf_nan=False)]] = Field(
        # More than anybody merges; under cat their ranks add up.
        max_length=16,
        description="Adapters by name, each with its weight.",
    )
    options: dict[str, Any] = Field(default_factory=dict, description="How they are merged.")
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="Random seed of DARE.")
    device: Literal["auto", "cpu", "gpu"] = Field(default="auto", description="Device: auto, cpu or gpu.")
    priority: int = Field(default=0, ge=-9, le=9, description="Higher starts first.")


class MergeRun(BaseModel):
    """A merge of adapters, resolved: ``spec.json``."""

    spec: MergeSpec
    model: ResolvedModel
    """The complete model that all of them are on."""
    adapters: list[ResolvedModel]
    weights: list[float]
    """In the order of ``adapters``."""
    options: dict[str, Any]
    """All options of the merge, as validated by its ``MergeOptions``."""


class ServeSpec(BaseModel):
    """The chat worker: loads models as they are asked for and streams their answers."""

    kind: Literal["serve"] = "serve"
    name: str = "chat"
    # A quarter of an hour: a person who reads or votes between two questions finds the model still loaded.
    idle_seconds: float = 900.0
    preload: list[ResolvedModel] = Field(default_factory=list)
