from __future__ import annotations

import re

import pytest

from app.parts import queue_panel
from studio_core.base.errors import BadInput, Conflict
from studio_core.base.studio import Studio
from studio_core.runs import queue


def submit(studio: Studio, name: str, **given: int) -> int:
    return queue.submit(studio, kind="train", name=name, spec={}, **given).id  # type: ignore[arg-type]


def order(studio: Studio) -> list[int]:
    return [int(n) for n in re.findall(r'href="/runs\?run=(\d+)"', str(queue_panel.drawn(studio, "en")))]


def test_buttons_change_the_order(studio: Studio) -> None:
    a, b, c = submit(studio, "a"), submit(studio, "b"), submit(studio, "c")
    queue_panel.carry_out(studio, {"action": "first", "job": c})
    assert order(studio) == [c, a, b]
    queue_panel.carry_out(studio, {"action": "up", "job": b})
    assert order(studio) == [c, b, a]
    queue_panel.carry_out(studio, {"action": "cancel", "job": c})
    assert order(studio) == [b, a]
    with pytest.raises(Conflict):
        queue_panel.carry_out(studio, {"action": "up", "job": c})


def test_pause_and_go_on(studio: Studio) -> None:
    assert "The queue is empty" in queue_panel.drawn(studio, "en")
    queue_panel.carry_out(studio, {"action": "pause", "job": None})
    assert queue.is_paused(studio) and "is paused" in queue_panel.drawn(studio, "en")
    queue_panel.carry_out(studio, {"action": "go_on", "job": None})
    assert not queue.is_paused(studio)


@pytest.mark.parametrize(
    "asked", [None, "x", {}, {"action": "up"}, {"action": "drop", "job": 1}, {"action": "up", "job": "1"}]
)
def test_anything_else_is_refused(studio: Studio, asked: object) -> None:
    with pytest.raises(BadInput, match="has no action"):
        queue_panel.carry_out(studio, asked)


def test_names_stay_text_and_the_chat_is_no_run(studio: Studio) -> None:
    submit(studio, "<img src=x>", priority=4)
    queue.submit(studio, kind="serve", name="chat", spec={})
    drawn = str(queue_panel.drawn(studio, "zh-CN"))
    assert "<img" not in drawn and "优先级 4" in drawn and drawn.count('data-action="cancel"') == 1


def test_a_long_queue_is_cut_and_says_so(studio: Studio) -> None:
    for number in range(queue_panel.SHOWN + 1):
        submit(studio, f"n{number}")
    assert len(order(studio)) == queue_panel.SHOWN
    assert "Showing the first 50" in queue_panel.drawn(studio, "en")
