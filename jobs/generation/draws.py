"""The next token of each row, by its logits, its sampling and its own random numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from studio_core.generation.sampling import Sampling

# Nearly always so many tokens hold ``top_p`` of the chance; sorting a vocabulary of 150,000 costs some milliseconds.
_LIKELY = 512


class Drawing(Protocol):
    """As much of a row as a draw wants to know of it."""

    sampling: Sampling
    random: torch.Generator


def chosen(logits: torch.Tensor, rows: Sequence[Drawing]) -> list[int | None]:
    """The next token of each row by ``logits`` (rows, vocabulary), with its own random numbers; None where these are
    not numbers."""
    plain = [place for place, row in enumerate(rows) if _plain(row.sampling)] if len(rows) > 1 else []
    together = [rows[place] for place in plain]
    tokens = dict(zip(plain, drawn(logits[plain], together), strict=True)) if plain else {}
    return [
        tokens[place] if place in tokens else choose(own, row.sampling, row.random)
        for place, (own, row) in enumerate(zip(logits, rows, strict=True))
    ]


def choose(logits: torch.Tensor, sampling: Sampling, random: torch.Generator) -> int | None:
    """The next token: the likeliest, or drawn from the ``top_k`` and the fewest that hold ``top_p`` of the chance; None
    if ``logits`` (vocabulary) are not numbers.

    Few calls of torch: each costs a small model a hundredth of its pass.
    """
    if sampling.temperature <= 0:
        best, token = logits.max(-1)  # What is no number counts as the most.
        return None if math.isnan(best) else int(token)
    chances = torch.softmax(logits.float() / sampling.temperature, dim=-1)
    if _plain(sampling):
        return _point_in(chances, random)
    likely, tokens = torch.topk(chances, min(sampling.top_k or _LIKELY, len(chances)))
    sums = _sums(likely)
    if math.isnan(sums[-1]):
        return None
    if sampling.top_k:
        sums /= sums[-1]
    elif sums[-1] < sampling.top_p:
        likely, tokens = torch.sort(chances, descending=True)
        sums = _sums(likely)
    # The first, and each before which there is less than top_p.
    sums = sums[: 1 + int(np.count_nonzero(sums[:-1] < sampling.top_p))]
    point = float(torch.rand(1, dtype=torch.float64, generator=random, device=logits.device)) * sums[-1]
    place = int(np.searchsorted(sums, point, side="right"))
    return int(tokens[min(place, len(sums) - 1)])


def _sums(chances: torch.Tensor) -> np.ndarray:
    return np.cumsum(chances.cpu().numpy(), dtype=np.float64)


def _plain(sampling: Sampling) -> bool:
    """Whether every token may be drawn."""
    return sampling.temperature > 0 and sampling.top_p >= 1 and not sampling.top_k


def drawn(logits: torch.Tensor, rows: Sequence[Drawing]) -> list[int | None]:
    """A token for each row out of the whole vocabulary: where its random number falls in the sums of the chances.

    One number for each row instead of one for each token of the vocabulary, as ``multinomial`` draws, and all rows at
    once. In double precision: of 150,000 chances many are smaller than what single precision can add to 1.
    """
    scale = torch.tensor([row.sampling.temperature for row in rows], device=logits.device)[:, None]
    sums = torch.softmax(logits.float() / scale, dim=-1).cumsum(-1, dtype=torch.float64)
    points = [torch.rand(1, dtype=torch.float64, generator=row.random, device=logits.device) for row in rows]
    # Right of equal sums: a token without any chance adds nothing, and is never drawn.
    places = torch.searchsorted(sums, torch.stack(points) * sums[:, -1:], right=True)
    tokens: list[int] = places[:, 0].clamp(max=logits.shape[-1] - 1).tolist()
    broken: list[bool] = sums[:, -1].isnan().tolist()
    return [None if not_numbers else token for token, not_numbers in zip(tokens, broken, strict=True)]


def _point_in(chances: torch.Tensor, random: torch.Generator) -> int | None:
    """As ``drawn``, of one row (vocabulary) in half the calls."""
    sums = chances.cumsum(-1, dtype=torch.float64)
    if math.isnan(whole := float(sums[-1])):
        return None
    point = torch.rand(1, dtype=torch.float64, generator=random, device=chances.device) * whole
    return min(int(torch.searchsorted(sums, point, right=True)), len(chances) - 1)
