"""Files as their authors published them are understood without help."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from studio_core.data import store
from studio_core.data.preview import ChatFormat, lengths, segments
from studio_core.data.shapes import Shape
from studio_core.studio import Studio

pytestmark = pytest.mark.real_data


def test_gsm8k_keeps_every_row_and_every_thousands_separator(studio: Studio, real_data: Path) -> None:
    file = real_data / "gsm8k" / "train.jsonl"
    imported = store.import_file(studio, file)
    assert (imported.dataset.shape, imported.dataset.rows, imported.rejected) == (
        "prompt-completion",
        7473,
        [],
    )
    answers = [json.loads(line)["answer"] for line in file.read_text(encoding="utf-8").splitlines()]
    stored = [
        record["completion"][0]["content"] for record in store.records(studio, imported.dataset, 0, 8000)
    ]
    assert stored == answers
    assert sum(bool(re.search(r"#### -?\d+,\d", answer)) for answer in stored) == 79


def test_identity_is_filled_in(studio: Studio, real_data: Path) -> None:
    file = real_data / "formats" / "identity.json"
    seen = store.inspect_file(studio, file)
    assert (seen.shape, seen.good, seen.bad, seen.placeholders) == (
        Shape.PROMPT_COMPLETION, 91, 0, ["name", "author"],
    )  # fmt: skip
    mapping = seen.mapping.model_copy(update={"fill": {"name": "Ada", "author": "the Lab"}})
    dataset = store.import_file(studio, file, mapping=mapping).dataset
    stored = json.dumps(store.records(studio, dataset, limit=100))
    assert dataset.rows == 91 and "{{" not in stored and "I am Ada" in stored


def test_dpo_pairs_of_many_turns(studio: Studio, real_data: Path) -> None:
    file = real_data / "formats" / "dpo_en_demo.json"
    imported = store.import_file(studio, file)
    assert (imported.dataset.shape, imported.dataset.rows, imported.rejected) == ("preference", 299, [])
    source = json.loads(file.read_text(encoding="utf-8"))
    stored = store.records(studio, imported.dataset, limit=300)
    for row, record in zip(source, stored, strict=True):
        assert [turn["value"] for turn in row["conversations"]] == [m["content"] for m in record["prompt"]]
        assert [{"role": "assistant", "content": row["chosen"]["value"]}] == record["chosen"]
        assert [{"role": "assistant", "content": row["rejected"]["value"]}] == record["rejected"]
    assert sum(len(record["prompt"]) > 2 for record in stored) == 106


def test_kto_labels(studio: Studio, real_data: Path) -> None:
    file = real_data / "formats" / "kto_en_demo.json"
    imported = store.import_file(studio, file)
    assert (imported.dataset.shape, imported.dataset.rows) == ("unpaired-preference", 300)
    labels = [record["label"] for record in store.records(studio, imported.dataset, limit=300)]
    assert labels == [row["label"] for row in json.loads(file.read_text(encoding="utf-8"))]


def test_tool_calls(studio: Studio, real_data: Path) -> None:
    imported = store.import_file(studio, real_data / "formats" / "glaive_toolcall_en_demo.json")
    assert (imported.dataset.shape, imported.dataset.rows, imported.rejected) == ("chat", 300, [])
    messages = [m for r in store.records(studio, imported.dataset, limit=300) for m in r["messages"]]
    assert sum(message["role"] == "tool" for message in messages) == 211
    assert sum(message["content"].startswith("<tool_call>\n{") for message in messages) == 211


def test_humaneval_is_gzipped(studio: Studio, real_data: Path) -> None:
    [file] = (real_data / "humaneval").rglob("*.gz")
    dataset = store.import_file(studio, file).dataset
    assert (dataset.shape, dataset.rows) == ("prompt-only", 164)
    assert "canonical_solution" in store.records(studio, dataset, limit=1)[0]


@pytest.mark.parametrize("name", ["identity.json", "dpo_en_demo.json", "glaive_toolcall_en_demo.json"])
def test_a_model_without_a_chat_template_shows_them_by_the_standard_one(
    studio: Studio, real_data: Path, name: str
) -> None:
    chat = ChatFormat.load(real_data / "stories260K")
    assert chat.standard and chat.has_generation_marks
    dataset = store.import_file(studio, real_data / "formats" / name).dataset
    records = store.records(studio, dataset, limit=20)
    shape = Shape(dataset.shape)
    assert all(length > 10 for length in lengths(chat, shape, records))
    for record in records:
        shown = segments(chat, shape, record, max_length=512)
        answers = [m["content"] for key in ("completion", "chosen", "messages") for m in record.get(key, [])]
        trained = "".join(segment.text for segment in shown if segment.trained)
        assert answers[-1] + "</s>" in trained
