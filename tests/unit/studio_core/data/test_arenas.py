"""Votes of arenas become preference pairs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio_core.data.checks import converter
from studio_core.data.columns import columns_of
from studio_core.data.guesses import guess
from studio_core.data.reading import arenas
from studio_core.data.shapes import Record, Shape
from studio_core.data.turns import Rejected


def turns(*texts: str) -> list[dict[str, str]]:
    return [
        {"role": role, "content": text} for role, text in zip(("user", "assistant") * 9, texts, strict=False)
    ]


LMSYS = {"question_id": "1", "model_a": "x", "model_b": "y", "winner": "model_b", "turn": 1,
         "conversation_a": turns("q", "a"), "conversation_b": turns("q", "b")}  # fmt: skip
KAGGLE = {"id": "1", "model_a": "x", "model_b": "y", "prompt": '["q"]', "response_a": '["a"]', "response_b": '["b"]',
          "winner_model_a": "0", "winner_model_b": "1", "winner_tie": "0"}  # fmt: skip
PAIR = {"prompt": turns("q"), "chosen": turns("q", "b")[1:], "rejected": turns("q", "a")[1:]}


def pair(row: dict[str, Any]) -> Record:
    export = arenas.recognise([row])
    assert export is not None
    unfolded = export.unfold(row)
    mapping = guess(columns_of([unfolded]), [unfolded]).mapping
    assert mapping.shape is Shape.PREFERENCE
    return converter(mapping)(unfolded)


@pytest.mark.parametrize(
    "row",
    [
        LMSYS,
        {**LMSYS, "winner": "y"},
        {**LMSYS, "conversation_a": json.dumps(turns("q", "a")), "conversation_b": str(turns("q", "b"))},
        KAGGLE,
        {"prompt": "q", "response_a": "a", "response_b": "b", "winner": "B"},
        {"prompt": "q", "response_0": "a", "response_1": "b", "better_response_id": 1},
        {"Prompt": "q", "Answer 1": "a", "Answer 2": "b", "Winner": "answer 2"},
    ],
)
def test_votes_become_pairs(row: dict[str, Any]) -> None:
    assert pair(row) == PAIR


def test_several_turns_stand_turn_by_turn() -> None:
    row = {**KAGGLE, "prompt": '["q", "r"]', "response_a": '["a", "c"]', "response_b": '["b", "d"]'}
    assert pair(row) == {
        "prompt": turns("q"),
        "chosen": turns("q", "b", "r", "d")[1:],
        "rejected": turns("q", "a", "r", "c")[1:],
    }


def test_a_list_in_an_answer_alone_is_text() -> None:
    row = {"prompt": "name two", "response_a": '["a", "b"]', "response_b": '["c"]', "winner": "a"}
    assert pair(row)["chosen"] == [{"role": "assistant", "content": '["a", "b"]'}]


@pytest.mark.parametrize("winner", ["tie", "tie (bothbad)", "Both bad", "neither"])
def test_ties_are_no_pair(winner: str) -> None:
    with pytest.raises(Rejected) as raised:
        arenas.unfold({**LMSYS, "winner": winner})
    assert raised.value.code == "no_preference"
    with pytest.raises(Rejected) as raised:
        arenas.unfold({**KAGGLE, "winner_model_b": "0", "winner_tie": "1"})
    assert raised.value.code == "no_preference"


@pytest.mark.parametrize("winner", ["model_c", "", "x and y"])
def test_a_winner_that_is_no_side_is_refused(winner: str) -> None:
    with pytest.raises(Rejected) as raised:
        arenas.unfold({**LMSYS, "winner": winner})
    assert raised.value.code == "winner_unclear"


def test_other_files_are_no_votes() -> None:
    assert arenas.recognise([{"prompt": "q", "answer_a": "a", "answer_b": "b"}]) is None
    assert arenas.recognise([{"prompt": "q", "completion": "a", "winner": "a"}]) is None
