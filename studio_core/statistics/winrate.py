"""How often one model's answers were preferred to another's, and whether that says anything.

Ties count half in the rate. Its interval is Wilson's (1927, "Probable inference, the law of succession,
and statistical inference"), on the number of judged items; better or worse is said by the exact sign
test (Dixon and Mood 1946), which leaves ties out. Both hold for a number of votes that was decided
beforehand; ``WinRate.at_any_look`` holds however often somebody looked before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

# The level that readers take for granted; the pages say it beside the numbers.
LEVEL = 0.95


@dataclass(frozen=True)
class WinRate:
    wins: int
    losses: int
    ties: int
    """Both good and both bad alike."""
    rate: float
    """0 to 1, ties counting half; 0.5 if nothing was judged."""
    low: float
    high: float
    p_value: float
    """Of the two-sided sign test on wins and losses; 1 if there are none."""
    more_needed: int | None
    """About how many more verdicts would tell them apart, if the rate stays; None if they are apart,
    or if no number would do."""

    @property
    def judged(self) -> int:
        return self.wins + self.losses + self.ties

    @property
    def separable(self) -> bool:
        return self.p_value < 1 - LEVEL

    @property
    def at_any_look(self) -> bool:
        """Whether they would be told apart also by somebody who looks after every vote and stops when it suits."""
        return evidence(self.wins, self.losses) >= math.log(1 / (1 - LEVEL))

    @property
    def outcome(self) -> str:
        """``better``, ``worse`` or ``open``: a key of the text catalogue, ``labeling.outcome_<name>``."""
        if not self.separable:
            return "open"
        return "better" if self.wins > self.losses else "worse"


def win_rate(wins: int, losses: int, ties: int = 0) -> WinRate:
    """The rate with its interval and test, from counts of verdicts."""
    judged, decided = wins + losses + ties, wins + losses
    p_value = sign_test(wins, decided)
    rate = (wins + ties / 2) / judged if judged else 0.5
    # Ties count as judged: leaving them out would make the interval narrower than what was seen.
    low, high = wilson(rate, judged)
    more = None if p_value < 1 - LEVEL else _more_needed(wins, losses, ties)
    return WinRate(wins, losses, ties, rate, low, high, p_value, more)


def evidence(wins: int, losses: int) -> float:
    """Logarithm of how much likelier these votes are if any true rate is as likely as another than if it is a half.

    By Ville's inequality it passes log 20 with a probability of at most 5 % at whatever number of votes, if
    there is no difference (Robbins 1970, "Statistical methods related to the law of the iterated logarithm").
    """
    decided = wins + losses
    # Beta(1, 1) as the prior of the true rate: its integral over wins and losses in closed form.
    mixed = math.lgamma(wins + 1) + math.lgamma(losses + 1) - math.lgamma(decided + 2)
    return mixed + decided * math.log(2)


def wilson(rate: float, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval of a share ``rate`` of ``n``, which may count halves; (0, 1) if n is 0."""
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    # Rounding could put an end on the wrong side of the share itself.
    return max(0.0, min(rate, centre - half)), min(1.0, max(rate, centre + half))


# More than 100,000 nobody judges.
def _more_needed(wins: int, losses: int, ties: int, most: int = 100_000) -> int | None:
    """How many verdicts more until the sign test tells the two apart, if they fall as those so far."""
    decided = wins + losses
    if wins == losses:
        return None
    share, of_all = max(wins, losses) / decided, decided / (decided + ties)
    # First doubled, then halved: some thirty tests and not a hundred thousand.
    low, high = decided, decided
    while not _tells(share, high):
        low, high = high, 2 * high
        if high > most:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _tells(share, middle) else (middle, high)
    return max(1, math.ceil((high - decided) / of_all))


def _tells(share: float, n: int) -> bool:
    return sign_test(round(share * n), n) < 1 - LEVEL


def sign_test(wins: int, decided: int) -> float:
    """Two-sided p-value of so many wins of so many, were both sides equally good; 1 if none was decided."""
    from scipy.special import bdtr  # Not for every page; scipy.stats would take half a second.

    # Both tails are alike where either side wins half of the time.
    return min(1.0, 2 * float(bdtr(min(wins, decided - wins), decided, 0.5))) if decided else 1.0


def interval_p(
    rate: float, low: float, high: float, level: float = LEVEL, other: float = 0.5
) -> float | None:
    """Two-sided p-value that an interval of a rate implies for its being ``other``, were its log-odds normal.

    None where the rate or an end of it is 0 or 1, whose log-odds are not finite.
    """
    if not 0 < low <= rate <= high < 1 or low == high:
        return None
    below, above, odds, against = (math.log(each / (1 - each)) for each in (low, high, rate, other))
    error = (above - below) / 2 / NormalDist().inv_cdf((1 + level) / 2)
    return 2 * NormalDist().cdf(-abs(odds - against) / error)
