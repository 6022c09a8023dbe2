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
    retention: bool = Field(
        default=True,
        description="Whether an evaluation follows: what the model still knows, in a tenth of the training's time.",
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


class Elsewhere(BaseModel):
    """A training that another trainer did, and where what it left lies."""

    run: int
    """The run of ours that was handed over."""
    trainer: str
    version: str
    """Of the trainer, whose configuration it was given."""
    folder: str
    """What was handed over, with what the trainer put into it; resolved."""
    weights: str
    """The folder of its result, below ``folder``."""


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
    services: str = ""
    """File with the addresses and keys of services; empty: no reward asks one."""
    resume_from: str | None = None
    """A complete checkpoint's folder."""
    elsewhere: Elsewhere | None = None
    """Null: it is done here."""


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


class ExportSpec(BaseModel):
    """A model as files for other programs, as asked for."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["export"] = "export"
    name: str = Field(default="", description="Job name; generated if empty.", max_length=80)
    model: str = Field(description="Model name, folder, or run:N for the result of run N.")
    format: str = Field(description="Format of the files.")
    options: dict[str, Any] = Field(default_factory=dict, description="Options of the format.")
    suite: str = Field(default="sums", description="Suite whose questions original and result both answer.")
    prompts: int = Field(
        # From 120 alike out of 120 fewer than 3.1 % of others differ; a suite has no more than thousands.
        default=120,
        ge=0,
        le=2000,
        description="So many questions, the same each time; 0: not compared.",
    )
    max_tokens: int = Field(default=64, ge=1, le=4096, description="Most tokens of an answer.")
    device: Literal["auto", "cpu", "gpu"] = Field(default="auto", description="Device: auto, cpu or gpu.")
    after: int | None = Field(default=None, ge=1, description="Start after this job has succeeded.")
    priority: int = Field(default=0, ge=-9, le=9, description="Higher starts first.")


class ExportRun(BaseModel):
    """An export, resolved: ``spec.json``."""

    spec: ExportSpec
    model: ResolvedModel
    options: dict[str, Any]
    """All options of the format, as validated by its ``Options``."""
    prompts: list[list[dict[str, Any]]] = Field(default_factory=list)
    """Conversations that original and result both answer; none: not compared."""
    calibration: ResolvedDataset | None = None
    """Whose rows say which weights matter; of formats with fewer bits."""
    file: str
    """Name that the result goes by, without an ending: of letters, digits, dots and dashes."""
    made_by: int | None = None
    """The run that trained the model."""
    studio: str = ""
    """Version of Tunesmith."""


class SuiteChoice(BaseModel):
    """Questions that models are asked: a suite by its name, or a dataset with a reward that scores the answers."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(default="", description="Suite; empty for a test set of your own.")
    dataset: str = Field(default="", description="Test set: NAME, or NAME@VERSION; empty for a suite.")
    reward: RewardChoice | None = Field(
        default=None, description="What scores the answers to a test set; empty: the reference answer."
    )
    reward_model: str = Field(
        default="", description="Reward model that scores the answers to a test set, in place of a reward."
    )
    protocol: str = Field(
        default="",
        description="How a judge scores the answers, if not as the suite says; of a test set in place of a reward.",
    )
    options: dict[str, Any] = Field(default_factory=dict, description="Options of the protocol.")
    max_tokens: int | None = Field(
        # Of no answer that a person reads; a typing error is refused.
        default=None,
        ge=1,
        le=131_072,
        description="Most tokens of an answer, if not as many as the suite says.",
    )
    samples: int | None = Field(
        # As many as are drawn of a prompt anywhere; each is a whole answer.
        default=None,
        ge=1,
        le=64,
        description="Answers drawn to each question, if not as many as the suite says: pass@k is told of several.",
    )
    temperature: float | None = Field(
        default=None, ge=0, le=2, description="Temperature, if not that of the suite."
    )
    tools_in_prompt: bool | None = Field(
        default=None,
        description="Whether the prompt says which tools there are, where a suite has tools; empty: it does.",
    )

    @property
    def title(self) -> str:
        return self.name or self.dataset


class EvalSpec(BaseModel):
    """Models against suites, as asked for."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["evaluate"] = "evaluate"
    name: str = Field(default="", description="Job name; generated if empty.", max_length=80)
    models: list[str] = Field(
        # More columns than a screen has.
        min_length=1,
        max_length=50,
        description="Models, or NAME@STEP for a checkpoint; the others are compared with the first.",
    )
    suites: list[SuiteChoice] = Field(min_length=1, max_length=50, description="Suites and test sets.")
    judge_model: str = Field(default="", description="Model that judges, where a suite needs a judge.")
    judge_service: str = Field(default="", description="Service that judges, where a suite needs a judge.")
    limit: int | None = Field(
        default=None, ge=1, description="So many questions of each suite, always the same ones; empty: all."
    )
    seconds: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Time to spend: as many questions of each suite as fit into it; empty: no limit.",
    )
    # Ten answers a suite say whether a model has lost an ability altogether.
    least: int = Field(
        default=10,
        ge=1,
        description="Within a time: so many questions of each suite, however long they take.",
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="Random seed of answers that are drawn.")
    device: Literal["auto", "cpu", "gpu"] = Field(default="auto", description="Device: auto, cpu or gpu.")
    after: int | None = Field(default=None, ge=1, description="Start after this job has succeeded.")
    priority: int = Field(default=0, ge=-9, le=9, description="Higher starts first.")


class ResolvedSuite(BaseModel):
    """Where the questions are: a file of a suite, or a dataset."""

    choice: SuiteChoice
    path: str
    sha256: str
    """Of the file, since other questions are another suite; where a judge scores, of all that a verdict hangs on."""
    dataset: ResolvedDataset | None = None
    reward_model: ResolvedModel | None = None


class EvalRun(BaseModel):
    """Models against suites, resolved: ``spec.json``."""

    spec: EvalSpec
    models: dict[str, ResolvedModel]
    """By name, in the order that was asked for."""
    suites: list[ResolvedSuite]
    judge: ResolvedModel | None = None
    """The model that judges; null: the service that ``spec`` names, or nobody."""
    services: str = ""
    answers: str = ""
    """Folder of answers that were waited for already, shared by all jobs."""
    trained_on: dict[str, dict[str, ResolvedDataset]] = {}
    """By model the datasets, ``NAME@VERSION``, of all trainings that led to it."""
    lm_eval_python: str = ""
    """The Python that has lm-evaluation-harness, where a suite is one of its tasks."""
    lm_eval_tasks: str = ""
    """A folder that may have tasks of one's own for it."""
    programs: dict[str, list[str]] = Field(default_factory=dict)
    """What starts the programs of the benchmarks among the suites."""


class ServeSpec(BaseModel):
    """The chat worker: loads models as they are asked for and streams their answers."""

    kind: Literal["serve"] = "serve"
    name: str = "chat"
    # A quarter of an hour: a person who reads or votes between two questions finds the model still loaded.
    idle_seconds: float = 900.0
    preload: list[ResolvedModel] = Field(default_factory=list)


class PushRun(BaseModel):
    """Files that go to a repository of the Hub, with their card: ``spec.json``."""

    kind: Literal["push"] = "push"
    export: int
    """The job that made them."""
    title: str
    """The model's name."""
    format: str
    repo: str
    public: bool = False
    message: str
    files: dict[str, str]
    """Where each lies, by its name in the repository."""
    card: str
    """The README.md."""
