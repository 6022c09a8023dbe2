"""Judges as rewards: a service with known verdicts, and a model that cannot judge."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.training import grpo, online_dpo
from studio_core.data.shapes import Shape
from studio_core.generation import services
from studio_core.runs import rollouts, run_folder
from studio_core.runs.spec import ResolvedModel, RewardChoice, RunSpec
from tests.fake_service import FakeService, fake_service, reply
from tests.integration.method_conformance import ROWS
from tests.integration.miniature import events, make_run, miniature_model, values

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

CRITERIA = "long: How long is it?\nkind 3: Is it kind?"


def judged(asked: dict[str, Any], _: int) -> tuple[int, Any, dict[str, str]]:
    """Longer answers are the better ones; what counts as kind is always good."""
    text = asked["messages"][-1]["content"]
    answers = re.findall(
        r"<<<ANSWER ?(\w*)\n(.*?)\nANSWER \1>>>|<<<ANSWER\n(.*?)\nANSWER>>>", text, re.DOTALL
    )
    if "Rank the answers" in text:
        order = sorted(answers, key=lambda each: -len(each[1]))
        return 200, reply(" > ".join(name for name, *_ in order)), {}
    if "kind" in text:
        return 200, reply("10"), {}
    return 200, reply(f"Score: {min(10, 1 + len(answers[0][2]) // 4)}"), {}


@pytest.fixture
def service() -> Iterator[FakeService]:
    with fake_service(judged) as served:
        yield served


def prepared(
    folder: Path,
    base: ResolvedModel,
    service: FakeService | None,
    method: str,
    *rewards: RewardChoice,
    **given: Any,
) -> Path:
    """A run of four steps, two prompts each."""
    run_dir = make_run(
        folder,
        base,
        ROWS[Shape.PROMPT_ONLY],
        method=method,
        shape=Shape.PROMPT_ONLY,
        rewards=list(rewards),
        max_new_tokens=12,
        max_steps=4,
        **given,
    )
    if service is not None:
        file = folder / "services.json"
        services.add(file, "judging", service.address, "judge-1", key="secret", price_in=1.0, price_out=2.0)
        spec = run_dir / run_folder.SPEC
        run = RunSpec.model_validate_json(spec.read_text(encoding="utf-8"))
        spec.write_text(run.model_copy(update={"services": str(file)}).model_dump_json(), encoding="utf-8")
    return run_dir


def test_a_service_scores_by_criteria_and_each_of_them_is_seen(
    tmp_path: Path, base: ResolvedModel, service: FakeService
) -> None:
    judge = RewardChoice(name="judge", options={"service": "judging", "criteria": CRITERIA})
    run_dir = prepared(tmp_path / "run", base, service, "grpo", judge, batch_size=8, num_generations=4)
    grpo.main(run_dir)
    kept = [*rollouts.read(run_dir)]
    assert len(kept) == 4 * 8
    for each in kept:
        long, kind = each["rewards"]["judge/long"], each["rewards"]["judge/kind"]
        assert long is not None and kind == 1.0
        assert long == pytest.approx((min(10, 1 + len(each["answer"]) // 4) - 1) / 9, abs=1e-6)
        both = [each["rewards"]["judge"], each["reward"]]
        assert both == pytest.approx(2 * [(long + 3 * kind) / 4], abs=1e-6)
    assert values(run_dir, "rewards/judge/unscored") == [0.0] * 4
    assert values(run_dir, "rewards/judge/kind/mean") == [1.0] * 4
    # What was asked once is not asked again, and what that took is told.
    asked = [each["messages"][-1]["content"] for each in service.asked]
    assert len(asked) == len(set(asked)) == 2 * len({(each["prompt"], each["answer"]) for each in kept})
    assert values(run_dir, "rewards/judge/tokens")[-1] == 15 * len(asked)
    assert values(run_dir, "rewards/judge/cost")[-1] == pytest.approx(len(asked) * (10 + 2 * 5) / 1e6)
    assert service.keys == {"Bearer secret"}
    assert "secret" not in (run_dir / run_folder.EVENTS).read_text(encoding="utf-8")


def test_a_judge_says_which_of_two_answers_is_better(
    tmp_path: Path, base: ResolvedModel, service: FakeService
) -> None:
    ranking = RewardChoice(name="judge_ranking", options={"service": "judging"})
    run_dir = prepared(tmp_path / "run", base, service, "online-dpo", ranking, batch_size=8)
    online_dpo.main(run_dir)
    kept = [*rollouts.read(run_dir)]
    for first, second in zip(kept[::2], kept[1::2], strict=True):
        longer = len(first["answer"]) - len(second["answer"])
        if longer or first["answer"] == second["answer"]:
            expected = 0.5 if not longer else float(longer > 0)
            assert first["rewards"]["judge_ranking"] == expected
        assert first["rewards"]["judge_ranking"] + second["rewards"]["judge_ranking"] == 1.0
        assert first["advantage"] == -second["advantage"] == (first["reward"] > 0.5) - (first["reward"] < 0.5)
    questions = [each["messages"][-1]["content"] for each in service.asked]
    assert questions and all(
        "<<<ANSWER B" in question and "<<<ANSWER C" not in question for question in questions
    )


@pytest.mark.parametrize(("method", "script"), [("grpo", grpo), ("online-dpo", online_dpo)])
def test_a_limit_of_questions_ends_the_run_with_its_last_whole_step(
    tmp_path: Path, base: ResolvedModel, service: FakeService, method: str, script: Any
) -> None:
    judge = RewardChoice(name="judge", options={"service": "judging", "max_calls": 20})
    given = {"num_generations": 4} if method == "grpo" else {}
    run_dir = prepared(tmp_path / "run", base, service, method, judge, batch_size=8, **given)
    script.main(run_dir)
    [result] = events(run_dir, "result")
    assert result["state"] == "stopped" and 0 < result["step"] < 4
    assert 0 < len(service.asked) <= 20
    [told] = [each for each in events(run_dir, "notice") if each["key"] == "methods.notice.judge_spent"]
    assert told["values"] == {"judge": "judging (judge-1)", "calls": len(service.asked), "limit": 20}
    [*_, kept] = events(run_dir, "checkpoint")
    assert kept["step"] == result["step"], "the last whole step is kept"
    assert all(each["reward"] is not None for each in rollouts.read(run_dir)), "nothing goes on unscored"


def test_a_judge_that_favours_a_place_is_asked_in_both_orders_and_its_disagreement_counted(
    tmp_path: Path, base: ResolvedModel
) -> None:
    def first_is_best(asked: dict[str, Any], _: int) -> tuple[int, Any, dict[str, str]]:
        return 200, reply("A > B"), {}

    with fake_service(first_is_best) as service:
        ranking = RewardChoice(name="judge_ranking", options={"service": "judging"})
        run_dir = prepared(tmp_path / "run", base, service, "online-dpo", ranking, batch_size=8)
        online_dpo.main(run_dir)
    kept = [*rollouts.read(run_dir)]
    assert {each["rewards"]["judge_ranking"] for each in kept} == {0.5}
    for first, second in zip(kept[::2], kept[1::2], strict=True):
        apart = float(first["answer"] != second["answer"])
        assert first["rewards"]["judge_ranking/disagreement"] == apart
    assert max(values(run_dir, "rewards/judge_ranking/disagreement/mean")) > 0


def test_a_service_that_fails_has_no_say_and_is_told_of_once(tmp_path: Path, base: ResolvedModel) -> None:
    def refusing(asked: dict[str, Any], _: int) -> tuple[int, Any, dict[str, str]]:
        return 401, {"error": {"message": "wrong key"}}, {}

    with fake_service(refusing) as service:
        judge = RewardChoice(name="judge", options={"service": "judging"})
        other = RewardChoice(name="longer", options={"characters": 100})
        run_dir = prepared(
            tmp_path / "run", base, service, "online-dpo", judge, other, batch_size=8, normalize_parts=True
        )
        online_dpo.main(run_dir)
    [result] = events(run_dir, "result")
    assert result["state"] == "succeeded"
    failed = [each for each in events(run_dir, "notice") if each["key"] == "methods.notice.reward_failed"]
    assert len(failed) == 1 and "wrong key" in failed[0]["values"]["error"]
    kept = [*rollouts.read(run_dir)]
    assert all(
        each["rewards"]["judge"] is None and each["reward"] == each["rewards"]["longer"] for each in kept
    )
    for first, second in zip(kept[::2], kept[1::2], strict=True):
        assert first["advantage"] == (first["reward"] > second["reward"]) - (
            first["reward"] < second["reward"]
        )


@pytest.mark.parametrize(("method", "script"), [("grpo", grpo), ("online-dpo", online_dpo)])
def test_a_model_that_cannot_judge_leaves_all_without_a_value_and_is_warned_of(
    tmp_path: Path, base: ResolvedModel, method: str, script: Any
) -> None:
    speechless = miniature_model(tmp_path / "judge", seed=1)
    run_dir = prepared(
        tmp_path / "run", base, None, method, RewardChoice(name="judge", options={"judge_tokens": 4}),
        models={"judge": speechless}, batch_size=8, num_generations=4,
    )  # fmt: skip
    script.main(run_dir)
    [result] = events(run_dir, "result")
    assert result["state"] == "succeeded"
    assert values(run_dir, "rewards/judge/unscored") == [1.0] * 4
    keys = [each["key"] for each in events(run_dir, "notice")]
    assert keys.count("methods.notice.reward_failed") == keys.count("methods.notice.unscored") == 1
    assert all(each["reward"] is None for each in rollouts.read(run_dir))
