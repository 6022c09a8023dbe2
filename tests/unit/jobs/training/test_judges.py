"""Whom a judge's questions reach, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from jobs.generation.answering import Failure, Outcome, Question, Stopping
from jobs.generation.tally import GIVE_UP
from jobs.training.judges import Judge
from jobs.training.loop import StepGivenUp
from studio_core.base.errors import StudioError
from studio_core.data.shapes import Message
from studio_core.generation.asking import Answer
from studio_core.generation.sampling import Sampling


@dataclass
class Clerk:
    """Answers each question with itself, or fails as it is told to."""

    name: str = "clerk"
    prices: tuple[float, float] = (1.0, 2.0)
    asked: list[str] = field(default_factory=list)
    stopped: bool = False

    def identity(self, sampling: Sampling) -> dict[str, Any]:
        return {}

    def answers(
        self, questions: Iterator[Question], sampling: Sampling, stopping: Stopping
    ) -> Iterator[Outcome]:
        for question in questions:
            if stopping():
                return
            text = question.messages[0]["content"]
            self.asked.append(text)
            if text == "refused":
                raise StudioError("generation.refused", service=self.name, said="no key")
            if text == "stop":
                self.stopped = True
            yield question, Failure("busy") if text.startswith("busy") else Answer(text, "stop", 10, 5)


def told(judge: Judge, *texts: str) -> list[str]:
    questions: list[list[Message]] = [[{"role": "user", "content": text}] for text in texts]
    replies = judge.replies(questions)
    return [reply if isinstance(reply, str) else type(reply).__name__ for reply in replies]


def test_nothing_is_asked_twice_and_what_it_took_is_counted() -> None:
    clerk = Clerk()
    judge = Judge(clerk, 8, lambda: clerk.stopped)
    assert told(judge, "a", "b", "a") == ["a", "b", "a"]
    assert told(judge, "b", "c") == ["b", "c"] and clerk.asked == ["a", "b", "c"]
    tally = judge.tally
    assert (tally.asked, tally.cached, tally.tokens_in, tally.tokens_out) == (3, 2, 30, 15)
    assert tally.cost == pytest.approx(60e-6)


def test_a_failure_is_that_of_its_question_and_is_asked_again_in_the_next_step() -> None:
    clerk = Clerk()
    judge = Judge(clerk, 8, lambda: clerk.stopped)
    assert told(judge, "busy", "a") == ["BadInput", "a"]
    assert told(judge, "busy", "a") == ["BadInput", "a"] and clerk.asked == ["busy", "a", "busy"]


def test_who_fails_again_and_again_is_left_alone() -> None:
    clerk = Clerk()
    judge = Judge(clerk, 8, lambda: clerk.stopped)
    texts = [f"busy {n}" for n in range(2 * GIVE_UP)]
    assert told(judge, "a", *texts) == ["a", *["BadInput"] * len(texts)]
    assert len(clerk.asked) == 1 + GIVE_UP and judge.tally.reasons == {"busy": GIVE_UP}
    assert told(judge, "refused", "b") == ["StudioError"] * 2


def test_a_stop_amid_judging_gives_the_step_up() -> None:
    clerk = Clerk()
    with pytest.raises(StepGivenUp):
        told(Judge(clerk, 8, lambda: clerk.stopped), "a", "stop", "b")
    assert clerk.asked == ["a", "stop"]


def test_what_would_go_beyond_the_limit_is_not_asked_and_the_step_is_given_up() -> None:
    clerk, spent = Clerk(), list[int]()
    judge = Judge(clerk, 8, lambda: clerk.stopped, max_calls=4, spent=spent.append)
    assert told(judge, "a", "busy", "a") == ["a", "BadInput", "a"]
    assert told(judge, "a", "b", "c") == ["a", "b", "c"] and spent == []
    with pytest.raises(StepGivenUp):
        told(judge, "a", "d")
    # What is known costs nothing; what failed was asked all the same.
    assert told(judge, "a", "c") == ["a", "c"] and spent == [4] and clerk.asked == ["a", "busy", "b", "c"]
