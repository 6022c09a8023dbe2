"""A task of lm-evaluation-harness: its program in an environment of its own, and what it logs, read back as items.

It is a child of the worker and bears the mark of its run, so it dies with the job; what it prints is in the job's log.
It is offline as the worker is: data of published tasks must be in its cache; tasks of one's own are YAML files in
``lm_eval`` in the folder of suites. Nothing it answers is kept for another time: a resumed job asks its models anew.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jobs.evaluation.programs import carried_out
from jobs.evaluation.questions import Questions
from jobs.generation.answering import Stopping, digest
from studio_core.base.errors import StudioError
from studio_core.evaluation.items_file import AnsweredItem
from studio_core.runs.spec import ResolvedModel
from studio_core.suites import lm_eval
from studio_core.suites.base import records

# As writing of ours.
BATCH = 32
_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY")


def answered(
    program: str,
    tasks: Path,
    model: ResolvedModel,
    asked: Questions,
    seed: int,
    folder: Path,
    stopping: Stopping,
) -> list[AnsweredItem]:
    """All items of the task with their values; none if the user stops.

    ``tasks``: a folder that may have tasks of one's own; ``folder``: where the program writes, made for it. Raises
    ``StudioError`` if it fails, or has no value for each item.
    """
    task, wanted, metric = lm_eval.task(asked.suite.name)
    offline = {**dict.fromkeys(_OFFLINE, "1"), "TOKENIZERS_PARALLELISM": "false"}
    try:
        code = carried_out(command(program, tasks, model, asked, seed, folder), offline, stopping)
    except OSError as error:
        reason = error.strerror or error
        raise StudioError("evaluation.lm_eval_not_started", program=program, reason=reason) from error
    if stopping():
        return []
    if code:
        raise StudioError("evaluation.lm_eval_failed", task=task, code=code)
    files = sorted(folder.rglob("samples_*.jsonl"))
    rows = [
        row
        for file in files
        for row in _rows(_task_of(file), list(records(file)), wanted, metric, len(files) > 1)
    ]
    if not rows:
        raise StudioError("evaluation.lm_eval_nothing", task=task, folder=folder)
    return rows


def command(
    program: str, tasks: Path, model: ResolvedModel, asked: Questions, seed: int, folder: Path
) -> list[str]:
    """What is started: a list, which no shell reads."""
    device = os.environ.get("TUNESMITH_DEVICE") or "cpu"
    # JSON, since a path may have a comma or an equals sign.
    arguments = {"pretrained": model.path, "dtype": "float32" if device == "cpu" else "bfloat16"}
    if model.adapter:
        arguments["peft"] = model.adapter
    task, *_ = lm_eval.task(asked.suite.name)
    return [
        # Isolated from the variables and packages of the worker's Python.
        *(program, "-I", "-m", "lm_eval", "run", "--model", "hf", "--model_args", json.dumps(arguments)),
        *("--tasks", task, "--device", device, "--batch_size", str(BATCH), "--seed", str(seed)),
        *("--output_path", str(folder), "--log_samples"),
        *(("--include_path", str(tasks)) if any(tasks.glob("*.yaml")) else ()),
        *(("--apply_chat_template",) if _has_template(Path(model.path)) else ()),
        *(("--limit", str(asked.limit)) if asked.limit else ()),
        *(("--gen_kwargs", f"max_gen_toks={asked.suite.max_tokens}") if asked.suite.max_tokens else ()),
    ]


def _has_template(model: Path) -> bool:
    """Whether the model's tokenizer has a chat template: the program refuses to apply one that is not there."""
    config = model / "tokenizer_config.json"
    return (model / "chat_template.jinja").is_file() or (
        config.is_file() and "chat_template" in json.loads(config.read_text(encoding="utf-8"))
    )


def _task_of(file: Path) -> str:
    """Of ``samples_<task>_<date>.jsonl``."""
    return file.stem.removeprefix("samples_").rpartition("_")[0]


def _rows(
    task: str, samples: list[dict[str, Any]], wanted: str, named: str, several: bool
) -> Iterator[AnsweredItem]:
    """Items of one task, whose samples are logged once for each of its filters."""
    filters = list(dict.fromkeys(sample["filter"] for sample in samples))
    if wanted and wanted not in filters:
        raise StudioError("evaluation.lm_eval_no_filter", task=task, filter=wanted, known=", ".join(filters))
    kept = [sample for sample in samples if sample["filter"] == (wanted or filters[0])]
    metric = _metric(task, kept, named)
    for sample in kept:
        yield AnsweredItem(
            item=f"{task}/{sample['doc_id']}" if several else str(sample["doc_id"]),
            kind=task if several else "",
            cluster="",
            prompt=[{"role": "user", "content": str(_arguments(sample)[0]["arg_0"])}],
            key=str(sample["target"]),
            answers=(_answer(sample),),
            values=(float(sample[metric]),),
            reason="lm_eval",
            reason_values={"metric": metric, "filtered": str(sample["filtered_resps"])[:200]},
        )


def _metric(task: str, samples: Sequence[dict[str, Any]], named: str) -> str:
    """The one that is named, or the first, that is a share of each item: others (perplexity, BLEU) are reckoned of all
    together."""
    known = samples[0]["metrics"] if samples else []
    names = [name for name in known if name == named] if named else known
    for name in names:
        values = [sample.get(name) for sample in samples]
        if all(isinstance(value, bool | int | float) and 0 <= value <= 1 for value in values):
            return str(name)
    raise StudioError("evaluation.lm_eval_no_value", task=task, metrics=", ".join(known) or "-")


def _arguments(sample: dict[str, Any]) -> list[dict[str, Any]]:
    return list(sample["arguments"].values())


def _answer(sample: dict[str, Any]) -> str:
    """What was written; where choices were weighed, the likeliest."""
    responses = [each[0] for each in sample["resps"]]
    if isinstance(responses[0], str):
        return responses[0]
    chances = [float(each[0]) if isinstance(each, list | tuple) else -math.inf for each in responses]
    return str(_arguments(sample)[chances.index(max(chances))]["arg_1"]).strip()


def identity(rows: Sequence[AnsweredItem]) -> str:
    """Equal for the same questions, examples and templates included: which they are is known afterwards only."""
    return digest([[row.item, row.prompt, row.key] for row in rows])
