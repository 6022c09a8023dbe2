"""How often two who judged the same things said the same, such as a judge and people.

The share has Wilson's interval; Cohen's kappa (Cohen 1960) takes off what chance alone would agree on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio_core.statistics.winrate import wilson

SHARED = 20
"""Below so many shared items agreement is not shown: it would say nothing."""


@dataclass(frozen=True)
class Share:
    """A share with its 95 % Wilson interval."""

    count: int
    of: int
    low: float
    high: float

    @property
    def rate(self) -> float | None:
        return self.count / self.of if self.of else None


def share(count: int, of: int) -> Share:
    low, high = wilson(count / of if of else 0.0, of)
    return Share(count, of, low, high)


@dataclass(frozen=True)
class AgreementRate:
    share: Share
    kappa: float | None
    """None below ``SHARED``, or if all said the same."""


def agreement_rate(verdicts: Sequence[tuple[str, str]]) -> AgreementRate:
    """``verdicts``: of each thing that both judged what the one and the other said."""
    return AgreementRate(share(sum(one == other for one, other in verdicts), len(verdicts)), _kappa(verdicts))


def _kappa(verdicts: Sequence[tuple[str, str]]) -> float | None:
    if len(verdicts) < SHARED or len({verdict for pair in verdicts for verdict in pair}) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score  # Half a second: not for every page.

    return float(cohen_kappa_score(*zip(*verdicts, strict=True)))
