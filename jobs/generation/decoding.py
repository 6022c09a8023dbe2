"""The decoding loop: one padded batch with a KV cache, one token for every row at each step.

Written by hand, since ``generate`` streams batches of one only, knows one temperature and one
random generator for a batch, and keeps computing rows that have ended.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from jobs.generation.models import Base, Opened
from jobs.generation.stopping import Stops
from studio_core.base.errors import StudioError
from studio_core.generation.sampling import Sampling

# A letter takes at most four byte tokens; what is still broken after more is broken text.
_LONGEST_LETTER = 8
_BROKEN = "\N{REPLACEMENT CHARACTER}"
# Nearly always so many tokens hold ``top_p`` of the chance; sorting a vocabulary of 150,000 costs some milliseconds.
_LIKELY = 512


class TextPieces:
    """Turns tokens into text as they come, up to where the answer is over; joined, the pieces are its text.

    The last few tokens are decoded again together with each new one, since a letter may be spread
    over several tokens (it is held back until it is complete) and since some tokenizers write a
    word's leading space only when something comes before it. Held back, too, is what may become the
    text that an answer ends with.
    """

    def __init__(self, tokenizer: Any, stops: Stops) -> None:
        self._tokenizer, self._stops = tokenizer, stops
        self._tokens: list[int] = []
        self._start = 0
        self._given = 0
        self._held = ""
        self.ended = False
        """Whether the answer has come to its end, which is no part of its text."""

    def add(self, token: int) -> str:
        if token in self._stops.tokens:
            piece = self.finish()
            self.ended = True
            return piece
        self._tokens.append(token)
        piece = self._pending()
        waiting = len(self._tokens) - self._given
        if piece.endswith(_BROKEN) and waiting < _LONGEST_LETTER:
            return ""
        if piece:
            self._start, self._given = self._given, len(self._tokens)
        return self._before_end(piece)

    def finish(self) -> str:
        """What was held back, without a letter of which only the beginning was written."""
        piece = self._before_end(self._pending().rstrip(_BROKEN))
        self._start = self._given = len(self._tokens)
        held, self._held = self._held, ""
        return piece + held

    def _before_end(self, piece: str) -> str:
        text, ends = self._held + piece, self._stops.texts
        if places := [text.index(end) for end in ends if end in text]:
            self.ended, self._held = True, ""
            return text[: min(places)]
        begun = (size for end in ends for size in range(1, len(end)) if text.endswith(end[:size]))
        sure = len(text) - max(begun, default=0)
        self._held = text[sure:]
        return text[:sure]

    def _pending(self) -> str:
        before = self._decode(self._tokens[self._start : self._given])
        return self._decode(self._tokens[self._start :])[len(before) :]

    def _decode(self, tokens: list[int]) -> str:
        text: str = self._tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text


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
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    """Of its tokens, as the model itself gives them (temperature 1, nothing cut off), if they are wanted."""
    reason: str = ""
    """``stop``, ``length``, ``cancelled`` or ``error`` once it has ended."""
    error: StudioError | None = None
    seconds: float = 0.0

    def __post_init__(self) -> None:
        base = self.model.base
        room = base.context - len(self.prompt) if base.context else self.sampling.max_tokens
        self.most = min(self.sampling.max_tokens, room)
        stops = self.model.stops
        self._text = TextPieces(
            self.model.tokenizer, replace(stops, texts=(*stops.texts, *self.sampling.stop))
        )
        self._random = torch.Generator(base.device).manual_seed(
            self.sampling.seed if self.seed is None else self.seed
        )

    def take(self, logits: torch.Tensor) -> str:
        """Choose the next token from ``logits`` (vocabulary); returns the text that it completes."""
        if self.stopped():
            self.reason = "cancelled"
            return self._text.finish()
        if logits.isnan().any():
            self.reason, self.error = "error", StudioError("chat.not_numbers", model=self.model.name)
            return ""
        token = choose(logits, self.sampling, self._random)
        self.tokens.append(token)
        if self.sampling.logprobs:
            self.logprobs.append(float(logits.float().log_softmax(-1)[token]))
        piece = self._text.add(token)
        if self._text.ended:
            self.reason = "stop"
        elif len(self.tokens) >= self.most:
            self.reason = "length"
            piece += self._text.finish()
        return piece


def choose(logits: torch.Tensor, sampling: Sampling, random: torch.Generator) -> int:
    """The next token: the likeliest, or drawn from the ``top_k`` and the fewest that hold ``top_p`` of the chance."""
    if sampling.temperature <= 0:
        return int(logits.argmax())
    chances = torch.softmax(logits.float() / sampling.temperature, dim=-1)
    if sampling.top_p >= 1 and not sampling.top_k:
        return int(torch.multinomial(chances, 1, generator=random))
    best, tokens = torch.topk(chances, min(sampling.top_k or _LIKELY, len(chances)))
    if sampling.top_k:
        best = best / best.sum()
    elif best.sum() < sampling.top_p:
        best, tokens = torch.sort(chances, descending=True)
    before = best.cumsum(0) - best
    kept = torch.where(before < sampling.top_p, best, 0.0)
    return int(tokens[torch.multinomial(kept, 1, generator=random)])


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
            logits = self._read_prompts() if self._cache is None else self._logits(self.rows)
            pieces = [(row, row.take(chances)) for row, chances in zip(self.rows, logits, strict=True)]
            for row in self.rows:
                row.seconds = time.perf_counter() - self._started
            self._go_on()
        return pieces

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


def advance(
    rows: Sequence[Row],
    cancelled: Callable[[], bool] = lambda: False,
    broken: Callable[[Lane, Exception], None] | None = None,
) -> Iterator[tuple[Row, str]]:
    """All rows to their ends: each with its new text, token by token; those on one base in one batch, others in turn.

    ``cancelled`` ends those that go on. ``broken`` is told of a batch whose pass has raised, and gives its rows
    their errors; without it the exception is raised here.
    """
    lanes = deque(Lane(group) for group in _groups(rows))
    while lanes:
        lane = lanes.popleft()
        if cancelled():
            for row in lane.rows:
                row.reason = "cancelled"
                yield row, ""
            continue
        try:
            pieces = lane.step()
        except Exception as error:
            if broken is None:
                raise
            broken(lane, error)
            yield from ((row, "") for row in lane.rows)
            continue
        yield from pieces
        if lane.rows:
            lanes.append(lane)


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that may share a batch: one base, and either all mixable or all on the same adapter."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        apart = None if row.model.mixable else row.model.adapter
        groups.setdefault((id(row.model.base), apart), []).append(row)
    return list(groups.values())
