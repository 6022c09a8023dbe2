"""Jobs on data whose results a labelling project waits for: answers to be written, pairs to be judged in advance.

They are options of a ``DataSpec``. Workers import this: no database here.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from studio_core.generation.sampling import Count, MaxTokens, Seed, Temperature, TopK, TopP


class AnswerSource(BaseModel):
    """Who writes answers to be judged, and how: a model of the studio or a service."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(default="", max_length=80, description="Source name; generated if empty.")
    model: str = Field(default="", description="Model; empty if a service answers.")
    service: str = Field(default="", description="Service; empty if a model answers.")
    temperature: Temperature = 0.7
    top_p: TopP = 0.95
    top_k: TopK = 0
    max_tokens: MaxTokens = 256
    system: str = Field(
        default="", max_length=20_000, description="System prompt instead of the prompt's own."
    )
    seed: Seed = 0
    best_of: Count = 1
    """Above 1: pair the best and the worst of so many answers by reward."""
    reward: str = Field(default="", description="Reward function that scores the answers.")
    reward_options: dict[str, Any] = Field(
        default_factory=dict, description="Options of the reward function."
    )
    setting: str = Field(
        default="", description="Specs of former versions: the reward's option, as one text."
    )


class AnswersSpec(BaseModel):
    """Answers to be written for a labelling project: options of a ``DataSpec`` whose operation is ``answers``."""

    model_config = ConfigDict(extra="forbid")

    project: int
    mode: Literal["pairs", "rate", "rank"]
    sources: list[AnswerSource] = Field(min_length=1, max_length=8)
    prompts: str = Field(description="JSON lines: {prompt: messages, record: other columns}.")
    every_pair: bool = Field(
        default=False,
        description="With more than two sources, all pairs of them and not one for each prompt.",
    )
    seed: int = 0


class JudgeSpec(BaseModel):
    """Pairs to be judged in advance: options of a ``DataSpec`` whose operation is ``prelabel``."""

    model_config = ConfigDict(extra="forbid")

    project: int
    name: str = Field(min_length=1, max_length=60, description="How the judge is called.")
    model: str = Field(default="", description="A model of the studio; empty if a service judges.")
    service: str = Field(default="", description="A service of the settings; empty if a model judges.")
    rubric: str = Field(
        default="", max_length=20_000, description="What counts; empty: what counts commonly."
    )
    items: str = Field(description="JSON lines: {item: id, prompt: messages, answers: two texts}.")
