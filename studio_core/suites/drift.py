"""How far a model has moved from the first one of its job, on general prompts that no training is about.

The item's value is the KL divergence of its next tokens from those of the first model, in nats a token, along the
answer that it writes itself; how long its answers have become stands beside it.
"""

from __future__ import annotations

from studio_core.suites.base import Suite, unscored

# Most of a drift shows in the first sentences; each token costs a pass of the model.
DRIFT = Suite("drift", unscored, max_tokens=64, scored_by="drift", unit="nats", higher_is_better=False)
