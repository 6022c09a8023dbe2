"""Prompts that a version has answers to: found out once, looked up after that, with nothing read."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.data import parquet, store, versions
from studio_core.labeling import asked_before, trained
from studio_core.labeling.items import prompt_hash
from studio_core.models import registry
from tests.unit.studio_core.labeling import comparing
from tests.unit.studio_core.labeling.comparing import asked


def imported(studio: Studio, folder: Path, *records: Any) -> Dataset:
    file = folder / "records.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return store.import_file(studio, file).dataset


@pytest.fixture
def pairs(studio: Studio, tmp_path: Path) -> Dataset:
    said = ({"prompt": f"Question {n}?", "chosen": "yes", "rejected": f"no {n}"} for n in range(50))
    return imported(studio, tmp_path, *said)


def hashed(*texts: str) -> list[str]:
    return [prompt_hash(asked(text)) for text in texts]


def test_what_a_model_was_trained_on_is_read_once(
    studio: Studio, pairs: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.ensure_demo_models(studio)
    base = registry.get(studio, "tiny-chat")
    _, model = comparing.trained(studio, "run", base, pairs)
    _, newer = comparing.trained(studio, "again", model, pairs)
    read: list[Path] = []

    def counted(path: Path, *given: Any, **named: Any) -> Any:
        read.append(path)
        return records(path, *given, **named)

    records = parquet.read
    monkeypatch.setattr(parquet, "read", counted)
    for _ in range(3):
        seen = trained.prompts_seen(studio, [model, newer])
        assert all(hash in seen for hash in hashed(*(f"question  {n}?" for n in range(50))))
        assert not any(hash in seen for hash in hashed(*(f"Question {n}?" for n in range(50, 5000))))
    assert read == [versions.parquet_path(studio, pairs)]
    assert not any(hash in trained.prompts_seen(studio, [base]) for hash in hashed("Question 1?"))


def test_every_turn_of_a_chat_that_was_answered_is_a_prompt(studio: Studio, tmp_path: Path) -> None:
    def said(*texts: str) -> list[dict[str, str]]:
        return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]

    chats = imported(studio, tmp_path, {"messages": said("One?", "1", "Two?", "2")})
    found = asked_before.prompts_in(studio, [chats])
    turns = [said("One?"), said("One?", "1", "Two?"), said("One?", "1"), said("Two?")]
    assert [prompt_hash(turn) in found for turn in turns] == [True, True, False, False]  # type: ignore[arg-type]
    plain = imported(studio, tmp_path, {"text": "One?"}, {"text": "Two?"})
    found = asked_before.prompts_in(studio, [plain])
    assert prompt_hash(asked("One?")) not in found and [len(some) for some in found.hashes] == [0]


def test_two_who_ask_at_once_both_know_and_nothing_is_left_behind(studio: Studio, pairs: Dataset) -> None:
    together = Barrier(4)

    def ask() -> bool:
        together.wait()
        return hashed("Question 7?")[0] in asked_before.prompts_in(studio, [pairs])

    with ThreadPoolExecutor(4) as threads:
        assert all(one.result() for one in [threads.submit(ask) for _ in range(4)])
    side = versions.side_file(studio, pairs, asked_before.WHAT)
    assert {path.name for path in studio.settings.datasets.iterdir()} == {pairs.file, side.name}


def test_the_file_may_be_deleted(studio: Studio, pairs: Dataset) -> None:
    asked_before.prompts_in(studio, [pairs])
    side = versions.side_file(studio, pairs, asked_before.WHAT)
    side.unlink()
    assert hashed("Question 7?")[0] in asked_before.prompts_in(studio, [pairs])
    assert side.is_file()
