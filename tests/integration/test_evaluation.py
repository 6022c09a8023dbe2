"""Evaluations through the queue: what is reached, stopped in the middle and gone on with, and test sets."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from jobs.evaluation import budget, main
from jobs.generation.models import Models
from jobs.generation.scoring import RewardModel
from studio_core.base.errors import BadInput, Conflict, NotFound
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.data import store
from studio_core.evaluation import browsing, items_file, results, submitting
from studio_core.evaluation.further_words import further_lines
from studio_core.models import registry
from studio_core.runs.spec import EvalSpec, RewardChoice, SuiteChoice
from studio_core.suites import SUITES, adding
from tests.integration.in_this_process import carried_out, stop_at
from tests.integration.test_generation import add_scorer

BOTH = ["tiny-base", "tiny-chat"]


@pytest.fixture
def demo(studio: Studio) -> Studio:
    registry.ensure_demo_models(studio)
    store.ensure_samples(studio)
    return studio


def asked(*suites: str, **more: object) -> EvalSpec:
    chosen = [SuiteChoice(name=suite) for suite in suites]
    return EvalSpec(**{"models": BOTH, "suites": chosen, "limit": 30, **more})  # type: ignore[arg-type]


def rows_of(studio: Studio, job: Job) -> dict[tuple[str, str], list[items_file.AnsweredItem]]:
    reached = results.of_job(studio, job.id)
    return {
        (each.model, each.suite): list(items_file.read(results.file_of(studio, each))) for each in reached
    }


def test_two_models_on_two_suites(demo: Studio) -> None:
    job = carried_out(demo, submitting.submit(demo, asked("facts", "sums")))
    assert job.state == State.SUCCEEDED and (job.step, job.total_steps) == (120, 120)
    reached = {(each.model, each.suite): each for each in results.of_job(demo, job.id)}
    assert list(reached) == [(model, suite) for model in BOTH for suite in ("facts", "sums")]
    assert reached["tiny-chat", "facts"].value > 0.9 > 0.2 > reached["tiny-base", "facts"].value  # type: ignore[operator]
    for (model, suite), rows in rows_of(demo, job).items():
        assert len(rows) == 30
        items = {str(number): item for number, item in enumerate(SUITES[suite].items, start=1)}
        for row in rows:
            [answer] = row.answers
            assert row.value == SUITES[suite].right(items[row.item], answer)
            assert row.prompt == list(items[row.item].messages) and row.tokens > 0
        assert reached[model, suite].value == pytest.approx(sum(row.value for row in rows) / 30)
    pair = browsing.pair(demo, job, "facts")
    assert (pair.before.model, pair.after.model) == ("tiny-base", "tiny-chat")
    counts = pair.counts()
    assert counts["all"] == 30 and counts["won"] > 20 and counts["no_value"] == 0
    won = pair.places("won")
    for before, after in pair.read(won[:3]):
        assert before.item == after.item and (before.value, after.value) == (0, 1)
        assert browsing.reason(before).startswith("Wanted: ")


def test_a_stopped_evaluation_goes_on_and_ends_with_the_same(
    demo: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = asked("sums", "facts", limit=40)
    with monkeypatch.context() as patch:
        patch.setattr("jobs.progress.TOLD_EVERY", 0.0)
        stop_at(50, patch)  # In the first of the second suite's two batches.
        stopped = carried_out(demo, submitting.submit(demo, spec))
    assert stopped.state == State.SUCCEEDED and stopped.cause is not None
    assert [(each.model, each.suite) for each in results.of_job(demo, stopped.id)] == [("tiny-base", "sums")]
    resumed = carried_out(demo, submitting.resume(demo, stopped.id))
    first, second, *_ = results.of_job(demo, resumed.id)
    assert first.figures["cached"] == 40 and 0 < second.figures["cached"] < 40
    with pytest.raises(Conflict, match="has finished"):
        submitting.resume(demo, resumed.id)
    shutil.rmtree(demo.settings.home / "answers")
    unbroken = carried_out(demo, submitting.submit(demo, spec))
    assert results.of_job(demo, unbroken.id)[0].figures["cached"] == 0
    assert rows_of(demo, resumed) == rows_of(demo, unbroken)


def test_drift_is_the_divergence_of_both_models_along_the_answer(demo: Studio) -> None:
    job = carried_out(demo, submitting.submit(demo, asked("drift", limit=3)))
    assert job.state == State.SUCCEEDED and (job.step, job.total_steps) == (12, 12)
    rows = rows_of(demo, job)
    assert [row.value for row in rows["tiny-base", "drift"]] == [0, 0, 0], "a model has not moved from itself"
    base, chat = (
        AutoModelForCausalLM.from_pretrained(registry.get(demo, name).path, dtype=torch.float32)
        for name in BOTH
    )
    opened = Models("cpu").open(registry.resolve(demo, "tiny-chat"))
    for row in rows["tiny-chat", "drift"]:
        prompt = opened.prompt(row.prompt)  # type: ignore[arg-type]
        tokens = prompt + opened.tokenizer(row.answers[0], add_special_tokens=False)["input_ids"]
        total = 0.0
        with torch.no_grad():
            p, q = (model(torch.tensor([tokens])).logits[0].double().softmax(-1) for model in (chat, base))
        for place in range(len(prompt) - 1, len(tokens)):
            total += sum(
                a * math.log(a / b) for a, b in zip(p[place].tolist(), q[place].tolist(), strict=True)
            )
        assert row.value == pytest.approx(total / (len(tokens) - len(prompt) + 1), rel=1e-3)
        assert row.value > 0.1 and row.tokens > 0
    figures = results.of_job(demo, job.id)[1].figures
    assert (figures["unit"], figures["higher_is_better"]) == ("nats", False)
    alone = carried_out(demo, submitting.submit(demo, asked("drift", limit=3, models=["tiny-chat"])))
    [itself] = results.of_job(demo, alone.id)
    assert (itself.value, itself.figures["cached"]) == (0, 3)
    assert itself.questions != results.of_job(demo, job.id)[1].questions, (
        "from another model it is another distance"
    )
    # As near to the first model as it can be: what came closer has won.
    assert browsing.pair(demo, job).counts()["lost"] == 3


def test_as_many_questions_as_there_is_time_for(demo: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock on which each suite takes a second: 8 s are the first round of 4, and the next of as many."""
    answered, suites = main.Desk._answered, []
    monkeypatch.setattr(main.Desk, "_answered", lambda *given: suites.append(given) or answered(*given))
    largest = budget.largest_in_time
    by_suites = {"clock": lambda: float(len(suites)), "began": 0.0}
    monkeypatch.setattr(
        budget, "largest_in_time", lambda *given, **named: largest(*given, **{**named, **by_suites})
    )
    job = carried_out(demo, submitting.submit(demo, asked("facts", "sums", limit=30, seconds=8)))
    reached = results.of_job(demo, job.id)
    assert [(each.figures["limit"], each.figures["items"]) for each in reached] == [(20, 20)] * 4
    assert [each.figures["cached"] for each in reached] == [10] * 4 and job.step == job.total_steps == 120
    assert len([*(demo.settings.runs / str(job.id)).glob("items-*")]) == 4
    by_limit = carried_out(demo, submitting.submit(demo, asked("facts", "sums", limit=20)))
    assert [each.questions for each in results.of_job(demo, by_limit.id)] == [
        each.questions for each in reached
    ]
    assert rows_of(demo, by_limit) == rows_of(demo, job)


def test_a_dataset_and_a_reward_are_a_suite(demo: Studio) -> None:
    """The reward's value is the item's; where nothing says what is right, there is none."""
    choices = [
        SuiteChoice(dataset="sums-prompts"),
        SuiteChoice(
            dataset="sums-prompts@1", reward=RewardChoice(name="contains", options={"text": "boxed"})
        ),
    ]
    with pytest.raises(BadInput, match="named twice"):
        submitting.submit(demo, asked(suites=choices))
    for choice in choices:
        job = carried_out(demo, submitting.submit(demo, asked(suites=[choice], models=["tiny-chat"])))
        [reached] = results.of_job(demo, job.id)
        assert reached.suite == "sums-prompts@1" and reached.value is not None
    assert reached.value > 0.9, "tiny-chat boxes what it answers"


def test_a_suite_that_was_added_from_a_file(demo: Studio, tmp_path: Path) -> None:
    file = tmp_path / "tests.yaml"
    file.write_text(
        """
prompts: ["What is {{sum}}?"]
tests:
  - vars: {sum: 24 plus 35}
    assert: [{type: contains, value: boxed}]
  - vars: {sum: 24 plus 35}
    assert: [{type: equals, value: "five"}]
""",
        encoding="utf-8",
    )
    adding.add(demo, "mine", file)
    job = carried_out(demo, submitting.submit(demo, asked("mine", models=["tiny-chat"])))
    [rows] = rows_of(demo, job).values()
    assert [row.value for row in rows] == [1, 0]
    assert browsing.reason(rows[1]) == 'Does not hold: equals "five"'


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"suites": [SuiteChoice(name="chess")]}, "no suite chess"),
        ({"suites": [SuiteChoice()]}, "either a suite or a test set"),
        ({"models": ["tiny-base", "tiny-base"]}, "named twice"),
        (
            {"suites": [SuiteChoice(dataset="sums-prompts", reward=RewardChoice(name="judge"))]},
            "only trainings do",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused_before(demo: Studio, changes: dict[str, object], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        submitting.submit(demo, asked("facts", **changes))


def test_items_that_are_gone_are_told(demo: Studio) -> None:
    job = carried_out(demo, submitting.submit(demo, asked("personas", limit=2)))
    for each in results.of_job(demo, job.id):
        results.file_of(demo, each).unlink()
    with pytest.raises(NotFound, match="are gone"):
        browsing.pair(demo, job)


def test_a_file_of_items_is_read_by_places(tmp_path: Path) -> None:
    rows = [
        items_file.AnsweredItem(str(n), "", "", [], "", ("a",), (math.nan if n == 2 else n % 2,))
        for n in range(4500)
    ]
    items_file.write(tmp_path / "items.parquet", rows)
    places = [4400, 0, 2001]
    assert [row.item for row in items_file.read(tmp_path / "items.parquet", places)] == ["4400", "0", "2001"]
    assert math.isnan(items_file.values(tmp_path / "items.parquet")[2])
    columns = items_file.columns(tmp_path / "items.parquet")
    assert columns.items[4400] == "4400" and columns.values[3] == 1 and columns.clusters is None
    items_file.write(tmp_path / "items.parquet", [replace(rows[0], cluster="text 1"), rows[1]])
    assert items_file.columns(tmp_path / "items.parquet").clusters == ["text 1", ""]


def test_several_answers_tell_pass_at_k(demo: Studio) -> None:
    """A value is the share of right answers; pass@k is Chen's estimator over them."""
    choice = SuiteChoice(name="sums", samples=4, temperature=1.0)
    job = carried_out(demo, submitting.submit(demo, asked(suites=[choice], models=["tiny-chat"], limit=12)))
    [reached] = results.of_job(demo, job.id)
    rows = rows_of(demo, job)["tiny-chat", "sums"]
    assert all(len(row.answers) == len(row.values) == 4 for row in rows)
    assert any(len(set(row.answers)) > 1 for row in rows), "they are drawn apart"
    told = reached.figures["further"]
    assert list(told) == ["pass@1", "pass@2", "pass@4"] and told["pass@1"] == pytest.approx(reached.value)
    assert told["pass@4"] == pytest.approx(sum(max(row.values) for row in rows) / 12)
    assert told["pass@1"] <= told["pass@2"] <= told["pass@4"]
    [line] = further_lines([reached], "en")
    assert line.startswith("tiny-chat, Sums: pass@1 ") and "pass@4" in line
    with pytest.raises(BadInput, match="4 answers at temperature 0 are all alike"):
        submitting.submit(demo, asked(suites=[SuiteChoice(name="sums", samples=4)]))


def test_a_reward_model_scores_a_test_set(demo: Studio) -> None:
    """Each value is what the model itself says of that conversation."""
    add_scorer(demo, "scorer", 0)
    choice = SuiteChoice(dataset="sums-prompts", reward_model="scorer")
    job = carried_out(demo, submitting.submit(demo, asked(suites=[choice], models=["tiny-chat"], limit=3)))
    assert job.state == State.SUCCEEDED, job.detail
    [reached] = results.of_job(demo, job.id)
    assert reached.figures["unit"] == "score" and reached.value is not None
    scorer = RewardModel.load(registry.resolve(demo, "scorer", scoring=True))
    for row in rows_of(demo, job)["tiny-chat", "sums-prompts@1"]:
        [answer], [value] = row.answers, row.values
        [expected] = scorer.scores([scorer.text(row.prompt, answer)])  # type: ignore[arg-type]
        assert value == pytest.approx(expected, abs=1e-4)
    for wrong, told in (
        (SuiteChoice(dataset="sums-prompts", reward_model="tiny-chat"), "tiny-chat"),
        (SuiteChoice(name="facts", reward_model="scorer"), "by its own rule"),
        (SuiteChoice(dataset="sums-prompts", reward_model="scorer", protocol="rubric"), "Keep one"),
    ):
        with pytest.raises(BadInput, match=told):
            submitting.submit(demo, asked(suites=[wrong]))
