"""A model as an ONNX graph: one step of decoding of any length, which reads the prompt with an empty cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from transformers.exporters import OnnxConfig, OnnxExporter
from transformers.exporters.utils import decompose_for_generation

from jobs.export.answering import Answers, Original, Work, by_tokens
from jobs.export.merged import copy_settings
from jobs.export.weights import merged

FILE = "model.onnx"
_SAMPLE = (2, 8)
"""Rows and tokens of what is traced; the graph takes any number of both."""
_READ, _LEFT = "input.", "output."
"""What the exporter puts before the name of a cache that is read and left changed."""


def write(work: Work, folder: Path) -> dict[str, Any]:
    model = merged(work.run.model)
    sample = torch.randint(0, model.config.vocab_size, _SAMPLE, generator=torch.Generator().manual_seed(0))
    inputs = {"input_ids": sample, "attention_mask": torch.ones_like(sample)}
    # Of both graphs that generating takes the second alone: it does the first one's work, without its weights again.
    step, values = decompose_for_generation(model, inputs, multi_token_decode=True)["decode"]
    exported = OnnxExporter().export(step, values, OnnxConfig(dynamic=True))
    exported.save_pretrained(folder)
    work.tokenizer.save_pretrained(folder)
    copy_settings(work, folder)
    return {"precision": "float32"}


def answers(work: Work, folder: Path, original: Original) -> Answers:
    graph = Graph.open(folder / FILE)
    return by_tokens(work, folder, original, graph.next_tokens, f"onnxruntime {onnxruntime.__version__}")


@dataclass(frozen=True)
class Graph:
    session: onnxruntime.InferenceSession
    caches: dict[str, np.ndarray[Any, Any]]
    """By name, without any token."""

    @classmethod
    def open(cls, file: Path) -> Graph:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        # Its inputs name the sizes of a cache by letters; its outputs have numbers, but for rows and tokens.
        shapes = {output.name.removeprefix(_LEFT): output.shape for output in session.get_outputs()}
        names = (each.name for each in session.get_inputs() if each.name.startswith(_READ))
        caches = {name: _empty(shapes[name.removeprefix(_READ)]) for name in names}
        return cls(session, caches)

    def next_tokens(self, prompt: list[int]) -> Any:
        """Always the likeliest next token, without end."""
        tokens, past, caches = prompt, 0, self.caches
        names = [output.name for output in self.session.get_outputs()]
        given = {each.name for each in self.session.get_inputs()}
        while True:
            length = past + len(tokens)
            feed = {
                "input_ids": np.array([tokens], np.int64),
                "attention_mask": np.ones((1, length), np.int64),
                "position_ids": np.arange(past, length, dtype=np.int64)[None],
            }
            feed = {name: value for name, value in feed.items() if name in given}
            values = dict(zip(names, self.session.run(None, {**feed, **caches}), strict=True))
            token = int(values["logits"][0, -1].argmax())
            yield token
            tokens, past = [token], length
            caches = {name: values[_LEFT + name.removeprefix(_READ)] for name in caches}


def _empty(shape: list[Any]) -> np.ndarray[Any, Any]:
    """Of a shape whose first size is rows, and whose other unknown one is tokens."""
    sizes = [1, *(size if isinstance(size, int) else 0 for size in shape[1:])]
    return np.zeros(sizes, np.float32)
