"""Keep the records that a judge thinks well of."""

from __future__ import annotations

from studio_core.curation.asking import AskingOptions
from studio_core.curation.base import Operation
from studio_core.data.shapes import Shape
from studio_core.generation import judging
from studio_core.generation.sampling import MaxTokens, Sampling, greedy
from studio_core.options import option

SCORE = "judge_score"
"""The column that holds the score."""


class JudgeOptions(AskingOptions):
    rubric: str = option("", kind="prompt", advanced=False)
    min_score: float = option(0.0, at_least=0.0, at_most=float(judging.HIGHEST), advanced=False)
    keep_top: float = option(1.0, at_least=0.001, at_most=1.0, advanced=False)
    keep_scores: bool = option(True)
    max_tokens: MaxTokens = 512

    def sampling(self, seed: int) -> Sampling:
        return greedy(self.max_tokens, seed=seed)


JUDGE = Operation(
    name="judge",
    Options=JudgeOptions,
    shapes=(Shape.PROMPT_COMPLETION, Shape.CHAT, Shape.PREFERENCE, Shape.TEXT),
    needs_model=lambda options: bool(options.model),
    models=("model",),
    services=("service",),
    area="generation",
)
