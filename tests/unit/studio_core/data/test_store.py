"""Datasets as stored: whole or not at all, versioned, found again, taken out."""

from __future__ import annotations

import gzip
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from studio_core.base.errors import BadInput, NotFound, StudioError
from studio_core.base.studio import Studio
from studio_core.data import parquet, store, versions
from studio_core.data.mapping import Mapping
from studio_core.data.naming import name_from
from studio_core.data.shapes import Shape

GOOD = [{"prompt": f"question {n}", "completion": f"answer {n}"} for n in range(5)]


def jsonl(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def messages(prompt: str, completion: str) -> dict[str, Any]:
    return {
        "prompt": [{"role": "user", "content": prompt}],
        "completion": [{"role": "assistant", "content": completion}],
    }


def nothing_made(studio: Studio) -> bool:
    """No row, no file, no leftover."""
    return not store.all_datasets(studio) and not any(
        path.is_file()
        for folder in (studio.settings.datasets, studio.settings.uploads)
        for path in folder.rglob("*")
    )


def test_a_file_becomes_a_version(studio: Studio, tmp_path: Path) -> None:
    imported = store.import_file(studio, jsonl(tmp_path / "my data.jsonl", GOOD))
    dataset = imported.dataset
    assert (dataset.name, dataset.version, dataset.shape, dataset.rows) == (
        "my-data", 1, "prompt-completion", 5,
    )  # fmt: skip
    assert imported.new and imported.rejected == []
    path = store.parquet_path(studio, dataset)
    assert path.name == f"{dataset.sha256}.parquet" and path.stat().st_size == dataset.bytes
    assert store.records(studio, dataset) == [messages(f"question {n}", f"answer {n}") for n in range(5)]
    assert list(studio.settings.uploads.iterdir()) == []


def test_bad_rows_are_left_out_by_number_and_reason(studio: Studio, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "a.jsonl", [GOOD[0], {"prompt": "q", "completion": ""}, GOOD[1], {"prompt": "q"}])
    with open(file, "a", encoding="utf-8") as more:
        more.write('{"prompt": "torn')
    seen = store.inspect_file(studio, file)
    assert (seen.good, seen.bad) == (2, 3)
    assert [(entry["row"], entry["reason"]) for entry in seen.reasons] == [
        (2, "the answer in 'completion' is empty (turn 1)"),
        (4, "'completion' is missing"),
        (5, "the line is truncated"),
    ]
    assert nothing_made(studio)
    imported = store.import_file(studio, file)
    assert imported.rejected == imported.dataset.rejected == seen.reasons
    assert (imported.dataset.rows, imported.dataset.rejected_count) == (2, 3)


def test_only_the_first_thousand_bad_rows_are_listed(studio: Studio, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "a.jsonl", [*GOOD, *[{"prompt": "q", "completion": ""}] * 1200])
    dataset = store.import_file(studio, file).dataset
    assert (len(dataset.rejected), dataset.rejected_count) == (1000, 1200)


def test_the_same_records_again_are_the_same_version(studio: Studio, tmp_path: Path) -> None:
    first = store.import_file(studio, jsonl(tmp_path / "a.jsonl", GOOD))
    packed = tmp_path / "a.json.gz"
    packed.write_bytes(gzip.compress(json.dumps(GOOD).encode()))
    again = store.import_file(studio, packed)
    assert (again.dataset.id, again.new) == (first.dataset.id, False)
    changed = store.import_file(studio, jsonl(tmp_path / "a.jsonl", GOOD[:3]))
    assert (changed.dataset.name, changed.dataset.version) == ("a", 2)
    elsewhere = store.import_file(studio, jsonl(tmp_path / "a.jsonl", GOOD), name="other")
    assert (elsewhere.dataset.version, elsewhere.dataset.sha256) == (1, first.dataset.sha256)
    assert len(list(studio.settings.datasets.iterdir())) == 2


def test_found_by_name_version_and_id(studio: Studio, tmp_path: Path) -> None:
    one = store.import_file(studio, jsonl(tmp_path / "a.jsonl", GOOD)).dataset
    two = store.import_file(studio, jsonl(tmp_path / "a.jsonl", GOOD[:1])).dataset
    found = [store.get(studio, key).id for key in ("a", "a@1", "a@2", one.id, str(two.id), " a ")]
    assert found == [two.id, one.id, two.id, one.id, two.id, two.id]
    assert [dataset.id for dataset in store.all_datasets(studio)] == [two.id, one.id]
    for missing in ("b", "a@3", "a@x", "@", "", 99):
        with pytest.raises(NotFound, match="There is no dataset"):
            store.get(studio, missing)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("../../etc/passwd", "The name '../../etc/passwd' is not allowed.*such as 'passwd'"),
        ("a/b", "The name 'a/b' is not allowed. Use only letters"),
        ("a@2", "The name 'a@2' is not allowed"),
        ("x" * 300, "has 300 characters; the limit is 80"),
        (".", "such as 'data'"),
    ],
)
def test_names_that_will_not_do(studio: Studio, tmp_path: Path, name: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        store.import_file(studio, jsonl(tmp_path / "a.jsonl", GOOD), name=name)
    assert nothing_made(studio)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("GSM8K train.jsonl.gz", "GSM8K-train"),
        ("../../x/y.csv", "y"),
        ("C:\\data\\Mein Set.parquet", "Mein-Set"),
        ("数据 集.json", "数据-集"),
        ("....", "data"),
        ("<script>alert(1)</script>.json", "script"),
    ],
)
def test_names_made_from_files(file: str, name: str) -> None:
    assert name_from(file) == name


def test_long_file_names_are_shortened_and_stay_different() -> None:
    one, two = name_from("x" * 300 + "1.jsonl"), name_from("x" * 300 + "2.jsonl")
    assert one != two and len(one) < 80


def test_columns_without_a_part_are_asked_for(studio: Studio, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "a.jsonl", [{"x": "q", "y": "a"}])
    seen = store.inspect_file(studio, file)
    assert seen.mapping.missing() == ["prompt", "completion"] and seen.sample_rows == [{"x": "q", "y": "a"}]
    with pytest.raises(BadInput, match=r"a\.jsonl has no column for: prompt, completion .*: x, y\."):
        store.import_file(studio, file)
    assert nothing_made(studio)
    mapping = Mapping(shape=Shape.PROMPT_COMPLETION, columns={"prompt": "x", "completion": "y"})
    dataset = store.import_file(studio, file, mapping=mapping).dataset
    assert store.records(studio, dataset) == [messages("q", "a")]
    assert Mapping.model_validate(dataset.mapping) == mapping.model_copy(update={"turns_in_text": []})


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.jsonl", b"", r"a\.jsonl is empty"),
        ("a.json", b"[]", r"a\.json has no records"),
        ("a.csv", b"prompt,completion\n", "has no records"),
        ("a.jsonl", bytes(range(128, 256)), r"is not valid UTF-8 \(byte 0\)"),
        ("a.json", b'[{"text": "a"}, {"te', "ends in the middle of row 2: it is truncated"),
        ("a.jsonl", b'{"prompt": "a", "completion": ""}\n', "The only row .* Row 1: the answer"),
        ("a.jsonl", b"1\n2\n", "All 2 rows .* Row 1: it is a int, not a JSON object"),
        ("a.parquet", b"PAR1 and no more", "not a complete Parquet file"),
        ("a.jsonl.gz", gzip.compress(b'{"text": "abc"}\n' * 9, mtime=0)[:30], "is truncated"),
    ],
)
def test_bad_files_leave_nothing_behind(
    studio: Studio, tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(BadInput, match=sentence) as raised:
        store.import_file(studio, file)
    assert raised.value.exit_code == 2
    assert nothing_made(studio)


def test_a_file_cut_off_after_many_good_rows_leaves_nothing(studio: Studio, tmp_path: Path) -> None:
    whole = json.dumps(GOOD * 5000)
    file = tmp_path / "a.json"
    file.write_text(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="is truncated"):
        store.import_file(studio, file)
    assert nothing_made(studio)


@pytest.mark.parametrize("kind", ["missing", "pipe", "unreadable"])
def test_files_that_cannot_be_read(studio: Studio, tmp_path: Path, kind: str, monkeypatch: Any) -> None:
    path = tmp_path / "a.jsonl"
    if kind == "pipe":
        os.mkfifo(path)
    if kind == "unreadable":
        jsonl(path, GOOD)
        monkeypatch.setattr(os, "access", lambda *_: False)  # Root may read anything.
    with pytest.raises(BadInput, match="cannot be read"):
        store.import_file(studio, path)


def test_no_space_says_how_much_is_needed_and_leaves_nothing(studio: Studio, tmp_path: Path) -> None:
    rows = [{"text": os.urandom(400).hex()} for _ in range(6000)]
    file = jsonl(tmp_path / "a.jsonl", rows)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The file system refuses to let any file grow beyond 1 MB, as a full disk would.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limit[1]))
    try:
        with pytest.raises(StudioError, match=r"is full: \d+ MB are free.* more than \d+ MB") as raised:
            store.import_file(studio, file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert raised.value.exit_code == 1
    assert nothing_made(studio)
    assert store.import_file(studio, file).dataset.rows == 6000


def test_a_row_that_cannot_be_written_leaves_no_file(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise StudioError("database_locked", path="x")

    monkeypatch.setattr(versions, "_row", refuse)
    with pytest.raises(StudioError, match="locked"):
        store.import_file(studio, jsonl(tmp_path / "a.jsonl", GOOD))
    assert nothing_made(studio)


def test_killed_while_importing_makes_no_dataset(studio: Studio, tmp_path: Path) -> None:
    pipe = tmp_path / "slow.jsonl"
    file = jsonl(tmp_path / "a.jsonl", GOOD * 3000)
    code = (
        "import os, sys; from pathlib import Path\n"
        "from studio_core.data import store, parquet; from studio_core.base.studio import open_studio\n"
        "parquet.Writer.close = lambda self: os.kill(os.getpid(), 9)\n"
        "store.import_file(open_studio(home=Path(sys.argv[1])), Path(sys.argv[2]))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(studio.settings.home), str(file)], check=False)
    assert ended.returncode == -9 and not pipe.exists()
    assert store.all_datasets(studio) == [] and list(studio.settings.datasets.iterdir()) == []
    [left] = studio.settings.uploads.iterdir()
    old = time.time() - 90_000
    os.utime(left, (old, old))
    assert store.sweep_uploads(studio) == 1
    assert nothing_made(studio)


def test_sweeping_spares_what_is_new(studio: Studio) -> None:
    folder = studio.settings.uploads / "abc"
    folder.mkdir()
    old, new = folder / "old", studio.settings.uploads / "new"
    for path in (old, new):
        path.write_text("x")
    os.utime(old, (1, 1))
    assert store.sweep_uploads(studio) == 1
    assert new.exists() and not folder.exists()


def test_pages_of_a_large_dataset(studio: Studio, tmp_path: Path) -> None:
    count = parquet.ROW_GROUP * 2 + 10
    dataset = store.import_file(
        studio, jsonl(tmp_path / "a.jsonl", [{"text": str(n)} for n in range(count)])
    ).dataset
    edge = parquet.ROW_GROUP
    for offset, limit in ((0, 3), (edge - 1, 3), (edge * 2 - 5, 100), (count - 1, 20), (count, 5), (7, 0)):
        wanted = [{"text": str(n)} for n in range(offset, min(count, offset + limit))]
        assert store.records(studio, dataset, offset, limit) == wanted


def test_a_dataset_whose_file_is_gone_says_so(studio: Studio, tmp_path: Path) -> None:
    dataset = store.import_file(studio, jsonl(tmp_path / "a.jsonl", GOOD)).dataset
    store.parquet_path(studio, dataset).unlink()
    with pytest.raises(StudioError, match=r"The file of a@1 is missing: .* Import a\.jsonl again\."):
        store.records(studio, dataset)
    assert not store.import_file(studio, tmp_path / "a.jsonl").new
    assert len(store.records(studio, dataset)) == 5


def test_samples_are_imported_once(studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "static" / "samples").mkdir(parents=True)
    jsonl(tmp_path / "static" / "samples" / "tiny.jsonl", GOOD)
    monkeypatch.setattr(store, "bundled_folder", lambda: tmp_path / "static")
    assert [dataset.name for dataset in store.ensure_samples(studio)] == ["tiny"]
    assert store.ensure_samples(studio) == []
    assert len(store.all_datasets(studio)) == 1
    shutil.rmtree(tmp_path / "static")
    assert store.ensure_samples(studio) == []


def test_placeholders_are_found_and_filled(studio: Studio, tmp_path: Path) -> None:
    file = jsonl(tmp_path / "a.jsonl", [{"prompt": "Who are you?", "completion": "{{name}} by {{author}}"}])
    seen = store.inspect_file(studio, file)
    assert seen.placeholders == ["name", "author"]
    mapping = seen.mapping.model_copy(update={"fill": {"name": "Ada"}})
    assert store.inspect_file(studio, file, mapping=mapping).placeholders == ["author"]
    dataset = store.import_file(studio, file, mapping=mapping).dataset
    assert store.records(studio, dataset) == [messages("Who are you?", "Ada by {{author}}")]


def test_memory_stays_bounded(studio: Studio, tmp_path: Path) -> None:
    """A file of 1 GB takes no more than one of 60 MB: 190 MB were measured, with the studio itself."""
    file = tmp_path / "a.jsonl"
    with open(file, "w", encoding="utf-8") as text:
        for n in range(60_000):
            text.write(json.dumps({"text": f"{n} " + "word " * 200}) + "\n")
    code = (
        "import re, sys; from pathlib import Path\n"
        "from studio_core.data import store; from studio_core.base.studio import open_studio\n"
        "studio = open_studio(home=Path(sys.argv[1]))\n"
        # Unlike getrusage, this does not begin with the peak of the process that started this one.
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]) >> 10\n"
        "before = peak()\n"
        "print(store.import_file(studio, Path(sys.argv[2])).dataset.rows, before, peak())\n"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code, str(studio.settings.home), str(file)],
        capture_output=True,
        check=True,
        text=True,
    )
    rows, before, peak = map(int, printed.stdout.split())
    assert rows == 60_000
    assert before < 200 and peak < before + 150
