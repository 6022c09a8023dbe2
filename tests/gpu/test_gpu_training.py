"""Training of models of real sizes on a GPU: ``make test-gpu``. Random weights, so nothing is downloaded.

Prints for each case the hardware, the throughput and the peak of memory beside the estimate.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from studio_core.base.settings import bundled_folder
from studio_core.methods import METHODS
from studio_core.methods.base import Method
from studio_core.methods.memory import RUNTIME, memory
from studio_core.models.size import ModelSize
from studio_core.runs import run_folder
from studio_core.runs.spec import ResolvedModel
from tests.integration.miniature import Rows, events, make_run, said

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        not torch.cuda.is_available(), reason="this machine has no NVIDIA GPU that torch can use"
    ),
]

SHAPES = {"0.6B": (1024, 3072), "1.7B": (2048, 6144)}
"""Hidden and feed-forward width of Qwen3 of that size."""
BATCH, LENGTH, STEPS = 4, 512, 12


@pytest.fixture(scope="module")
def model_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], ResolvedModel]]:
    """A model of Qwen3's shape with random weights and the demo tokenizer, made when first asked for."""
    folder = tmp_path_factory.mktemp("models")
    made: dict[str, ResolvedModel] = {}

    def build(size: str) -> ResolvedModel:
        if size not in made:
            hidden, feed_forward = SHAPES[size]
            config = Qwen3Config(
                vocab_size=151_936, hidden_size=hidden, intermediate_size=feed_forward, num_hidden_layers=28,
                num_attention_heads=16, num_key_value_heads=8, head_dim=128, tie_word_embeddings=True,
            )  # fmt: skip
            with torch.device("cuda"):
                torch.manual_seed(0)
                model = Qwen3ForCausalLM(config).to(torch.bfloat16)
            path = folder / size
            model.save_pretrained(path)
            for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
                shutil.copy(bundled_folder() / "models" / "tiny-chat" / name, path)
            made[size] = ResolvedModel(name=size, path=str(path), parameters=model.num_parameters())
            del model
            torch.cuda.empty_cache()
        return made[size]

    yield build
    shutil.rmtree(folder)


def rows_of(count: int, words: int) -> Rows:
    """Chats with answers of about ``words`` words from a small vocabulary, which is quickly learnt."""
    chance = random.Random(0)
    vocabulary = ["river", "mayor", "weaver", "town", "bread", "stone", "lamp", "green", "old", "sings"]
    return [
        {
            "messages": [
                said("user", f"Story {n}"),
                said("assistant", " ".join(chance.choices(vocabulary, k=words))),
            ]
        }
        for n in range(count)
    ]


def rows_for(method: str) -> Rows:
    """64 rows of the method's shape; those of pairs are short enough that none is left out."""
    rows = rows_of(64, 600 if method != "reward" else 100)
    asked = [[row["messages"][0]] for row in rows]
    answers = [[row["messages"][1]] for row in rows]
    if method in ("dpo", "reward"):
        both = zip(asked, answers, reversed(answers), strict=True)
        return [{"prompt": one, "chosen": better, "rejected": worse} for one, better, worse in both]
    if method == "kto":
        both = zip(asked, answers, strict=True)
        return [{"prompt": one, "completion": a, "label": n % 2 == 0} for n, (one, a) in enumerate(both)]
    return rows


def expected(model: ResolvedModel, size: str, tuning: str, method: Method) -> int:
    hidden, feed_forward = SHAPES[size]
    details = {"hidden": hidden, "layers": 28, "vocab": 151_936, "intermediate": feed_forward, "tied": True}
    estimate = memory(
        dict.fromkeys(method.roles, ModelSize.of(model.parameters, details)), tuning=tuning, rows=BATCH,
        length=LENGTH, device="gpu",
    )  # fmt: skip
    return estimate.total - RUNTIME["gpu"]  # Torch does not count the driver's own share.


def carried_out(run_dir: Path) -> dict[str, Any]:
    """Run the worker as the engine would; the result event."""
    environment = {**os.environ, "TUNESMITH_DEVICE": "cuda", "CUDA_VISIBLE_DEVICES": "0"}
    with open(run_dir / run_folder.LOG, "wb") as log:
        command = [sys.executable, "-m", "jobs.worker", str(run_dir)]
        code = subprocess.call(command, env=environment, stdout=log, stderr=log)
    assert code == 0, run_folder.log_tail(run_dir)
    result: dict[str, Any] = events(run_dir, "result")[-1]
    return result


@pytest.mark.parametrize("size", SHAPES)
@pytest.mark.parametrize(
    ("method", "tuning"),
    [
        ("sft", "lora"),
        ("sft", "qlora"),
        ("sft", "full"),
        ("dpo", "lora"),
        ("kto", "lora"),
        ("reward", "lora"),
    ],
)
def test_it_trains_in_bf16_within_the_estimated_memory(
    tmp_path: Path, model_of: Callable[[str], ResolvedModel], size: str, method: str, tuning: str
) -> None:
    model = model_of(size)
    run_dir = make_run(
        tmp_path / "run", model, rows_for(method), method=method, tuning=tuning,
        prompts=("Story 1",) if METHODS[method].writes else (), batch_size=BATCH, max_length=LENGTH,
        max_steps=STEPS, precision="auto", learning_rate=1e-5 if tuning == "full" else 2e-4,
    )  # fmt: skip
    result = carried_out(run_dir)
    config = events(run_dir, "config")[0]["values"]
    reports = [event["values"] for event in events(run_dir, "metrics") if "loss" in event["values"]]

    assert result["state"] == "succeeded" and config["precision"] == "bf16"
    assert all(report["loss"] is not None for report in reports)
    assert reports[-1]["loss"] < reports[0]["loss"]
    speed = statistics.median(report["tokens_per_second"] for report in reports[2:])
    estimate = expected(model, size, tuning, METHODS[method])
    print(
        f"\n{torch.cuda.get_device_name()}: Qwen3 shape {size}, {method} {tuning}, {config['attention']}, "
        f"{BATCH} x {LENGTH} tokens: {speed:,.0f} tokens/s, "
        f"peak {result['peak_memory'] / 1e9:.1f} GB, estimated {estimate / 1e9:.1f} GB"
    )
    assert result["peak_memory"] < 1.5 * estimate + 1e9
