from __future__ import annotations

from pathlib import Path

import pytest

from jobs.training.spoken import SpokenEvents
from studio_core.runs import run_folder


def test_the_log_says_what_the_events_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = SpokenEvents(tmp_path)
    events.write("phase", phase="training")
    for step in (1, 2, 3):
        events.write("metrics", step=step, total_steps=3, values={"loss": 0.123456})
    events.write("metrics", step=3, total_steps=3, values={"loss": None})
    events.write("sample", step=3, when="after", index=0, prompt="Who?", answer="Me.")
    events.write("notice", level="info", key="methods.notice.rows_cut", values={"rows": 2, "limit": 64})
    events.write("checkpoint", step=3, path="checkpoints/checkpoint-3", bytes=2_500_000)
    events.write("result", state="succeeded", seconds=4.4)
    said = [line.split(" ", 1)[1] for line in capsys.readouterr().out.splitlines()]
    # One line of progress in ten seconds; who runs a script alone has no page for answers and notices.
    assert said == [
        "training",
        "step 1 of 3, loss 0.1235",
        "after: 'Who?' -> 'Me.'",
        "2 records were longer than 64 tokens and were truncated.",
        "checkpoint at step 3, 2.5 MB",
        "succeeded after 4 s",
    ]
    assert (tmp_path / run_folder.EVENTS).read_text().count("\n") == 9
