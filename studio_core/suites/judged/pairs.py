"""Two answers judged in both orders: a side wins if both games say so, all else is a tie.

Judges favour a place. One that always names the first answer wins nothing by it here: every pair is a tie.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from studio_core.data.shapes import Message
from studio_core.suites.base import Verdict
from studio_core.suites.judged.protocol import (
    Figure,
    Game,
    Outcome,
    Summary,
    by_kind,
    existing,
    share,
    unreadable,
    unreadable_count,
)

_REASONS = {1.0: "judge_won", 0.0: "judge_lost", 0.5: "judge_tie"}


def both_orders(
    messages: Callable[[Sequence[str], Sequence[str]], tuple[Message, ...]],
    answers: Sequence[str],
    baseline: Sequence[str],
    turn: int = 1,
) -> list[Game]:
    """The candidate's answers first, then second; ``messages`` takes those that stand first and second."""
    return [
        Game(messages(answers, baseline), turn),
        Game(messages(baseline, answers), turn, swapped=True),
    ]


def preferences(outcome: Outcome, turn: int | None = None) -> list[list[float]]:
    """Those for the candidate by turn, of turns whose games could all be read."""
    turns = [turn] if turn else sorted({game.turn for game in outcome.games})
    by_turn = [
        [judged.preference(game) for game, judged in outcome.pairs if game.turn == each] for each in turns
    ]
    wanted = [sum(game.turn == each for game in outcome.games) for each in turns]
    return [read for read, games in zip(by_turn, wanted, strict=True) if read and len(read) == games]


def results(outcome: Outcome, turn: int | None = None) -> list[float]:
    """1 for each turn that the candidate won, 0 for each that it lost, 0.5 for a tie or where the games disagree."""
    return [read[0] if len(set(read)) == 1 else 0.5 for read in preferences(outcome, turn)]


def consistency(outcomes: Sequence[Outcome]) -> Figure | None:
    """The share of pairs in whose games the judge said the same."""
    agreed = [[float(len(set(read)) == 1) for read in preferences(outcome)] for outcome in outcomes]
    return share([each for turns in agreed for each in turns], sum(map(bool, agreed)))


def pair_value(outcome: Outcome) -> Verdict:
    """The mean over turns; the reason is of the first."""
    decided = results(outcome)
    if not decided:
        return unreadable(outcome)
    alike = len(set(preferences(outcome)[0])) == 1
    return Verdict(sum(decided) / len(decided), _REASONS[decided[0]] if alike else "judge_disagreed")


def rate(outcomes: Sequence[Outcome], turn: int | None = None) -> Figure | None:
    """The share of wins, ties counting half; its interval is as wide as items, not turns, make it."""
    by_item = [results(outcome, turn) for outcome in outcomes]
    return share([each for turns in by_item for each in turns], sum(map(bool, by_item)))


def pair_summary(outcomes: Sequence[Outcome]) -> Summary:
    turns = sorted({game.turn for outcome in outcomes for game in outcome.games})
    by_turn = {f"turn_{turn}": rate(outcomes, turn) for turn in turns} if len(turns) > 1 else {}
    decided = [each for outcome in outcomes for each in results(outcome)]
    return Summary(
        existing({"win_rate": rate(outcomes), **by_turn}),
        by_kind(outcomes, rate),
        {"wins": decided.count(1.0), "losses": decided.count(0.0), "ties": decided.count(0.5)},
        sum(bool(results(outcome)) for outcome in outcomes),
        unreadable_count(outcomes),
        consistency(outcomes),
    )
