"""Evaluations in which models call tools, over several turns: what is scored, shown and kept.

The demo models have never seen a call. So that there are any, an answer of an even length is read as one.
"""

from __future__ import annotations

import json
import shutil

import pytest

from jobs.generation import trajectories
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.data import store
from studio_core.data.tool_calls import Call
from studio_core.environments import ENVIRONMENTS
from studio_core.evaluation import browsing, item_records, items_file, loading, results, submitting
from studio_core.evaluation.further_words import further_lines
from studio_core.models import registry
from studio_core.runs.spec import EvalSpec, SuiteChoice
from studio_core.suites import SUITES
from tests.integration.in_this_process import carried_out, stop_at
from tests.integration.test_evaluation import rows_of

SUITE = "environment:calculator"


@pytest.fixture
def demo(studio: Studio) -> Studio:
    registry.ensure_demo_models(studio)
    store.ensure_samples(studio)
    return studio


@pytest.fixture(autouse=True)
def calling(monkeypatch: pytest.MonkeyPatch) -> None:
    def calls_in(text: str) -> list[Call]:
        # The check of the template reads a real call.
        called = "calculator" in text or len(text) % 2 == 0
        return [Call("calculator", {"expression": f"{len(text)}+1"})] if called else []

    monkeypatch.setattr(trajectories, "calls_in", calls_in)


def asked(**more: object) -> EvalSpec:
    choice = SuiteChoice(name=str(more.pop("name", SUITE)), **more.pop("drawing", {}))  # type: ignore[arg-type]
    wanted: dict[str, object] = {"models": ["tiny-chat"], "suites": [choice], "limit": 12}
    return EvalSpec(**{**wanted, **more})  # type: ignore[arg-type]


def test_the_last_turn_is_scored_and_every_turn_is_kept(demo: Studio) -> None:
    job = carried_out(demo, submitting.submit(demo, asked(models=["tiny-base", "tiny-chat"])))
    assert (job.step, job.total_steps) == (24, 24)
    suite = SUITES[SUITE]
    items = {str(number): item for number, item in enumerate(suite.items, start=1)}
    rows = rows_of(demo, job)["tiny-chat", SUITE]
    assert len(rows) == 12
    for row in rows:
        [turns], [answer] = row.turns, row.answers
        assert [turn["role"] for turn in turns] == (["assistant", "tool"] * 4)[: len(turns)]
        assert turns[-1]["role"] == "assistant" and turns[-1]["content"] == answer
        assert row.value == suite.score(items[row.item], answer.strip()).value
        assert row.tokens == sum(turn["tokens"] for turn in turns if turn["role"] == "assistant")
        for said, result in zip(turns[::2], turns[1::2], strict=False):
            assert len(said["content"]) % 2 == 0 and result["content"] == str(len(said["content"]) + 1)
        # A call that nobody could answer any more is no end.
        assert row.truncated or len(answer) % 2 == 1
    called = [row for row in rows if len(row.turns[0]) > 1]
    assert len(called) > 0
    reached = next(each for each in results.of_job(demo, job.id) if each.model == "tiny-chat")
    told = reached.figures["further"]
    assert told["called"] == len(called) / 12
    assert told["turns"] == sum(len(row.turns[0][::2]) for row in rows) / 12
    [line] = further_lines([reached], "en")
    assert f"Answers with a call {100 * told['called']:.1f}"[:-2] in line and "Turns, mean" in line
    report = loading.of_job(demo, job, "en")
    assert report is not None and [cell.n for cell in report.cells] == [12, 12]


def test_a_stopped_evaluation_with_tools_goes_on_and_ends_with_the_same(
    demo: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = asked(limit=40)
    with monkeypatch.context() as patch:
        patch.setattr("jobs.progress.TOLD_EVERY", 0.0)
        stop_at(32, patch)  # With the last of the first batch.
        stopped = carried_out(demo, submitting.submit(demo, spec))
    assert stopped.cause is not None and not results.of_job(demo, stopped.id)
    resumed = carried_out(demo, submitting.resume(demo, stopped.id))
    [reached] = results.of_job(demo, resumed.id)
    assert (reached.figures["cached"], reached.figures["asked"]) == (32, 8)
    shutil.rmtree(demo.settings.home / "answers")
    unbroken = carried_out(demo, submitting.submit(demo, spec))
    assert results.of_job(demo, unbroken.id)[0].figures["cached"] == 0
    assert rows_of(demo, resumed) == rows_of(demo, unbroken)


def test_several_exchanges_are_drawn_apart_and_tell_pass_at_k(demo: Studio) -> None:
    job = carried_out(
        demo, submitting.submit(demo, asked(limit=4, drawing={"samples": 2, "temperature": 1.0}))
    )
    [rows] = rows_of(demo, job).values()
    assert all(len(row.turns) == len(row.values) == 2 for row in rows)
    assert any(row.turns[0] != row.turns[1] for row in rows)
    assert {"pass@1", "pass@2", "called", "turns"} == {*results.of_job(demo, job.id)[0].figures["further"]}


def test_whether_the_prompt_tells_of_tools_makes_other_questions(demo: Studio) -> None:
    jobs = [
        carried_out(demo, submitting.submit(demo, asked(limit=2, drawing=drawing)))
        for drawing in ({}, {"tools_in_prompt": False})
    ]
    told, untold = (results.of_job(demo, job.id)[0] for job in jobs)
    assert told.questions != untold.questions
    assert json.loads(told.figures["tools"])[0]["function"]["name"] == "calculator"
    assert "tools" not in untold.figures and untold.figures["cached"] == 0
    with pytest.raises(BadInput, match="has no tools"):
        submitting.submit(demo, asked(name="facts", drawing={"tools_in_prompt": False}))


def test_an_exchange_becomes_a_record_with_its_calls_and_tools(demo: Studio) -> None:
    job = carried_out(demo, submitting.submit(demo, asked(models=["tiny-base", "tiny-chat"])))
    pair = browsing.pair(demo, job, SUITE)
    files = {each.model: results.file_of(demo, each) for each in results.of_job(demo, job.id)}
    # One that was right, as no demo model is.
    rows = [*items_file.read(files["tiny-chat"])]
    call = '<tool_call>\n{"name": "calculator", "arguments": {"expression": "1+1"}}\n</tool_call>'
    said = [("assistant", call), ("tool", "2"), ("assistant", r"\boxed{2}")]
    turns = [{"role": role, "content": content, "tokens": 1} for role, content in said]
    better = items_file.AnsweredItem(
        **{**rows[0].__dict__, "answers": (r"\boxed{2}",), "values": (1.0,), "turns": [turns]}
    )
    items_file.write(files["tiny-chat"], [better, *rows[1:]])
    added = item_records.add(demo, pair, [0], "answer", "with-tools")
    [record] = store.records(demo, added.dataset)
    assert record["tools"] == ENVIRONMENTS["calculator"].definitions
    called, result, answer = record["completion"]
    assert json.loads(called["tool_calls"]) == [{"name": "calculator", "arguments": {"expression": "1+1"}}]
    assert (result["role"], result["content"], answer["content"]) == ("tool", "2", r"\boxed{2}")
