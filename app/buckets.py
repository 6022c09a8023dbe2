"""Token buckets: so many at once, and then so many a second."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

# A dictionary of some megabytes; addresses of a flood would fill it without end.
MOST_KNOWN = 10_000
"""Names that a bucket remembers; of more, those are forgotten that have all of theirs again."""


@dataclass
class Bucket:
    """So many at once for each name, and then so many a second."""

    burst: float
    per_second: float
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)

    def take(self, who: str) -> bool:
        """Whether there was one left, which is taken."""
        left, now = self._now(who)
        if len(self._left) >= MOST_KNOWN:
            self._left = {name: seen for name, seen in self._left.items() if self._now(name)[0] < self.burst}
        # A refusal costs nothing: who keeps asking is not locked out the longer.
        self._left[who] = (left - 1 if left >= 1 else left, now)
        return left >= 1

    def wait(self, who: str) -> float:
        """Seconds until there is one for ``who``; 0 if there is now."""
        left, _ = self._now(who)
        return max(0.0, (1 - left) / self.per_second)

    def _now(self, who: str) -> tuple[float, float]:
        now = time.monotonic()
        left, then = self._left.get(who, (self.burst, now))
        return min(self.burst, left + (now - then) * self.per_second), now
