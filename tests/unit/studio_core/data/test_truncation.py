"""The start of a prompt is left out before an answer is lost, where it is asked for."""

from __future__ import annotations

import dataclasses

import pytest

from studio_core.base.settings import bundled_folder
from studio_core.data import tokenized
from studio_core.data.chat_format import ChatFormat
from studio_core.data.learning import Learning
from studio_core.data.sequences import Tokens, tokens
from studio_core.data.shapes import Record, Shape
from studio_core.data.truncation import fit_to_limit, left_out, same_within_limit
from studio_core.runs.spec import ResolvedModel

MODEL = ResolvedModel(name="tiny-chat", path=str(bundled_folder() / "models" / "tiny-chat"))
PROMPT = Learning(truncation="prompt")
LONG = [{"role": "user", "content": "a long story " * 40}]


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


RECORDS: dict[Shape, Record] = {
    Shape.CHAT: {"messages": [*LONG, *said("Yes, I do.")]},
    Shape.PROMPT_COMPLETION: {"prompt": LONG, "completion": said("Yes, I do.")},
    Shape.PREFERENCE: {"prompt": LONG, "chosen": said("Yes, I do."), "rejected": said("No.")},
    Shape.UNPAIRED_PREFERENCE: {"prompt": LONG, "completion": said("Yes, I do."), "label": True},
}


@pytest.fixture(scope="module")
def chat() -> ChatFormat:
    return ChatFormat.of(MODEL)


def learnt(sequence: Tokens, limit: int) -> list[int]:
    return [id for id, trained in zip(sequence.ids[:limit], sequence.trained[:limit], strict=True) if trained]


@pytest.mark.parametrize("shape", RECORDS)
def test_the_answer_stays_whole(chat: ChatFormat, shape: Shape) -> None:
    [made] = tokens(chat, shape, [RECORDS[shape]])
    limit = 40
    assert not any(learnt(side, limit) for side in fit_to_limit(chat, made, limit, Learning()))
    for whole, side in zip(made, fit_to_limit(chat, made, limit, PROMPT), strict=True):
        assert len(side.ids) <= limit and learnt(side, limit) == learnt(whole, len(whole.ids))
        assert whole.ids[-len(side.ids) + 1 :] == side.ids[1:]
        assert side.prompt == whole.prompt - len(left_out(chat, made, limit, PROMPT)) or not whole.prompt


@pytest.mark.parametrize("shape", RECORDS)
def test_the_preview_cuts_as_the_trainers_do(shape: Shape) -> None:
    shown = tokenized.preview_record(MODEL, shape, RECORDS[shape], 40, PROMPT)
    first = shown.segments[0] if shown.segments[0].cut else shown.segments[1]
    assert first.cut and not first.trained
    assert all(segment.cut is False for segment in shown.segments if segment.trained)
    assert shown.learnt and shown.cut == sum(max(0, length - 40) for length in shown.lengths[:1]) * len(
        shown.lengths
    )


def test_a_begin_token_stays(chat: ChatFormat) -> None:
    [made] = tokens(chat, Shape.PROMPT_COMPLETION, [RECORDS[Shape.PROMPT_COMPLETION]])
    with_begin = dataclasses.replace(chat)
    with_begin.__dict__["before_text"] = made[0].ids[:1]
    [side] = fit_to_limit(with_begin, made, 40, PROMPT)
    assert len(side.ids) == 40 and side.ids[0] == made[0].ids[0] and side.ids[1:] == made[0].ids[-39:]


def test_an_answer_that_is_longer_than_the_limit_loses_its_end(chat: ChatFormat) -> None:
    record = {"prompt": LONG, "completion": said("Yes, I do. " * 40)}
    [made] = tokens(chat, Shape.PROMPT_COMPLETION, [record])
    [side] = fit_to_limit(chat, made, 40, PROMPT)
    assert side.prompt == 0 and len(side.ids) > 40 and all(side.trained)


def test_pairs_that_differ_beyond_the_limit_only(chat: ChatFormat) -> None:
    same: Record = {
        "prompt": LONG[:1],
        "chosen": said("same " * 40 + "a"),
        "rejected": said("same " * 40 + "b"),
    }
    other = RECORDS[Shape.PREFERENCE]
    [sides] = tokens(chat, Shape.PREFERENCE, [same])
    limit = len(sides[0].ids) - 10
    assert same_within_limit(sides, limit) and not same_within_limit(sides, len(sides[0].ids))
    assert tokenized.count_alike(MODEL, [same, other, same], limit) == 2
    assert tokenized.count_alike(MODEL, [same, other, same], limit, PROMPT) == 0
    assert "alike" in tokenized.preview_record(MODEL, Shape.PREFERENCE, same, limit).notes
    assert "alike" not in tokenized.preview_record(MODEL, Shape.PREFERENCE, other, limit).notes
