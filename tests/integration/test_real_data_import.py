"""Files as their authors published them are understood without help."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from pathlib import Path

import pytest

from studio_core.base.studio import Studio
from studio_core.data import exports, outgoing, store
from studio_core.data.chat_format import ChatFormat
from studio_core.data.guesses import for_shape
from studio_core.data.mapping import Mapping
from studio_core.data.preview import segments
from studio_core.data.sequences import lengths, tokens
from studio_core.data.shapes import Shape

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
    calls = [json.loads(message["tool_calls"]) for message in messages if "tool_calls" in message]
    assert len(calls) == 211 and all(call["name"] for of_turn in calls for call in of_turn)


def test_humaneval_is_gzipped(studio: Studio, real_data: Path) -> None:
    [file] = (real_data / "humaneval").rglob("*.gz")
    dataset = store.import_file(studio, file).dataset
    assert (dataset.shape, dataset.rows) == ("prompt-only", 164)
    assert "canonical_solution" in store.records(studio, dataset, limit=1)[0]


def test_gsm8k_as_prompts_with_their_reference_answers(studio: Studio, real_data: Path) -> None:
    file = real_data / "gsm8k" / "test.jsonl"
    seen = store.inspect_file(studio, file)
    mapping = for_shape(Shape.PROMPT_ONLY, seen.columns, seen.sample_rows)
    assert (mapping.columns, mapping.keep) == ({"prompt": "question"}, ["answer"])
    dataset = store.import_file(studio, file, mapping=mapping).dataset
    stored = [record["answer"] for record in store.records(studio, dataset, limit=2000)]
    assert stored == [json.loads(line)["answer"] for line in file.read_text(encoding="utf-8").splitlines()]
    assert sum(bool(re.search(r"#### -?\d+,\d", answer)) for answer in stored) == 14


UNDERSTOOD = {
    "arena_hard/v0.1_question.jsonl": ("prompt-only", 500),
    "bfcl/BFCL_v4_parallel.json": ("prompt-only", 200),
    "gsm8k/test.jsonl": ("prompt-completion", 1319),
    "ifeval/input_data.jsonl": ("prompt-only", 541),
    "math500/test.jsonl": ("prompt-completion", 500),
    "mbpp/mbpp.jsonl": ("text", 974),
    "mmlu_pro/sample_700.jsonl": ("prompt-completion", 700),
    "self_instruct/user_oriented_instructions.jsonl": ("prompt-only", 252),
    "text/public_domain_tales.txt": ("text", 6471),
}


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_files_of_benchmarks_and_books(studio: Studio, real_data: Path, name: str) -> None:
    seen = store.inspect_file(studio, real_data / name)
    assert (seen.shape, seen.good, seen.bad) == (*UNDERSTOOD[name], 0)


def test_both_parts_of_gsm8k_in_one_archive_and_in_one_folder(
    studio: Studio, real_data: Path, tmp_path: Path
) -> None:
    files = sorted((real_data / "gsm8k").glob("*.jsonl"))
    with zipfile.ZipFile(tmp_path / "gsm8k.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, f"gsm8k/{file.name}")
    for path in (tmp_path / "gsm8k.zip", real_data / "gsm8k"):
        imported = store.import_file(studio, path)
        assert (imported.dataset.name, imported.dataset.rows) == ("gsm8k", 1319 + 7473)


def test_the_same_data_in_the_encodings_of_excel(studio: Studio, real_data: Path, tmp_path: Path) -> None:
    rows = json.loads((real_data / "formats" / "identity.json").read_text(encoding="utf-8"))
    for encoding in ("utf-8-sig", "utf-16"):
        path = tmp_path / f"{encoding}.csv"
        with open(path, "w", encoding=encoding, newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
            writer.writeheader()
            writer.writerows(rows)
        seen = store.inspect_file(studio, path)
        assert (seen.encoding, seen.good, seen.placeholders) == (encoding, 91, ["name", "author"])


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
        shown = segments(shape, tokens(chat, shape, [record])[0], max_length=512)
        answers = [m["content"] for key in ("completion", "chosen", "messages") for m in record.get(key, [])]
        trained = "".join(segment.text for segment in shown if segment.trained)
        assert answers[-1] + "</s>" in trained


@pytest.mark.parametrize(
    "name",
    [
        "formats/identity",
        "formats/dpo_en_demo",
        "formats/kto_en_demo",
        "formats/glaive_toolcall_en_demo",
        "gsm8k/test",
    ],
)
def test_a_round_trip_through_every_layout(
    studio: Studio, real_data: Path, tmp_path: Path, name: str
) -> None:
    file = next(real_data.glob(f"{name}.json*"))
    dataset = store.import_file(studio, file, name="mine").dataset
    same = 0
    for layout in exports.layouts_for(Shape(dataset.shape)):
        for format in layout.formats:
            target = tmp_path / f"out.{format}"
            fit = outgoing.look(studio, dataset, format, layout.name)
            outgoing.export(studio, dataset, target, format, layout=layout.name, skip=True)
            assert fit.rows + fit.lost == dataset.rows and fit.recognised
            again = store.import_file(
                studio, target, name="mine", mapping=Mapping.model_validate(fit.mapping)
            )
            assert again.dataset.rows == fit.rows and not again.rejected
            if fit.becomes is fit.shape and not fit.lost and not fit.changed.n:
                form, rows = layout.forms[Shape(dataset.shape)], dataset.rows
                came_back = list(store.records(studio, again.dataset, limit=rows))
                assert came_back == [form.back(row) for row in store.records(studio, dataset, limit=rows)]
                same += 1
    assert same >= len(exports.FORMATS)
