"""What a training would do, before it starts: steps, tokens, memory, time, and what stands in its way."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import psutil

from studio_core import methods, queue, texts
from studio_core.chains import result_of, run_number
from studio_core.data import parquet, store
from studio_core.data.shapes import Shape
from studio_core.errors import BadInput, StudioError
from studio_core.methods.base import Method, four_bit_problem, validated
from studio_core.methods.common import TrainingOptions
from studio_core.models import estimate, registry
from studio_core.models.estimate import Memory, ModelSize
from studio_core.spec import ResolvedModel, TrainSpec, Tuning
from studio_core.states import TERMINAL, State
from studio_core.studio import Studio
from studio_core.tables import Dataset, Job, Model
from studio_core.training import several_gpus
from studio_core.training.lengths import Lengths, measured

T = TypeVar("T")

FEW_ROWS = 50
MUCH_CUT = 0.05


@dataclass(frozen=True)
class Remark:
    """Something worth knowing before the start, as a sentence of the catalogue."""

    key: str
    values: dict[str, Any] = field(default_factory=dict)

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
    after: Job | None = None
    """The run that has to succeed first; with ``run:N`` as its model, ``model`` is what that run trains."""
    dataset: Dataset | None = None
    options: TrainingOptions | None = None
    rows: int = 0
    """Rows that are trained on: those of the dataset without those held out."""
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
    seconds: float | None = None
    learned: bool = False
    """Whether the time rests on an earlier run of this machine."""
    warnings: list[Remark] = field(default_factory=list)
    problems: list[StudioError] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        return not self.problems

    @property
    def effective_batch(self) -> int:
        return self.options.effective_batch * self.spec.gpus if self.options else 0


def plan(studio: Studio, spec: TrainSpec) -> Plan:
    """What this training would do. Nothing is raised: what stands in the way is in ``problems``."""
    made = Plan(spec=spec, device=device_for(studio, spec))
    method = made.method = _tried(made, lambda: methods.named(spec.method))
    model = made.model = _tried(made, lambda: _named_model(studio, made))
    made.dataset = _tried(made, lambda: _named_dataset(studio, spec.dataset))
    if model:
        scoring = method is not None and not method.writes
        made.resolved = _tried(made, lambda: registry.resolve(studio, model.id, scoring=scoring))
    if method and model:
        made.options = _tried(made, lambda: options_of(spec, method, model.parameters))
    _check_name(made)
    _check_order(studio, made)
    _check_device(studio, made)
    made.problems += several_gpus.problems(spec, made.device, queue.devices(studio), made.options)
    _check_tuning(made)
    if made.dataset and made.method:
        _check_dataset(studio, made)
    if made.ready and made.options and made.dataset and made.resolved:
        _measure(studio, made)
        _check_space(studio, made)
    return made


def options_of(spec: TrainSpec, method: Method, parameters: int) -> TrainingOptions:
    """All options of a run: the preset for this model with the changes of the spec."""
    return cast(TrainingOptions, validated(method, spec.preset, spec.tuning, parameters, spec.options))


def device_for(studio: Studio, spec: TrainSpec) -> str:
    """Where the run will be carried out: on a GPU if there is one and none other was asked for."""
    if spec.device != "auto":
        return spec.device
    return "gpu" if any(device.kind == "gpu" for device in queue.devices(studio)) else "cpu"


def _becomes(shape: Shape, wanted: Shape) -> bool:
    """Whether records of a shape can be converted to what a method learns from."""
    if wanted is Shape.UNPAIRED_PREFERENCE and shape not in (Shape.PREFERENCE, Shape.STEPWISE):
        return False  # Nobody called any of their answers bad.
    from studio_core.curation.convert import (
        conversion,
    )  # With all operations: commands need not wait for them.

    return conversion(shape, wanted) is not None


def misfit(method: Method, dataset: Dataset) -> BadInput | None:
    """Why a dataset cannot be used with a method; None if it can."""
    if dataset.shape not in {shape.value for shape in method.shapes}:
        ways = [shape for shape in method.shapes if _becomes(Shape(dataset.shape), shape)]
        return BadInput(
            "train.shape_convertible" if ways else "train.shape_misfit",
            dataset=dataset.name,
            shape=dataset.shape,
            method=method.name.upper(),
            wanted=", ".join(shape.value for shape in method.shapes),
            to=next(iter(ways), ""),
        )
    if dataset.rows == 0:
        return BadInput("train.dataset_empty", dataset=dataset.name)
    return None


def fitting_datasets(studio: Studio, method: str) -> list[tuple[Dataset, BadInput | None]]:
    """All datasets, newest first, each with the reason why it does not fit the method (None: it fits)."""
    known = methods.named(method)
    return [(dataset, misfit(known, dataset)) for dataset in store.all_datasets(studio)]


def _tried(made: Plan, step: Callable[[], T]) -> T | None:
    try:
        return step()
    except StudioError as problem:
        made.problems.append(problem)
        return None


def _named_model(studio: Studio, made: Plan) -> Model:
    name = made.spec.model.strip()
    if not name:
        raise BadInput("train.no_model")
    if (number := run_number(name)) is None:
        return registry.find_or_add(studio, name)
    made.after = queue.last_of_chain(studio, queue.get(studio, number))
    model = _made_by(studio, made.after)
    if made.method and made.method.writes and not methods.writes(made.after.method):
        raise BadInput("models.scores_only", model=name)
    return model


def base_of(studio: Studio, name: str) -> Model:
    """The model of that name; of ``run:N`` what that run made, or what it is being made from."""
    number = run_number(name)
    if number is None:
        return registry.get(studio, name)
    return _made_by(studio, queue.last_of_chain(studio, queue.get(studio, number)))


def scores(studio: Studio, name: str) -> bool:
    """Whether the model of that name, or what ``run:N`` is to make, scores answers instead of writing any."""
    number = run_number(name)
    if number is None:
        return registry.scores(registry.get(studio, name))
    return not methods.writes(queue.last_of_chain(studio, queue.get(studio, number)).method)


def _made_by(studio: Studio, job: Job) -> Model:
    """Until a run's result is there, its sizes and its tokenizer are those of its own base model."""
    if job.kind != "train":
        raise BadInput("train.not_a_training", job=job.id)
    return result_of(studio, job.id) or registry.get(studio, job.spec["run"]["model"]["id"])


def _named_dataset(studio: Studio, name: str) -> Dataset:
    if not name.strip():
        raise BadInput("train.no_dataset")
    return store.get(studio, name)


def _check_name(made: Plan) -> None:
    name = made.spec.name
    if any(character in "/\\" or not character.isprintable() for character in name):
        made.problems.append(BadInput("train.bad_name", name=name))


def _check_order(studio: Studio, made: Plan) -> None:
    if made.spec.after is not None and made.after is None:
        asked = made.spec.after
        made.after = _tried(made, lambda: queue.last_of_chain(studio, queue.get(studio, asked)))
    elif made.after is not None and made.spec.after not in (None, run_number(made.spec.model)):
        made.problems.append(BadInput("train.two_orders", model=made.spec.model, after=made.spec.after))
    if made.after is None:
        return
    if made.after.kind != "train":
        made.problems.append(BadInput("train.not_a_training", job=made.after.id))
    elif made.after.state in TERMINAL and made.after.state != State.SUCCEEDED:
        state = made.after.state
        made.problems.append(BadInput("train.after_ended", run=made.after.id, state=state))
    elif made.after.state != State.SUCCEEDED:
        made.warnings.append(Remark("train.starts_after", {"run": made.after.id, "name": made.after.name}))


def _check_device(studio: Studio, made: Plan) -> None:
    gpus = [device for device in queue.devices(studio) if device.kind == "gpu"]
    if made.device == "gpu":
        made.memory_total = max((device.memory for device in gpus), default=0)
        if not gpus:
            made.problems.append(BadInput("train.no_gpu"))
    else:
        made.memory_total = psutil.virtual_memory().total


def _check_tuning(made: Plan) -> None:
    tuning, model = made.spec.tuning, made.model
    if tuning == "qlora" and (problem := four_bit_problem()):
        made.problems.append(problem)
    if model is None:
        return
    quantised = bool(model.details.get("quantised"))
    if quantised and tuning == "full":
        made.problems.append(BadInput("train.quantised_full", model=model.name))
    if quantised and tuning == "qlora":
        made.problems.append(BadInput("train.quantised_twice", model=model.name))
    scoring = made.method is not None and not made.method.writes
    if quantised and scoring and tuning == "lora":
        made.problems.append(BadInput("train.quantised_scorer", model=model.name))
    if scoring and made.spec.gpus > 1 and made.spec.parallel == "fsdp" and tuning != "full":
        made.problems.append(BadInput("methods.reward_in_shards"))
    if model.kind == "adapter":
        what = "merged" if tuning == "full" else "merged_to_score" if scoring else "continued"
        made.warnings.append(Remark(f"train.adapter_{what}", {"model": model.name}))
    if made.resolved and made.resolved.chat_template:
        made.warnings.append(Remark("train.standard_template", {"model": model.name}))
    if model.trust_remote_code and model.details.get("own_code"):
        made.warnings.append(Remark("train.own_code", {"model": model.name}))


def _check_dataset(studio: Studio, made: Plan) -> None:
    assert made.dataset and made.method
    dataset = made.dataset
    if problem := misfit(made.method, dataset):
        made.problems.append(problem)
        return
    if dataset.shape == Shape.UNPAIRED_PREFERENCE:
        good = parquet.good_answers(store.parquet_path(studio, dataset))
        if good in (0, dataset.rows):
            values = {"dataset": dataset.name, "rows": dataset.rows, "good": good}
            made.problems.append(BadInput("methods.one_kind_only", **values))
    if dataset.rows < FEW_ROWS:
        made.warnings.append(Remark("train.few_rows", {"rows": dataset.rows}))


def _measure(studio: Studio, made: Plan) -> None:
    """Steps and tokens from the lengths of the rows; memory and time from those."""
    assert made.options and made.dataset and made.resolved and made.model and made.method
    options, dataset, resolved = made.options, made.dataset, made.resolved
    lengths = _tried(made, lambda: measured(studio, dataset, resolved))
    made.cut_share = lengths.share_above(options.max_length) if lengths else 0.0
    fitting = dataset.rows if made.method.writes else round((1 - made.cut_share) * dataset.rows)
    made.rows = fitting - options.held_out(fitting)
    made.steps = options.total_steps(fitting, made.spec.gpus)
    if lengths is None:
        return
    made.lengths = lengths
    seen_rows = made.steps * made.effective_batch
    made.tokens = round(seen_rows * lengths.mean_up_to(options.max_length))
    longest = min(lengths.longest, options.max_length)
    reach = int(made.model.details.get("max_length") or 0)
    if reach and longest > reach:
        made.problems.append(
            BadInput("train.beyond_reach", longest=longest, model=made.model.name, reach=reach)
        )
    if made.cut_share > MUCH_CUT:
        cut = {"share": f"{made.cut_share:.0%}", "limit": options.max_length, "longest": lengths.longest}
        made.warnings.append(Remark("train.much_cut" if made.method.writes else "train.much_left_out", cut))
    if not fitting and not lengths.sampled:
        values = {"dataset": dataset.name, "limit": options.max_length}
        made.problems.append(BadInput("methods.nothing_to_learn", **values))
        return

    size = ModelSize.of(resolved.parameters or made.model.parameters, made.model.details)
    method = made.method
    checkpointing = options.activation_checkpointing == "on"

    def needed(batch_size: int, tuning: Tuning) -> Memory:
        computed = estimate.memory(
            size,
            tuning=tuning,
            sequences=batch_size * method.sequences,
            length=longest,
            device=made.device,
            rank=options.lora_rank,
            reference=method.reference,
            writes=method.writes,
            checkpointing=checkpointing,
            gpus=made.spec.gpus,
            parallel=made.spec.parallel,
        )
        used = estimate.learned_memory(
            studio, method=made.spec.method, tuning=tuning, device=made.device, parameters=size.parameters
        )
        return replace(computed, correction=used or 1.0)

    made.memory = needed(options.batch_size, made.spec.tuning)
    made.lighter = _lighter(made, options.batch_size, needed)
    work = estimate.flops_per_token(
        size, tuning=made.spec.tuning, forward_passes=method.forward_passes, checkpointing=checkpointing
    )
    learned = estimate.learned_speed(studio, made.device, size.parameters)
    speed = learned or estimate.assumed_speed(made.device, studio.settings.threads)
    speed *= made.spec.gpus
    made.learned = learned is not None
    made.seconds = estimate.seconds(
        tokens=made.tokens,
        steps=made.steps,
        flops=work,
        speed=speed,
        device=made.device,
        learned=made.learned,
    )
    made.disk = estimate.disk(size, tuning=made.spec.tuning, rank=options.lora_rank, whole=not method.writes)


def _lighter(
    made: Plan, batch_size: int, needed: Callable[[int, Tuning], Memory]
) -> dict[str, dict[str, int]]:
    ways: dict[str, dict[str, int]] = {}
    half, tuning = batch_size // 2, made.spec.tuning
    if half:
        ways["batch_size"] = {"before": batch_size, "after": half, "memory": needed(half, tuning).total}
    if tuning == "full":
        ways["lora"] = {"memory": needed(batch_size, "lora").total}
    offered = made.method is not None and "qlora" in made.method.tunings
    if offered and tuning != "qlora" and not four_bit_problem():
        ways["qlora"] = {"memory": needed(batch_size, "qlora").total}
    return ways


def _check_space(studio: Studio, made: Plan) -> None:
    free = shutil.disk_usage(studio.settings.home).free
    if made.disk > free:
        problem = BadInput("train.no_disk", needed=_gb(made.disk), free=_gb(free), path=studio.settings.home)
        made.problems.append(problem)
    if made.memory is None or not made.memory_total:
        return
    amounts = {"needed": _gb(made.memory.total), "total": _gb(made.memory_total)}
    if made.memory.total > made.memory_total:
        made.problems.append(BadInput(f"train.no_memory_{made.device}", **amounts))
    elif made.device == "cpu" and made.memory.total > (free_now := psutil.virtual_memory().available):
        made.warnings.append(Remark("train.memory_tight", {**amounts, "free": _gb(free_now)}))


def _gb(amount: int) -> str:
    return f"{amount / 1e9:.1f} GB"
