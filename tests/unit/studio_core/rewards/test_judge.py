"""How a judge is written as a reward."""

from __future__ import annotations

from studio_core.rewards import choices


def test_a_judge_is_written_on_one_line() -> None:
    choice = choices.read("judge:0.5:Is it polite?")
    assert (choice.weight, choice.options) == (0.5, {"criteria": "Is it polite?"})
    served = choices.read('judge::{"service": "judging", "criteria": "right: Is it?\\nclear: Is it?"}')
    assert served.options == {"service": "judging", "criteria": "right: Is it?\nclear: Is it?"}
    assert choices.read(choices.line(served)) == served
