"""What other trainers report, as they write it: files of Hugging Face's trainers, of verl, of TensorBoard."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio_core.base.errors import BadInput
from studio_core.handover import TRAINERS, event_files
from studio_core.handover.axolotl import AXOLOTL
from studio_core.handover.curves import Curves
from studio_core.handover.openrlhf import OPENRLHF
from studio_core.handover.verl import VERL
from studio_core.methods import METHODS
from tests.unit.studio_core.handover.folders import EVENTS, state


def read(folder: Path, trainer: Any, method: str = "sft") -> Curves:
    curves: Curves = trainer.log.curves(folder, trainer.ways[method].ours)
    return curves


def test_of_several_checkpoints_the_furthest_is_read(tmp_path: Path) -> None:
    state(tmp_path, 2, log_history=[{"step": 2, "loss": 9.0}])
    state(tmp_path, 10)
    curves = read(tmp_path, AXOLOTL)
    assert [*curves.reports] == [2, 4] and curves.total_steps == 6 and curves.seconds == 12.5
    first, last = curves.reports.values()
    assert first.values == {"loss": 2.5, "learning_rate": 1e-4} and (first.epoch, first.tokens) == (0.5, 90.0)
    # Its own names stay, what is no number is a gap or is told.
    assert last.values == {
        "loss": None,
        "grad_norm": 0.5,
        "memory(GiB)": 7.25,
        "eval_loss": 2.0,
        "train_runtime": 12.5,
    }
    assert curves.no_numbers == {"stage"}


def test_tensorboard_as_torch_writes_it(tmp_path: Path) -> None:
    place = tmp_path / "output" / "tensorboard" / "run"
    place.mkdir(parents=True)
    (place / "events.out.tfevents.1.host.1.0").write_bytes(EVENTS)
    curves = read(tmp_path, OPENRLHF)
    assert {step: report.values for step, report in curves.reports.items()} == {
        1: {"loss": 1.5},
        2: {"loss": None, "train/new": 2.5},
    }
    assert curves.seconds == 3.0 and curves.no_numbers == {"t/text_summary"}
    assert str(curves.reports[1].at) == "2023-11-14 22:13:20"


def test_event_files_that_were_cut_off_end_there() -> None:
    whole = [*event_files.scalars(io.BytesIO(EVENTS))]
    assert len(whole) == 4
    assert [*event_files.scalars(io.BytesIO(EVENTS[:-3]))] == whole[:-1]


@given(st.binary(max_size=200))
def test_whatever_stands_in_an_event_file_is_read_or_refused(data: bytes) -> None:
    record = len(data).to_bytes(8, "little") + bytes(4) + data + bytes(4)
    for content in (data, record):
        with contextlib.suppress(ValueError):
            assert all(isinstance(scalar.tag, str) for scalar in event_files.scalars(io.BytesIO(content)))


def test_lines_of_verl(tmp_path: Path) -> None:
    (tmp_path / "output").mkdir()
    lines = [
        {"step": 1, "data": {"train/loss": 3.0, "train/mfu": 0.4}},
        {"step": 1, "data": {"val/loss": 2.5}},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"step": 2, "da'
    (tmp_path / "output" / "metrics.jsonl").write_text(text)
    curves = read(tmp_path, VERL)
    assert (
        curves.reports[1].values == {"loss": 3.0, "train/mfu": 0.4, "eval_loss": 2.5}
        and curves.total_steps == 1
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[1]", "is no object"),
        ("{", "Expecting property name"),
        ('{"log_history": [{"step": "one", "loss": 1}]}', "step = one"),
        ('{"log_history": [{"step": -1}]}', "step = -1"),
        ('{"log_history": [7]}', "'int' object"),
        (json.dumps({"log_history": [{"step": 1, **{f"m{n}": 1 for n in range(1001)}}]}), "more than 1000"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_file_that_is_none_is_refused_with_its_name(tmp_path: Path, content: str, reason: str) -> None:
    (state(tmp_path) / "trainer_state.json").write_text(content)
    with pytest.raises(BadInput) as caught:
        read(tmp_path, AXOLOTL)
    assert reason in caught.value.sentence() and "checkpoint-4/trainer_state.json" in caught.value.sentence(
        "zh-CN"
    )


def test_a_link_to_a_file_elsewhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text(json.dumps({"log_history": [{"step": 1, "loss": 7.0}]}))
    folder = tmp_path / "handed"
    file = state(folder) / "trainer_state.json"
    file.unlink()
    file.symlink_to(tmp_path / "secret.json")
    with pytest.raises(BadInput, match="may not read"):
        read(folder, AXOLOTL)


def test_names_are_ours_only_where_we_draw_them() -> None:
    """A name that maps to none of our metrics is a typing error: the curve would lie in no chart."""
    for trainer in TRAINERS.values():
        for method, way in trainer.ways.items():
            drawn = {metric for chart in METHODS[method].charts for metric in chart.metrics}
            assert {*way.ours.values()} <= drawn, (trainer.name, method)
