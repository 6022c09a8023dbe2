from __future__ import annotations

import json
from typing import Any

from jobs.tracking.events import flat, parsed, told

AT = "2026-12-01T10:00:00.500000Z"


def line(seq: int, type: str, **fields: Any) -> bytes:
    return json.dumps({"seq": seq, "at": AT, "type": type, **fields}).encode()


def test_metrics_have_the_names_that_transformers_gives_them() -> None:
    values = {"loss": 0.5, "rewards/chosen": 1, "eval_loss": 0.25, "kl": None}
    [message] = told(parsed([line(1, "metrics", step=3, epoch=0.5, tokens=None, values=values)]))
    names = {"train/loss": 0.5, "train/rewards/chosen": 1, "eval/loss": 0.25, "train/epoch": 0.5}
    assert message == {"type": "metrics", "step": 3, "at": 1796119200.5, "values": names}


def test_a_gap_in_the_numbers_is_no_point() -> None:
    torn = line(1, "metrics", step=1, values={"loss": 1.0}).replace(b"1.0", b"NaN")
    [message] = told(parsed([torn]))
    assert message["values"] == {}


def test_answers_of_one_step_come_together() -> None:
    def answer(seq: int, step: int, index: int) -> bytes:
        return line(seq, "sample", step=step, when="during", index=index, prompt="Q", answer=f"A{seq}")

    messages = told(parsed([answer(1, 0, 0), answer(2, 0, 1), answer(3, 5, 0)]))
    assert [(message["step"], len(message["rows"])) for message in messages] == [(0, 2), (5, 1)]
    assert messages[0]["rows"][1] == {"when": "during", "index": 1, "prompt": "Q", "answer": "A2"}


def test_a_notice_is_its_sentence_and_of_a_newer_version_its_key() -> None:
    known = line(1, "notice", level="warning", key="runs.no_log", values={})
    newer = line(2, "notice", level="warning", key="methods.notice.of_tomorrow", values={"step": 3})
    first, second = told(parsed([known, newer]))
    assert first["text"] and first["text"] != "runs.no_log"
    assert "of_tomorrow" in second["text"] and "3" in second["text"]


def test_what_is_no_event_is_passed_over() -> None:
    lines = [b"", b"{", b"[1]", b'{"type": "metrics"}', line(1, "phase", phase="training")]
    assert told(parsed(lines)) == []


def test_a_configuration_is_leaves() -> None:
    nested = {"a": {"b": 1, "c": {"d": True}}, "targets": ["q", "v"], "none": None, "name": "x"}
    assert flat(nested) == {"a.b": 1, "a.c.d": True, "targets": '["q", "v"]', "name": "x"}
