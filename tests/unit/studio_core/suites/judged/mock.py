"""A judge whose verdicts are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from studio_core.suites import Item
from studio_core.suites.base import asked
from studio_core.suites.judged.protocol import Game, Outcome, Protocol, Reply, Summary

Judge = Callable[[Game], str | Reply]


def item(kind: str = "writing", number: int = 0, follow_ups: tuple[str, ...] = (), **record: object) -> Item:
    return Item("suite", kind, asked(f"Question {number}?"), "", follow_ups=follow_ups, record=record)


def outcome(
    protocol: Protocol, each: Item, judge: Judge, answers: Sequence[str] = (), baseline: Sequence[str] = ()
) -> Outcome:
    turns = range(1, 2 + len(each.follow_ups))
    answers = answers or [f"mine {turn}" for turn in turns]
    baseline = (baseline or [f"theirs {turn}" for turn in turns]) if protocol.compares else ()
    games = protocol.games(each, answers, baseline)
    replies = [reply if isinstance(reply := judge(game), Reply) else Reply(reply) for game in games]
    return Outcome(each, answers, baseline, games, [protocol.read(reply) for reply in replies])


def summary(protocol: Protocol, items: Sequence[Item], judge: Judge) -> Summary:
    return protocol.summary([outcome(protocol, each, judge) for each in items])


def for_candidate(first: str, second: str) -> Judge:
    """A judge that always prefers the candidate's answer, wherever it stands."""
    return lambda game: second if game.swapped else first
