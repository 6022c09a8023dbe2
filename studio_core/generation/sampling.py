"""How an answer is drawn: one declaration of the settings, with their names and limits, for all that asks a model.

Chat, sources of a labelling project, operations on data, services and the decoding loop take a ``Sampling``. A
document that holds some of its settings among others declares them by the types below, under the same names, so that
its form, the command line and the check of what was stored know the same limits; ``Sampling.of`` reads them back.

Workers import this: no database here.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from studio_core.options import OptionField, fields, option

MOST_TOKENS = 131_072
"""Of one answer: the whole context of the longest of today's models."""
MOST_ANSWERS = 64
"""To one question. Each needs a cache of its own beside the others."""

Temperature = Annotated[float, option(0.7, at_least=0.0, at_most=2.0, advanced=False)]
TopP = Annotated[float, option(0.95, at_least=0.01, at_most=1.0)]
TopK = Annotated[int, option(0, at_least=0, at_most=1000)]
MaxTokens = Annotated[int, option(512, at_least=1, at_most=MOST_TOKENS, unit="tokens", advanced=False)]
Count = Annotated[int, option(1, at_least=1, at_most=MOST_ANSWERS, unit="answers")]
# OpenAI's form knows no more; each costs a sentence of the reply for every token.
TopLogprobs = Annotated[int, option(0, at_least=0, at_most=20)]
Seed = Annotated[int, option(0, at_least=0, at_most=2**31 - 1)]
# Services take four stop sequences and no more; long ones would be searched for at each token.
StopTexts = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=200)], ...],
    Field(max_length=4, json_schema_extra={"kind": "json"}),
]


class Sampling(BaseModel):
    """How answers to one question are drawn. A temperature of 0 takes the likeliest token always."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: Temperature = 0.7
    top_p: TopP = 0.95
    """Draw from the likeliest tokens whose chances add up to this."""
    top_k: TopK = 0
    """Draw from so many of the likeliest tokens; 0: from all."""
    max_tokens: MaxTokens = 512
    n: Count = 1
    """Answers to each question, drawn apart."""
    stop: StopTexts = ()
    """Texts at which an answer ends; they are no part of it."""
    seed: Seed = 0
    """Of a model of the studio: same seed, same text. Services may draw as they will."""
    logprobs: bool = False
    """Whether the log-probability of each token is wanted."""
    top_logprobs: TopLogprobs = 0
    """With ``logprobs``: so many of the likeliest tokens of each place are told with theirs."""

    @classmethod
    def of(cls, document: BaseModel, **more: Any) -> Sampling:
        """The settings that a document holds under their names; ``more`` comes first."""
        held = {name: getattr(document, name) for name in cls.model_fields.keys() & document.__dict__.keys()}
        return cls(**{**held, **more})

    @property
    def identity(self) -> list[Any]:
        """What tells answers drawn like this from others, without the seed.

        Answers are kept under it, and those that were paid for must be known again: settings that earlier
        versions did not have are named only where they are set.
        """
        names = ("top_k", "stop", "top_logprobs")
        newer = {name: getattr(self, name) for name in names if getattr(self, name)}
        return [self.temperature, self.top_p, self.max_tokens, *([newer] if newer else [])]


def greedy(max_tokens: int, **more: Any) -> Sampling:
    """Always the likeliest token: for judges and editors, of whom nothing new is wanted."""
    return Sampling(temperature=0.0, top_p=1.0, max_tokens=max_tokens, **more)


def setting(name: str) -> OptionField:
    """The declaration of one setting: what a form needs of it."""
    return next(field for field in fields(Sampling, ["options"]) if field.name == name)


def limits(name: str) -> dict[str, Any]:
    """``min`` and ``max`` of one setting, as the command line wants them."""
    field = setting(name)
    return {"min": field.minimum, "max": field.maximum}
