"""P-tuning by PEFT: embeddings before every prompt, made by a small network.

PEFT saves what the network gives, also in checkpoints, and would resume with another network. So it is kept beside.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peft import PromptEncoderConfig

from jobs.training.tunings import Companion, Implementation
from studio_core.runs.spec import RunSpec
from studio_core.tunings.virtual_tokens import VirtualTokenOptions


def adapter(run: RunSpec, model: Any, options: VirtualTokenOptions) -> PromptEncoderConfig:
    return PromptEncoderConfig(
        num_virtual_tokens=options.virtual_tokens,
        # As wide as the model, which is what PEFT takes where nothing is said.
        encoder_hidden_size=model.config.get_text_config().hidden_size,
    )


class Encoder(Companion):
    """The network of the adapter that learns."""

    def __init__(self, model: Any) -> None:
        self._network = model.prompt_encoder[model.active_adapter]

    def after_step(self, step: int) -> None: ...

    def finish(self) -> None: ...

    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = self._network.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._network.load_state_dict(state)


def companion(model: Any, options: Any, run_dir: Path, steps: int) -> Encoder:
    return Encoder(model)


IMPLEMENTATION = Implementation(adapter=adapter, companion=companion)
