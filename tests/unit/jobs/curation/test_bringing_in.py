"""Imports and fetches as jobs: carried out by the worker's code, registered by the engine's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.curation.hub_rows import reason_of
from jobs.curation.main import main
from studio_core.base import atomic, clock
from studio_core.base.errors import BadInput, Conflict, StudioError
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.curation import adding, making
from studio_core.curation.adding import Brought
from studio_core.data import store, uploads
from studio_core.data.mapping import Mapping
from studio_core.runs import queue, run_folder
from tests.fake_hub import COMMIT, FakeHub, fake_hub

ROWS = [{"question": f"q{n} {{{{name}}}}", "answer": f"{n}"} for n in range(600)]
CARD = b"""---
configs:
- config_name: main
  data_files: [{split: train, path: main/train.jsonl}, {split: test, path: main/test.jsonl}]
- config_name: socratic
  data_files: [{split: train, path: main/test.jsonl}]
---
"""


def lines(rows: list[Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def carried_out(job: Job) -> list[dict[str, Any]]:
    """All events of the job."""
    folder = Path(job.run_dir or "")
    folder.mkdir(parents=True)
    atomic.write_json(folder / run_folder.SPEC, job.spec["run"])
    main(folder)
    return [json.loads(line) for line in (folder / run_folder.EVENTS).read_text().splitlines()]


def test_an_import_by_a_job_is_as_one_at_once(studio: Studio, tmp_path: Path) -> None:
    content = lines([*ROWS[:300], {"question": "", "answer": "x"}, *ROWS[300:]])
    (tmp_path / "sums.jsonl").write_bytes(content)
    mapping = Mapping(
        shape="prompt-completion",
        columns={"prompt": "question", "completion": "answer"},
        fill={"name": "Ada"},
    )
    at_once = store.import_file(studio, tmp_path / "sums.jsonl", name="at-once", mapping=mapping).dataset
    brought = Brought(uploads=[uploads.keep(studio.settings, "sums.jsonl", content).id])
    job = adding.submit(studio, brought, name="by-job", mapping=mapping)
    events = carried_out(job)
    told = [event for event in events if event["type"] == "metrics"]
    assert told[-1]["step"] == told[-1]["total_steps"] == 601
    result = events[-1]
    assert result["counts"] == {"kept": 600, "dropped": 1}
    [dataset] = making.register_result(studio, job, result)
    assert (dataset.name, dataset.sha256, dataset.rows) == ("by-job", at_once.sha256, 600)
    assert (dataset.rejected, dataset.mapping) == (at_once.rejected, at_once.mapping)
    assert (dataset.source, dataset.job_id, dataset.operation) == ("sums.jsonl", job.id, "import")
    assert uploads.uploads(studio.settings) == [], "what was imported is no longer kept as an upload"
    [report] = [one for one in queue.waiting(studio) if one.method == "report"]
    assert report.spec["datasets"] == ["by-job@1"]
    assert making.register_result(studio, job, result)[0].id == dataset.id, "once more is no harm"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"a": 1}\n', "a.jsonl has no column for"),
        (b'{"prompt": "", "completion": "x"}\n', "The only row of"),
    ],
)
def test_an_import_that_fails_says_why(studio: Studio, content: bytes, sentence: str) -> None:
    brought = Brought(uploads=[uploads.keep(studio.settings, "a.jsonl", content).id])
    job = adding.submit(studio, brought, name="a")
    with pytest.raises(BadInput, match=sentence):
        carried_out(job)
    assert len(uploads.uploads(studio.settings)) == 1, "it can be tried again"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with fake_hub() as opened:
        opened.datasets["org/sums"] = {
            "README.md": CARD, "main/train.jsonl": lines(ROWS), "main/test.jsonl": lines(ROWS[:5]),
        }  # fmt: skip
        monkeypatch.setenv("HF_ENDPOINT", opened.url)
        yield opened


def test_rows_of_the_hub_are_fetched_and_imported_with_their_commit(studio: Studio, hub: FakeHub) -> None:
    job = adding.fetch(studio, "https://huggingface.co/datasets/org/sums", subset="main", rows=450)
    with pytest.raises(Conflict, match="no longer exists"):
        adding.located(studio, Brought(job=job.id))
    result = carried_out(job)[-1]
    assert result["counts"] == {"kept": 450} and making.register_result(studio, job, result) == []
    with studio.db.write() as session:
        stored = session.get_one(Job, job.id)
        stored.state, stored.finished_at = State.SUCCEEDED, clock.now()
    found = adding.located(studio, Brought(job=job.id))
    assert found.origin == {
        "hub": "org/sums", "subset": "main", "split": "train", "revision": COMMIT, "rows": 450,
        "columns_left_out": [],
    }  # fmt: skip
    imported = adding.bring_in(studio, Brought(job=job.id))
    assert isinstance(imported, store.Imported)
    assert (imported.dataset.name, imported.dataset.rows) == ("sums", 450)
    assert imported.dataset.made["options"]["origin"] == found.origin
    assert not [asked for asked in hub.asked if asked.startswith("GET") and asked.endswith(".py")]


ASK = """
import json, sys
from pathlib import Path
from jobs.curation.hub_rows import main, reason_of
for options in json.loads(sys.argv[1]):
    try:
        main(options, Path(sys.argv[2]))
    except Exception as error:
        refused = reason_of(error, options)
        print(json.dumps({"key": refused.key, **refused.values}))
"""


def test_what_the_hub_does_not_have_is_said_with_what_it_has(hub: FakeHub, tmp_path: Path) -> None:
    hub.datasets["org/closed"] = {}
    hub.gated.add("org/closed")
    base = {"hub": "org/sums", "subset": "main", "split": "train", "rows": 1, "revision": ""}
    asked = [
        {**base, "subset": ""},
        {**base, "split": "dev"},
        {**base, "revision": "v9"},
        {**base, "hub": "org/nothing"},
        {**base, "hub": "org/closed"},
    ]
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_TELEMETRY": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    command = [sys.executable, "-c", ASK, json.dumps(asked), str(tmp_path / "rows")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["key"].removeprefix("adding.hub_") for one in told] == [
        "subsets", "splits", "unknown", "unknown", "gated",
    ]  # fmt: skip
    assert told[0]["known"] == "main, socratic" and told[1]["known"] == "train, test"
    assert all(StudioError(one.pop("key"), **one).sentence() for one in told)


def test_a_hub_out_of_reach_is_said_in_a_sentence(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(StudioError, match=r"The Hub could not be reached for org/sums\."):
        carried_out(adding.fetch(studio, "org/sums"))
    script = RuntimeError("Dataset scripts are no longer supported, but found sums.py")
    assert reason_of(script, {"hub": "org/sums", "revision": ""}).key == "adding.hub_script"


def test_names_that_are_none_of_the_hub(studio: Studio) -> None:
    for name in ("", "../etc", "a/b/c", "-x", "org/na me", "http://evil.example/a", "org/..", "x" * 200):
        with pytest.raises(BadInput, match="not a Hub dataset name"):
            adding.fetch(studio, name)
