"""What a tracker has, read by its own library in a Python that has it: ``python read_tracker.py NAME FOLDER RUN``.

Prints JSON: ``{"loss": [[step, value], ...], "held_out": ..., "config": {...}, "answers": [answer, ...], "notices": n,
"state"}``.
Of W&B's offline files, which its library writes and does not read, the records are taken apart here.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

folder, run = Path(sys.argv[2]), sys.argv[3]


def tensorboard() -> dict[str, Any]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    everything = {"scalars": 0, "tensors": 0}
    events = EventAccumulator(str(folder / run), size_guidance=everything)
    events.Reload()
    start = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    given = metadata.parse_session_start_info_plugin_data(start).hparams
    config = {name: value.number_value or value.string_value for name, value in given.items()}
    tags = {tag for kind in ("scalars", "tensors") for tag in events.Tags()[kind]}
    state = ""
    if metadata.SESSION_END_INFO_TAG in tags:
        end = events.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
        state = {1: "STATUS_SUCCESS"}[metadata.parse_session_end_info_plugin_data(end).status]
    texts = [tag for tag in events.Tags()["tensors"] if tag.startswith("answers/")]
    said = [tensor.tensor_proto.string_val[0].decode() for tag in texts for tensor in events.Tensors(tag)]
    return {
        **{
            name: [[e.step, e.value] for e in events.Scalars(tag)]
            for name, tag in SERIES.items()
            if tag in tags
        },
        "config": config,
        "answers": [text.rpartition("\n    ")[2] for text in said],
        "notices": len(events.Tensors("notices")),
        "state": state,
    }


def trackio() -> dict[str, Any]:
    os.environ["TRACKIO_DIR"] = str(folder)
    from trackio.api import Api
    from trackio.sqlite_storage import SQLiteStorage

    [known] = [one for one in Api().runs("tunesmith") if one.name == run]
    logs = SQLiteStorage.get_logs("tunesmith", run)
    tables = [log["answers"] for log in logs if "answers" in log]
    return {
        **{name: [[log["step"], log[tag]] for log in logs if tag in log] for name, tag in SERIES.items()},
        "config": known.config,
        "answers": [row["answer"] for table in tables for row in table["_value"]],
        "notices": len(known.alerts()),
        "state": "",
    }


def mlflow() -> dict[str, Any]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    known = client.get_run(run)
    artifacts = json.loads(Path(client.download_artifacts(run, "answers.json")).read_text())
    place = artifacts["columns"].index("answer")
    return {
        **{
            name: [[point.step, point.value] for point in client.get_metric_history(run, tag)]
            for name, tag in SERIES.items()
        },
        "config": known.data.params,
        "answers": [row[place] for row in artifacts["data"]],
        "notices": len([tag for tag in known.data.tags if tag.startswith("notice.")]),
        "state": known.info.status,
    }


def wandb() -> dict[str, Any]:
    history: list[dict[str, Any]] = []
    config: dict[str, Any] = {}
    answers: list[str] = []
    notices, state = set(), None
    for file in sorted((folder / "wandb").glob(f"offline-run-*-{run}/*.wandb")):
        for record in _records(file.read_bytes()):
            for update in (*record.run.config.update, *record.config.update):
                config[update.key or "/".join(update.nested_key)] = json.loads(update.value_json)
            if record.WhichOneof("record_type") == "history":
                keys = (
                    (item.key or "/".join(item.nested_key), item.value_json) for item in record.history.item
                )
                history.append({key: json.loads(value) for key, value in keys})
            if record.WhichOneof("record_type") == "exit":
                state = record.exit.exit_code
            for item in record.summary.update:
                name = item.key or "/".join(item.nested_key)
                notices |= {name} if name.startswith("notice/") else set()
        for table in sorted(file.parent.rglob("*.table.json")):
            document = json.loads(table.read_text())
            answers += [row[document["columns"].index("answer")] for row in document["data"]]
    points = {
        name: [[row["train/global_step"], row[tag]] for row in history if tag in row]
        for name, tag in SERIES.items()
    }
    return {**points, "config": config, "answers": answers, "notices": len(notices), "state": state}


def _records(data: bytes) -> Iterator[Any]:
    """Records of a log in LevelDB's form: blocks of 32 KiB, each piece with checksum, length and kind before it."""
    from wandb.proto.wandb_internal_pb2 import Record

    place, whole = 7, b""  # After the file's own mark.
    while place < len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # Whole, or the last piece.
            record = Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


SERIES = {"loss": "train/loss", "held_out": "eval/loss"}
print(
    json.dumps(
        {"tensorboard": tensorboard, "trackio": trackio, "mlflow": mlflow, "wandb": wandb}[sys.argv[1]]()
    )
)
