"""Which models have a twin in llama.cpp: made while nobody waits for an answer, and compared before it answers anyone.

A model's files decide by their hashes, so a model is written and compared once, whatever it is called. Both stand in
``llama_cpp`` of the data folder: ``<hash>.gguf``, every weight in F32, and ``<hash>.json``, the verdict.

**Compared** are likeliest answers to a few questions, token by token as the chat draws them: the same tokens, with the
same log-probabilities but for what F32 rounds when sums are taken in another order. So an answer that is drawn by a
seed is drawn by the same chances. Text becomes tokens here, never there.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from math import prod
from pathlib import Path
from statistics import median
from typing import Any

import torch

from jobs.export import gguf_file
from jobs.export.weights import Weights
from jobs.generation import contents, llama_cpp
from jobs.generation.answering import digest
from jobs.generation.lane import Lane, Row
from jobs.generation.models import Models, Opened
from jobs.generation.stopping import Stops
from jobs.generation.twin import Twin, named
from jobs.generation.twin_lane import TwinLane
from studio_core.base.atomic import read_json, write_json
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.settings import switched_on
from studio_core.exports import llama_cpp as carried
from studio_core.exports.base import Subject, unmergeable
from studio_core.generation.sampling import greedy
from studio_core.runs.spec import ResolvedModel

log = logging.getLogger(__name__)

FORM = 1
"""Of the files; another one is written and compared anew."""
MOST_WEIGHTS = 64_000_000
"""An estimate, not measured: reading 256 MB of weights takes some 20 ms, beside which the 3 ms that the loop adds to
each token are little (docs/MEASURED.md, "Chat on llama.cpp")."""
MOST_ROWS = 4
"""Of one model at once: each is computed by itself, and a batch of eight takes the loop as long."""
LEAST_GAIN = 1.5
"""Times as fast as the loop: less is not worth the memory."""
CLOSE = 1e-3
"""Nats between the log-probabilities of one token. On the demo models the largest difference is some 0.00001."""
MOST_KEPT = 2 << 30
"""Bytes of files that are kept; those unused for longest are removed."""
QUESTIONS = (
    "What is 27 + 48?",
    "Write a short letter to a friend about the sea.",
    "请用一句话介绍你自己。",
    "def f(x):\n    return x  # Größe, 1,234.5 🙂",
)
TOKENS = 24
"""Of each answer that is compared."""


class Later(Exception):
    """Somebody wants an answer: what takes long is done another time."""


@dataclass
class Twins:
    """Makes them one at a time, in a thread of its own that takes a turn like a question."""

    folder: Path
    turn: Callable[[], Any]
    """A context that gives whether it is this thread's turn to use the models."""
    wanted: Callable[[], bool]
    """Whether somebody waits for the turn."""
    _waiting: list[ResolvedModel] = field(default_factory=list)
    _thread: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def consider(self, models: Models, asked: Sequence[ResolvedModel]) -> None:
        """Have twins made of those that were asked for and have none yet. Needs the turn; returns at once."""
        if not _possible(models):
            return
        with self._lock:
            for model in asked:
                if model not in self._waiting and _lacks(models, model):
                    self._waiting.append(model)
            if self._waiting and self._thread is None:
                self._thread = threading.Thread(target=self._work, args=[models], name="twins", daemon=True)
                self._thread.start()

    def recall(self, models: Models, asked: Sequence[ResolvedModel]) -> None:
        """Load the twins that were compared before, which takes some milliseconds. Needs the turn."""
        for model in asked if _possible(models) else ():
            if _lacks(models, model):
                self._decide(models, model, anew=False)

    def _work(self, models: Models) -> None:
        while model := self._next():
            with self.turn() as mine:
                if mine and _lacks(models, model):
                    self._decide(models, model)

    def _decide(self, models: Models, model: ResolvedModel, anew: bool = True) -> None:
        opened = models.open(model)
        try:
            opened.base.twins[opened.adapter] = self.made(opened, model, anew)
        except Later:
            log.info("%s is compared with llama.cpp another time", model.name)
        # Model files come from outside: converting them may fail in any way.
        except Exception as error:
            why = opened.base.twins[opened.adapter] = named(error, model.name)
            log.info("%s stays on the decoding loop: %s", model.name, why)

    def _next(self) -> ResolvedModel | None:
        with self._lock:
            if not self._waiting:
                self._thread = None
                return None
            return self._waiting.pop(0)

    def made(self, opened: Opened, model: ResolvedModel, anew: bool = True) -> Twin:
        """The twin of a model that is open; only one that was made before, unless ``anew``.

        Raises ``StudioError`` of a model that cannot have any, ``Later`` where there will be one another time.
        """
        subject = Subject.of(model)
        _require_carried(opened, model, subject)
        version = metadata.version(llama_cpp.PACKAGE)
        folders = [Path(folder) for folder in (model.path, model.adapter) if folder]
        # Questions are asked by the template.
        name = digest([FORM, version, model.chat_template, [contents.hashes(folder) for folder in folders]])
        file, verdict = self.folder / f"{name}.gguf", self.folder / f"{name}.json"
        known = read_json(verdict)
        if known and (refusal := known.get("refusal")):
            raise StudioError(refusal["key"], **{**refusal["values"], "model": model.name})
        if not anew and not (known and file.is_file()):
            raise Later
        if not file.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(file, subject, model)
            _remove_old(self.folder, file)
        os.utime(file)
        twin = Twin(llama_cpp.Model(file), f"llama.cpp ({llama_cpp.PACKAGE} {version})", 0, _bytes(subject))
        if not known:
            try:
                known = compared(opened, twin, self.wanted)
            except StudioError as error:
                refusal = {"key": error.key, "values": {k: str(v) for k, v in error.values.items()}}
                write_json(verdict, {"refusal": refusal})
                file.unlink()
                raise
            write_json(verdict, known)
        return Twin(twin.model, twin.by, int(known["rows"]), twin.position_bytes)


def _possible(models: Models) -> bool:
    return models.device.type == "cpu" and switched_on("llama_cpp")


def _lacks(models: Models, model: ResolvedModel) -> bool:
    """Whether a model that is loaded has no twin, and no reason for having none."""
    try:
        if not models.loaded(model):
            return False
        opened = models.open(model)
    except StudioError:  # Whoever asks it is told.
        return False
    return opened.adapter not in opened.base.twins


def _require_carried(opened: Opened, model: ResolvedModel, subject: Subject) -> None:
    if model.trust_remote_code:
        raise BadInput("chat.twin_code", model=model.name)
    if unmergeable(subject):
        kind = subject.adapter_config.get("peft_type") or "quantized"
        raise BadInput("chat.twin_adapter", model=model.name, kind=str(kind)[:40])
    if subject.architecture not in carried.ARCHITECTURES:
        raise BadInput("chat.twin_architecture", model=model.name, architecture=subject.architecture)
    if problems := carried.of_architecture(subject):
        told = {name: problems[0].values[name] for name in ("setting", "value")}
        raise BadInput("chat.twin_setting", model=model.name, **told)
    if opened.base.model.dtype != torch.float32:
        precision = str(opened.base.model.dtype).removeprefix("torch.")
        raise BadInput("chat.twin_precision", model=model.name, precision=precision)
    llama_cpp.library()


def _write(file: Path, subject: Subject, model: ResolvedModel) -> None:
    partial = file.with_name(f".{file.name}.partial")
    try:
        with Weights(model) as weights:
            if (size := sum(prod(shape) for shape in weights.shapes.values())) > MOST_WEIGHTS:
                raise BadInput("chat.twin_large", model=model.name, size=size, most=MOST_WEIGHTS)
            gguf_file.write(partial, subject, None, weights, "F32")
        with open(partial, "rb") as written:
            os.fsync(written.fileno())
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)


def _remove_old(folder: Path, newest: Path) -> None:
    """Their verdicts stay: written again, they need not be compared again."""
    files = sorted(folder.glob("*.gguf"), key=lambda file: file.stat().st_mtime, reverse=True)
    kept = 0
    for file in files:
        kept += file.stat().st_size
        if kept > MOST_KEPT and file != newest:
            file.unlink()


def _bytes(subject: Subject) -> int:
    """Of keys and values of one token: two, of all layers and heads, in F32."""
    config = subject.config
    heads = int(config["num_attention_heads"])
    width = int(config.get("head_dim") or config["hidden_size"] // heads)
    return 2 * 4 * int(config["num_hidden_layers"]) * int(config.get("num_key_value_heads") or heads) * width


def compared(opened: Opened, twin: Twin, wanted: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """How many rows the twin computes faster. Raises ``StudioError`` if it computes anything else, or not faster."""
    endless = replace(opened, stops=Stops(frozenset()))
    ours: list[float] = []
    theirs: list[float] = []
    apart = 0.0
    for question in QUESTIONS:
        if wanted():
            raise Later
        prompt = opened.prompt([{"role": "user", "content": question}])
        loop, other = (Row(0, endless, prompt, greedy(TOKENS, logprobs=True)) for _ in range(2))
        ours += _step_seconds(Lane([loop]))
        theirs += _step_seconds(TwinLane([other], twin))
        if loop.tokens != other.tokens:
            raise StudioError("chat.twin_differs", model=opened.name, question=question)
        apart = max(apart, *(abs(a - b) for a, b in zip(loop.logprobs, other.logprobs, strict=True)))
    if not apart <= CLOSE:
        raise StudioError("chat.twin_apart", model=opened.name, apart=f"{apart:.2g}", most=CLOSE)
    if (gain := median(ours) / median(theirs)) < LEAST_GAIN:
        raise StudioError("chat.twin_slow", model=opened.name, gain=f"{gain:.1f}")
    return {"rows": rows_at_once(gain), "apart": apart, "gain": round(gain, 2)}


def rows_at_once(gain: float) -> int:
    """How many it computes faster: a batch takes the loop no less than one row, the twin as long as all, in turn."""
    return max(1, min(MOST_ROWS, int(gain)))


def _step_seconds(lane: Lane) -> list[float]:
    """Of each token but the first, before which the prompt is read."""
    seconds = []
    while lane.rows:
        start = time.perf_counter()
        lane.step()
        seconds.append(time.perf_counter() - start)
    return seconds[1:]
