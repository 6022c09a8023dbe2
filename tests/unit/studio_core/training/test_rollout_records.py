"""Rollouts that become data to train on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio_core import training
from studio_core.base.errors import BadInput, NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.data import store
from studio_core.models import registry
from studio_core.runs import rollouts
from studio_core.runs.rollouts import Rollout, RolloutWriter
from studio_core.training import rollout_records
from tests.unit.studio_core.runs.test_rollouts import asked, rollout
from tests.unit.studio_core.training.runs import imported, spec


@pytest.fixture
def run(studio: Studio, tmp_path: Path) -> int:
    """A run that has written four answers to one prompt, and some to others."""
    registry.ensure_demo_models(studio)
    imported(studio, "asked", ({"prompt": f"{n} plus 1", "answer": str(n + 1)} for n in range(60)), tmp_path)
    job = training.submit(studio, spec(method="grpo", model="tiny-chat", dataset="asked"))
    with studio.db.write() as session:
        row = session.get_one(Job, job.id)
        row.run_dir = str(tmp_path / "run")
    (tmp_path / "run").mkdir()
    turns = [{"role": "system", "content": "Be brief."}]
    odd: Rollout = {
        **rollout(2),
        "prompt": "last",
        "answer": "it",
        "earlier": turns,
        "tools": '[{"name": "add"}]',
    }
    kept = [*asked(1, "2 plus 2", 0.2, 1.0, None, 0.0), *asked(2, "3 plus 3", 0.5, 0.5), odd]
    RolloutWriter(tmp_path / "run", kept=100).write([*kept, {**rollout(2), "answer": " "}])
    return job.id


def mark(studio: Studio, run: int, prompt: str, answer: str = "") -> str:
    folder = Path(_dir(studio, run))
    return next(
        mark
        for mark, one in rollouts.page(folder, limit=100).rollouts
        if one["prompt"] == prompt and one["answer"].startswith(answer)
    )


def _dir(studio: Studio, run: int) -> str:
    with studio.db.read() as session:
        return str(session.get_one(Job, run).run_dir)


def turn(role: str, content: str) -> list[dict[str, Any]]:
    return [{"role": role, "content": content}]


def test_the_best_and_the_worst_answer_become_a_pair(studio: Studio, run: int) -> None:
    added = rollout_records.add(studio, run, mark(studio, run, "2 plus 2", "so 0"), "pair", "mine")
    [record] = store.records(studio, added.dataset)
    assert record == {
        "prompt": turn("user", "2 plus 2"),
        "chosen": turn("assistant", "so 1"),
        "rejected": turn("assistant", "so 3"),
    }
    assert (added.dataset.name, added.dataset.version, added.new) == ("mine", 1, True)
    assert added.dataset.made == {"options": {"run": run}}
    again = rollout_records.add(studio, run, mark(studio, run, "2 plus 2", "so"), "pair", "mine")
    assert again.dataset.id == added.dataset.id and not again.new


def test_answers_are_added_one_version_after_the_other(studio: Studio, run: int) -> None:
    first = rollout_records.add(studio, run, mark(studio, run, "2 plus 2", "so 0"), "answer", "mine").dataset
    second = rollout_records.add(studio, run, mark(studio, run, "last"), "answer", "mine").dataset
    assert (second.version, second.rows, second.parents) == (2, 2, [first.id])
    _, record = store.records(studio, second)
    # All that stood before the prompt goes along.
    assert record == {
        "prompt": [*turn("system", "Be brief."), *turn("user", "last")],
        "completion": turn("assistant", "it"),
        "tools": '[{"name": "add"}]',
    }


def test_a_dataset_of_chats_takes_an_answer_as_a_chat(studio: Studio, run: int, tmp_path: Path) -> None:
    chat = {"messages": [*turn("user", "Hi"), *turn("assistant", "Hello")]}
    imported(studio, "chats", [chat], tmp_path)
    added = rollout_records.add(studio, run, mark(studio, run, "2 plus 2", "so 1"), "answer", "chats")
    kept, new = store.records(studio, added.dataset)
    assert kept == chat
    assert new == {"messages": [*turn("user", "2 plus 2"), *turn("assistant", "so 1")]}


def test_what_cannot_be_added_is_said_and_leaves_nothing_behind(studio: Studio, run: int) -> None:
    before = len(store.all_datasets(studio))
    alike, empty = mark(studio, run, "3 plus 3"), mark(studio, run, "2 plus 2", " ")
    with pytest.raises(BadInput, match=r"All 2 answers .* step 2 have the reward 0.5"):
        rollout_records.add(studio, run, alike, "pair", "mine")
    with pytest.raises(BadInput, match="step 2 is empty"):
        rollout_records.add(studio, run, empty, "answer", "mine")
    with pytest.raises(BadInput, match="asked has prompt-completion records, but this needs preference"):
        rollout_records.add(studio, run, mark(studio, run, "2 plus 2", "so"), "pair", "asked")
    with pytest.raises(BadInput, match="is not what a rollout can become"):
        rollout_records.add(studio, run, alike, "essay", "mine")
    with pytest.raises(BadInput, match=r"\.\./mine"):
        rollout_records.add(studio, run, alike, "answer", "../mine")
    with pytest.raises(NotFound, match="not kept any more"):
        rollout_records.add(studio, run, "1-1", "answer", "mine")
    assert len(store.all_datasets(studio)) == before
    assert not [*studio.settings.uploads.glob("*.partial")]


def test_turns_with_an_environment_become_calls_and_results_of_a_chat(
    studio: Studio, run: int, tmp_path: Path
) -> None:
    call = {"name": "calculator", "arguments": {"expression": "6*7"}}
    written: list[rollouts.Turn] = [
        {"role": "assistant", "content": f"<tool_call>\n{json.dumps(call)}\n</tool_call>", "tokens": 30},
        {"role": "tool", "content": "42", "tokens": 9},
        {"role": "assistant", "content": "It is 42.", "tokens": 5},
    ]
    good: Rollout = {**rollout(9), "prompt": "6*7?", "answer": "It is 42.", "reward": 1.0, "turns": written}
    bad: Rollout = {**good, "answer": "43", "reward": 0.0, "turns": [{**written[2], "content": "43"}]}
    RolloutWriter(tmp_path / "run", kept=100).write([good, bad])
    answered = [
        {"role": "assistant", "content": "", "tool_calls": json.dumps([call])},
        {"role": "tool", "content": "42"},
        {"role": "assistant", "content": "It is 42."},
    ]
    added = rollout_records.add(studio, run, mark(studio, run, "6*7?", "It is 42."), "answer", "shown")
    assert added.records[0]["completion"] == answered
    pair = rollout_records.add(studio, run, mark(studio, run, "6*7?"), "pair", "pairs").records[0]
    assert (pair["chosen"], pair["rejected"]) == (answered, turn("assistant", "43"))
