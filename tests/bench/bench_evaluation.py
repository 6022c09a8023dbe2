"""Answers to suites beside a batched ``generate`` of transformers: same model, prompts, greedy tokens; one thread.

The rival takes 32 prompts at a time in the suite's order, padded on the left, as one writes it first, and only writes:
ours also scores, keeps every answer and leaves the file of items. No answer is known before (each round has an empty
folder). Rounds of both alternate; CPU time is what one thread worked, so that a busy machine changes little. Texts that
differ are counted: padding changes sums of single precision, and so the likelier of two tokens alike.

Promised of the items per second of CPU time: at least 1.0 of the loop's.

lm-evaluation-harness answers the same items where ``LM_EVAL_PYTHON`` is a Python that has it; its seconds are those
that it reports of all it does: its list of tasks, the loading of the model and the scoring too.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TQDM_DISABLE="1", HF_HUB_DISABLE_TELEMETRY="1")

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from jobs.evaluation.main import worked
from jobs.evaluation.questions import questions
from jobs.progress import Progress
from studio_core.base.settings import bundled_folder
from studio_core.evaluation import items_file
from studio_core.runs.run_folder import EventWriter
from studio_core.runs.spec import EvalRun, EvalSpec, ResolvedModel, ResolvedSuite, SuiteChoice
from studio_core.suites import SUITES
from tests.bench.sizes import size

ROUNDS, LIMIT = size("EVALUATION_ROUNDS", 5, 1), size("EVALUATION_LIMIT", 300, 8)
ASKED = ("facts", "sums", "instructions")
BATCH = 32
DEMO = bundled_folder() / "models" / "tiny-chat"

Answers = dict[str, list[str]]
"""By suite, in its order."""


def ours() -> Answers:
    """A whole evaluation without its process: questions read, answered, scored, written down."""
    chosen = [
        ResolvedSuite(choice=SuiteChoice(name=name), path=str(SUITES[name].file(Path())), sha256="")
        for name in ASKED
    ]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = ResolvedModel(name="tiny-chat", path=str(DEMO), parameters=2_000_000)
        spec = EvalSpec(models=[model.name], suites=[each.choice for each in chosen], limit=LIMIT)
        run = EvalRun(
            spec=spec, models={model.name: model}, suites=chosen, services="", answers=str(folder / "answers")
        )
        suites = [questions(each) for each in chosen]
        results = worked(run, folder, suites, Progress(EventWriter(folder)), lambda: False)
        return {
            result["suite"]: [row.answers[0] for row in items_file.read(folder / result["file"])]
            for result in results
        }


def loop(model: Any, tokenizer: Any) -> Answers:
    return {name: written(model, tokenizer, prompts(tokenizer, name), name) for name in ASKED}


def prompts(tokenizer: Any, suite: str) -> list[str]:
    choice = ResolvedSuite(choice=SuiteChoice(name=suite), path=str(SUITES[suite].file(Path())), sha256="")
    return [
        tokenizer.apply_chat_template([*item.messages], add_generation_prompt=True, tokenize=False)
        for item in questions(choice).limited(LIMIT).items
    ]


@torch.inference_mode()
def written(model: Any, tokenizer: Any, texts: list[str], suite: str) -> list[str]:
    answers: list[str] = []
    for start in range(0, len(texts), BATCH):
        batch = tokenizer(
            texts[start : start + BATCH], padding=True, add_special_tokens=False, return_tensors="pt"
        )
        tokens = model.generate(**batch, do_sample=False, max_new_tokens=SUITES[suite].max_tokens)
        answers += tokenizer.batch_decode(tokens[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return answers


def harness(python: str, tokenizer: Any) -> float:
    """Items per second of lm-evaluation-harness on the same prompts, by the clock."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, count = Path(temporary), 0
        for name in ASKED:
            asked = prompts(tokenizer, name)
            count += len(asked)
            lines = [json.dumps({"prompt": prompt, "key": ""}) for prompt in asked]
            (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
            task = {
                "task": f"bench_{name}",
                "dataset_path": "json",
                "dataset_kwargs": {"data_files": {"test": str(folder / f"{name}.jsonl")}},
                "test_split": "test",
                "output_type": "generate_until",
                "doc_to_text": "{{prompt}}",
                "doc_to_target": "{{key}}",
                "generation_kwargs": {
                    "until": [tokenizer.eos_token],
                    "do_sample": False,
                    "max_gen_toks": SUITES[name].max_tokens,
                },
                "metric_list": [{"metric": "exact_match"}],
            }
            # JSON is YAML.
            (folder / f"{name}.yaml").write_text(json.dumps(task), encoding="utf-8")
        subprocess.run(
            [
                *(python, "-m", "lm_eval", "--model", "hf"),
                *("--model_args", f"pretrained={DEMO},dtype=float32,add_bos_token=False"),
                *("--include_path", temporary, "--tasks", ",".join(f"bench_{name}" for name in ASKED)),
                *("--device", "cpu", "--batch_size", str(BATCH), "--output_path", str(folder / "out")),
            ],
            check=True,
            env={**os.environ, "HF_DATASETS_OFFLINE": "1"},
            stdout=subprocess.DEVNULL,
        )
        [results] = (folder / "out").rglob("results_*.json")
        document = json.loads(results.read_text(encoding="utf-8"))
        return count / float(document["total_evaluation_time_seconds"])


def main() -> None:
    torch.set_num_threads(1)
    os.environ["TUNESMITH_DEVICE"] = "cpu"
    tokenizer = AutoTokenizer.from_pretrained(DEMO, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(DEMO, dtype=torch.float32)
    rivals = {"studio": ours, "generate": lambda: loop(model, tokenizer)}
    cpu: dict[str, list[float]] = {name: [] for name in rivals}
    clock: dict[str, list[float]] = {name: [] for name in rivals}
    answers: dict[str, Answers] = {}
    ours()  # The model is loaded, as the rival's is.
    for _ in range(ROUNDS):
        for name, work in rivals.items():
            begun, used = time.perf_counter(), time.process_time()
            answers[name] = work()
            count = sum(map(len, answers[name].values()))
            cpu[name].append(count / (time.process_time() - used))
            clock[name].append(count / (time.perf_counter() - begun))
    print(f"{count} items of {', '.join(ASKED)}; items/s {'of CPU':>10} {'by the clock':>14}")
    for name in rivals:
        print(f"{name:40} {statistics.median(cpu[name]):12.1f} {statistics.median(clock[name]):14.1f}")
    ratios = [one / other for one, other in zip(cpu["studio"], cpu["generate"], strict=True)]
    print(f"{'ratio, median (least .. most)':40} {statistics.median(ratios):12.2f} "
          f"({min(ratios):.2f} .. {max(ratios):.2f})")  # fmt: skip
    differing = {
        name: sum(one.strip() != other.strip() for one, other in zip(*both, strict=True))
        for name in ASKED
        if (both := (answers["studio"][name], answers["generate"][name]))
    }
    print(f"answers that differ: {', '.join(f'{name} {count}' for name, count in differing.items())}")
    if python := os.environ.get("LM_EVAL_PYTHON"):
        print(f"{'lm-evaluation-harness, by its own clock':40} {'':12} {harness(python, tokenizer):14.1f}")
    else:
        print("lm-evaluation-harness left out: LM_EVAL_PYTHON names no Python that has it.")


if __name__ == "__main__":
    main()
