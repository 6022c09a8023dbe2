"""The value model of PPO: at each token of an answer, the reward that it expects before it knows this token.

It is the policy once more, or the reward model, with one output in place of those for words. What is frozen of them is
shared and not copied: with LoRA all models of a run stand on the weights of one base.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import nn

from jobs.generation.scoring import SCORE_HEADS, RewardModel
from jobs.training.course import Course
from jobs.training.loading import with_adapter
from jobs.training.writing import Places, opened
from studio_core.base.errors import BadInput

Hidden = Callable[[dict[str, torch.Tensor]], torch.Tensor]
"""The last hidden states of a batch, ``(texts, tokens, width)``."""


class Critic(nn.Module):
    def __init__(self, trunk: nn.Module, head: nn.Module, hidden: Hidden) -> None:
        super().__init__()
        self.trunk, self.head, self._hidden = trunk, head, hidden
        for weight in self.parameters():
            if weight.requires_grad:
                weight.data = weight.data.float()

    @classmethod
    def like_policy(cls, course: Course[Any], model: Any) -> Self:
        """One that expects nothing yet: its output is 0 everywhere."""
        trunk = sharing_frozen(model)
        head = nn.Linear(model.config.get_text_config().hidden_size, 1, device=model.device)
        nn.init.zeros_(head.weight)
        reader = opened(course, trunk)

        def hidden(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
            rows = len(inputs["input_ids"])
            # Of the logits, which nobody wants here, those of one place only.
            output = reader.base.forward([None] * rows, **inputs, logits_to_keep=1, output_hidden_states=True)
            states: torch.Tensor = output.hidden_states[-1]
            return states

        return cls(trunk, head, hidden)

    @classmethod
    def like_reward_model(cls, course: Course[Any], reward: RewardModel) -> Self:
        """One that expects of a beginning what the reward model would say of it.

        Raises ``BadInput`` if that reads other tokens than the policy writes.
        """
        if reward.chat.tokenizer.get_vocab() != course.chat.tokenizer.get_vocab():
            values = {"reward": reward.named.name, "model": course.run.model.name}
            raise BadInput("methods.ppo.value_other_tokens", **values)
        # All of the reward model is frozen: it goes on scoring while the copy learns.
        whole = course.tuning.whole
        scorer = copy.deepcopy(reward.model).requires_grad_(True) if whole else sharing_frozen(reward.model)
        head = next(getattr(scorer, name) for name in SCORE_HEADS if hasattr(scorer, name))
        trunk = with_adapter(course.run, course.options, scorer.base_model, "FEATURE_EXTRACTION")
        head = copy.deepcopy(head).requires_grad_(True)
        return cls(trunk, head, lambda inputs: trunk(**inputs).last_hidden_state)

    def forward(self, texts: Sequence[list[int]], learnt: Sequence[Sequence[bool]]) -> torch.Tensor:
        """The value before each token that is learnt, of all texts one behind the other, ``(tokens,)``."""
        batch = Places(texts, learnt, self.head.weight.device)  # type: ignore[arg-type]
        states = self._hidden(batch.inputs)[:, -batch.kept - 1 : -1][batch.chosen]
        values: torch.Tensor = self.head(states.float())[:, 0]
        return values

    def state_dict(self, *_: Any, **__: Any) -> dict[str, Any]:
        """What learns: the rest is there already when a run is resumed."""
        return {name: weight.detach() for name, weight in self.named_parameters() if weight.requires_grad}

    def load_state_dict(self, state: Any, *_: Any, **__: Any) -> Any:
        return super().load_state_dict(state, strict=False)


def sharing_frozen(model: Any) -> Any:
    """A copy of which only what learns is its own."""
    frozen = {id(weight): weight for weight in model.parameters() if not weight.requires_grad}
    return copy.deepcopy(model, frozen)
