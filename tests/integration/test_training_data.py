"""What the trainers are given equals what the page shows, and scoring fewer positions changes no result."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import AutoTokenizer, set_seed
from trl import DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer

from jobs.training import dpo, fast_head, kto, reward, sft
from jobs.training.loading import Machine, load_model, new_adapter
from studio_core.base.errors import BadInput
from studio_core.base.settings import bundled_folder
from studio_core.data.chat_format import ChatFormat
from studio_core.data.learning import Learning
from studio_core.data.sequences import tokens
from studio_core.data.shapes import Shape
from studio_core.methods.base import read
from studio_core.methods.dpo import DPO, DPOOptions
from studio_core.methods.kto import KTO, KTOOptions
from studio_core.methods.reward import RewardOptions
from studio_core.methods.sft import SFT, SFTOptions
from studio_core.models.chat_template import ChatTemplate
from studio_core.runs.spec import ResolvedModel, RunSpec
from studio_core.tunings import TUNINGS
from tests.integration.miniature import Rows, events, judged, make_run, pairs, said

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

MODEL = ResolvedModel(name="tiny-chat", path=str(bundled_folder() / "models" / "tiny-chat"))
CHAT = ChatFormat.load(Path(MODEL.path))
CPU = Machine("cpu", "fp32", "cpu")
OPTIONS = {sft.rows: SFTOptions, dpo.rows: DPOOptions, reward.rows: RewardOptions, kto.rows: KTOOptions}
UNMARKED = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
FORGETFUL = (
    "{% for m in messages %}<|{{ m.role }}|>"
    "{% if m.role == 'assistant' and loop.last %}<think></think>{% endif %}{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TURNS = [
    said("system", "You are Ada. 你是谁?"),
    said("user", "Hi! 47+38?"),
    said("assistant", "It is 85 🙂."),
    said("user", " and\n\nnow"),
    said("assistant", "  Bye"),
]
RECORDS: dict[Shape, Rows] = {
    Shape.TEXT: [{"text": "Once, 1,234 dragons 🐉."}, {"text": "The end.<|end|>"}],
    Shape.CHAT: [{"messages": TURNS}, {"messages": TURNS[1:3]}],
    Shape.PROMPT_COMPLETION: [
        {"prompt": TURNS[:2], "completion": [said("assistant", "It is 85.")]},
        {"prompt": TURNS[:4], "completion": [said("assistant", "Bye")]},
    ],
    Shape.PREFERENCE: [
        {"prompt": TURNS[:2], "chosen": [said("assistant", "85")], "rejected": [said("assistant", "I think 84")]},
        {"prompt": TURNS[:4], "chosen": [said("assistant", "yes, a")], "rejected": [said("assistant", "yes, b")]},
    ],
}  # fmt: skip


def spec(run_dir: Path) -> RunSpec:
    return RunSpec.model_validate_json((run_dir / "spec.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("template", [None, UNMARKED, FORGETFUL], ids=["marked", "unmarked", "forgetful"])
@pytest.mark.parametrize("loss_on", ["answers", "everything"])
@pytest.mark.parametrize("shape", [Shape.TEXT, Shape.CHAT, Shape.PROMPT_COMPLETION])
def test_what_is_trained_is_what_the_preview_marks(
    tmp_path: Path, shape: Shape, loss_on: Any, template: str | None
) -> None:
    run = spec(make_run(tmp_path / "run", MODEL, RECORDS[shape], shape=shape))
    chat = ChatFormat.load(Path(MODEL.path))
    if template:
        chat = dataclasses.replace(chat, template=ChatTemplate(template))

    made = sft.rows(run, SFTOptions(max_length=512, loss_on=loss_on), chat)
    shown = [sequence for [sequence] in tokens(chat, shape, RECORDS[shape], Learning(loss_on))]
    assert made.train["input_ids"] == [t.ids for t in shown]
    assert [[label != -100 for label in row] for row in made.train["labels"]] == [t.trained for t in shown]
    assert made.tokens == sum(len(t.ids) for t in shown) and made.cut == made.dropped == 0


def test_pairs_start_where_the_preview_says(tmp_path: Path) -> None:
    run = spec(make_run(tmp_path / "run", MODEL, RECORDS[Shape.PREFERENCE], method="dpo"))
    shown = tokens(CHAT, Shape.PREFERENCE, RECORDS[Shape.PREFERENCE])
    made = dpo.rows(run, DPOOptions(max_length=512), CHAT)
    for row, (chosen, rejected) in zip(made.train, shown, strict=True):
        assert row["prompt_ids"] + row["chosen_ids"] == chosen.ids
        assert row["prompt_ids"] + row["rejected_ids"] == rejected.ids
        assert len(row["prompt_ids"]) == chosen.prompt


@pytest.mark.parametrize("prepare", [dpo.rows, reward.rows])
def test_pairs_alike_up_to_the_limit_are_left_out_and_counted(tmp_path: Path, prepare: Any) -> None:
    alike = {"prompt": TURNS[:2], "chosen": [said("assistant", "same " * 99 + "a")]}
    alike["rejected"] = [said("assistant", "same " * 99 + "b")]
    other = {"prompt": TURNS[:2], "chosen": [said("assistant", "yes")], "rejected": [said("assistant", "no")]}
    run = spec(make_run(tmp_path / "run", MODEL, [alike, other], method="dpo"))
    limit = max(len(side.ids) for side in tokens(CHAT, Shape.PREFERENCE, [other])[0])
    made = prepare(run, OPTIONS[prepare](max_length=limit), CHAT)
    assert (len(made.train), made.alike, made.dropped) == (1, 1, 0)


@pytest.mark.parametrize("prepare", [sft.rows, dpo.rows, reward.rows, kto.rows])
def test_the_start_of_a_prompt_is_cut_before_an_answer_is_lost(tmp_path: Path, prepare: Any) -> None:
    asked = [said("user", "a long story " * 40)]
    answers = {"completion": [said("assistant", "Yes, I do.")]}
    shape, rows = {
        sft.rows: (Shape.PROMPT_COMPLETION, [{"prompt": asked, **answers}]),
        kto.rows: (
            Shape.UNPAIRED_PREFERENCE,
            [{"prompt": asked, **answers, "label": good} for good in (True, False)],
        ),
    }.get(
        prepare,
        (
            Shape.PREFERENCE,
            [{"prompt": asked, "chosen": answers["completion"], "rejected": [said("assistant", "No.")]}],
        ),
    )
    run = spec(make_run(tmp_path / "run", MODEL, rows, method="sft", shape=shape))
    with pytest.raises(BadInput, match="within 40 tokens"):
        prepare(run, OPTIONS[prepare](max_length=40), CHAT)
    made = prepare(run, OPTIONS[prepare](max_length=40, truncation="prompt"), CHAT)
    assert (len(made.train), made.cut, made.dropped) == (len(rows), len(rows), 0)
    row = made.train[0]
    [last] = [name for name in ("input_ids", "completion_ids", "chosen_ids") if name in row]
    assert CHAT.tokenizer.decode(row[last]).rstrip().endswith("Yes, I do.")
    assert len(row.get("prompt_ids", [])) + len(row[last]) <= 40


class TestWhatOthersSayInAnAnswer:
    """It is seen, and counts for nothing: in the loss of SFT, in the log-probabilities of DPO and KTO."""

    ANSWER = (said("assistant", "a"), said("user", "sure?"), said("assistant", "yes"))
    CHAT = dataclasses.replace(CHAT, template=ChatTemplate(UNMARKED))

    def learnt(self, ids: torch.Tensor, mask: torch.Tensor) -> list[str]:
        text: str = self.CHAT.tokenizer.decode(
            [token if learnt else 0 for token, learnt in zip(ids.tolist(), mask.tolist(), strict=True)],
            skip_special_tokens=False,
        )
        return [part for part in text.split("<|pad|>") if part]

    def test_sft(self, tmp_path: Path) -> None:
        rows = [{"prompt": TURNS[:2], "completion": [*self.ANSWER]}]
        run = spec(make_run(tmp_path / "run", MODEL, rows, shape=Shape.PROMPT_COMPLETION))
        [labels] = sft.rows(run, SFTOptions(max_length=512), self.CHAT).train["labels"]
        learnt = torch.tensor(labels)
        assert self.learnt(learnt.clamp(min=0), learnt >= 0) == ["a<|end|>\n", "yes<|end|>\n"]

    def test_dpo(self, tmp_path: Path) -> None:
        rows = [{"prompt": TURNS[:2], "chosen": [*self.ANSWER], "rejected": [said("assistant", "no")]}]
        run = spec(make_run(tmp_path / "run", MODEL, rows, method="dpo"))
        made = dpo.rows(run, DPOOptions(max_length=512), self.CHAT)
        batch = dpo.AnswersOnly(0, 512)([made.train[0]])
        sides = [self.learnt(*row) for row in zip(batch["input_ids"], batch["completion_mask"], strict=True)]
        assert sides == [["a<|end|>\n", "yes<|end|>\n"], ["no<|end|>\n"]]
        short = int(batch["attention_mask"][0].sum()) - 2
        cut = dpo.AnswersOnly(0, short)([made.train[0]])
        assert cut["completion_mask"].tolist()[0] == batch["completion_mask"].tolist()[0][:short]

    def test_kto(self, tmp_path: Path) -> None:
        rows = [
            {"prompt": TURNS[:2], "completion": answer, "label": good}
            for answer, good in (([*self.ANSWER], True), ([said("assistant", "no")], False))
        ]
        run = spec(make_run(tmp_path / "run", MODEL, rows, method="kto"))
        made = kto.rows(run, KTOOptions(max_length=512), self.CHAT)
        batch = kto.Mismatched(0, 512)([made.train[0], made.train[1]])
        for kl, order in (("", (0, 1)), ("KL_", (1, 0))):
            pairs_ = zip(batch[f"{kl}input_ids"], batch[f"{kl}completion_mask"], strict=True)
            sides = [self.learnt(*row) for row in pairs_]
            expected = [["a<|end|>\n", "yes<|end|>\n"], ["no<|end|>\n"]]
            assert sides == [expected[place] for place in order]


def test_held_out_rows_depend_on_the_seed_only(tmp_path: Path) -> None:
    rows = [{"messages": [said("user", "q"), said("assistant", f"answer {n}")]} for n in range(40)]
    options = SFTOptions(max_length=512, eval_share=0.25)
    tokenizer = AutoTokenizer.from_pretrained(MODEL.path)
    made = [
        sft.rows(spec(make_run(tmp_path / f"{n}", MODEL, rows, seed=seed)), options, CHAT)
        for n, seed in enumerate((1, 1, 2))
    ]
    held = [one.held_out["input_ids"] for one in made if one.held_out is not None]
    assert held[0] == held[1] != held[2] and len(held[0]) == 10
    numbers = [int(re.findall(r"\d+", tokenizer.decode(row))[0]) for row in held[0]]
    assert numbers != sorted(numbers)  # Files list good answers first, and drift is measured by batch.
    assert len(made[0].train) == 30


def gradients(trainer: Any, model: Any) -> tuple[float, dict[str, torch.Tensor], dict[str, Any]]:
    """Loss, gradients and metrics of the first batch."""
    batch = trainer.data_collator(
        [trainer.train_dataset[index] for index in range(len(trainer.train_dataset))]
    )
    trainer.model.train()
    [batch], _ = trainer.get_batch_samples(iter([batch]), 1, trainer.args.device)
    loss = trainer.compute_loss(trainer.model, trainer._prepare_inputs(batch))
    loss.backward()
    grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return float(loss), grads, {name: values[-1] for name, values in trainer._metrics["train"].items()}


@pytest.mark.parametrize("tuning", ["full", "lora"])
@pytest.mark.parametrize("method", ["sft", "dft", "dpo"])
def test_scoring_labelled_positions_only_equals_the_stock_head(
    tmp_path: Path, method: str, tuning: str
) -> None:
    """``dft`` is SFT with that loss."""
    kind = "dpo" if method == "dpo" else "sft"
    shape = Shape.CHAT if kind == "sft" else Shape.PREFERENCE
    run = spec(make_run(tmp_path / "run", MODEL, RECORDS[shape], method=kind, tuning=tuning))
    tokenizer = AutoTokenizer.from_pretrained(MODEL.path)
    common = {"output_dir": str(tmp_path), "use_cpu": True, "bf16": False, "report_to": "none",
              "remove_unused_columns": False, "activation_checkpointing": False}  # fmt: skip
    measured = []
    for fast in (False, True):
        set_seed(0)
        model = load_model(run, CPU)
        stock = SFTTrainer if kind == "sft" else DPOTrainer
        given: dict[str, Any] = {"model": model, "processing_class": tokenizer}
        with fast_head.fast_head(stock) if fast else contextlib.nullcontext():
            if kind == "sft":
                options: Any = read(SFT, TUNINGS[tuning], {"max_length": 512})
                prepared = sft.rows(run, options, CHAT)
                loss_type = "dft" if method == "dft" else "nll"
                args: Any = SFTConfig(
                    **common, loss_type=loss_type, dataset_kwargs={"skip_prepare_dataset": True}
                )
                trainer: Any = SFTTrainer(
                    **given,
                    args=args,
                    train_dataset=prepared.train,
                    peft_config=new_adapter(run, options, model),
                )
            else:
                options = read(DPO, TUNINGS[tuning], {"max_length": 512})
                prepared = dpo.rows(run, options, CHAT)
                args = dpo.DPOConfig(**common, loss_type=["sigmoid", "sft"], loss_weights=[1.0, 1.0])
                reference = load_model(run, CPU) if tuning == "full" else None
                given["data_collator"] = dpo.AnswersOnly(tokenizer.pad_token_id, 512)
                trainer = dpo.GroupedDPOTrainer(
                    **given, args=args, train_dataset=prepared.train, ref_model=reference,
                    peft_config=new_adapter(run, options, model),
                )  # fmt: skip
        measured.append(gradients(trainer, trainer.model))
    (loss, grads, metrics), (fast_loss, fast_grads, fast_metrics) = measured
    assert fast_loss == pytest.approx(loss, abs=1e-5)
    assert fast_metrics == pytest.approx(metrics, abs=1e-4)
    assert grads.keys() == fast_grads.keys() and grads
    # The demo model amplifies the rounding of 32 bits about a hundredfold on the way back.
    whole = sum(float(grad.norm()) ** 2 for grad in grads.values()) ** 0.5
    apart = sum(float((fast_grads[name] - grads[name]).norm()) ** 2 for name in grads) ** 0.5
    assert apart <= 1e-4 * whole


@pytest.mark.parametrize("tuning", ["full", "lora"])
@pytest.mark.parametrize("loss", ["kto", "apo_zero_unpaired"])
def test_judged_answers_are_learnt_as_trl_learns_them(tmp_path: Path, loss: str, tuning: str) -> None:
    rows = judged(6)
    run = spec(make_run(tmp_path / "run", MODEL, rows, method="kto", tuning=tuning))
    tokenizer = AutoTokenizer.from_pretrained(MODEL.path)
    options: Any = read(KTO, TUNINGS[tuning], {"max_length": 512})
    args = KTOConfig(
        output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to="none", remove_unused_columns=False,
        activation_checkpointing=False, loss_type=loss, per_device_train_batch_size=6,
    )  # fmt: skip
    measured = []
    for own in (False, True):
        set_seed(0)
        model = load_model(run, CPU)
        given = {
            "model": model, "processing_class": tokenizer, "args": args,
            "ref_model": load_model(run, CPU) if tuning == "full" else None,
            "peft_config": new_adapter(run, options, model),
        }  # fmt: skip
        with fast_head.fast_head(KTOTrainer) if own else contextlib.nullcontext():
            if own:
                given["data_collator"] = kto.collator(options.model_copy(update={"loss": loss}), tokenizer)
                prepared = kto.rows(run, options, CHAT)
                trainer: Any = kto.ShuffledKTOTrainer(**given, train_dataset=prepared.train)
            else:
                trainer = KTOTrainer(**given, train_dataset=Dataset.from_list(rows))
        with torch.no_grad():  # As if it had learnt for a while: away from its reference.
            for weights in (p for p in trainer.model.parameters() if p.requires_grad):
                weights += 0.02 * torch.randn(weights.shape)
        measured.append(gradients(trainer, trainer.model))
    (stock_loss, stock_grads, stock_metrics), (own_loss, own_grads, own_metrics) = measured
    assert own_loss == pytest.approx(stock_loss, abs=1e-5) and own_loss != pytest.approx(0.5, abs=1e-4)
    assert own_metrics == pytest.approx(stock_metrics, abs=1e-3, rel=1e-4)
    whole = sum(float(grad.norm()) ** 2 for grad in stock_grads.values()) ** 0.5
    apart = sum(float((own_grads[name] - stock_grads[name]).norm()) ** 2 for name in stock_grads) ** 0.5
    assert apart <= 1e-3 * whole


def test_each_prompt_meets_the_answer_to_another_one() -> None:
    collate = kto.Mismatched(pad_token_id=0)
    batch = collate([{"prompt_ids": [n, n], "completion_ids": [n * 10], "completion_learnt": [True],
                      "label": n == 1} for n in (1, 2, 3)])  # fmt: skip
    assert batch["input_ids"].tolist() == [[1, 1, 10], [2, 2, 20], [3, 3, 30]]
    assert batch["KL_input_ids"].tolist() == [[1, 1, 30], [2, 2, 10], [3, 3, 20]]
    assert batch["label"].tolist() == [True, False, False]
    alone = collate(
        [{"prompt_ids": [1, 2], "completion_ids": [3], "completion_learnt": [True], "label": True}]
    )
    assert alone["input_ids"].tolist() == [[1, 2, 3]] and alone["KL_completion_mask"].tolist() == [[0, 0]]


def test_prompts_meet_the_answers_of_the_whole_step_however_it_is_split() -> None:
    rows = [{"completion_ids": [n], "completion_learnt": [n > 0]} for n in range(5)]
    alone = SimpleNamespace(num_processes=1, process_index=0)
    for split in ([rows], [rows[:2], rows[2:]], [[row] for row in rows]):
        others = [answer for batch in kto.others_of_step(split, alone) for answer in batch]
        assert [other["KL_completion_ids"] for other in others] == [[4], [0], [1], [2], [3]]
        assert [other["KL_completion_learnt"] for other in others] == [
            [True],
            [False],
            [True],
            [True],
            [True],
        ]
    [[nothing]] = kto.others_of_step([rows[:1]], alone)
    assert nothing == {"KL_completion_ids": [], "KL_completion_learnt": []}


def test_answers_of_one_kind_only_are_refused(tmp_path: Path) -> None:
    rows = [{**row, "label": True} for row in judged(6)]
    run = spec(make_run(tmp_path / "run", MODEL, rows, method="kto"))
    with pytest.raises(BadInput, match="rows has 6 answers to train on, 6 of them good"):
        kto.rows(run, KTOOptions(max_length=512), CHAT)


def test_good_and_bad_answers_weigh_the_same_unless_asked_otherwise() -> None:
    assert KTOOptions().weights(30, 10) == (1.0, 3.0)
    assert KTOOptions(good_weight=2.0).weights(10, 40) == (8.0, 1.0)
    assert KTOOptions(balance=False, bad_weight=0.5).weights(10, 40) == (1.0, 0.5)


def test_a_batch_with_nothing_labelled_gives_a_finite_zero() -> None:
    head = torch.nn.Linear(8, 16, bias=False)
    hidden = torch.randn(2, 5, 8, requires_grad=True)
    scored = fast_head.scored(hidden, head, torch.full((2, 5), -100))
    assert float(scored.loss) == 0.0
    scored.log_probs.sum().backward()
    assert torch.equal(hidden.grad, torch.zeros_like(hidden))  # type: ignore[arg-type]


def test_only_figures_that_are_asked_for_are_made() -> None:
    """A reference is asked for log-probabilities alone, and pays for nothing else."""
    torch.manual_seed(0)
    head, hidden, labels = torch.nn.Linear(8, 16, bias=False), torch.randn(2, 5, 8), torch.randint(16, (2, 5))
    alone = fast_head.scored(hidden, head, labels, ("log_probs",))
    whole = fast_head.scored(hidden, head, labels, ("log_probs", "entropy", "is_top1", "log_sum_sq_probs"))
    assert alone.keys() == {"loss", "log_probs", "label_mask"}
    assert whole.keys() == alone.keys() | {"entropy", "is_top1", "log_sum_sq_probs"}
    assert torch.equal(alone.log_probs, whole.log_probs)
    likely = head(hidden).softmax(-1)
    torch.testing.assert_close(whole.entropy, -(likely * likely.log()).sum(-1))
    torch.testing.assert_close(whole.log_sum_sq_probs, likely.square().sum(-1).log())


def test_pairs_of_the_same_kind_raise_the_margin(tmp_path: Path) -> None:
    run_dir = make_run(tmp_path / "run", MODEL, pairs(16), method="dpo", epochs=3, learning_rate=1e-3)
    dpo.main(run_dir)
    reports = [event["values"] for event in events(run_dir, "metrics")]
    assert reports[-1]["rewards/margins"] > reports[0]["rewards/margins"]
    assert reports[-1]["rewards/accuracies"] == 1.0
