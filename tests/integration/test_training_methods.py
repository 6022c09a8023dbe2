"""What is particular to a method or a case, on a miniature model; ``method_conformance`` has what all must do."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    GraniteConfig,
    LlamaModel,
)

from jobs.generation.scoring import RewardModel, loaded
from jobs.training import (
    dpo,
    kto,
    loading,
    process_reward,
    reward,
    reward_ranking,
    reward_regression,
    sft,
    sft_kl,
)
from jobs.training.course import Course
from jobs.training.reporting import StopRequest
from studio_core.base.errors import BadInput
from studio_core.base.settings import bundled_folder
from studio_core.data.shapes import Shape
from studio_core.runs import run_folder
from studio_core.runs.spec import ResolvedModel
from studio_core.texts import text
from tests.integration.miniature import (
    Rows,
    chats,
    events,
    judged,
    losses,
    make_run,
    miniature_model,
    pairs,
    rankings,
    said,
    scored,
    stepwise,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

DEMO = ResolvedModel(name="tiny-base", path=str(bundled_folder() / "models" / "tiny-base"))
MAINS = {
    "sft": sft.main,
    "sft-kl": sft_kl.main,
    "dpo": dpo.main,
    "kto": kto.main,
    "reward": reward.main,
    "reward-regression": reward_regression.main,
    "reward-ranking": reward_ranking.main,
    "process-reward": process_reward.main,
}
WRITERS = ("sft", "dpo", "kto")
ROWS = {
    "sft": chats(24),
    "sft-kl": chats(24),
    "dpo": pairs(24),
    "kto": judged(24),
    "reward": pairs(24),
    "reward-regression": scored(24),
    "reward-ranking": rankings(24),
    "process-reward": stepwise(24),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ResolvedModel:
    return miniature_model(tmp_path_factory.mktemp("models") / "miniature")


def trained(folder: Path, model: ResolvedModel, method: str = "sft", **given: Any) -> Path:
    rows: Rows = given.pop("rows", ROWS[method])
    run_dir = make_run(folder, model, rows, method=method, **given)
    MAINS[method](run_dir)
    return run_dir


def weights(folder: Path) -> dict[str, torch.Tensor]:
    merged: dict[str, torch.Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        merged |= load_file(file)
    return merged


def result(run_dir: Path) -> dict[str, Any]:
    return events(run_dir, "result")[-1]


def test_the_loss_is_on_answers_only_unless_asked_otherwise(tmp_path: Path, model: ResolvedModel) -> None:
    answers = trained(tmp_path / "answers", model, max_steps=1)
    everything = trained(tmp_path / "everything", model, max_steps=1, loss_on="everything")
    assert losses(answers)[1] != losses(everything)[1]


@pytest.mark.parametrize(
    ("shape", "rows"),
    [
        (Shape.TEXT, [{"text": "once upon a time"}] * 8),
        (
            Shape.PROMPT_COMPLETION,
            [{"prompt": [said("user", "hi")], "completion": [said("assistant", "yo")]}] * 8,
        ),
    ],
)
def test_other_shapes_train_too(tmp_path: Path, model: ResolvedModel, shape: Shape, rows: Rows) -> None:
    run_dir = trained(tmp_path / "run", model, rows=rows, shape=shape, max_steps=4)
    assert losses(run_dir)[4] < losses(run_dir)[1]  # type: ignore[operator]


@pytest.mark.parametrize("method", WRITERS)
def test_an_adapter_is_continued(tmp_path: Path, model: ResolvedModel, method: str) -> None:
    first = trained(tmp_path / "first", model, "sft", tuning="lora", epochs=1, lora_rank=4)
    adapted = model.model_copy(update={"adapter": result(first)["model"]})
    before = weights(Path(result(first)["model"]))

    run_dir = trained(tmp_path / "run", adapted, method, tuning="lora", epochs=1)
    after = weights(Path(result(run_dir)["model"]))
    assert before.keys() == after.keys()  # Same rank, same layers.
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert events(first, "sample")[-1]["answer"] == events(run_dir, "sample")[1]["answer"]
    assert weights(Path(result(first)["model"])).keys() == before.keys()  # The first one is as it was.
    assert all(torch.equal(before[n], w) for n, w in weights(Path(result(first)["model"])).items())
    if method != "sft":
        # The reference is the adapter as it was, so the first step's rewards are zero.
        assert events(run_dir, "metrics")[0]["values"]["rewards/chosen"] == pytest.approx(0, abs=1e-4)


def test_a_loss_that_needs_no_drift_reports_none(tmp_path: Path, model: ResolvedModel) -> None:
    run_dir = trained(tmp_path / "run", model, "kto", loss="apo_zero_unpaired", max_steps=2, eval_share=0.2)
    told = {name for event in events(run_dir, "metrics") for name in event["values"]}
    assert {"rewards/chosen", "eval_rewards/chosen"} <= told and not {"kl", "eval_kl"} & told


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_a_reward_model_scores_the_better_answer_higher(
    tmp_path: Path, model: ResolvedModel, tuning: str
) -> None:
    first = trained(tmp_path / "first", model, "sft", tuning="lora", epochs=1)
    adapted = model.model_copy(update={"adapter": result(first)["model"]})
    run_dir = trained(
        tmp_path / "run", adapted, "reward", tuning=tuning, epochs=6, eval_share=0.2, prompts=()
    )
    measured = [event["values"] for event in events(run_dir, "metrics") if "eval_accuracy" in event["values"]]
    assert measured[-1]["eval_accuracy"] == 1.0 and measured[-1]["eval_margin"] > 0
    [told] = events(run_dir, "notice")
    assert told["key"] == "methods.notice.ranked_right" and told["values"]["right"] == 5
    assert text(told["key"], **told["values"]).startswith("Held-out accuracy: 5 of 5 pairs")
    assert events(run_dir, "sample") == []

    assert result(run_dir)["kind"] == "full" and result(run_dir)["state"] == "succeeded"
    made = ResolvedModel(name="made", path=result(run_dir)["model"])
    scorer, tokenizer = loaded(made)
    for row in ROWS["reward"]:
        both = tokenizer.apply_chat_template(
            [row["prompt"] + row[side] for side in ("chosen", "rejected")], tokenize=False
        )
        ids = tokenizer(both, add_special_tokens=False)["input_ids"]
        better, worse = (float(scorer(torch.tensor([one])).logits[0, 0]) for one in ids)
        assert better > worse

    again = trained(tmp_path / "again", made, "reward", epochs=1, prompts=())
    # It goes on with the scores that it gave.
    assert events(again, "metrics")[0]["values"]["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("columns", "margin"),
    [
        ({"margin": "1.5"}, 1.5),
        ({"chosen_score": "10", "rejected_score": "1"}, 1.0),
        ({"score_chosen": "7", "score_rejected": "2.5"}, 0.5),
        ({"margin": None}, 0.0),
    ],
)
def test_a_margin_is_a_gap_that_scores_are_to_have(
    tmp_path: Path, model: ResolvedModel, columns: dict[str, str], margin: float
) -> None:
    given: dict[str, Any] = {"max_steps": 1, "center": 0.0, "eval_share": 0.0, "prompts": ()}
    [pair] = pairs(1)
    plain = trained(tmp_path / "plain", model, "reward", rows=[pair], **given)
    wider = trained(tmp_path / "wider", model, "reward", rows=[{**pair, **columns}], margin=2.0, **given)
    [gap] = [event["values"]["margin"] for event in events(plain, "metrics")][:1]
    assert losses(plain)[1] == pytest.approx(math.log1p(math.exp(-gap)), abs=1e-5)
    assert losses(wider)[1] == pytest.approx(math.log1p(math.exp(2.0 * margin - gap)), abs=1e-5)


def test_a_margin_without_a_column_is_refused(tmp_path: Path, model: ResolvedModel) -> None:
    with pytest.raises(
        BadInput, match=r"rows has none of the columns margin, chosen_score \+ rejected_score"
    ):
        trained(tmp_path / "run", model, "reward", margin=1.0)


def test_a_regression_is_measured_in_scores(tmp_path: Path, model: ResolvedModel) -> None:
    run_dir = trained(tmp_path / "run", model, "reward-regression", epochs=8, eval_share=0.25, prompts=())
    # That it overfits, with so few rows, is told beside it.
    [told] = [one for one in events(run_dir, "notice") if one["key"] == "methods.notice.score_error"]
    assert told["values"]["rows"] == 6
    assert float(told["values"]["mae"]) < float(told["values"]["mean"])
    scorer = RewardModel.load(ResolvedModel(name="made", path=result(run_dir)["model"]))
    prompt = [said("user", "say a")]
    good, bad = scorer.scores([scorer.text(prompt, "good!"), scorer.text(prompt, "bad")])
    assert good == pytest.approx(9, abs=2) and bad == pytest.approx(2, abs=2)


def test_a_ranking_is_one_row_and_long_ones_are_drawn_from(tmp_path: Path, model: ResolvedModel) -> None:
    run_dir = trained(
        tmp_path / "run", model, "reward-ranking", epochs=8, eval_share=0.25, answers=2, prompts=()
    )
    drawn, told = events(run_dir, "notice")
    assert (drawn["key"], drawn["values"]) == ("methods.notice.answers_drawn", {"rows": 12, "answers": 2})
    # Of the three two share a place, which alone would teach nothing: they are not drawn together.
    assert (
        told["key"] == "methods.notice.best_first" and told["values"]["right"] == told["values"]["rows"] == 6
    )


def test_steps_are_judged_beside_the_untrained_baseline(tmp_path: Path, model: ResolvedModel) -> None:
    run_dir = trained(tmp_path / "run", model, "process-reward", epochs=8, eval_share=0.25, prompts=())
    [told] = events(run_dir, "notice")
    assert told["key"] == "methods.notice.first_error" and told["values"]["rows"] == 6
    assert isinstance(told["values"]["untrained"], int)
    assert int(told["values"]["steps"]) > int(told["values"]["frequent"])
    # What scores already writes nothing, and so has no probabilities of its own.
    again = ResolvedModel(name="made", path=result(run_dir)["model"])
    given: dict[str, Any] = {"epochs": 1, "eval_share": 0.25, "prompts": ()}
    [told] = events(trained(tmp_path / "again", again, "process-reward", **given), "notice")
    assert told["values"]["untrained"] == "-"


def test_a_reward_model_beside_4_bits_is_merged_into_the_weights_as_they_were(
    tmp_path: Path, model: ResolvedModel
) -> None:
    run_dir = trained(tmp_path / "run", model, "reward", tuning="qlora", epochs=6, eval_share=0.2, prompts=())
    [told] = events(run_dir, "notice")
    assert told["values"]["right"] == 5
    made = weights(Path(result(run_dir)["model"]))
    before = AutoModelForSequenceClassification.from_pretrained(model.path, num_labels=1).state_dict()
    assert {name for name in made if "lora" in name} == set() and made.keys() == before.keys()
    assert torch.equal(made["model.embed_tokens.weight"], before["model.embed_tokens.weight"])


def test_pairs_that_are_too_long_are_left_out_whole(tmp_path: Path, model: ResolvedModel) -> None:
    rows = [*pairs(8), {**pairs(1)[0], "rejected": [said("assistant", "x" * 100)]}]
    run_dir = trained(tmp_path / "run", model, "reward", rows=rows, max_length=32, eval_share=0, prompts=())
    assert events(run_dir, "config")[0]["values"]["rows"] == 8
    [told] = events(run_dir, "notice")
    assert told["key"] == "methods.notice.rows_dropped" and told["values"] == {"rows": 1, "limit": 32}


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_a_large_model_is_made_a_reward_model_in_bf16(
    tmp_path: Path, model: ResolvedModel, tuning: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frozen weights are held in bf16, the new output and what is learnt beside them in fp32."""
    monkeypatch.setattr(loading, "_LARGE", 0)
    given = {"tuning": tuning, "precision": "bf16", "activation_checkpointing": "on"}
    run_dir = trained(
        tmp_path / "run", model, "reward", epochs=2, eval_share=0.2, prompts=(), batch_size=2, **given
    )
    assert events(run_dir, "config")[0]["values"]["weights"] == (
        "bfloat16" if tuning == "lora" else "float32"
    )
    assert events(run_dir, "notice")[0]["values"]["right"] == 5
    saved = weights(run_dir / "model")
    assert saved["score.weight"].dtype == torch.float32  # As its base was stored.
    assert not any("lora" in name for name in saved)


def test_counting_what_it_ranks_right_does_not_keep_a_run_from_saving(
    tmp_path: Path, model: ResolvedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = Course.train

    def then_asked_to_end(course: Course[Any], trainer: Any, data: Any) -> None:
        train(course, trainer, data)
        monkeypatch.setattr(StopRequest, "agreed", lambda _: True)

    monkeypatch.setattr(Course, "train", then_asked_to_end)
    run_dir = trained(tmp_path / "run", model, "reward", epochs=1, eval_share=0.2, prompts=())
    assert events(run_dir, "notice") == [] and result(run_dir)["state"] == "succeeded"


def test_padding_with_the_end_token_changes_no_score(tmp_path: Path, model: ResolvedModel) -> None:
    """The score is that of the last token which is no padding: the same in a batch as alone."""
    tokenizer = AutoTokenizer.from_pretrained(model.path)
    tokenizer.pad_token = None
    bare = tmp_path / "bare"
    base = AutoModelForCausalLM.from_pretrained(model.path)
    base.config.pad_token_id = None
    base.save_pretrained(bare)
    tokenizer.save_pretrained(bare)
    named = ResolvedModel(name="bare", path=str(bare))
    run_dir = trained(tmp_path / "run", named, "reward", epochs=1, prompts=())

    scorer, tokenizer = loaded(ResolvedModel(name="made", path=result(run_dir)["model"]))
    assert tokenizer.pad_token == tokenizer.eos_token == "<|end|>"
    chats = [row["prompt"] + row[side] for row in pairs(7) for side in ("chosen", "rejected")]
    texts = tokenizer.apply_chat_template(chats, tokenize=False)
    batch = tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt")
    together = scorer(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits[:, 0]
    ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
    alone = torch.stack([scorer(torch.tensor([one])).logits[0, 0] for one in ids])
    assert len({len(one) for one in ids}) > 2
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_what_cannot_score_is_refused_by_name(tmp_path: Path, model: ResolvedModel) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model.path)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = GraniteConfig(vocab_size=len(tokenizer), num_key_value_heads=2, **sizes)
    made = {
        "granite": AutoModelForCausalLM.from_config(config),
        "two": AutoModelForSequenceClassification.from_pretrained(model.path, num_labels=2),
        "strange": AutoModelForSequenceClassification.from_pretrained(model.path, num_labels=1),
    }
    told = {
        "granite": "granite is a GraniteForCausalLM, which cannot be trained as a reward model",
        "two": "two is a classifier with 2 outputs",
        # Weights by other names would leave random numbers in their places.
        "strange": "strange is a LlamaForSequenceClassification, which cannot be trained as a reward model",
    }
    for name, one in made.items():
        folder = tmp_path / name
        one.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        if name == "strange":
            [file] = folder.glob("*.safetensors")
            kept = {key.replace("layers.1", "others.1"): value for key, value in load_file(file).items()}
            save_file(kept, file, metadata={"format": "pt"})
        run_dir = make_run(
            tmp_path / f"run-{name}",
            ResolvedModel(name=name, path=str(folder)),
            pairs(8),
            method="reward",
            prompts=(),
        )
        with pytest.raises(BadInput, match=told[name]):
            reward.main(run_dir)


def test_full_tuning_of_an_adapter_merges_it_first(tmp_path: Path, model: ResolvedModel) -> None:
    first = trained(tmp_path / "first", model, tuning="lora", epochs=2)
    adapted = model.model_copy(update={"adapter": result(first)["model"]})
    run_dir = trained(tmp_path / "run", adapted, "dpo", tuning="full", epochs=1)
    assert result(run_dir)["kind"] == "full"
    assert events(first, "sample")[-1]["answer"] == events(run_dir, "sample")[1]["answer"]


def test_a_resumed_run_draws_what_the_unbroken_one_drew(tmp_path: Path, model: ResolvedModel) -> None:
    """With dropout, and from an older checkpoint than the newest; the conformance suite resumes every method."""
    method = "sft"
    given: dict[str, Any] = {
        "tuning": "lora",
        "epochs": 3,
        "save_steps": 7,
        "lora_dropout": 0.1,
        "eval_share": 0,
    }
    whole = trained(tmp_path / "whole", model, method, **given)
    kept = [checkpoint.step for checkpoint in run_folder.checkpoints(whole)]
    assert kept == [14, 18]

    resumed = trained(
        tmp_path / "resumed", model, method, resume_from=whole / "checkpoints" / "checkpoint-14", **given
    )
    assert losses(resumed) == {step: loss for step, loss in losses(whole).items() if step > 14}
    speeds = [event["values"].get("tokens_per_second") for event in events(resumed, "metrics")]
    assert speeds[0] is None and all(speed > 0 for speed in speeds[1:])
    one, other = weights(whole / "model"), weights(resumed / "model")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_torn_checkpoint_is_not_offered_and_not_taken(tmp_path: Path, model: ResolvedModel) -> None:
    run_dir = trained(tmp_path / "run", model, epochs=3, save_steps=7)
    torn = run_dir / "checkpoints" / "checkpoint-18"
    (torn / "model.safetensors").write_bytes((torn / "model.safetensors").read_bytes()[:-1])
    newest = run_folder.newest_complete(run_dir)
    assert newest is not None and newest.step == 14
    again = make_run(tmp_path / "again", model, ROWS["sft"], epochs=3, resume_from=torn)
    with pytest.raises(BadInput, match=r"model\.safetensors is missing or cut off"):
        sft.main(again)
    assert not (again / "model").exists()


def test_rows_that_the_limit_cuts_are_counted_and_told(tmp_path: Path, model: ResolvedModel) -> None:
    rows = chats(6)
    rows.append({"messages": [said("user", "q"), said("assistant", "x" * 100)]})  # Cut.
    rows.append({"messages": [said("user", "q" * 100), said("assistant", "x")]})  # Nothing left.
    run_dir = trained(tmp_path / "run", model, rows=rows, max_length=32, max_steps=1)
    told = {event["key"]: event["values"] for event in events(run_dir, "notice")}
    assert told["methods.notice.rows_cut"] == {"rows": 2, "limit": 32}
    assert told["methods.notice.rows_dropped"] == {"rows": 1, "limit": 32}
    assert events(run_dir, "config")[0]["values"]["rows"] == 7


def test_a_dataset_to_measure_on_is_not_learnt_from(tmp_path: Path, model: ResolvedModel) -> None:
    folder = trained(tmp_path / "run", model, held_out=chats(5), eval_share=0.0)
    [config] = [event["values"] for event in events(folder, "config")]
    assert (config["rows"], config["rows_held_out"]) == (len(ROWS["sft"]), 5)
    assert any("eval_loss" in report["values"] for report in events(folder, "metrics"))


def test_data_with_nothing_to_learn_is_refused(tmp_path: Path, model: ResolvedModel) -> None:
    rows = [{"messages": [said("user", "q" * 100), said("assistant", "x")]}]
    run_dir = make_run(tmp_path / "run", model, rows, max_length=32)
    with pytest.raises(BadInput, match="No record of rows has anything to learn within 32 tokens"):
        sft.main(run_dir)


def test_a_loss_that_is_no_number_is_null_and_told_once(tmp_path: Path, model: ResolvedModel) -> None:
    broken = tmp_path / "broken"
    base = AutoModelForCausalLM.from_pretrained(model.path)
    base.model.norm.weight.data[0] = float("nan")
    base.save_pretrained(broken)
    AutoTokenizer.from_pretrained(model.path).save_pretrained(broken)
    nan = ResolvedModel(name="broken", path=str(broken))
    run_dir = trained(tmp_path / "nan", nan, max_steps=3)
    assert list(losses(run_dir).values()) == [None, None, None]
    assert [event["key"] for event in events(run_dir, "notice")] == ["methods.notice.not_finite"]


def test_pickled_weights_are_refused(tmp_path: Path, model: ResolvedModel) -> None:
    folder = tmp_path / "pickled"
    folder.mkdir()
    for file in Path(model.path).iterdir():
        if file.suffix != ".safetensors":
            (folder / file.name).write_bytes(file.read_bytes())
    torch.save({}, folder / "pytorch_model.bin")
    run_dir = make_run(tmp_path / "run", ResolvedModel(name="pickled", path=str(folder)), chats(4))
    with pytest.raises(BadInput, match="Pickled weights can run code"):
        sft.main(run_dir)


def test_a_tokenizer_without_template_gets_the_standard_one(tmp_path: Path, model: ResolvedModel) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model.path)
    template, tokenizer.chat_template = tokenizer.chat_template, None
    bare = tmp_path / "bare"
    AutoModelForCausalLM.from_pretrained(model.path).save_pretrained(bare)
    tokenizer.save_pretrained(bare)
    (bare / "chat_template.jinja").unlink(missing_ok=True)
    unnamed = ResolvedModel(name="bare", path=str(bare), chat_template=template)
    run_dir = trained(tmp_path / "run", unnamed, max_steps=2)
    assert AutoTokenizer.from_pretrained(run_dir / "model").chat_template == template


def test_the_adapter_names_no_reference_and_the_spec_stays_as_it_was(
    tmp_path: Path, model: ResolvedModel
) -> None:
    run_dir = make_run(
        tmp_path / "run", model, chats(8), tuning="lora", max_steps=1, lora_targets="attention"
    )
    spec = (run_dir / run_folder.SPEC).read_bytes()
    sft.main(run_dir)
    config = json.loads((run_dir / "model" / "adapter_config.json").read_text())
    assert sorted(config["target_modules"]) == ["k_proj", "o_proj", "q_proj", "v_proj"]
    assert (run_dir / run_folder.SPEC).read_bytes() == spec


@pytest.mark.parametrize("method", ["sft", "sft-kl", "dpo", "reward"])
def test_memory_runs_out_in_the_first_step_or_never(
    tmp_path: Path, model: ResolvedModel, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that holds every batch but the one with the longest row, which stands last in the file."""
    last = {**ROWS[method][-1]}
    answer = "chosen" if "chosen" in last else "messages"
    last[answer] = [*last[answer][:-1], said("assistant", "x" * 100)]
    forward = LlamaModel.forward

    def holds(self: Any, input_ids: torch.Tensor, *args: Any, **given: Any) -> Any:
        if self.training and input_ids.shape[1] > 80:
            raise torch.OutOfMemoryError
        return forward(self, input_ids, *args, **given)

    monkeypatch.setattr(LlamaModel, "forward", holds)
    with pytest.raises(torch.OutOfMemoryError):
        given = {"rows": [*ROWS[method], last], "prompts": (), "epochs": 1, "eval_share": 0}
        trained(tmp_path / "run", model, method, **given)
    assert events(tmp_path / "run", "metrics") == []


def test_dft_weighs_tokens_by_their_probability(tmp_path: Path, model: ResolvedModel) -> None:
    one = [{"messages": [said("user", "say a"), said("assistant", "bbb")]}] * 4
    told = losses(trained(tmp_path / "run", model, rows=one, loss="dft", max_steps=1, prompts=()))
    base = AutoModelForCausalLM.from_pretrained(model.path)
    tokenizer = AutoTokenizer.from_pretrained(model.path)
    encoded = tokenizer.apply_chat_template(
        one[0]["messages"], return_assistant_tokens_mask=True, return_dict=True
    )
    ids = torch.tensor([encoded["input_ids"]])
    learnt = torch.tensor(encoded["assistant_masks"][1:]).bool()
    log_probs = base(ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[learnt, 0]
    assert told[1] == pytest.approx(-(log_probs.exp() * log_probs).mean().item(), rel=1e-4)


def test_held_out_rows_are_measured_by_the_plain_loss(tmp_path: Path, model: ResolvedModel) -> None:
    still = {"learning_rate": 1e-8, "max_steps": 1, "eval_share": 0.2, "prompts": ()}
    dft, nll = (trained(tmp_path / loss, model, loss=loss, **still) for loss in ("dft", "nll"))
    assert losses(dft)[1] != losses(nll)[1]
    measured = [events(run_dir, "metrics")[1]["values"]["eval_loss"] for run_dir in (dft, nll)]
    assert measured[0] == pytest.approx(measured[1], rel=1e-5)


def test_noise_on_embeddings_is_of_the_training_alone(tmp_path: Path, model: ResolvedModel) -> None:
    """With a rate that moves nothing all answers are the same; the losses are not."""
    still = {"learning_rate": 1e-8, "max_steps": 4, "eval_share": 0.2}
    noisy, plain = (trained(tmp_path / f"{n}", model, neftune=n, **still) for n in (20.0, 0.0))
    assert all(losses(noisy)[step] != losses(plain)[step] for step in range(1, 5))
    assert len({(event["index"], event["answer"]) for event in events(noisy, "sample")}) == 2
    measured = [
        [event["values"]["eval_loss"] for event in events(run, "metrics") if "eval_loss" in event["values"]]
        for run in (noisy, plain)
    ]
    assert measured[0] == pytest.approx(measured[1], rel=1e-5)
