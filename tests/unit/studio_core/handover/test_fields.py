"""Every field that is written is one of the trainer's own: ``fields/`` has what its package declares.

Those of LLaMA-Factory and ms-swift hold transformers' ``TrainingArguments`` besides, which they inherit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio_core import training
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.handover import TRAINERS, named
from studio_core.handover.writing import Handover, given_of, hand_over
from studio_core.runs.spec import RunSpec
from tests.unit.studio_core.training.runs import spec

FIELDS = Path(__file__).parent / "fields"
OPENRLHF = {"sft": "sft", "dpo": "dpo", "reward": "rm"}
DATA = {"sft": "sums", "kto": "judged", "grpo": "sums"}
EACH = [(trainer, method) for trainer in TRAINERS.values() for method in trainer.ways]
# Everything that has a field somewhere, away from its default.
CHANGED: dict[str, Any] = {
    "max_steps": 7, "gradient_accumulation": 2, "max_length": 96, "scheduler": "cosine", "warmup": 0.1,
    "weight_decay": 0.01, "eval_share": 0.2, "save_steps": 5, "logging_steps": 2,
}  # fmt: skip


@pytest.fixture(autouse=True)
def data(sums: Dataset, pairs: Dataset, judged: Dataset) -> None:
    """The datasets that runs name."""


def known(trainer: str, method: str) -> set[str]:
    file = {
        "openrlhf": f"openrlhf-{OPENRLHF.get(method, 'ppo_ray')}",
        "verl": "verl-ppo" if method == "grpo" else "verl-sft",
        "nemo-rl": f"nemo-rl-{method}",
    }.get(trainer, trainer)
    return set((FIELDS / f"{file}.txt").read_text().split())


def handed(studio: Studio, folder: Path, trainer: str, method: str, **given: Any) -> Handover:
    asked = {"model": "tiny-chat", "dataset": DATA.get(method, "pairs"), **given}
    job = training.submit(studio, spec(method=method, **asked))
    return hand_over(studio, job.id, named(trainer), folder / f"{trainer}-{method}")


@pytest.mark.parametrize(("trainer", "method"), [(each.name, method) for each, method in EACH])
def test_every_field_is_the_trainers_own(studio: Studio, tmp_path: Path, trainer: str, method: str) -> None:
    tuning = "full" if method == "reward" else "lora"
    written = handed(studio, tmp_path, trainer, method, tuning=tuning, options=CHANGED)
    fields = written.fields
    nested = {name for entry in fields.get("datasets", []) for name in entry}
    # With ``++`` a field is added where its file does not set it.
    unknown = {name.removeprefix("++") for name in {*fields, *nested}} - known(trainer, method)
    assert not unknown
    assert len(fields) > 20 and written.rows and not written.not_rendered


@pytest.mark.parametrize("trainer", [*TRAINERS])
def test_what_every_run_has_reaches_every_trainer(studio: Studio, tmp_path: Path, trainer: str) -> None:
    """The values that differ from run to run stand in the configuration, whatever the fields are called."""
    options = {**CHANGED, "learning_rate": 0.000123, "batch_size": 3, "max_length": 97, "lora_rank": 5}
    written = handed(studio, tmp_path, trainer, "sft", tuning="lora", options=options, seed=41)
    values = [*written.fields.values()]
    for value in (0.000123, 3, 97, 5, 41):
        assert value in values, value


@pytest.mark.parametrize(
    ("trainer", "method", "given", "word"),
    [
        ("verl", "dpo", {}, "verl cannot do dpo"),
        ("axolotl", "cpo", {}, "sft, dpo"),
        ("openrlhf", "sft", {"tuning": "vera"}, "cannot do vera"),
        ("openrlhf", "dpo", {"options": {"loss": "hinge"}}, "loss = hinge"),
        ("llama-factory", "dpo", {"options": {"loss_weights": "sigmoid=0.5, hinge=0.5"}}, "loss_weights"),
        ("ms-swift", "sft", {"options": {"loss": "dft"}}, "loss = dft"),
        ("verl", "sft", {"options": {"loss_on": "everything"}}, "loss_on = everything"),
        ("verl", "grpo", {"options": {"environment": "calculator"}}, "environment = calculator"),
        (
            "openrlhf",
            "grpo",
            {"rewards": [{"name": "judge"}], "models": {"judge": "tiny-chat"}},
            "judge asks a model",
        ),
    ],
)
def test_what_a_trainer_cannot_is_refused(
    studio: Studio, tmp_path: Path, trainer: str, method: str, given: dict[str, Any], word: str
) -> None:
    with pytest.raises(BadInput) as caught:
        handed(studio, tmp_path, trainer, method, **given)
    assert word in caught.value.sentence()
    assert caught.value.sentence("zh-CN") and not (tmp_path / f"{trainer}-{method}").exists()


def test_options_without_a_field_are_said(studio: Studio, tmp_path: Path) -> None:
    options = {"neftune": 5.0, "reasoning": "mask", "scheduler": "linear", "optimizer": "adafactor"}
    written = handed(studio, tmp_path, "verl", "sft", options=options)
    assert written.without == {"neftune": 5.0, "reasoning": "mask"}
    assert written.nearest["scheduler"] == ("linear", "cosine")
    assert written.nearest["optimizer"] == ("adafactor", "AdamW")
    assert "early_stopping_threshold" in written.by_default
    readme = (tmp_path / "verl-sft" / "README.md").read_text()
    assert "| `neftune` | `5.0` |" in readme and "| `scheduler` | `linear` | `cosine` |" in readme


def test_a_template_that_cannot_be_given_along_is_refused(studio: Studio, sums: Dataset) -> None:
    run = RunSpec.model_validate(training.submit(studio, spec(model="tiny-chat")).spec["run"])
    bare = run.model_copy(update={"model": run.model.model_copy(update={"chat_template": "{{ messages }}"})})
    for trainer in ("llama-factory", "ms-swift"):
        with pytest.raises(BadInput, match="has no chat template"):
            named(trainer).ways["sft"].fields(given_of(bare, named(trainer)))
    fields = named("axolotl").ways["sft"].fields(given_of(bare, named("axolotl")))
    assert fields["chat_template_jinja"] == "{{ messages }}"


def test_balance_and_margin_are_worked_out(studio: Studio, tmp_path: Path) -> None:
    """10 of 40 answers are good: balanced, a good one counts three times as much."""
    kto = handed(studio, tmp_path, "ms-swift", "kto", options={"eval_share": 0.0})
    assert (kto.fields["desirable_weight"], kto.fields["undesirable_weight"]) == (3.0, 1.0)
    simpo = handed(studio, tmp_path, "axolotl", "simpo", options={"beta": 2.5, "margin_ratio": 0.4})
    assert (simpo.fields["rl_beta"], simpo.fields["simpo_gamma"]) == (2.5, 1.0)
