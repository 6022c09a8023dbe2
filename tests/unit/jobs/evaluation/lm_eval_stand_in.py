"""What lm-evaluation-harness 0.4.13 does with ``run``: samples are logged as it logs them, answers are made up.

``python lm_eval_stand_in.py -I -m lm_eval run ...``; the task ``fails`` ends with code 3, ``waits`` never ends.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def sample(number: int, filtered_by: str, metrics: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "doc_id": number,
        "doc": {"question": f"{number} + 1?"},
        "target": str(number + 1),
        "arguments": {"gen_args_0": {"arg_0": f"Question: {number} + 1?", "arg_1": {"until": ["\n\n"]}}},
        "resps": [[f"It is {number + 1}."]],
        "filtered_resps": ["[invalid]" if filtered_by == "strict-match" else str(number + 1)],
        "filter": filtered_by,
        "metrics": [*metrics],
        "doc_hash": "8b",
        "prompt_hash": "94",
        "target_hash": "3e",
        **metrics,
        **more,
    }


def samples(task: str, count: int) -> dict[str, list[dict[str, Any]]]:
    """By task; a group has several."""
    choice = {
        "arguments": {
            f"gen_args_{place}": {"arg_0": "Sky?", "arg_1": text}
            for place, text in enumerate((" blue", " red"))
        },
        "resps": [[["-2.5", "False"]], [["-1.5", "True"]]],
        "filtered_resps": [["-2.5", "False"], ["-1.5", "True"]],
    }
    of_choice = sample(0, "none", {"acc": 0.0, "acc_norm": 1.0}, **choice)
    by_task = {
        "gsm8k": [
            sample(number, name, {"exact_match": float(name != "strict-match")})
            for name in ("strict-match", "flexible-extract")
            for number in range(count)
        ],
        "group": {"group_a": [of_choice], "group_b": [of_choice]},
        "wikitext": [sample(0, "none", {"word_perplexity": [-12.5, 3], "bits_per_byte": 2.5})],
    }[task]
    return by_task if isinstance(by_task, dict) else {task: by_task}


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in (
        "model",
        "model_args",
        "tasks",
        "device",
        "batch_size",
        "seed",
        "output_path",
        "limit",
        "gen_kwargs",
    ):
        parser.add_argument(f"--{name}")
    parser.add_argument("--include_path")
    parser.add_argument("--log_samples", action="store_true")
    parser.add_argument("--apply_chat_template", action="store_true")
    isolated, *rest = sys.argv[1:]
    assert [isolated, *rest[:3]] == ["-I", "-m", "lm_eval", "run"]
    assert os.environ["HF_HUB_OFFLINE"] == os.environ["HF_DATASETS_OFFLINE"] == "1"
    given = parser.parse_args(rest[3:])
    assert given.log_samples and Path(json.loads(given.model_args)["pretrained"]).is_dir()
    folder = Path(given.output_path) / "__model"
    folder.mkdir(parents=True)
    if given.tasks == "fails":
        print("the task has failed", file=sys.stderr)
        return 3
    if given.tasks == "waits":
        (folder / "pid.partial").write_text(str(os.getpid()))
        (folder / "pid.partial").rename(folder / "pid")
        time.sleep(600)
    date = "2026-11-30T17-41-45.648689"
    for task, lines in samples(given.tasks, int(given.limit or 3)).items():
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"samples_{task}_{date}.jsonl").write_text(text, encoding="utf-8")
    (folder / f"results_{date}.json").write_text(json.dumps({"arguments": vars(given)}), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
