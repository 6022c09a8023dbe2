"""What operations that ask a model or a service have in common: who is asked, and what."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from studio_core.base.errors import BadInput
from studio_core.curation.base import OperationOptions
from studio_core.data.shapes import Message, Record, Shape
from studio_core.generation.sampling import MaxTokens, Sampling, Temperature, TopK, TopP
from studio_core.options import option

PROMPTED = (
    Shape.PROMPT_ONLY,
    Shape.PROMPT_COMPLETION,
    Shape.CHAT,
    Shape.PREFERENCE,
    Shape.UNPAIRED_PREFERENCE,
    Shape.SCORED,
    Shape.RANKING,
)
"""Shapes whose records ask something."""


class AskingOptions(OperationOptions):
    """Options of every operation that asks: the form shows the first two and the last few lines apart."""

    model: str = option("", choices_of="models", advanced=False)
    service: str = option("", choices_of="services", advanced=False)
    # Eight at a time: quick with any service, and below the limits of those that count requests.
    concurrency: int = option(8, at_least=1, at_most=256)
    # With waits that double, five outlast a minute of trouble.
    retries: int = option(5, at_least=0, at_most=20)
    # A long answer of a large model takes a minute; twice that is no answer any more.
    timeout: float = option(120.0, at_least=1.0, at_most=3600.0, unit="seconds")

    @model_validator(mode="after")
    def _somebody_is_asked(self) -> AskingOptions:
        one_of(self, "model", "service")
        return self


class DrawingOptions(AskingOptions):
    """Asked for answers that are drawn, and with a system prompt."""

    system: str = option("", kind="prompt", advanced=False)
    temperature: Temperature = 0.7
    top_p: TopP = 0.95
    top_k: TopK = 0
    max_tokens: MaxTokens = 512

    def sampling(self, seed: int) -> Sampling:
        return Sampling.of(self, seed=seed)


def one_of(options: OperationOptions, model: str, service: str) -> None:
    """Raises ``BadInput`` unless exactly one of these two options is given."""
    if bool(getattr(options, model)) == bool(getattr(options, service)):
        raise BadInput("generation.one_of", model=model, service=service)


def asked_of(record: Record) -> list[Message]:
    """What a record asks: its prompt, or of a conversation all before its last answer. May be empty."""
    if "prompt" in record:
        return list(record["prompt"])
    messages: list[Message] = record.get("messages", [])
    last = max(
        (place for place, message in enumerate(messages) if message["role"] == "assistant"), default=None
    )
    # A conversation that ends in a question asks all of it.
    return messages if last is None else messages[:last]


def with_system(messages: list[Message], system: str) -> list[Message]:
    """The conversation under this system prompt instead of its own; an empty one leaves it as it is."""
    if not system:
        return messages
    return [
        {"role": "system", "content": system},
        *(message for message in messages if message["role"] != "system"),
    ]


def answered(messages: list[Message], text: str, shape: Shape) -> dict[str, Any]:
    """A record of the shape, prompt-completion or chat, with this answer."""
    answer: Message = {"role": "assistant", "content": text}
    if shape is Shape.CHAT:
        return {"messages": [*messages, answer]}
    return {"prompt": messages, "completion": [answer]}
