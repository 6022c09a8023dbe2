"""What a protocol is: which questions a judge gets about answers, how its replies are read, and what they add up to.

Pure: whoever asks the judge lives elsewhere, draws the replies to ``games`` and hands them back in an ``Outcome``. The
candidate is the model that is evaluated; the baseline is the one that it is compared with, commonly the model before
its training.

The wording of our prompts is our own, to the contract of each benchmark: scores of one judge can be compared with
each other here, and not with published leaderboards.
"""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Literal

from pydantic import BaseModel, ConfigDict

from studio_core.data.shapes import Message
from studio_core.options import Part, option
from studio_core.statistics.agreement_rate import AgreementRate, agreement_rate
from studio_core.statistics.winrate import LEVEL, wilson
from studio_core.suites.base import Item, Verdict
from studio_core.suites.judged.references import references

# What a judge thought is no verdict, also where the reply ended in the midst of it, or where the judge's template had
# opened the thought before the reply.
_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)|\A(?:(?!<think>).)*</think>", re.DOTALL)
# What tokenisers of today make of English, and of characters beyond ASCII (most are Chinese here): rules of thumb, for
# a cost that is told before.
_CHARACTERS_PER_TOKEN, _WIDE_CHARACTERS_PER_TOKEN = 4.0, 1.5

LOWEST, HIGHEST = 1.0, 10.0
"""Of a score."""


@dataclass(frozen=True)
class Judging:
    """How the judge is asked."""

    max_tokens: int
    reply_tokens: int
    """About so many it writes, of which ``max_tokens`` is the end."""
    temperature: float = 0.0
    top_logprobs: int = 0
    """So many of the likeliest first tokens are wanted with their log-probabilities; 0: none."""


@dataclass(frozen=True)
class Game:
    """One question to the judge."""

    messages: tuple[Message, ...]
    turn: int = 1
    swapped: bool = False
    """Whether the candidate's answer stands second, after the baseline's."""


@dataclass(frozen=True)
class Reply:
    """What the judge wrote."""

    text: str
    first_token: Mapping[str, float] = field(default_factory=dict)
    """Log-probabilities of the likeliest first tokens, where they were wanted and the judge tells them."""


@dataclass(frozen=True)
class Judgement:
    """What one reply says."""

    value: float
    """A score from 1 to 10; of a pair from 0 to 1 the preference for the answer that stood first, 0.5 being a tie."""
    weight: int = 1
    """So many votes."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """The same by criterion."""

    def preference(self, game: Game) -> float:
        """From 0 to 1, that for the candidate."""
        return 1 - self.value if game.swapped else self.value


@dataclass(frozen=True)
class Outcome:
    """All that there is on one item."""

    item: Item
    answers: Sequence[str]
    """The candidate's, one for each turn."""
    baseline: Sequence[str]
    """Empty where the protocol needs none."""
    games: Sequence[Game]
    judgements: Sequence[Judgement | None]
    """One for each game; None: its reply could not be read."""

    @property
    def pairs(self) -> list[tuple[Game, Judgement]]:
        """Those that could be read."""
        both = zip(self.games, self.judgements, strict=True)
        return [(game, judgement) for game, judgement in both if judgement is not None]


@dataclass(frozen=True)
class Figure:
    value: float
    low: float
    high: float
    error: float | None = None
    """Standard error, where the protocol publishes it."""
    level: float = LEVEL
    """Of the interval from ``low`` to ``high``."""


@dataclass(frozen=True)
class Summary:
    """A protocol's own figures. Items without a readable judgement are in none of them but ``unreadable``."""

    figures: Mapping[str, Figure]
    """The first is the one to quote; names are texts ``suites.figures.<name>``."""
    kinds: Mapping[str, Figure]
    """The first figure by kind of item."""
    counts: Mapping[str, int]
    """Such as wins; texts ``suites.figures.<name>`` too."""
    items: int
    """Those in the figures."""
    unreadable: int
    """Replies."""
    consistency: Figure | None = None
    """From 0 to 1: the pairs judged in both orders of which the judge said the same; None where each has one order."""
    parts: Mapping[str, Figure] = field(default_factory=dict)
    """By criterion, under the names that its author gave them."""


@dataclass(frozen=True)
class Cost:
    """About, before anything is asked."""

    calls: int
    tokens_in: int
    tokens_out: int


class ProtocolOptions(BaseModel):
    """Field order is form order. Fields are made by ``studio_core.options.option``."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BaselineOptions(ProtocolOptions):
    """Of protocols whose authors publish the answers of a baseline."""

    baseline: Literal["first", "published"] = option("first", advanced=False)


class Protocol(Part):
    """One way of judging, with its options; raises ``BadInput`` of one that cannot be.

    Texts are ``suites.protocols.<name>``, ``....help`` and ``....<option>``, or ``suites.protocols.<option>`` where
    several have it alike.
    """

    Options: type[ProtocolOptions] = ProtocolOptions
    options: ProtocolOptions
    compares = False
    """Whether an answer is judged beside another one."""
    unit: Literal["share", "score"] = "share"
    """What its figures and the items of a report are in: from 0 to 1, or a score from 1 to 10."""
    judging: Judging

    def __init__(self, **options: object) -> None:
        self.options = self.checked(options)

    @property
    def title_key(self) -> str:
        return f"suites.protocols.{self.name}"

    @property
    def takes_published(self) -> bool:
        """Whether it compares with answers that came with the questions."""
        return isinstance(self.options, BaselineOptions) and self.options.baseline == "published"

    @property
    def needs_baseline(self) -> bool:
        """Whether it compares with the answers of the job's first model."""
        return self.compares and not self.takes_published

    @property
    def areas(self) -> tuple[str, ...]:
        return (self.title_key, "suites.protocols", "options")

    @abstractmethod
    def games(self, item: Item, answers: Sequence[str], baseline: Sequence[str] = ()) -> list[Game]:
        """What the judge is asked. ``answers`` and ``baseline`` have one text for each turn of the item."""

    @abstractmethod
    def read(self, reply: Reply) -> Judgement | None:
        """None: it cannot be read. Of several verdicts the last one counts."""

    @abstractmethod
    def value(self, outcome: Outcome) -> Verdict:
        """From 0 to 1; not ``readable`` where no judgement was."""

    @abstractmethod
    def summary(self, outcomes: Sequence[Outcome]) -> Summary: ...

    def cost(self, items: Sequence[Item], lengths: Sequence[int]) -> Cost:
        """``lengths``: tokens of an answer to each item, of either side and at each turn."""
        calls = tokens = 0
        for item, length in zip(items, lengths, strict=True):
            filler = "x" * round(length * _CHARACTERS_PER_TOKEN)
            answers = [filler] * (1 + len(item.follow_ups))
            baseline = references(item) if self.takes_published else answers if self.compares else ()
            games = [] if self.compares and not baseline else self.games(item, answers, baseline)
            calls += len(games)
            tokens += sum(tokens_about(message["content"]) for game in games for message in game.messages)
        return Cost(calls, tokens, calls * self.judging.reply_tokens)


def agreement_with_people(verdicts: Mapping[str, Verdict], votes: Mapping[str, float]) -> AgreementRate:
    """On the pairs that the judge and people judged both, by any name of the pair; ties are a word of their own.

    ``votes``: what people say as a preference for the candidate, from 0 to 1; that of several is their mean.
    """
    shared = [
        (verdict, votes[name]) for name, verdict in verdicts.items() if verdict.readable and name in votes
    ]
    return agreement_rate([(_side(verdict.value), _side(vote)) for verdict, vote in shared])


def _side(preference: float) -> str:
    return "tie" if preference == 0.5 else "candidate" if preference > 0.5 else "baseline"


def tokens_about(text: str) -> int:
    wide = sum(not character.isascii() for character in text)
    return math.ceil((len(text) - wide) / _CHARACTERS_PER_TOKEN + wide / _WIDE_CHARACTERS_PER_TOKEN)


def without_thoughts(text: str) -> str:
    return _THOUGHT.sub("", text).strip()


def last_match(text: str, *patterns: re.Pattern[str]) -> str | None:
    """What stands last in a reply by the first pattern that is in it at all."""
    text = without_thoughts(text)
    return next((matches[-1] for pattern in patterns if (matches := pattern.findall(text))), None)


def unreadable_count(outcomes: Sequence[Outcome]) -> int:
    return sum(judgement is None for outcome in outcomes for judgement in outcome.judgements)


def unreadable(outcome: Outcome) -> Verdict:
    """Of an item on which the judge said nothing that can be read: it is left out of all figures."""
    return Verdict(0.0, "judge_unreadable", {"count": len(outcome.games)}, readable=False)


def by_kind(
    outcomes: Sequence[Outcome], figure: Callable[[Sequence[Outcome]], Figure | None]
) -> dict[str, Figure]:
    """A figure of the items of each kind, in the order in which they come; kinds without one are not there."""
    kinds = dict.fromkeys(outcome.item.kind for outcome in outcomes)
    figures = {kind: figure([each for each in outcomes if each.item.kind == kind]) for kind in kinds}
    return {kind: value for kind, value in figures.items() if value is not None}


def share(values: Sequence[float], items: int | None = None) -> Figure | None:
    """Mean of values of 0 to 1 with Wilson's interval, which is not too narrow for values between; None of none.

    ``items``: of how many that are independent the values are; turns of one conversation are not.
    """
    if not values:
        return None
    rate = fmean(values)
    return Figure(rate, *wilson(rate, items or len(values)))


def mean_score(by_item: Sequence[Sequence[float]], lowest: float, highest: float) -> Figure | None:
    """Mean of all scores, with a 95 % interval by Student's t over items; None of none.

    ``by_item``: the scores of each item, which are not independent. One item alone may be anywhere in the range.
    """
    by_item = [scores for scores in by_item if scores]
    if not by_item:
        return None
    mean = fmean(score for scores in by_item for score in scores)
    if len(by_item) < 2:
        return Figure(mean, lowest, highest)
    from scipy.special import stdtrit  # Not for every page; scipy.stats would take half a second.

    error = stdev(map(fmean, by_item)) / math.sqrt(len(by_item))
    half = float(stdtrit(len(by_item) - 1, (1 + LEVEL) / 2)) * error
    return Figure(mean, max(lowest, mean - half), min(highest, mean + half))


def existing(figures: Mapping[str, Figure | None]) -> dict[str, Figure]:
    return {name: figure for name, figure in figures.items() if figure is not None}
