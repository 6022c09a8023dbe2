"""Every objective beside a bare loop of PyTorch: same model, same batches, same precision (fp32), one thread.

The studio's side is the method's own script, from its spec to its result, timed from the end of the first step to the
end of the last. The loop gets the very batches that the script saw, ready made: what it takes to make them is counted
on the studio's side only, and what rows of like length save (``bench_training``) is on both. That both do the same
work is asserted: their first losses are equal. Rounds of both alternate; a ratio is that of two neighbours, in tokens
without padding a second of CPU time.

Promised: at least 1.0 of the loop's speed. ``python -m tests.bench.bench_objectives dpo kto`` measures some only.
"""

from __future__ import annotations

import copy
import importlib
import json
import math
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TQDM_DISABLE="1", HF_HUB_DISABLE_TELEMETRY="1")

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer, set_seed
from transformers.utils import logging

from jobs.training.course import Course
from jobs.training.distillation import Distillation, Written
from jobs.training.scoring import padded_batch
from studio_core.base.settings import bundled_folder
from studio_core.data.shapes import Shape
from studio_core.methods import METHODS
from studio_core.methods.base import read
from studio_core.runs.spec import ResolvedModel, RunSpec
from studio_core.tunings import TUNINGS
from tests.bench.bench_training import DEMO, ROUNDS, STEPS, Clock, build
from tests.bench.rival_losses import LOSSES, Batch
from tests.bench.sizes import size
from tests.integration.miniature import SHAPES, Rows, events, make_run

ON_LARGE = ["sft-kl", "distillation", "dpo", "simpo", "kto"][: size("LARGE", 5, 1)]
"""Objectives that are also measured with a large vocabulary, whose logits are most of the work."""
SCORING = ("reward", "reward-regression", "reward-ranking", "process-reward")
BATCH = size("BATCH", 16, 4)
OPTIONS: dict[str, Any] = {
    "batch_size": BATCH, "learning_rate": 1e-4, "precision": "fp32", "max_steps": STEPS + 1, "save_steps": 10_000,
    "eval_share": 0.0,
}  # fmt: skip


@dataclass
class Seen:
    """What was seen of a training: its batches, one for each step, and the CPU clock at the end of each."""

    batches: list[Batch] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)

    @property
    def cpu(self) -> float:
        """Seconds from the end of the first step, when everything lazy is there, to that of the last."""
        return self.clock.marks[-1][0] - self.clock.marks[0][0]


@contextmanager
def watched() -> Iterator[Seen]:
    """Looks on at the training that runs meanwhile, whichever method's it is."""
    seen, train, loop, losses = Seen(), Course.train, Course.loop, Distillation.losses

    def watched_train(course: Course[Any], trainer: Any, data: Any) -> None:
        take = trainer.get_batch_samples

        def kept(*given: Any) -> Any:
            batches, items = take(*given)
            seen.batches += batches
            return batches, items

        trainer.get_batch_samples = kept
        trainer.add_callback(seen.clock)
        train(course, trainer, data)

    def watched_loop(
        course: Course[Any],
        model: Any,
        parts: Any,
        data: Any,
        total: int,
        step: Any,
        *rest: Any,
        **given: Any,
    ) -> Any:
        def timed(number: int) -> Any:
            values = step(number)
            seen.clock.on_step_end()
            return values

        return loop(course, model, parts, data, total, timed, *rest, **given)

    def watched_losses(both: Distillation, texts: list[Written]) -> Any:
        seen.batches.append(batch_of(texts))
        return losses(both, texts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Course, "train", watched_train)
        patch.setattr(Course, "loop", watched_loop)
        patch.setattr(Distillation, "losses", watched_losses)
        yield seen


def batch_of(texts: list[Written]) -> Batch:
    """The texts of a step as a batch of SFT's, padded at the end."""
    labels = [
        torch.tensor([token if learnt else -100 for token, learnt in zip(text.ids, text.answer, strict=True)])
        for text in texts
    ]
    padded = torch.nn.utils.rnn.pad_sequence(labels, batch_first=True, padding_value=-100)
    return {**padded_batch([text.ids for text in texts], 0), "labels": padded}


def studio(run_dir: Path, method: str) -> Seen:
    """The run of a folder, by the method's own script."""
    script = importlib.import_module(f"jobs.training.{method.replace('-', '_')}")
    with watched() as seen, redirect_stdout(StringIO()):  # What a script tells whoever runs it alone.
        script.main(run_dir)
    return seen


def bare(run: RunSpec, options: Any, batches: list[Batch], first_loss: float) -> float:
    """CPU seconds of the loop on the same batches, after its first step. Raises where its first loss is another."""
    set_seed(run.spec.seed)  # The new output of a reward model begins with the same random weights.
    model, reference = bare_models(run)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, fused=True, weight_decay=0.0)
    loss_of, begin = LOSSES[run.spec.method], 0.0

    @contextmanager
    def before() -> Iterator[Any]:
        with torch.no_grad():
            yield reference

    for step, batch in enumerate(batches):
        if step == 1:
            begin = time.process_time()
        loss = loss_of(model, before, batch, options)
        if step == 0 and not math.isclose(loss.item(), first_loss, rel_tol=1e-3, abs_tol=1e-3):
            raise AssertionError(f"{run.spec.method}: loss {loss.item():.5f}, the studio's {first_loss:.5f}")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return time.process_time() - begin


def bare_models(run: RunSpec) -> tuple[Any, Any]:
    """What learns, and what it is compared with: its teacher, or itself as it was."""
    if run.spec.method in SCORING:
        model = AutoModelForSequenceClassification.from_pretrained(
            run.model.path, num_labels=1, dtype=torch.float32
        )
        model.config.pad_token_id = AutoTokenizer.from_pretrained(run.model.path).pad_token_id
        return model, None
    model = AutoModelForCausalLM.from_pretrained(run.model.path, dtype=torch.float32)
    if teacher := run.models.get("teacher"):
        other: Any = AutoModelForCausalLM.from_pretrained(teacher.path, dtype=torch.float32)
        return model, other.requires_grad_(False)
    return model, copy.deepcopy(model).requires_grad_(False)


def rows_for(method: str) -> Rows:
    """The sample's pairs as what the method eats; chats of the sample for those that eat chats."""
    shape = SHAPES.get(method, Shape.CHAT)
    name = "tiny-sft-chat" if shape == Shape.CHAT else "identity-pairs"
    lines = (bundled_folder() / "samples" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    if shape == Shape.CHAT:
        return [{"messages": record["messages"]} for record in records]
    pairs = [{side: record[side] for side in ("prompt", "chosen", "rejected")} for record in records]
    if shape == Shape.PREFERENCE:
        return pairs
    both = ("chosen", "rejected")
    if shape in (Shape.RANKING, Shape.STEPWISE):
        judged = {"ranks": [1, 2]} if shape == Shape.RANKING else {"labels": [True, False]}
        texts = [[pair[side][0]["content"] for side in both] for pair in pairs]
        return [
            {"prompt": pair["prompt"], "completions": text, **judged}
            for pair, text in zip(pairs, texts, strict=True)
        ]
    single = [(pair, side) for pair in pairs for side in both]
    name, good, bad = ("score", 9.0, 2.0) if shape == Shape.SCORED else ("label", True, False)
    return [
        {"prompt": pair["prompt"], "completion": pair[side], name: good if side == "chosen" else bad}
        for pair, side in single
    ]


def compare(method: str, model: ResolvedModel, teacher: ResolvedModel, folder: Path) -> None:
    """Print the median of the ratios, the least and the greatest, and both sides' speed."""
    ratios, speeds = [], []
    given: dict[str, Any] = {
        "method": method,
        "shape": SHAPES.get(method, Shape.CHAT),
        "prompts": (),
        **OPTIONS,
    }
    if method == "distillation":
        given |= {"models": {"teacher": teacher}, "mode": "data"}
    for number in range(ROUNDS):
        run_dir = make_run(folder / f"{model.name}-{method}-{number}", model, rows_for(method), **given)
        run = RunSpec.model_validate_json((run_dir / "spec.json").read_text(encoding="utf-8"))
        seen = studio(run_dir, method)
        batches = seen.batches[: STEPS + 1]
        first = events(run_dir, "metrics")[0]["values"]["loss"]
        loop = bare(run, read(METHODS[method], TUNINGS["full"], run.options), batches, first)
        ratios.append(loop / seen.cpu)
        tokens = sum(int(batch["attention_mask"].sum()) for batch in batches[1:])
        speeds.append((tokens / seen.cpu, tokens / loop))
        shutil.rmtree(run_dir)
    ours, theirs = map(statistics.median, zip(*speeds, strict=True))
    print(
        f"{model.name:12} {method:18}{ours:8.0f} to {theirs:6.0f} tokens/s  {statistics.median(ratios):.2f}"
        f" ({min(ratios):.2f} to {max(ratios):.2f})",
        flush=True,
    )


def large(folder: Path) -> ResolvedModel:
    """A model of six layers with random weights and 32,000 words."""
    for file in DEMO.iterdir():
        if file.name.startswith(("token", "chat", "generation")):
            shutil.copy(file, folder)
    build("", 32_000).save_pretrained(folder)
    return ResolvedModel(name="32,000 words", path=str(folder))


def main(only: list[str]) -> None:
    """All objectives, or those that are named."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    print(
        f"{STEPS} steps of {BATCH} rows, {ROUNDS} rounds of each, one thread; studio / bare loop (promised 1.0)"
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        demo = ResolvedModel(name="demo model", path=str(DEMO))
        chat = ResolvedModel(name="tiny-chat", path=str(DEMO.parent / "tiny-chat"))
        for method in only or LOSSES:
            compare(method, demo, chat, folder)
        (folder / "large").mkdir()
        many_words = large(folder / "large")
        for method in [method for method in ON_LARGE if not only or method in only]:
            compare(method, many_words, many_words, folder)


if __name__ == "__main__":
    main(sys.argv[1:])
