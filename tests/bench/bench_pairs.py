"""Learning from pairs beside a bare loop of PyTorch: same model, data, batch size, precision; one thread.

As ``bench_training`` does for SFT. CPO and ORPO have SimPO's trainer and take as long. The loop scores every position,
as a model's own forward does; ours only those that are learnt.

Promised: at least 1.0 of the loop's tokens per second of CPU time.
"""

from __future__ import annotations

import copy
import json
import os
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TQDM_DISABLE="1", HF_HUB_DISABLE_TELEMETRY="1")

import torch
from torch.nn.functional import logsigmoid
from transformers import PrinterCallback
from transformers.utils import logging
from trl import DPOConfig, DPOTrainer

from jobs.chat_format import chat_format
from jobs.training import arguments, dpo, simpo
from jobs.training.fast_head import fast_head
from jobs.training.loading import load_tokenizer, machine_for
from jobs.training.reference_free import ReferenceFreeTrainer
from jobs.training.team import Team
from studio_core.base.settings import bundled_folder
from studio_core.methods import METHODS
from studio_core.methods.base import read
from studio_core.runs.spec import ResolvedModel, RunSpec
from studio_core.tunings import TUNINGS
from tests.bench.bench_training import DEMO, ROUNDS, STEPS, Clock, Pace, build
from tests.integration.miniature import make_run


def ours(run: RunSpec, options: Any, data: Any, model: Any, folder: Path) -> Pace:
    """The trainer of a run, without its answers and checkpoints."""
    settings = arguments.arguments(folder, run, options, machine_for(run, options), data, Team(folder))
    settings |= {"save_strategy": "no", "max_steps": STEPS + 1, "activation_checkpointing": False}
    collate, seen = dpo.AnswersOnly(0, options.max_length), []

    def counting(rows: list[dict[str, Any]]) -> Any:
        batch = collate(rows)
        seen.append(int(batch["attention_mask"].sum()))
        return batch

    given = {"model": model, "train_dataset": data.train, "processing_class": load_tokenizer(run.model)}
    with fast_head(DPOTrainer):
        if run.spec.method == "dpo":
            args = DPOConfig(**settings, beta=options.beta)
            trainer = dpo.GroupedDPOTrainer(
                **given, args=args, ref_model=copy.deepcopy(model).requires_grad_(False)
            )
        else:
            args = DPOConfig(**settings, precompute_ref_log_probs=True)
            trainer = ReferenceFreeTrainer(simpo.objective(options), **given, args=args)
    trainer.data_collator = counting
    clock = Clock()
    trainer.add_callback(clock)
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    (cpu, wall), (cpu_end, wall_end) = clock.marks[0], clock.marks[-1]
    return Pace(sum(seen[1 : STEPS + 1]), STEPS, cpu_end - cpu, wall_end - wall)


def bare(run: RunSpec, options: Any, data: Any, model: Any) -> Pace:
    """Random batches, padded to the longest row; log-probabilities of all positions, of which those learnt count."""
    reference = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, fused=True, weight_decay=0.0)
    rows, order, collate = data.train.to_list(), random.Random(0), dpo.AnswersOnly(0, options.max_length)
    tokens, cpu, wall = 0, 0.0, 0.0
    model.train()
    for step in range(STEPS + 1):
        if step == 1:
            tokens, cpu, wall = 0, time.process_time(), time.perf_counter()
        batch = collate(order.sample(rows, options.batch_size))
        ids, mask, learnt = batch["input_ids"], batch["attention_mask"], batch["completion_mask"][:, 1:]

        def logps(network: Any, ids: Any = ids, mask: Any = mask, learnt: Any = learnt) -> Any:
            scores = network(input_ids=ids, attention_mask=mask).logits[:, :-1].log_softmax(-1)
            return (scores.gather(-1, ids[:, 1:, None])[..., 0] * learnt).sum(1)

        if run.spec.method == "dpo":
            with torch.no_grad():
                begin = logps(reference)
            chosen, rejected = (logps(model) - begin).chunk(2)
            loss = -logsigmoid(options.beta * (chosen - rejected)).mean()
        else:
            chosen, rejected = (logps(model) / learnt.sum(1)).chunk(2)
            loss = -logsigmoid(options.beta * (chosen - rejected - options.margin_ratio)).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        tokens += int(mask.sum())
    return Pace(tokens, STEPS, time.process_time() - cpu, time.perf_counter() - wall)


def compare(name: str, method: str, vocabulary: int, folder: Path) -> None:
    lines = (bundled_folder() / "samples" / "identity-pairs.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [{side: json.loads(line)[side] for side in ("prompt", "chosen", "rejected")} for line in lines]
    demo = ResolvedModel(name=name, path=str(DEMO))
    given = {"batch_size": 16, "precision": "fp32", "learning_rate": 1e-4, "sft_weight": 0.0}
    run_dir = make_run(folder / f"{method}-{vocabulary}", demo, rows, method=method, **given)
    run = RunSpec.model_validate_json((run_dir / "spec.json").read_text(encoding="utf-8"))
    options: Any = read(METHODS[method], TUNINGS["full"], run.options)
    data = dpo.rows(run, options, chat_format(run.model, load_tokenizer(run.model)))
    paces: dict[str, list[Pace]] = {"studio": [], "bare loop": []}
    for _ in range(ROUNDS):
        paces["studio"].append(ours(run, options, data, build(demo.path, vocabulary), run_dir))
        paces["bare loop"].append(bare(run, options, data, build(demo.path, vocabulary)))
    middle = {who: statistics.median(p.tokens / p.cpu for p in several) for who, several in paces.items()}
    for who, pace in middle.items():
        print(f"{name:28} {method:6} {who:10}{pace:9.0f} tokens/s (CPU)")
    print(
        f"{name:28} {method:6} studio / bare loop: {middle['studio'] / middle['bare loop']:.2f} (promised 1.0)"
    )


def main() -> None:
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    print(f"{STEPS} steps of 16 pairs, {ROUNDS} rounds of each, one thread, medians")
    with tempfile.TemporaryDirectory() as folder:
        for method in ("dpo", "simpo"):
            compare("demo model (2 M)", method, 0, Path(folder))
            compare("6 layers, 32k vocabulary", method, 32_000, Path(folder))


if __name__ == "__main__":
    main()
