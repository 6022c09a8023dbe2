"""The decoding loop: one padded batch with a KV cache, one token for every row at each step.

Written by hand, since ``generate`` streams batches of one only, knows one temperature and one
random generator for a batch, and keeps computing rows that have ended.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from jobs.generation.llama_cpp import Context
from jobs.generation.models import Base, Opened
from jobs.generation.pieces import EndOnly, TextPieces
from jobs.generation.twin import Twin, named
from studio_core.base.errors import StudioError
from studio_core.generation.sampling import Sampling

# Nearly always so many tokens hold ``top_p`` of the chance; sorting a vocabulary of 150,000 costs some milliseconds.
_LIKELY = 512
_BESIDE = ThreadPoolExecutor(8, "llama.cpp")
"""One for each side of a chat; its threads begin when the first is wanted."""


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


def chosen(logits: torch.Tensor, rows: Sequence[Row]) -> list[int | None]:
    """The next token of each row by ``logits`` (rows, vocabulary), with its own random numbers; None where these are
    not numbers."""
    tokens: list[int | None] = [None] * len(rows)
    plain: list[int] = []
    for place, broken in enumerate(logits.isnan().any(-1).tolist()):
        if broken:
            continue
        if _plain(rows[place].sampling):
            plain.append(place)
        else:
            tokens[place] = choose(logits[place], rows[place].sampling, rows[place].random)
    if plain:
        together = [rows[place] for place in plain]
        temperatures, randoms = (
            [row.sampling.temperature for row in together],
            [row.random for row in together],
        )
        for place, token in zip(plain, drawn(logits[plain], temperatures, randoms), strict=True):
            tokens[place] = token
    return tokens


def choose(logits: torch.Tensor, sampling: Sampling, random: torch.Generator) -> int:
    """The next token: the likeliest, or drawn from the ``top_k`` and the fewest that hold ``top_p`` of the chance."""
    if sampling.temperature <= 0:
        return int(logits.argmax())
    if _plain(sampling):
        return drawn(logits[None], [sampling.temperature], [random])[0]
    chances = torch.softmax(logits.float() / sampling.temperature, dim=-1)
    best, tokens = torch.topk(chances, min(sampling.top_k or _LIKELY, len(chances)))
    if sampling.top_k:
        best = best / best.sum()
    elif best.sum() < sampling.top_p:
        best, tokens = torch.sort(chances, descending=True)
    before = best.cumsum(0) - best
    kept = torch.where(before < sampling.top_p, best, 0.0)
    return int(tokens[torch.multinomial(kept, 1, generator=random)])


def _plain(sampling: Sampling) -> bool:
    """Whether every token may be drawn."""
    return sampling.temperature > 0 and sampling.top_p >= 1 and not sampling.top_k


def drawn(
    logits: torch.Tensor, temperatures: Sequence[float], randoms: Sequence[torch.Generator]
) -> list[int]:
    """A token for each row out of the whole vocabulary: where its random number falls in the sums of the chances.

    One number for each row instead of one for each token of the vocabulary, as ``multinomial`` draws, and all rows at
    once. In double precision: of 150,000 chances many are smaller than what single precision can add to 1.
    """
    scale = torch.tensor(temperatures, device=logits.device)[:, None]
    sums = torch.softmax(logits.float() / scale, dim=-1).cumsum(-1, dtype=torch.float64)
    points = [torch.rand(1, dtype=torch.float64, generator=one, device=logits.device) for one in randoms]
    # Right of equal sums: a token without any chance adds nothing, and is never drawn.
    places = torch.searchsorted(sums, torch.stack(points) * sums[:, -1:], right=True)
    tokens: list[int] = places[:, 0].clamp(max=logits.shape[-1] - 1).tolist()
    return tokens


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
            logits = self._next()
            tokens = chosen(logits, self.rows)
            pieces = [
                (row, row.take(token, own)) for row, token, own in zip(self.rows, tokens, logits, strict=True)
            ]
            for row in self.rows:
                row.seconds = time.perf_counter() - self._started
            self._go_on()
        return pieces

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


class TwinLane(Lane):
    """Rows of one model whose logits llama.cpp computes, each by itself: together they would take it longer."""

    def __init__(self, rows: Sequence[Row], twin: Twin, beside: Executor | None = None) -> None:
        super().__init__(rows)
        self._twin, self._beside = twin, beside
        self._contexts: list[Context] = []
        self._places = list(range(len(rows)))
        """Of the rows that go on: where their contexts and logits are."""
        self._all_logits = torch.empty(len(rows), twin.model.vocabulary)
        for row in rows:
            row.by = twin.by
        self._started = time.perf_counter()
        self._begin()

    def give_up(self, error: Exception) -> None:
        """After a pass that has raised: the decoding loop answers from now on."""
        opened = self.rows[0].model
        opened.base.twins[opened.adapter] = named(error, opened.name)

    def _next(self) -> torch.Tensor:
        if self._ahead is None:
            self._compute()
        else:
            self._ahead.result()
        return self._all_logits[self._places]

    def _compute(self) -> None:
        # No tensor is made here: it may be another thread, where gradients are on.
        if not self._contexts:
            self._read_all()
        else:
            for place, row in zip(self._places, self.rows, strict=True):
                self._contexts[place].read(row.tokens[-1:], self._address(place))

    def _read_all(self) -> None:
        """The prompts; one that several rows continue is read once."""
        first: dict[tuple[int, ...], int] = {}
        for place, row in enumerate(self.rows):
            self._contexts.append(Context(self._twin.model, len(row.prompt) + row.most))
            alike = first.setdefault(tuple(row.prompt), place)
            if alike == place:
                self._contexts[place].read(row.prompt, self._address(place))
            else:
                self._contexts[place].copy(self._contexts[alike])
                self._all_logits[place] = self._all_logits[alike]

    def _address(self, place: int) -> int:
        return self._all_logits.data_ptr() + place * self._all_logits.stride(0) * self._all_logits.itemsize

    def _go_on(self) -> None:
        going = [place for place, row in zip(self._places, self.rows, strict=True) if not row.reason]
        self._places, self.rows = going, [row for row in self.rows if not row.reason]
        if self.rows:
            self._begin()

    def _begin(self) -> None:
        """Compute beside what else is done until the logits are wanted, if there is somebody for it."""
        self._ahead: Future[None] | None = self._beside.submit(self._compute) if self._beside else None


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
    lanes = deque(_lanes(rows))
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


def _lanes(rows: Sequence[Row]) -> list[Lane]:
    """Few rows of a model that has a twin are computed by it; all others share batches."""
    asked: dict[int, list[Row]] = {}
    for row in rows:
        if row.model.twin is not None:
            asked.setdefault(id(row.model.twin), []).append(row)
    pairs = [(twin, group) for group in asked.values() if (twin := group[0].model.twin) and twin.takes(group)]
    taken = {id(row) for _, group in pairs for row in group}
    beside = _BESIDE if len(pairs) > 1 and torch.get_num_threads() > 1 else None
    return [
        *(TwinLane(group, twin, beside) for twin, group in pairs),
        *(Lane(group) for group in _groups([row for row in rows if id(row) not in taken])),
    ]


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that may share a batch: one base, and either all mixable or all on the same adapter."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        apart = None if row.model.mixable else row.model.adapter
        groups.setdefault((id(row.model.base), apart), []).append(row)
    return list(groups.values())
