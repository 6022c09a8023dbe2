"""One padded batch with a KV cache, one token for every row at each step.

Written by hand, since ``generate`` streams batches of one only, knows one temperature and one
random generator for a batch, and keeps computing rows that have ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from jobs.generation.draws import chosen
from jobs.generation.models import Base, Opened
from jobs.generation.pieces import EndOnly, TextPieces
from studio_core.base.errors import StudioError
from studio_core.generation.sampling import Sampling


@dataclass
class Row:
    """One answer in the making."""

    side: int
    model: Opened
    prompt: list[int]
    sampling: Sampling
    seed: int | None = None
    """Its own, if several rows are drawn with one sampling."""
    stopped: Callable[[], bool] = lambda: False
    """Whether nobody wants more of it."""
    streamed: bool = True
    """Whether its text is wanted token by token: to decode it again and again is a tenth of a small model's work."""
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    """Of its tokens, as the model itself gives them (temperature 1, nothing cut off), if they are wanted."""
    alternatives: list[list[tuple[int, float]]] = field(default_factory=list)
    """The likeliest tokens of each place with theirs, if some are wanted."""
    reason: str = ""
    """``stop``, ``length``, ``cancelled`` or ``error`` once it has ended."""
    error: StudioError | None = None
    seconds: float = 0.0
    by: str = ""
    """The program that computes it, if it is another than ours."""

    def __post_init__(self) -> None:
        base = self.model.base
        room = base.context - len(self.prompt) if base.context else self.sampling.max_tokens
        self.most = min(self.sampling.max_tokens, room)
        stops = self.model.stops
        stops = replace(stops, texts=(*stops.texts, *self.sampling.stop))
        self._text: TextPieces | EndOnly = (
            TextPieces(self.model.tokenizer, stops) if self.streamed or stops.texts else EndOnly(stops)
        )
        self.random = torch.Generator(base.device).manual_seed(
            self.sampling.seed if self.seed is None else self.seed
        )

    def take(self, token: int | None, logits: torch.Tensor) -> str:
        """Go on with ``token``, chosen by ``logits`` (vocabulary), or None if these are not numbers; returns the text
        that it completes."""
        if self.stopped():
            self.reason = "cancelled"
            return self._text.finish()
        if token is None:
            self.reason, self.error = "error", StudioError("chat.not_numbers", model=self.model.name)
            return ""
        self.tokens.append(token)
        if self.sampling.logprobs:
            self._tell(token, logits.float().log_softmax(-1))
        piece = self._text.add(token)
        if self._text.ended:
            self.reason = "stop"
        elif len(self.tokens) >= self.most:
            self.reason = "length"
            piece += self._text.finish()
        return piece

    def _tell(self, token: int, logprobs: torch.Tensor) -> None:
        self.logprobs.append(float(logprobs[token]))
        if most := min(self.sampling.top_logprobs, len(logprobs)):
            values, tokens = logprobs.topk(most)
            self.alternatives.append(list(zip(tokens.tolist(), values.tolist(), strict=True)))


class Lane:
    """Rows that advance together in one batch: all on one base, all adapters mixable or the same."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = list(rows)
        self.base: Base = rows[0].model.base
        self._cache: Any = None
        self._ids = self._mask = torch.empty(0)
        self._started = 0.0

    def step(self) -> list[tuple[Row, str]]:
        """One token for each row; rows that end leave the batch. Returns each row with its new text."""
        with self.base.without_gradients():
            tokens, logits = self._chosen()
            pieces = [
                (row, row.take(token, own)) for row, token, own in zip(self.rows, tokens, logits, strict=True)
            ]
            for row in self.rows:
                row.seconds = time.perf_counter() - self._started
            self._go_on()
        return pieces

    ready = True
    """Whether a step begins at once, and waits for no other thread."""

    def close(self) -> None:
        """Nobody wants more of it."""

    def _chosen(self) -> tuple[list[int | None], torch.Tensor]:
        """The next token of each row, and the logits that it was chosen by."""
        logits = self._next()
        return chosen(logits, self.rows), logits

    def _next(self) -> torch.Tensor:
        """The logits of the next token, ``(rows, vocabulary)``."""
        return self._read_prompts() if self._cache is None else self._logits(self.rows)

    def _read_prompts(self) -> torch.Tensor:
        """The logits after the prompts; rows that continue the same one with the same adapter read it once."""
        self._started = time.perf_counter()
        first: dict[tuple[str | None, tuple[int, ...]], int] = {}
        places = [first.setdefault((row.model.adapter, tuple(row.prompt)), len(first)) for row in self.rows]
        readers = [self.rows[places.index(place)] for place in range(len(first))]
        self._ids, self._mask = left_padded([row.prompt for row in readers], self.base.device)
        logits = self._logits(readers)
        if len(readers) == len(self.rows):
            return logits
        copies = torch.tensor(places, device=self.base.device)
        self._cache.batch_select_indices(copies)
        self._mask = self._mask[copies]
        return logits[copies]

    def _logits(self, rows: Sequence[Row]) -> torch.Tensor:
        """One pass over what is new; logits of the next token, ``(rows, vocabulary)``."""
        output = self.base.forward(
            [row.model.adapter for row in rows],
            input_ids=self._ids,
            attention_mask=self._mask,
            position_ids=(self._mask.cumsum(-1) - 1).clamp(min=0)[:, -self._ids.shape[1] :],
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self._cache = output.past_key_values
        logits: torch.Tensor = output.logits[:, -1]
        return logits

    def _go_on(self) -> None:
        """Make the chosen tokens the next input, without the rows that have ended."""
        going = [index for index, row in enumerate(self.rows) if not row.reason]
        if len(going) < len(self.rows):
            keep = torch.tensor(going, dtype=torch.long, device=self.base.device)
            self.rows = [self.rows[index] for index in going]
            self._mask = self._mask[keep]
            if going:
                self._cache.batch_select_indices(keep)
        if going:
            last = [[row.tokens[-1]] for row in self.rows]
            self._ids = torch.tensor(last, device=self.base.device)
            self._mask = torch.cat([self._mask, self._mask.new_ones(len(self.rows), 1)], dim=1)


def left_padded(prompts: Sequence[list[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, ``(prompts, longest)``; all end at the right edge."""
    longest = max(map(len, prompts))
    ids = [[0] * (longest - len(prompt)) + prompt for prompt in prompts]
    mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)
