"""What the losses on pairs are, by hand and beside TRL's, and what is particular to a reference that is not there."""

from __future__ import annotations

import json
from importlib import import_module
from math import log
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed
from trl import DPOConfig

from jobs.chat_format import chat_format
from jobs.training import cpo, dpo, fast_head, orpo, simpo
from jobs.training.loading import load_model, machine_for
from jobs.training.reference_free import Answers, Objective, ReferenceFreeTrainer
from studio_core.methods import METHODS
from studio_core.methods.base import read
from studio_core.methods.cpo import CPOOptions
from studio_core.methods.dpo import LOSSES, DPOOptions
from studio_core.methods.orpo import ORPOOptions
from studio_core.methods.simpo import SimPOOptions
from studio_core.runs import run_folder
from studio_core.runs.spec import ResolvedModel, RunSpec
from studio_core.tunings import TUNINGS
from tests.integration.miniature import chats, events, losses, make_run, miniature_model, pairs

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

BETA, SMOOTHING = 0.1, 0.1
AT_THE_START = {
    "sigmoid": log(2),
    "sigmoid_norm": log(2),
    "ipo": (1 / (2 * BETA)) ** 2,
    "hinge": 1.0,
    "robust": log(2),
    "apo_zero": 1.0,
    "apo_down": 1.0,
    "exo_pair": 0.5 * (log(0.5) - log(1 - SMOOTHING)) + 0.5 * (log(0.5) - log(SMOOTHING)),
    "nca_pair": 2 * log(2),
    "bco_pair": 2 * log(2),
    "sppo_hard": 2 * (1 / (2 * BETA)) ** 2,
    "aot": log(2),
    "aot_unpaired": log(2),
    "discopop": 0.5 * log(2) + 0.5,
}
"""By hand: the model is its reference, so all log-ratios are 0."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ResolvedModel:
    return miniature_model(tmp_path_factory.mktemp("models") / "miniature")


def trained(folder: Path, model: ResolvedModel, method: str = "dpo", **given: Any) -> Path:
    settings = {"batch_size": 8, "eval_share": 0.0, "prompts": (), **given}
    run_dir = make_run(folder, model, settings.pop("rows", pairs(8)), method=method, **settings)
    import_module(METHODS[method].script).main(run_dir)
    return run_dir


def weights(run_dir: Path) -> dict[str, torch.Tensor]:
    [file] = (run_dir / "model").glob("*.safetensors")
    return load_file(file)


@pytest.mark.parametrize("loss", AT_THE_START)
def test_a_run_begins_with_the_loss_that_the_formula_gives(
    tmp_path: Path, model: ResolvedModel, loss: str
) -> None:
    given = {"loss": loss, "beta": BETA, "sft_weight": 0, "label_smoothing": SMOOTHING, "max_steps": 1}
    assert losses(trained(tmp_path / "run", model, **given))[1] == pytest.approx(AT_THE_START[loss], abs=1e-3)


def test_every_loss_of_dpo_is_tested() -> None:
    assert {*AT_THE_START, "sft"} == set(LOSSES)


def test_several_losses_are_added_up_by_their_weights(tmp_path: Path, model: ResolvedModel) -> None:
    def first(name: str, **given: Any) -> float:
        return losses(trained(tmp_path / name, model, max_steps=1, **given))[1] or 0.0

    nothing = {"loss_weights": "sigmoid=0, sft=1"}
    mixed = first("mixed", loss_weights="sigmoid=0.8, bco_pair=0.2, sft=0.5")
    assert mixed == pytest.approx(0.8 * log(2) + 0.2 * 2 * log(2) + 0.5 * first("sft", **nothing), abs=1e-3)


@pytest.mark.parametrize("kind", ["forward_kl", "js_divergence", "alpha_divergence"])
def test_an_f_divergence_changes_what_is_learnt(tmp_path: Path, model: ResolvedModel, kind: str) -> None:
    given = {"max_steps": 4, "sft_weight": 0, "warmup": 0.0}
    plain = losses(trained(tmp_path / "plain", model, **given))
    other = losses(trained(tmp_path / "other", model, divergence=kind, **given))
    assert other[1] == plain[1] and other[4] != plain[4] and other[4] < other[1]  # type: ignore[operator]


class TestAReferenceThatFollows:
    def test_it_is_the_model_of_the_step_before(self, tmp_path: Path, model: ResolvedModel) -> None:
        run_dir = trained(tmp_path / "run", model, max_steps=4, sync_steps=1, sync_mix=1.0)
        rewards = [event["values"]["rewards/chosen"] for event in events(run_dir, "metrics")]
        assert rewards == pytest.approx([0.0] * 4, abs=1e-5)

    def test_a_resumed_run_has_the_reference_of_its_checkpoint(
        self, tmp_path: Path, model: ResolvedModel
    ) -> None:
        given = {"max_steps": 6, "save_steps": 3, "sync_steps": 2}
        whole = trained(tmp_path / "whole", model, **given)
        resume_from = whole / "checkpoints" / "checkpoint-3"
        assert any(c.path == resume_from and c.complete for c in run_folder.checkpoints(whole))
        resumed = trained(tmp_path / "resumed", model, resume_from=resume_from, **given)
        assert losses(resumed) == {step: loss for step, loss in losses(whole).items() if step > 3}
        one, other = weights(whole), weights(resumed)
        assert all(torch.equal(one[name], other[name]) for name in one)


def random_answers(seed: int) -> Answers:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(1, 20, (16,), generator=generator)
    return Answers(-3 * torch.rand(16, generator=generator) * tokens, tokens)


class TestBesideTRL:
    """TRL's own trainers of these are experimental: a test that fails here names what moved."""

    @pytest.mark.parametrize("options", [SimPOOptions(), SimPOOptions(beta=10.0, margin_ratio=0.3)])
    def test_simpo(self, options: SimPOOptions) -> None:
        from trl.experimental.cpo import CPOTrainer

        theirs = SimpleNamespace(
            alpha=0.0, accelerator=SimpleNamespace(device="cpu"), loss_type="simpo", beta=options.beta,
            simpo_gamma=options.margin_ratio * options.beta, label_smoothing=0.0,
        )  # fmt: skip
        self.compare(simpo.objective(options), CPOTrainer.cpo_loss, theirs, per_token=True)

    @pytest.mark.parametrize("options", [CPOOptions(), CPOOptions(beta=0.3, label_smoothing=0.2)])
    def test_cpo(self, options: CPOOptions) -> None:
        from trl.experimental.cpo import CPOTrainer

        theirs = SimpleNamespace(
            alpha=0.0, accelerator=SimpleNamespace(device="cpu"), loss_type="sigmoid", beta=options.beta,
            label_smoothing=options.label_smoothing,
        )  # fmt: skip
        self.compare(cpo.objective(options), CPOTrainer.cpo_loss, theirs, per_token=False)
        assert cpo.objective(options).sft_weight == options.sft_weight

    def test_orpo(self) -> None:
        from trl.experimental.orpo import ORPOTrainer

        options = ORPOOptions(odds_weight=0.3)
        theirs = SimpleNamespace(beta=options.odds_weight, accelerator=SimpleNamespace(device="cpu"))

        def loss(*given: Any) -> Any:  # What TRL takes away from the SFT loss.
            return tuple(-values for values in ORPOTrainer.odds_ratio_loss(*given))

        self.compare(orpo.objective(options), loss, theirs, per_token=True)
        assert orpo.objective(options).sft_weight == 1.0

    def compare(self, objective: Objective, theirs: Any, trainer: Any, per_token: bool) -> None:
        chosen, rejected = random_answers(0), random_answers(1)
        likelihoods = [side.per_token if per_token else side.logps for side in (chosen, rejected)]
        ours = objective.loss(objective.reward(chosen) - objective.reward(rejected))
        torch.testing.assert_close(ours, theirs(trainer, *likelihoods)[0])


def test_an_answer_that_is_certain_has_finite_odds() -> None:
    logps = torch.zeros(2, requires_grad=True)
    objective = orpo.objective(ORPOOptions())
    certain = objective.reward(Answers(logps, torch.ones(2)))
    objective.loss(certain - certain.flip(0)).sum().backward()
    assert torch.isfinite(certain).all() and torch.isfinite(logps.grad).all()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "weight", "preference"),
    [
        ("simpo", 0.0, lambda c, r: -functional.logsigmoid(2 * c[1] - 2 * r[1] - 1)),
        ("cpo", 1.0, lambda c, r: -functional.logsigmoid(0.1 * c[0] - 0.1 * r[0])),
        (
            "orpo",
            1.0,
            lambda c, r: -0.1 * functional.logsigmoid(
                c[1] - torch.log(1 - c[1].exp()) - r[1] + torch.log(1 - r[1].exp())
            ),
        ),
    ],
)  # fmt: skip
def test_a_batch_has_the_loss_that_the_formula_gives(
    tmp_path: Path, model: ResolvedModel, method: str, weight: float, preference: Any
) -> None:
    """By hand, from the logits of each answer alone."""
    run_dir = trained(tmp_path / "run", model, method, max_steps=1)
    run = RunSpec.model_validate_json((run_dir / "spec.json").read_text(encoding="utf-8"))
    options: Any = read(METHODS[method], TUNINGS["full"], run.options)
    tokenizer, network = (
        AutoTokenizer.from_pretrained(model.path),
        AutoModelForCausalLM.from_pretrained(model.path),
    )
    data = dpo.rows(run, options, chat_format(run.model, tokenizer)).train
    sides: dict[str, list[torch.Tensor]] = {"chosen": [], "rejected": []}
    for row in data:
        for side, found in sides.items():
            ids = torch.tensor([row["prompt_ids"] + row[f"{side}_ids"]])
            with torch.no_grad():
                logps = network(input_ids=ids).logits[0, :-1].log_softmax(-1)
            taken = logps.gather(-1, ids[0, 1:, None])[len(row["prompt_ids"]) - 1 :, 0]
            learnt = torch.tensor(row[f"{side}_learnt"])
            found.append(torch.stack([taken[learnt].sum(), taken[learnt].mean(), learnt.sum()]))
    chosen, rejected = (torch.stack(found).T for found in sides.values())
    sft = -chosen[0].sum() / chosen[2].sum()
    expected = float(preference(chosen, rejected).mean() + weight * sft)
    assert losses(run_dir)[1] == pytest.approx(expected, abs=1e-4)


def test_weights_of_wpo_are_those_of_the_stock_head(tmp_path: Path, model: ResolvedModel) -> None:
    run_dir = make_run(tmp_path / "run", model, pairs(8), method="dpo", sft_weight=0, use_weighting=True)
    run = RunSpec.model_validate_json((run_dir / "spec.json").read_text(encoding="utf-8"))
    options: DPOOptions = read(METHODS["dpo"], TUNINGS["full"], run.options)  # type: ignore[assignment]
    tokenizer = AutoTokenizer.from_pretrained(model.path)
    data = dpo.rows(run, options, chat_format(run.model, tokenizer)).train
    measured = []
    for head in (fast_head.add_fused_lm_head, fast_head.add_head):
        set_seed(0)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("trl.trainer.dpo_trainer.add_fused_lm_head", head)
            trainer = dpo.GroupedDPOTrainer(
                model=load_model(run, machine_for(run, options)),
                ref_model=load_model(run, machine_for(run, options)),
                args=DPOConfig(
                    str(tmp_path), use_cpu=True, bf16=False, activation_checkpointing=False,
                    remove_unused_columns=False, **dpo.settings(options),
                ),
                data_collator=dpo.AnswersOnly(tokenizer.pad_token_id, 512),
                train_dataset=data,
                processing_class=tokenizer,
            )  # fmt: skip
        trainer.model.train()
        [batch], _ = trainer.get_batch_samples(iter([trainer.data_collator([*data])]), 1, trainer.args.device)
        loss = trainer.compute_loss(trainer.model, trainer._prepare_inputs(batch))
        loss.backward()
        grads = [p.grad for p in trainer.model.parameters() if p.grad is not None]
        measured.append((float(loss), torch.cat([grad.flatten() for grad in grads])))
    (stock, stock_grad), (fast, fast_grad) = measured
    assert fast == pytest.approx(stock, rel=1e-5) and 0 < stock < log(2)  # The weights are below 1.
    torch.testing.assert_close(fast_grad, stock_grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_no_reference_is_held(
    tmp_path: Path, model: ResolvedModel, tuning: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor a copy of an adapter that is continued; and all positions that are not learnt are left out of the head."""
    made: list[ReferenceFreeTrainer] = []
    begin = ReferenceFreeTrainer.__init__
    monkeypatch.setattr(
        ReferenceFreeTrainer,
        "__init__",
        lambda self, *a, **given: (made.append(self), begin(self, *a, **given))[1],
    )
    first = trained(tmp_path / "first", model, "sft", rows=chats(8), tuning="lora", max_steps=1)
    adapted = model.model_copy(update={"adapter": events(first, "result")[-1]["model"]})
    run_dir = trained(tmp_path / "run", adapted, "simpo", tuning=tuning, max_steps=2)
    assert made[0].ref_model is None
    assert [*getattr(made[0].model, "peft_config", {"default": 0})] == ["default"]
    assert "ref_chosen_logps" not in made[0].train_dataset.column_names
    assert (
        "fast_head"
        in (
            made[0].model.get_base_model() if tuning == "lora" else made[0].model
        ).forward.__code__.co_filename
    )
    assert json.loads((run_dir / "spec.json").read_text())["options"]["beta"] == 2.0
