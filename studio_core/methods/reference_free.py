"""What SimPO, CPO and ORPO have in common: they learn from pairs without a reference model."""

from __future__ import annotations

from studio_core.methods.base import Chart
from studio_core.methods.roles import Role

# Both answers of a pair go through the one model there is.
ROLES = (Role("policy", learns=True, sequences=2),)

CHARTS = (
    Chart("loss", ("loss", "eval_loss")),
    Chart("likelihood_margins", ("rewards/margins", "rewards/chosen", "rewards/rejected")),
    Chart("preference_accuracy", ("rewards/accuracies", "eval_rewards/accuracies")),
    Chart("logps", ("logps/chosen", "logps/rejected")),
    Chart("token_accuracy", ("mean_token_accuracy",)),
    Chart("learning_rate", ("learning_rate",)),
    Chart("grad_norm", ("grad_norm",)),
    Chart("speed", ("tokens_per_second",)),
    Chart("entropy", ("entropy",)),
)

# How many tokens are foreseen tells of answers, the others of pairs: all pairs may be ranked right by a model that
# writes neither answer.
HEADLINE = ("loss", "mean_token_accuracy", "rewards/accuracies", "rewards/margins", "tokens_per_second")
