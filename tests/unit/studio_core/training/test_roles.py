"""Models and datasets that a training names by their roles."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.parts import plan_card
from studio_core import training
from studio_core.base.settings import bundled_folder
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.generation import services
from studio_core.methods import METHODS
from studio_core.methods.roles import Role
from studio_core.models import registry
from studio_core.runs import queue
from studio_core.runs.spec import RunSpec
from tests.unit.studio_core.models.folders import model_folder
from tests.unit.studio_core.training.runs import chat, imported, problems, spec

TEACHER = Role("teacher", passes=1)


@pytest.fixture(autouse=True)
def taught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that learns from a teacher."""
    method = METHODS["sft"]
    monkeypatch.setitem(
        METHODS, "taught", replace(method, name="taught", roles=(*method.roles, TEACHER), package="none")
    )


@pytest.fixture
def apart(studio: Studio, tmp_path: Path) -> Dataset:
    rows = [chat(f"What is {n} plus 1?", f"It is {n + 1}.") for n in range(200, 220)]
    return imported(studio, "apart", rows, tmp_path)


def test_models_and_data_of_a_run_are_resolved_by_role(studio: Studio, sums: Dataset, apart: Dataset) -> None:
    asked = spec(method="taught", models={"teacher": "tiny-chat"}, data={"held_out": "apart"})
    job = training.submit(studio, asked)
    assert (job.spec["models"], job.spec["data"]) == ({"teacher": "tiny-chat"}, {"held_out": "apart@1"})
    run = RunSpec.model_validate(job.spec["run"])
    assert run.models["teacher"].path.endswith("tiny-chat") and run.data["held_out"].rows == 20
    assert training.duplicate(studio, job.id).models == {"teacher": "tiny-chat"}
    assert training.from_yaml(training.to_yaml(asked)) == asked
    assert "--role teacher=tiny-chat" in training.to_command(asked)
    assert "--data held_out=apart" in training.to_command(asked)


def test_memory_and_time_are_sums_over_roles_with_the_size_of_each(studio: Studio, sums: Dataset) -> None:
    alone = training.plan(studio, spec()).memory
    plan = training.plan(studio, spec(method="taught", models={"teacher": "tiny-chat"}))
    teacher = registry.get(studio, "tiny-chat").parameters
    assert plan.ready and plan.memory and alone
    assert plan.memory.weights == alone.weights + 4 * teacher


def test_rows_to_measure_on_take_the_place_of_a_share(studio: Studio, sums: Dataset, apart: Dataset) -> None:
    share = training.plan(studio, spec(options={"eval_share": 0.2}))
    plan = training.plan(studio, spec(options={"eval_share": 0.2}, data={"held_out": "apart"}))
    assert (share.rows, plan.rows) == (80, 100) and plan.ready
    said = [warning.sentence() for warning in plan.warnings]
    assert "Evaluated on apart: no fraction of the training data is held out." in said


def test_rows_to_replay_are_counted_before_the_start(
    studio: Studio, sums: Dataset, apart: Dataset, tmp_path: Path
) -> None:
    """Also of another shape, which the script makes tokens of as well; steps, tokens and memory are of both."""
    imported(studio, "book", [{"text": "once upon a time " * 40}] * 30, tmp_path)
    alone = training.plan(studio, spec())
    plan = training.plan(studio, spec(data={"replay": "book"}, options={"replay_share": 0.5}))
    assert plan.ready and (plan.rows, plan.replayed, plan.steps, alone.steps) == (100, 100, 150, 78)
    assert plan.memory and alone.memory and plan.memory.activations > alone.memory.activations
    assert plan.tokens > 4 * alone.tokens and "100 records + 100 replayed" in plan_card.card(plan, "en")
    [warning] = training.plan(studio, spec(options={"replay_share": 0.5})).warnings
    assert warning.sentence().startswith("replay_share has no effect without a replay dataset")


def test_early_stopping_needs_something_to_measure(
    studio: Studio, sums: Dataset, apart: Dataset, pairs: Dataset
) -> None:
    patient = {"early_stopping_patience": 2}
    [blind] = problems(studio, options=patient)
    assert blind.startswith("Early stopping (patience 2) needs a held-out loss")
    assert not problems(studio, options={**patient, "eval_share": 0.1})
    assert not problems(studio, options=patient, data={"held_out": "apart"})
    stopped = training.plan(studio, spec(options={**patient, "eval_share": 0.1}))
    assert stopped.disk > training.plan(studio, spec(options={"eval_share": 0.1})).disk
    # A suite is something to measure, too, but only for a model that answers its questions.
    on_suite = {**patient, "early_stopping_on": "sums"}
    assert not problems(studio, options=on_suite)
    [scorer] = problems(studio, method="reward", dataset="pairs", options=on_suite)
    assert scorer.startswith("Early stopping on sums needs a model that writes answers, but reward makes one")


def test_what_a_method_does_not_take_or_lacks_is_said(studio: Studio, sums: Dataset, pairs: Dataset) -> None:
    assert problems(studio, method="taught") == ["taught needs one more model: Teacher model. Choose it."]
    [lacking] = training.plan(studio, spec(method="distillation")).problems
    assert "教师模型" in lacking.sentence("zh-CN") and "teacher" not in lacking.sentence("zh-CN")
    [unknown] = problems(studio, models={"judge": "tiny-chat"})
    assert unknown == "sft takes no model in the role judge (tiny-chat). It takes: -."
    assert "no model nobody" in problems(studio, method="taught", models={"teacher": "nobody"})[0]
    [replay] = problems(studio, method="dpo", dataset="pairs", data={"replay": "pairs"})
    assert replay == "dpo takes no dataset in the role replay (pairs). It takes: held_out."
    [misfit] = problems(studio, data={"held_out": "pairs"})
    assert misfit.startswith("pairs has preference records")
    [rewards] = problems(studio, rewards=[{"name": "boxed"}])
    assert rewards == "sft does not learn from rewards (boxed). Leave them out, or choose a method that does."


def test_rewards_of_a_run_are_checked_before_it_starts(studio: Studio, tmp_path: Path) -> None:
    rows = [{"prompt": f"{n} plus 1", "answer": str(n + 1)} for n in range(60)]
    imported(studio, "asked", rows, tmp_path)
    imported(studio, "unanswered", [{"prompt": f"Tell me of {n}."} for n in range(60)], tmp_path)

    def told(**given: Any) -> list[str]:
        return problems(studio, method="grpo", model="tiny-chat", **{"dataset": "asked", **given})

    assert told() == told(rewards=[{"name": "boxed", "weight": 0.2}]) == []
    assert told(rewards=[{"name": "praise"}])[0].startswith("There is no reward praise")
    [option] = told(rewards=[{"name": "shorter", "options": {"characters": -1}}])
    assert "characters" in option and "-1" in option
    [blind] = told(dataset="unanswered")
    assert blind.startswith("The reward equality compares with a reference answer, but unanswered has none")
    assert told(dataset="unanswered", rewards=[{"name": "boxed"}]) == []
    [groups] = told(options={"batch_size": 12})
    assert "12, which is no multiple of 8 generations" in groups
    asked = spec(
        method="grpo", model="tiny-chat", dataset="asked",
        rewards=[{"name": "boxed", "weight": 0.2}, {"name": "contains", "options": {"text": "a: b"}}],
    )  # fmt: skip
    assert training.from_yaml(training.to_yaml(asked)) == asked
    assert "--reward boxed:0.2 --reward 'contains::a: b'" in training.to_command(asked)
    both = training.plan(studio, asked.model_copy(update={"options": {"beta": 0.04}})).memory
    alone = training.plan(studio, asked).memory
    assert (
        both and alone and alone.roles.keys() == {"policy"} and both.roles.keys() == {"policy", "reference"}
    )


def test_a_teacher_that_only_scores_is_refused(studio: Studio, sums: Dataset) -> None:
    folder = model_folder(studio.settings.models / "rm", architectures=["LlamaForSequenceClassification"])
    registry.add(studio, str(folder))
    [refused] = problems(studio, method="taught", models={"teacher": "rm"})
    assert refused.startswith("rm is a reward model: it scores answers")


def test_a_reward_model_is_a_role_that_a_run_can_do_without(studio: Studio, tmp_path: Path) -> None:
    imported(studio, "asked", [{"prompt": f"{n} plus 1", "answer": str(n + 1)} for n in range(60)], tmp_path)
    folder = model_folder(studio.settings.models / "rm", architectures=["LlamaForSequenceClassification"])
    registry.add(studio, str(folder))
    grpo: dict[str, Any] = {"method": "grpo", "model": "tiny-chat", "dataset": "asked"}
    asked = [{"name": "reward_model"}]
    alone = training.plan(studio, spec(**grpo))
    plan = training.plan(studio, spec(**grpo, rewards=asked, models={"reward": "rm"}))
    assert alone.ready and plan.ready and plan.resolved_models["reward"].path == str(folder)
    assert alone.memory and plan.memory and "reward" not in alone.memory.roles
    assert plan.memory.weights == alone.memory.weights + 4 * registry.get(studio, "rm").parameters
    [missing] = problems(studio, **grpo, rewards=asked)
    assert missing.startswith("grpo (reward_model) needs one more model: Reward model")
    # Alone it is what the run learns from; beside rewards that were asked for it must be one of them.
    assert problems(studio, **grpo, models={"reward": "rm"}) == []
    [unused] = problems(studio, **grpo, rewards=[{"name": "boxed"}], models={"reward": "rm"})
    assert unused.startswith("The reward model rm is chosen, but no reward asks it")
    [writer] = problems(studio, **grpo, rewards=asked, models={"reward": "tiny-chat"})
    assert writer.startswith("tiny-chat is not a reward model")


def test_a_judge_is_a_model_or_a_service_and_is_checked_before_the_start(
    studio: Studio, tmp_path: Path
) -> None:
    imported(studio, "asked", [{"prompt": f"{n} plus 1", "answer": str(n + 1)} for n in range(60)], tmp_path)
    grpo: dict[str, Any] = {"method": "grpo", "model": "tiny-chat", "dataset": "asked"}
    by_model = {**grpo, "rewards": [{"name": "judge"}], "models": {"judge": "tiny-base"}}
    plan = training.plan(studio, spec(**by_model))
    assert plan.ready and plan.memory and plan.memory.roles["judge"].weights
    assert RunSpec.model_validate(training.submit(studio, spec(**by_model)).spec["run"]).services == ""
    [nobody] = problems(studio, **grpo, rewards=[{"name": "judge_ranking"}])
    assert nobody.startswith("The reward judge_ranking has nobody to ask")
    by_service: dict[str, Any] = {**grpo, "rewards": [{"name": "judge", "options": {"service": "judging"}}]}
    [unknown] = problems(studio, **by_service)
    assert "judging" in unknown
    file = studio.settings.home / services.FILE
    services.add(file, "judging", "http://127.0.0.1:9/v1", "m", key="secret")
    run = training.submit(studio, spec(**by_service)).spec["run"]
    assert run["services"] == str(file) and "secret" not in json.dumps(run)
    plan = training.plan(studio, spec(**by_service, options={"max_steps": 3, "batch_size": 16}))
    assert "Up to 48 requests go to judging (judge)" in " ".join(each.sentence() for each in plan.warnings)
    [unused] = problems(studio, **by_service, models={"judge": "tiny-base"})
    assert unused.startswith("The judge model tiny-base is chosen, but no reward asks it")
    ranking = [{"name": "judge_ranking", "options": {"service": "judging"}}]
    told = training.plan(studio, spec(**grpo, rewards=ranking, options={"max_steps": 3, "batch_size": 16}))
    # Two groups of eight a step, each in both orders.
    assert "Up to 12 requests go to judging" in " ".join(each.sentence() for each in told.warnings)
    limited = [{"name": "judge", "options": {"service": "judging", "max_calls": 20}}]
    small: dict[str, Any] = {**grpo, "rewards": limited, "options": {"max_steps": 3, "batch_size": 16}}
    plan = training.plan(studio, spec(**small))
    assert plan.ready
    assert "Up to 20 requests go to judging" in " ".join(each.sentence() for each in plan.warnings)
    limited[0]["options"]["max_calls"] = 15  # type: ignore[index]
    [low] = problems(studio, **small)
    assert low.startswith(
        "The reward judge may ask 15 questions in all (max_calls), and a step alone may ask up to 16"
    )
    patient = {"early_stopping_patience": 2, "eval_share": 0.2}
    [blind] = problems(studio, **grpo, rewards=ranking, options=patient)
    assert blind.startswith("Early stopping looks at the reward of held-out prompts, but judge_ranking")
    assert problems(studio, **grpo, rewards=[*ranking, {"name": "boxed"}], options=patient) == []
    ppo = {**grpo, "method": "ppo", "rewards": ranking}
    assert problems(studio, **ppo)[0].startswith("The reward judge_ranking compares the answers to a prompt")
    assert problems(studio, **ppo, options={"num_generations": 2}) == []


def test_rewards_that_are_not_allowed_here_are_a_problem_of_the_plan(studio: Studio, tmp_path: Path) -> None:
    imported(studio, "asked", [{"prompt": f"{n} plus 1", "answer": str(n + 1)} for n in range(60)], tmp_path)
    [refused] = problems(
        studio, method="grpo", model="tiny-chat", dataset="asked", rewards=[{"name": "own_code"}]
    )
    assert "TUNESMITH_OWN_REWARDS" in refused


def test_a_run_of_the_version_before_reads_as_it_was(studio: Studio, sums: Dataset) -> None:
    job = training.submit(studio, spec())
    old = {name: value for name, value in job.spec["run"].items() if name not in ("models", "data")}
    old["spec"] = {k: v for k, v in old["spec"].items() if k not in ("models", "data", "rewards")}
    run = RunSpec.model_validate(old)
    assert (run.models, run.data, run.spec.rewards) == ({}, {}, [])
    row = {**job.spec, "run": old}
    for name in ("models", "data", "rewards"):
        del row[name]
    queue.change_spec(studio, job, row)
    assert training.duplicate(studio, job.id).model == "tiny-base"


def test_a_teacher_with_other_tokens_is_told_before_the_start(studio: Studio, sums: Dataset) -> None:
    folder = studio.settings.models / "stranger"
    shutil.copytree(bundled_folder() / "models" / "tiny-chat", folder)
    file = folder / "tokenizer.json"
    written = json.loads(file.read_text(encoding="utf-8"))
    vocabulary = written["model"]["vocab"]
    last = max(vocabulary, key=vocabulary.__getitem__)
    written["model"]["vocab"] = {
        f"{token}\N{SNOWMAN}" * (token == last) or token: n for token, n in vocabulary.items()
    }
    written["model"]["merges"] = [
        pair for pair in written["model"]["merges"] if "".join(pair).replace(" ", "") != last
    ]
    file.write_text(json.dumps(written), encoding="utf-8")
    registry.add(studio, str(folder))
    plan = training.plan(studio, spec(method="distillation", models={"teacher": "stranger"}))
    told = (
        "stranger and tiny-base have different tokenizers (1151 tokens in common): they are compared by text"
    )
    assert plan.ready and told in plan_card.card(plan, "en")
    same = training.plan(studio, spec(method="distillation", models={"teacher": "tiny-chat"}))
    assert same.ready and "different tokenizers" not in plan_card.card(same, "en")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    [refused] = problems(studio, method="distillation", models={"teacher": "stranger"})
    assert "stranger" in refused and "tokenizer" in refused
    assert problems(studio, method="distillation") == [
        "distillation needs one more model: Teacher model. Choose it."
    ]


def test_all_models_of_ppo_are_counted(studio: Studio, tmp_path: Path) -> None:
    rows = [{"prompt": f"{n} plus 1", "answer": str(n + 1)} for n in range(60)]
    imported(studio, "asked", rows, tmp_path)
    imported(studio, "unanswered", [{"prompt": f"Tell me of {n}."} for n in range(60)], tmp_path)

    def roles_of(tuning: str, **options: Any) -> dict[str, int]:
        asked = spec(method="ppo", model="tiny-chat", dataset="asked", tuning=tuning, options=options)
        memory = training.plan(studio, asked).memory
        assert memory
        return {name: share.weights for name, share in memory.roles.items()}

    whole = roles_of("full")
    assert whole.keys() == {"policy", "reference", "value"} and len({*whole.values()}) == 1
    assert roles_of("full", kl_coef=0.0).keys() == {"policy", "value"}
    # One base for all: the value model has its own adapter only, the reference nothing.
    shared = roles_of("lora")
    assert shared["reference"] == 0 < shared["value"] < shared["policy"] / 4

    def told(**models: str) -> list[str]:
        return problems(studio, method="ppo", model="tiny-chat", dataset="unanswered", models=models)

    [start] = problems(
        studio, method="ppo", model="tiny-chat", dataset="asked", options={"value_start": "reward"}
    )
    assert start.startswith("ppo needs one more model: Reward model")
    assert told()[0].startswith("The reward equality compares with a reference answer")
    assert len(told(reward="nobody")) == 1  # A reward model needs no reference answers.
