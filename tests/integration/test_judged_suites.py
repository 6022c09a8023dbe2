"""Suites that a judge scores, through the queue: a service with known verdicts, which is asked everything once."""

from __future__ import annotations

import json
import math
import re
import shutil
from typing import Any

import pytest

from app.parts.evaluation import board, report_panel
from studio_core.base.errors import BadInput, NotFound
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Evaluation, Job
from studio_core.data import store
from studio_core.evaluation import browsing, items_file, judges, loading, results, submitting
from studio_core.evaluation.sentences import figure
from studio_core.generation import services
from studio_core.labeling import changing, evaluated, suite_agreement, votes
from studio_core.labeling.assignment import next_item
from studio_core.models import registry
from studio_core.runs.spec import EvalSpec, RewardChoice, SuiteChoice
from studio_core.texts import DEFAULT_LANGUAGE
from tests.fake_service import FakeService, fake_service, reply
from tests.integration.in_this_process import carried_out, stop_at

BOTH = ["tiny-base", "tiny-chat"]
QUESTIONS = 6
MT_BENCH = SuiteChoice(name="mt_bench", max_tokens=8)
ALPACA_EVAL = SuiteChoice(name="alpaca_eval", max_tokens=8)
RUBRIC_PAIRS = SuiteChoice(
    dataset="sums-prompts", protocol="rubric_pairs", options={"criteria": "right: Is it right?"}, max_tokens=8
)


def judge(document: dict[str, Any], _: int) -> tuple[int, Any, dict[str, str]]:
    """Scores 7 of a first and 3 of a second turn, names no score of question 2, likes the longer of two answers."""
    text = document["messages"][-1]["content"]
    if "ANSWER m" in text:
        m, M = (
            len(re.search(f"<<<ANSWER {name}\n(.*?)\nANSWER {name}>>>", text, re.DOTALL)[1]) for name in "mM"
        )  # type: ignore[index]
        chances = (
            {"m": math.log(0.8), "M": math.log(0.2)} if m > M else {"m": math.log(0.2), "M": math.log(0.8)}
        )
        told = [{"token": token, "logprob": chance} for token, chance in chances.items()]
        answer = reply("m" if m > M else "M")
        answer["choices"][0]["logprobs"] = {"content": [{**told[0], "top_logprobs": told}]}
        return 200, answer, {}
    if "ANSWER A" in text:
        a, b = (
            len(re.search(f"<<<ANSWER {name}\n(.*?)\nANSWER {name}>>>", text, re.DOTALL)[1]) for name in "AB"
        )  # type: ignore[index]
        return 200, reply(f"right A: {9 if a > b else 5}\nright B: {9 if b > a else 5}"), {}
    if "Question 2?" in text:
        return 200, reply("I would rather not say."), {}
    return 200, reply(f"Because. [[{3 if 'And then?' in text else 7}]]"), {}


@pytest.fixture
def demo(studio: Studio) -> Studio:
    registry.ensure_demo_models(studio)
    store.ensure_samples(studio)
    studio.settings.suites.mkdir(parents=True, exist_ok=True)
    write(studio, "mt_bench", [
        {"question_id": n, "category": "writing" if n % 2 else "stem", "turns": [f"Question {n}?", "And then?"]}
        for n in range(QUESTIONS)
    ])  # fmt: skip
    write(studio, "alpaca_eval", [
        {"instruction": f"What is {n} + {n}?", "dataset": "sums", "output": "", "generator": "nobody"}
        for n in range(QUESTIONS)
    ])  # fmt: skip
    return studio


def write(studio: Studio, suite: str, records: list[dict[str, Any]]) -> None:
    lines = [json.dumps(record) for record in records]
    (studio.settings.suites / f"{suite}.jsonl").write_text("\n".join(lines), encoding="utf-8")


def add(studio: Studio, service: FakeService) -> None:
    file = studio.settings.home / services.FILE
    services.add(file, "far", service.address, "big", "key", price_in=1.0, price_out=2.0)


def asked(*suites: SuiteChoice, **more: Any) -> EvalSpec:
    return EvalSpec(**{"models": BOTH, "suites": suites, "limit": QUESTIONS, "judge_service": "far", **more})


def reached_by(studio: Studio, job: Job) -> dict[tuple[str, str], Evaluation]:
    return {(each.model, each.suite): each for each in results.of_job(studio, job.id)}


def rows_of(studio: Studio, each: Evaluation) -> list[items_file.AnsweredItem]:
    return list(items_file.read(results.file_of(studio, each)))


def test_verdicts_become_values_and_the_protocols_figures(demo: Studio) -> None:
    with fake_service(judge) as service:
        add(demo, service)
        spec = asked(MT_BENCH, ALPACA_EVAL, RUBRIC_PAIRS)
        about = judges.work_of(demo, submitting.resolved(demo, spec))
        job = carried_out(demo, submitting.submit(demo, spec))
    assert job.state == State.SUCCEEDED and job.step == job.total_steps
    assert len({json.dumps(each) for each in service.asked}) == len(service.asked)
    reached = reached_by(demo, job)
    assert [each.calls for each in about] == [2 * 2 * QUESTIONS, QUESTIONS, 2 * QUESTIONS]
    assert all(each.cost and each.tokens_in for each in about)

    scored = reached["tiny-chat", "mt_bench"]
    told = scored.figures["judged"]
    assert (told["judge"], told["protocol"], told["unreadable"], told["unanswered"]) == (
        "far (big)",
        "mt_bench",
        2,
        0,
    )
    assert (scored.value, scored.figures["unit"]) == (5.0, "score")
    assert [told["figures"][name]["value"] for name in ("score", "turn_1", "turn_2")] == [5.0, 7.0, 3.0]
    assert told["cost"] == pytest.approx(told["calls"] * (10 + 2 * 5) / 1e6)
    rows = rows_of(demo, scored)
    assert [row.readable for row in rows] == [n != 2 for n in range(QUESTIONS)]
    assert {row.value for row in rows if row.readable} == {5.0} and rows[2].reason == "judge_unreadable"
    assert [message["role"] for message in rows[0].prompt] == ["user", "assistant", "user"]

    baseline = reached["tiny-base", "alpaca_eval"]
    assert baseline.value is None and {row.value for row in rows_of(demo, baseline)} == {0.5}
    preferred = reached["tiny-chat", "alpaca_eval"]
    told = preferred.figures["judged"]
    at_equal_length = told["figures"]["length_controlled"]
    assert preferred.value == told["figures"]["length_controlled"]["value"] and told["read_from_text"] == 0
    mine, theirs = (rows_of(demo, each) for each in (preferred, baseline))
    for row, other in zip(mine, theirs, strict=True):
        if len(row.answers[0]) != len(other.answers[0]):
            assert row.value == pytest.approx(0.8 if len(row.answers[0]) > len(other.answers[0]) else 0.2)
    sent = next(each for each in service.asked if each.get("logprobs"))
    assert (sent["top_logprobs"], sent["max_tokens"], sent["temperature"]) == (5, 1, 1.0)

    pairs = reached["tiny-chat", "sums-prompts@1"]
    told = pairs.figures["judged"]
    assert told["baseline"] == "tiny-base" and told["consistency"]["value"] == 1.0
    counts = told["counts"]
    assert counts["wins"] + counts["losses"] + counts["ties"] == told["items"] == QUESTIONS
    assert pairs.value == pytest.approx((counts["wins"] + counts["ties"] / 2) / QUESTIONS)

    made = loading.of_job(demo, job, DEFAULT_LANGUAGE)
    assert made is not None
    cell, change = made.cell("tiny-chat", "alpaca_eval"), made.change("tiny-chat", "alpaca_eval")
    assert cell is not None and change is not None
    assert cell.mean == change.after == preferred.value and change.before == 0.5
    # A board shows the protocol's interval, not Wilson's of its rate.
    low, high = (figure(at_equal_length[end], "share") for end in ("low", "high"))
    assert f"{low} – {high} · n = {QUESTIONS}" in board.board(demo, DEFAULT_LANGUAGE)
    people_agree(demo, job)
    # Ten of ten is what is right of a score, and nothing here is.
    assert browsing.pair(demo, job, "mt_bench").counts()["both_right"] == 0
    cell = made.cell("tiny-chat", "mt_bench")
    assert cell is not None and cell.mean == 5.0 and made.suite("mt_bench").unit == "score"


def people_agree(studio: Studio, job: Job) -> None:
    """Once people judged the same answers the judge is measured by them; they like the longer one too, but once."""
    pair = browsing.pair(studio, job, "alpaca_eval")
    unlike = [
        place
        for place, (one, other) in enumerate(pair.read(range(QUESTIONS)))
        if len(one.answers[0].strip()) != len(other.answers[0].strip())
    ]
    project, added = evaluated.add(studio, pair, unlike, "people")
    assert added.added == len(unlike) > 1
    changing.change(studio, project.id, {"repeats": 0.0, "held_out": 0.0})
    for turn in range(len(unlike)):
        shown = next_item(studio, project.id, "anna")
        assert shown is not None
        texts = [shown.item.answers[place]["text"].strip() for place in shown.order]
        longer = max((0, 1), key=lambda place: len(texts[place]))
        side = longer if turn else 1 - longer
        votes.cast(studio, project.id, "anna", shown.item.id, votes.Verdict(("left", "right")[side]))
    both = suite_agreement.agreement(studio, pair)
    assert both is not None and (both.share.count, both.share.of) == (len(unlike) - 1, len(unlike))
    lines = suite_agreement.judged_lines(studio, job, DEFAULT_LANGUAGE)
    # Two models by themselves, and one each beside the baseline.
    assert len(lines) == 4
    [told] = [line for line in lines if "AlpacaEval" in line]
    assert f"agrees with people in {len(unlike) - 1} of {len(unlike)} (" in told
    assert all("far (big)" in line and "cost" in line for line in lines)
    shown = report_panel.report(studio, job, DEFAULT_LANGUAGE)
    assert "<h2>The judge</h2>" in shown and f"agrees with people in {len(unlike) - 1}" in shown


def test_stopped_while_the_judge_is_asked_and_gone_on_with(
    demo: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = asked(MT_BENCH, models=["tiny-chat"])
    with fake_service(judge) as service:
        add(demo, service)
        with monkeypatch.context() as patch:
            patch.setattr("jobs.progress.TOLD_EVERY", 0.0)
            stop_at(2 * QUESTIONS + 2, patch)
            stopped = carried_out(demo, submitting.submit(demo, spec))
        assert stopped.cause is not None and not results.of_job(demo, stopped.id)
        known = len(service.asked)
        assert 0 < known < 2 * QUESTIONS
        resumed = carried_out(demo, submitting.resume(demo, stopped.id))
        assert len(service.asked) == 2 * QUESTIONS
        [first] = results.of_job(demo, resumed.id)
        assert first.figures["judged"]["cached"] + first.figures["judged"]["calls"] == 2 * QUESTIONS
        shutil.rmtree(demo.settings.home / "answers")
        unbroken = carried_out(demo, submitting.submit(demo, spec))
    [second] = results.of_job(demo, unbroken.id)
    # As text: what is no number equals nothing.
    assert repr(rows_of(demo, first)) == repr(rows_of(demo, second))
    assert first.questions == second.questions


def test_verdicts_of_a_service_that_refuses_logprobs_are_by_text_and_the_report_says_so(demo: Studio) -> None:
    def refusing(document: dict[str, Any], before: int) -> tuple[int, Any, dict[str, str]]:
        if "logprobs" in document:
            return 403, {"error": {"message": "You are not allowed to request logprobs from this model"}}, {}
        status, body, headers = judge(document, before)
        del body["choices"][0]["logprobs"]
        return status, body, headers

    with fake_service(refusing) as service:
        add(demo, service)
        job = carried_out(demo, submitting.submit(demo, asked(ALPACA_EVAL)))
        # In a time there are rounds, and the second does not try again.
        in_time = asked(ALPACA_EVAL, limit=None, seconds=300, models=BOTH[::-1])
        write(demo, "alpaca_eval", [
            {"instruction": f"What is {n} + {n}?", "dataset": "sums"} for n in range(15)
        ])  # fmt: skip
        before = len(service.asked)
        carried_out(demo, submitting.submit(demo, in_time))
        refused = [each for each in service.asked[before:] if "logprobs" in each]
    told = reached_by(demo, job)["tiny-chat", "alpaca_eval"].figures["judged"]
    assert (told["logprobs_refused"], told["read_from_text"], told["unanswered"]) == (True, QUESTIONS, 0)
    [line] = suite_agreement.judged_lines(demo, job, DEFAULT_LANGUAGE)
    assert f"the service refuses log-probabilities: {QUESTIONS} verdicts by text" in line
    assert 0 < len(refused) <= 8


def test_published_answers_are_the_baseline_and_a_question_without_one_says_so(demo: Studio) -> None:
    published = SuiteChoice(name="alpaca_eval", max_tokens=8, options={"baseline": "published"})
    with fake_service(judge) as service:
        add(demo, service)
        with pytest.raises(BadInput, match="No published answers are here for alpaca_eval"):
            submitting.submit(demo, asked(published, models=["tiny-chat"]))
        write(demo, "alpaca_eval", [
            {"instruction": f"What is {n} + {n}?", "dataset": "sums", "output": "x" * 900, "generator": "gpt4"}
            for n in range(QUESTIONS - 1)
        ] + [{"instruction": "And who are you?", "dataset": "sums"}])  # fmt: skip
        # No first model is needed; both are judged beside the same answers.
        about = judges.work_of(demo, submitting.resolved(demo, asked(published)))
        job = carried_out(demo, submitting.submit(demo, asked(published)))
    assert [each.calls for each in about] == [2 * (QUESTIONS - 1)] and len(service.asked) == about[0].calls
    assert all("x" * 900 in each["messages"][-1]["content"] for each in service.asked)
    reached = reached_by(demo, job)
    for model in BOTH:
        told = reached[model, "alpaca_eval"].figures["judged"]
        assert (told["published"], told["no_published"], told["items"]) == ("gpt4", 1, QUESTIONS - 1)
        assert "baseline" not in told and told["figures"]["win_rate"]["value"] == pytest.approx(0.2)
        *judged, last = rows_of(demo, reached[model, "alpaca_eval"])
        assert {row.reason for row in judged} == {"judge_preference"}
        assert (last.reason, last.answers[0] != "", math.isnan(last.value)) == ("no_published", True, True)
    line = suite_agreement.judged_lines(demo, job, DEFAULT_LANGUAGE)[0]
    assert "compared with published answers of gpt4; 1 question without a published answer left out" in line


def test_a_model_that_cannot_judge_leaves_all_without_a_value(demo: Studio) -> None:
    spec = asked(MT_BENCH, models=["tiny-base"], limit=2, judge_service="", judge_model="tiny-chat")
    job = carried_out(demo, submitting.submit(demo, spec))
    [reached] = results.of_job(demo, job.id)
    told = reached.figures["judged"]
    assert (job.state, reached.value, told["figures"]) == (State.SUCCEEDED, None, {})
    assert (told["judge"], told["unreadable"], told["priced"]) == ("tiny-chat", 4, False)
    made = loading.of_job(demo, job, DEFAULT_LANGUAGE)
    assert made is not None and made.cells[0].mean is None and made.cells[0].missing == 2
    [line] = suite_agreement.judged_lines(demo, job, DEFAULT_LANGUAGE)
    assert "4 replies unreadable and left out" in line


def test_a_judge_that_answers_nothing_ends_the_job_with_its_reason(demo: Studio) -> None:
    def refusing(document: dict[str, Any], _: int) -> tuple[int, Any, dict[str, str]]:
        return 401, {"error": {"message": "not yours"}}, {}

    with fake_service(refusing) as service:
        add(demo, service)
        job = carried_out(demo, submitting.submit(demo, asked(RUBRIC_PAIRS)))
        assert job.state == State.FAILED and "not yours" in str(job.detail)
        both = carried_out(demo, submitting.submit(demo, asked(RUBRIC_PAIRS, SuiteChoice(name="facts"))))
    # Beside another suite the answers stay, without a value, and why.
    reached = reached_by(demo, both)
    unjudged = reached["tiny-chat", "sums-prompts@1"]
    assert both.state == State.SUCCEEDED and reached["tiny-chat", "facts"].value is not None
    assert unjudged.value is None and "not yours" in unjudged.figures["error"]
    rows = rows_of(demo, unjudged)
    assert len(rows) == QUESTIONS and all(row.answers[0] and math.isnan(row.value) for row in rows)
    assert browsing.pair(demo, both, "sums-prompts@1").counts()["no_value"] == QUESTIONS


@pytest.mark.parametrize(
    ("suites", "more", "told"),
    [
        ([MT_BENCH], {"judge_service": ""}, "none is named"),
        ([MT_BENCH], {"judge_model": "tiny-chat"}, "both named as the judge"),
        ([SuiteChoice(name="facts")], {}, "far would be asked nothing"),
        ([ALPACA_EVAL], {"models": ["tiny-chat"]}, "tiny-chat is the only one"),
        ([SuiteChoice(name="facts", protocol="rubric")], {}, "A rule scores the answers to facts"),
        (
            [SuiteChoice(name="facts", options={"criteria": ""})],
            {},
            "no protocol that could take the options",
        ),
        ([SuiteChoice(name="mt_bench", protocol="chess")], {}, "no protocol chess"),
        ([SuiteChoice(name="mt_bench", options={"moves": 3})], {}, "moves"),
        (
            [RUBRIC_PAIRS.model_copy(update={"reward": RewardChoice(name="boxed")})],
            {},
            "either by the reward boxed",
        ),
    ],
)
def test_what_cannot_be_judged_is_refused_before(
    demo: Studio, suites: list[SuiteChoice], more: dict[str, Any], told: str
) -> None:
    services.add(demo.settings.home / services.FILE, "far", "http://127.0.0.1:1/v1", "big")
    with pytest.raises(BadInput, match=told):
        submitting.submit(demo, asked(*suites, **more))
    with pytest.raises(NotFound, match="no service 'near'"):
        submitting.submit(demo, asked(MT_BENCH, judge_service="near"))
