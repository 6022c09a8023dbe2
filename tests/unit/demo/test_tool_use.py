"""Problems of the lesson on tools: what is measured is never shown, and every demonstration is right."""

from __future__ import annotations

import json
import random

from jobs.demo.tool_use import UNSEEN, demonstrations, problem, prompts
from studio_core.environments.calculator import calculate


def test_what_is_measured_is_in_no_training() -> None:
    trained, unseen = random.Random(1), random.Random(0)
    shown = {problem(trained, test=False)[1] for _ in range(5_000)}
    measured = [problem(unseen, test=True)[1] for _ in range(UNSEEN)]
    assert not shown & set(measured)
    assert {sign for sign in "+-*" for expression in measured if sign in expression} == {*"+-*"}
    assert len(prompts(0, UNSEEN, test=True)) == UNSEEN


def test_demonstrations_call_with_what_is_asked_and_answer_with_the_result() -> None:
    for row in demonstrations(1):
        _, called, result, answer = row["messages"]
        [call] = json.loads(called["tool_calls"])
        assert calculate(call["arguments"]["expression"]) == result["content"]
        assert f"\\boxed{{{result['content']}}}" in answer["content"]
