"""The training loop of the demo models: packed rows, a mask per document, Muon and Adam."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from jobs.demo.network import Shape, Weights, forward

Row = tuple[list[int], list[int]]
MATRICES = ("qkv", "out", "up", "down")
NOWHERE = -30_000.0  # Added to the score of what may not be looked at; still finite in bfloat16.


@dataclass(frozen=True)
class Plan:
    steps: int
    matrix_rate: float
    vector_rate: float
    seed: int = 0
    tokens: int = 3072
    length: int = 96
    long_length: int = 384
    long_every: int = (
        10  # One batch in ten holds long rows, so that the models stand texts of some hundred tokens.
    )
    warmup: int = 40
    decay: float = 0.45


@dataclass
class Batch:
    tokens: Tensor
    learn: Tensor
    positions: Tensor
    mask: Tensor


def pack(rows: list[Row], length: int) -> list[list[Row]]:
    """Best fit, longest first; what is longer than a row is left out."""
    bins: list[list[Row]] = []
    by_room: dict[int, list[int]] = {}
    for row in sorted((r for r in rows if len(r[0]) <= length), key=lambda r: -len(r[0])):
        size = len(row[0])
        room = next((left for left in range(size, length + 1) if by_room.get(left)), None)
        if room is None:
            bins.append([row])
            by_room.setdefault(length - size, []).append(len(bins) - 1)
        else:
            index = by_room[room].pop()
            bins[index].append(row)
            by_room.setdefault(room - size, []).append(index)
    return bins


def collate(packed: list[list[Row]], length: int, pad: int) -> Batch:
    tokens = torch.full((len(packed), length), pad)
    learn = torch.zeros(len(packed), length, dtype=torch.bool)
    positions = torch.zeros(len(packed), length, dtype=torch.long)
    owner = torch.full((len(packed), length), -1)
    for r, rows in enumerate(packed):
        start = 0
        for n, (ids, flags) in enumerate(rows):
            stop = start + len(ids)
            tokens[r, start:stop] = torch.tensor(ids)
            learn[r, start + 1 : stop] = torch.tensor(flags[1:], dtype=torch.bool)
            positions[r, start:stop] = torch.arange(len(ids))
            owner[r, start:stop] = n
            start = stop
    allowed = (owner[:, :, None] == owner[:, None, :]).tril()
    mask = torch.where(allowed, 0.0, NOWHERE)[:, None].bfloat16()
    return Batch(tokens, learn, positions, mask)


def batches(
    plan: Plan, pad: int, short: Callable[[], list[Row]], long: Callable[[], list[Row]]
) -> Iterator[Batch]:
    """Endless; `short` and `long` each write a new chunk of rows whenever the last one is used up."""
    rng = torch.Generator().manual_seed(plan.seed)

    def stream(write: Callable[[], list[Row]], length: int) -> Iterator[Batch]:
        while True:
            bins = pack(write(), length)
            order = torch.randperm(len(bins), generator=rng).tolist()
            size = plan.tokens // length
            for start in range(0, len(order) - size + 1, size):
                yield collate([bins[i] for i in order[start : start + size]], length, pad)

    streams = stream(short, plan.length), stream(long, plan.long_length)
    step = 0
    while True:
        yield next(streams[step % plan.long_every == plan.long_every - 1])
        step += 1


def orthogonal(gradient: Tensor, rounds: int = 5) -> Tensor:
    """Newton-Schulz iteration on a stack of matrices, with the coefficients of Muon's authors."""
    tall = gradient.size(-2) > gradient.size(-1)
    x = gradient.bfloat16()
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(rounds):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x.mT if tall else x).to(gradient.dtype)


class Optimizer:
    def __init__(self, weights: Weights, plan: Plan) -> None:
        self.weights, self.plan = weights, plan
        self.momentum = {name: torch.zeros_like(weights[name]) for name in MATRICES}
        vectors = [weights[name] for name in weights if name not in MATRICES]
        self.adam = torch.optim.Adam(vectors, lr=plan.vector_rate, betas=(0.9, 0.98), eps=1e-8)

    @torch.no_grad()
    def step(self, scale: float) -> None:
        vectors = self.adam.param_groups[0]
        torch.nn.utils.clip_grad_norm_(vectors["params"], 1.0)
        vectors["lr"] = self.plan.vector_rate * scale
        self.adam.step()
        self.adam.zero_grad()
        for name, momentum in self.momentum.items():
            weight = self.weights[name]
            gradient = weight.grad
            assert gradient is not None
            momentum.lerp_(gradient, 0.05)
            update = orthogonal(gradient.lerp(momentum, 0.95).flatten(0, 1)).view_as(weight)
            shape_factor = max(1.0, weight.size(-2) / weight.size(-1)) ** 0.5
            weight.sub_(update, alpha=self.plan.matrix_rate * scale * shape_factor)
            weight.grad = None


def schedule(step: int, plan: Plan) -> float:
    decay_from = plan.steps * (1 - plan.decay)
    return min(1.0, (step + 1) / plan.warmup, max(0.02, (plan.steps - step) / (plan.steps - decay_from)))


def loss_of(weights: Weights, shape: Shape, batch: Batch) -> Tensor:
    hidden = forward(weights, shape, batch.tokens, batch.positions, batch.mask)
    # Only what is learnt from meets the vocabulary: for chats that is a third of the tokens.
    wanted = batch.learn[:, 1:]
    logits = F.linear(hidden[:, :-1][wanted], weights["embed"].bfloat16())
    return F.cross_entropy(logits.float(), batch.tokens[:, 1:][wanted])


def train(
    weights: Weights, shape: Shape, plan: Plan, stream: Iterator[Batch], say: Callable[[str], None]
) -> float:
    """Trains in place and returns the mean loss of the last hundred steps."""
    optimizer = Optimizer(weights, plan)
    began, losses = time.perf_counter(), []
    for step in range(plan.steps):
        loss = loss_of(weights, shape, next(stream))
        loss.backward()
        optimizer.step(schedule(step, plan))
        losses.append(loss.item())
        if (step + 1) % 100 == 0 or step + 1 == plan.steps:
            speed = (step + 1) * plan.tokens / (time.perf_counter() - began)
            recent = losses[-100:]
            say(f"step {step + 1}/{plan.steps}  loss {sum(recent) / len(recent):.3f}  {speed:,.0f} tokens/s")
    recent = losses[-100:]
    return sum(recent) / len(recent)
