"""How good answers are, by a reward model: the one place where best-of-N, rewards and measurements ask for a score.

    model = RewardModel.load(resolved)
    values = model.scores([model.text(messages, answer) for answer in answers])

A score is higher for the better answer. Its scale is the model's own: that of a regression is 1 to 10; of all others
only differences mean something. ``identity`` tells its scores from those of every other model, so they can be kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
import transformers
from torch.nn.utils.rnn import pad_sequence

from jobs.chat_format import chat_format
from jobs.generation.answering import Text, digest
from jobs.generation.engines import loop
from studio_core.base.errors import BadInput, StudioError
from studio_core.data.chat_format import ChatFormat
from studio_core.data.sequences import tokens
from studio_core.data.shapes import Message, Shape
from studio_core.runs.spec import ResolvedModel

# Scoring keeps no gradients: its memory is that of one forward pass.
BATCH = 16
# Where a model itself says no shorter limit.
MOST_TOKENS = 4096

SCORE_HEADS = ("score", "classifier")
"""What architectures call the output that scores."""


@dataclass
class RewardModel:
    named: ResolvedModel
    model: Any
    chat: ChatFormat

    @classmethod
    def load(cls, named: ResolvedModel) -> Self:
        """On the device of this job; raises ``BadInput`` if it is no reward model."""
        model, tokenizer = loaded(named)
        return cls(named, model, chat_format(named, tokenizer))

    @property
    def longest(self) -> int:
        """Tokens that it reads at most."""
        return min(MOST_TOKENS, getattr(self.model.config, "max_position_embeddings", None) or MOST_TOKENS)

    @property
    def identity(self) -> dict[str, Any]:
        return {**loop.identity(self.named), "measures": "reward"}

    def text(self, messages: list[Message], answer: str) -> Text:
        """A conversation with its answer as the model reads it; of a long one the end, where the score is read."""
        whole: list[Message] = [*messages, {"role": "assistant", "content": answer}]
        [[sequence]] = tokens(self.chat, Shape.CHAT, [{"messages": whole}])
        return Text(digest(sequence.text), sequence.ids[-self.longest :], 0)

    def scores(self, texts: list[Text]) -> list[float]:
        """The score of each text of one batch."""
        config = self.model.config
        middle, unit = getattr(config, "score_middle", 0.0), getattr(config, "score_unit", 1.0)
        return [middle + unit * value for value in outputs(self.model, [text.tokens for text in texts])]


@torch.inference_mode()
def outputs(model: Any, sequences: list[list[int]]) -> list[float]:
    """What a model with one output gives for each of these sequences, as it would for each alone."""
    by_token, counted = padded_outputs(model, sequences)
    places = torch.arange(by_token.shape[1], device=by_token.device)
    last = (places * counted[:, : by_token.shape[1]]).argmax(-1)
    return [float(value) for value in by_token[torch.arange(len(sequences)), last]]


def padded_outputs(model: Any, sequences: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """What it gives at every token, as ``token_outputs``, and a mask of the tokens that count, (sequences, tokens).

    Padding is told by the mask. Transformers looks for the last token that is not the padding token: it refuses
    batches of a model that has none, and so many reward models are.
    """
    config = model.config.get_text_config()
    pad = config.pad_token_id
    rows = [torch.tensor(ids, device=model.device) for ids in sequences]
    ids = pad_sequence(rows, batch_first=True, padding_value=pad or 0)
    mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    try:
        config.pad_token_id = 0 if pad is None else pad
        by_token = token_outputs(model, ids, mask)
    finally:
        config.pad_token_id = pad
    # A text that ends in padding tokens was read before them in training, too.
    return by_token, mask if pad is None else mask * (ids != pad)


def token_outputs(model: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """What the one output of a model gives at every token, (sequences, tokens); an encoder's, (sequences, 1).

    The model itself gives only what it reads at the end. It is called as a whole all the same, for ranks that train
    together meet in its call.
    """
    by_token: list[torch.Tensor] = []
    # By the end of its name: it may stand within an adapter's model, or one for several ranks.
    head = next(part for name, part in model.named_modules() if name.rpartition(".")[2] in SCORE_HEADS)
    hook = head.register_forward_hook(lambda module, inputs, made: by_token.append(made))
    try:
        model(input_ids=ids, attention_mask=mask)
    finally:
        hook.remove()
    # What an encoder's output is asked for is the text as a whole.
    return by_token[0][..., 0] if by_token[0].dim() == 3 else by_token[0]


def loaded(named: ResolvedModel) -> tuple[Any, Any]:
    """The model on the device of this job, and its tokenizer; raises ``BadInput`` if it is no reward model."""
    folder = Path(named.path)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    architecture = str((config.get("architectures") or ["?"])[0])
    # Loaded as a classifier, any other model would get an output layer of random numbers.
    if not architecture.endswith("ForSequenceClassification") or named.adapter:
        raise BadInput("generation.not_a_reward_model", model=named.name, architecture=architecture[:80])
    try:
        model = transformers.AutoModelForSequenceClassification.from_pretrained(
            named.path,
            use_safetensors=True,
            trust_remote_code=named.trust_remote_code,
            device_map={"": loop.models().device},
            dtype=torch.float32,
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            named.path, trust_remote_code=named.trust_remote_code
        )
    except Exception as error:  # Model files come from outside: loading may fail in any way.
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise StudioError("chat.load_failed", model=named.name, reason=reason) from error
    if model.config.num_labels != 1:
        raise BadInput("generation.not_a_reward_model", model=named.name, architecture=architecture[:80])
    return model.requires_grad_(False).eval(), tokenizer
