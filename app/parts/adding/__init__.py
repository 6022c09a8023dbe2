"""Ways for data to come in, one file each: ``NAME`` and ``build(studio, brought)``, called inside a tab.

Each puts what was brought (``studio_core.curation.adding.Brought``, as a dict) into the state ``brought``;
what is done with it from there on is the same for all.
"""

from __future__ import annotations

import time
from typing import Any

from studio_core.curation.adding import Brought


def as_state(brought: Brought) -> dict[str, Any]:
    """The value of the state; each is a new one, so that the same files again are looked at again."""
    return {**brought.model_dump(), "at": time.monotonic()}


def read(value: Any) -> Brought:
    """What the state holds."""
    return Brought.model_validate({name: value[name] for name in Brought.model_fields})
