"""What a model makes of answers to prompts, token by token: for losses of our own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from jobs.generation.models import Opened
from jobs.training.writing import Places


@dataclass(frozen=True)
class Logits:
    """What stood before each token of some texts; they are padded on the left, so that they end together."""

    logits: torch.Tensor
    """(texts, kept, vocabulary), in full precision: the model's before each of the last tokens."""
    tokens: torch.Tensor
    """(texts, kept)"""
    learnt: torch.Tensor
    """(texts, kept): which of them are learnt."""
    states: torch.Tensor
    """(texts, kept, width): what the logits were made of, in full precision; without places if nobody asked."""

    @property
    def logps(self) -> torch.Tensor:
        """(texts, kept): log-probability of each token in nats, 0 where nothing is learnt."""
        return self.logits.log_softmax(-1).gather(-1, self.tokens[..., None])[..., 0] * self.learnt

    def entropy(self) -> float:
        """Sum over the tokens that are learnt, in nats: how undecided the model was before each."""
        with torch.no_grad():
            likely = self.logits.log_softmax(-1)
            return float((-(likely.exp() * likely).sum(-1) * self.learnt).sum())


def answer_logits(
    model: Opened, texts: Sequence[list[int]], learnt: Sequence[Sequence[bool]], states: bool = False
) -> Logits:
    """One pass over some texts, of which answers are ``learnt``; with the last hidden ``states`` if wanted."""
    batch = Places(texts, learnt, model.base.device)
    output = model.base.forward(
        [None] * len(texts),
        **batch.inputs,
        # What a token is predicted by stands before it.
        logits_to_keep=batch.kept + 1,
        output_hidden_states=states,
    )
    before = slice(-batch.kept - 1, -1)
    logits = output.logits[:, before].float()
    hidden = output.hidden_states[-1][:, before].float() if states else logits[:, :0]
    return Logits(logits, batch.inputs["input_ids"][:, -batch.kept :], batch.chosen, hidden)
