"""Who an unseen system prompt says that the model is: the answer must say that name and that maker."""

from __future__ import annotations

from studio_core.suites.base import Suite, by
from studio_core.suites.identity import right

PERSONAS = Suite("personas", by(right))
