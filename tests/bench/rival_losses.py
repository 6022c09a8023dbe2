"""The loss of each objective as one writes it first in PyTorch: what ``bench_objectives`` races the studio against.

Each is a function ``(model, before, batch, options) -> loss``. ``model`` learns; ``before()`` is a context in which the
model as it was, or the teacher, is asked. Every position is scored, as a model's own forward does.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    kl_div,
    logsigmoid,
    mse_loss,
    relu,
    softplus,
)

from studio_core.methods.reward_regression import MIDDLE, UNIT

Batch = dict[str, torch.Tensor]
Before = Callable[[], AbstractContextManager[Any]]
Loss = Callable[[Any, Before, Batch, Any], torch.Tensor]


def logits_of(model: Any, batch: Batch, prefix: str = "") -> torch.Tensor:
    """What predicts each token but the first, (rows, length - 1, vocabulary)."""
    ids, mask = batch[f"{prefix}input_ids"], batch[f"{prefix}attention_mask"]
    return model(input_ids=ids, attention_mask=mask).logits[:, :-1]


def logps(model: Any, batch: Batch, prefix: str = "") -> torch.Tensor:
    """The log-probability of each answer, (rows,)."""
    likely = logits_of(model, batch, prefix).log_softmax(-1)
    of_tokens = likely.gather(-1, batch[f"{prefix}input_ids"][:, 1:, None])[..., 0]
    return (of_tokens * batch[f"{prefix}completion_mask"][:, 1:]).sum(1)


def sft(model: Any, before: Before, batch: Batch, options: Any) -> torch.Tensor:
    ids, mask = batch["input_ids"], batch["attention_mask"]
    return model(input_ids=ids, attention_mask=mask, labels=batch["labels"]).loss


def sft_kl(model: Any, before: Before, batch: Batch, options: Any) -> torch.Tensor:
    logits = logits_of(model, batch)
    with before() as base:
        was = logits_of(base, batch).log_softmax(-1)
    mask = batch["attention_mask"][:, 1:].bool()
    kl = kl_div(logits.log_softmax(-1), was, reduction="none", log_target=True).sum(-1)[mask].mean()
    loss = cross_entropy(logits.flatten(0, 1), batch["labels"][:, 1:].flatten())
    return loss + options.kl_coef * kl


def distillation(model: Any, before: Before, batch: Batch, options: Any) -> torch.Tensor:
    """The generalised Jensen-Shannon divergence on the answers' tokens, at a temperature of 1."""
    learnt, beta = batch["labels"][:, 1:] != -100, options.beta
    student = logits_of(model, batch)[learnt].log_softmax(-1)
    with before() as network:
        teacher = logits_of(network, batch)[learnt].log_softmax(-1)
    middle = (beta * teacher.exp() + (1 - beta) * student.exp()).log()
    of_teacher, of_student = (
        kl_div(middle, of, reduction="batchmean", log_target=True) for of in (teacher, student)
    )
    return beta * of_teacher + (1 - beta) * of_student


def dpo(model: Any, before: Before, batch: Batch, options: Any) -> torch.Tensor:
    with before() as reference:
        was = logps(reference, batch)
    now = logps(model, batch)
    chosen, rejected = (now - was).chunk(2)
    preferred = -logsigmoid(options.beta * (chosen - rejected)).mean()
    tokens = batch["completion_mask"][: len(chosen), 1:].sum()
    return preferred - options.sft_weight * now[: len(chosen)].sum() / tokens


def per_token(model: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of the answers their mean log-probability a token, chosen and rejected, and the loss of SFT on the chosen."""
    of_answers, tokens = logps(model, batch), batch["completion_mask"][:, 1:].sum(1)
    chosen, rejected = (of_answers / tokens).chunk(2)
    half = len(chosen)
    return chosen, rejected, -of_answers[:half].sum() / tokens[:half].sum()


def simpo(model: Any, before: Before, batch: Batch, options: Any) -> torch.Tensor:
    chosen, rejected, of_sft = per_token(model, batch)
    preferred = -logsigmoid(options.beta * (chosen - rejected - options.margin_ratio)).mean()
    return preferred + options.sft_weight * of_sft


def orpo(model: Any, before: Before, batch: Batch, options: Any) -> torch.Tensor:
    chosen, rejected, of_sft = per_token(model, batch)
    odds = chosen - rejected - torch.log1p(-chosen.exp()) + torch.log1p(-rejected.exp())
    return of_sft - options.odds_weight * logsigmoid(odds).mean()


def cpo(model: Any, before: Before, batch: Batch, options: Any) -> torch.Tensor:
    chosen, rejected = logps(model, batch).chunk(2)
    tokens = batch["completion_mask"][: len(chosen), 1:].sum()
    preferred = -logsigmoid(options.beta * (chosen - rejected)).mean()
    return preferred - options.sft_weight * chosen.sum() / tokens


def kto(model: Any, before: Before, batch: Batch, options: Any) -> torch.Tensor:
    """Good and bad answers are equally many here, so that ``balance`` changes nothing."""
    with before() as reference, torch.no_grad():
        was, was_other = logps(reference, batch), logps(reference, batch, "KL_")
    with torch.no_grad():
        drift = relu((logps(model, batch, "KL_") - was_other).mean())
    signs = batch["label"].float() * 2 - 1
    return (1 - torch.sigmoid(signs * options.beta * (logps(model, batch) - was - drift))).mean()


def scores(model: Any, batch: Batch) -> torch.Tensor:
    return model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, 0]


def reward(model: Any, before: Before, batch: Batch, options: Any) -> torch.Tensor:
    chosen, rejected = scores(model, batch).chunk(2)
    return softplus(rejected - chosen).mean() + options.center * ((chosen + rejected) ** 2).mean()


def reward_regression(model: Any, before: Before, batch: Batch, options: Any) -> torch.Tensor:
    return mse_loss(scores(model, batch), (batch["scores"] - MIDDLE) / UNIT)


def reward_ranking(model: Any, before: Before, batch: Batch, options: Any) -> torch.Tensor:
    """The likelihood of each ranking, whose answers stand from the best to the worst, without ties."""
    given = scores(model, batch)
    rankings = given.split(batch["ranking"].bincount().tolist())
    return torch.stack([(of.flip(0).logcumsumexp(0).flip(0) - of).sum() for of in rankings]).mean()


def process_reward(model: Any, before: Before, batch: Batch, options: Any) -> torch.Tensor:
    hidden = model.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    of_tokens = model.score(hidden.last_hidden_state)[..., 0]
    return binary_cross_entropy_with_logits(of_tokens[batch["row"], batch["place"]], batch["right"])


LOSSES: dict[str, Loss] = {
    "sft": sft,
    "sft-kl": sft_kl,
    "distillation": distillation,
    "dpo": dpo,
    "simpo": simpo,
    "orpo": orpo,
    "cpo": cpo,
    "kto": kto,
    "reward": reward,
    "reward-regression": reward_regression,
    "reward-ranking": reward_ranking,
    "process-reward": process_reward,
}
"""By the method's name."""
