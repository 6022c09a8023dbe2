"""What LLM Compressor writes: a model in Hugging Face's form whose linear layers hold fewer bits."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from datasets import Dataset
from llmcompressor import oneshot

from jobs.chat_format import chat_format
from jobs.export import merged
from jobs.export.answering import Work
from jobs.export.weights import merged as merged_model
from studio_core.base.errors import BadInput
from studio_core.data.sequences import tokens
from studio_core.data.shapes import Shape, without_nulls
from studio_core.exports.llm_compressor import group_size

TARGETS, KEPT = ["Linear"], ["lm_head"]
"""What is quantized, and what decides every word and is not."""

answers = merged.answers


def write(work: Work, folder: Path, recipe: list[Any]) -> dict[str, Any]:
    """Carry out a recipe and save what comes of it. Weights are rounded to bf16 first, which servers compute in."""
    rows = calibration(work) if work.run.calibration else None
    # Its own order is random; rows are drawn here, by a seed.
    given = {"num_calibration_samples": len(rows), "shuffle_calibration_samples": False} if rows else {}
    model = merged_model(work.run.model).to(torch.bfloat16)
    oneshot(model=model, dataset=rows, tokenizer=work.tokenizer, recipe=recipe, **given)
    model.save_pretrained(folder, save_compressed=True)
    work.tokenizer.save_pretrained(folder)
    merged.copy_settings(work, folder)
    return {"rows": len(rows)} if rows else {}


def four_bits(work: Work) -> dict[str, QuantizationScheme]:
    size = group_size(work.subject.config, work.options)
    # Symmetric: packed zero points are what transformers 5.23 does not load.
    weights = QuantizationArgs(num_bits=4, symmetric=True, strategy="group", group_size=size)
    return {"group_0": QuantizationScheme(targets=TARGETS, weights=weights)}


def calibration(work: Work) -> Dataset:
    """The tokens of rows of the dataset, drawn once and cut to the length limit; of several answers the first."""
    dataset, options = work.run.calibration, work.options
    if dataset is None or not dataset.rows:
        raise BadInput("model_exports.no_calibration", format=work.run.spec.format)
    chosen = sorted(random.Random(0).sample(range(dataset.rows), min(options.rows, dataset.rows)))
    records = pq.read_table(dataset.path).take(chosen).to_pylist()
    chat = chat_format(work.run.model, work.tokenizer)
    sequences = tokens(chat, Shape(dataset.shape), [*map(without_nulls, records)])
    ids = [sequence.ids[: options.max_length] for sequence, *_ in sequences]
    return Dataset.from_dict({"input_ids": ids, "attention_mask": [[1] * len(each) for each in ids]})
